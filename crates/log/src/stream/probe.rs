//! Whether a stream still ends where it is known to end: what an idle engine asks before it says
//! that it leads.

use std::io;

use super::chain::{Position, Stored};
use crate::AppendError;

/// What its last message says of a stream that is known to end at `tip`.
///
/// # Errors
///
/// [`AppendError::Fenced`] where another engine's record follows, [`AppendError::Replaced`] where
/// it is another log, and [`AppendError::Unavailable`] where it ends before.
pub fn probed(stream: &str, tip: &Position, last: Option<&Stored>) -> Result<(), AppendError> {
    let replaced = |reason: String| AppendError::Replaced { stream: stream.to_owned(), reason };
    let Some(last) = last else { return Err(replaced("it holds nothing".to_owned())) };
    let place = Position::behind(last, tip.log);
    let place = place.map_err(|fault| replaced(fault.reason().to_owned()))?;
    if place == *tip {
        return Ok(());
    }
    if place.message > tip.message {
        let (expected, found) = (place.last.next(), tip.last.next());
        return Err(AppendError::Fenced { expected, found });
    }
    // One that was just elected may be behind for a moment. What was set back is told by an append.
    let (ends, known) = (place.message, tip.message);
    let what = format!("the stream ends at record {ends}, and record {known} was appended");
    Err(AppendError::Unavailable(io::Error::other(what)))
}
