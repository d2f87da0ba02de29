//! Whether a stream still ends where it is known to end: what an idle engine asks before it says that it leads.

use super::NatsLog;
use super::api::{Unanswered, code};
use super::chain::Position;
use crate::AppendError;

impl NatsLog {
    /// Asks the stream's leader for its last record, and compares.
    pub(super) async fn probe_now(&mut self) -> Result<(), AppendError> {
        self.land_all().await?;
        self.refuse_if_replaced()?;
        let silent = |error: Unanswered| AppendError::Unavailable(error.into_error());
        let last = match self.api.get_last(&self.subjects).await {
            Err(error) if error.code() == Some(code::NO_STREAM) => None,
            last => last.map_err(silent)?,
        };
        let Some(last) = last else { return Err(self.replaced("it holds nothing".to_owned())) };
        let place = Position::behind(&last, self.tip.log)
            .map_err(|fault| self.replaced(fault.reason().to_owned()))?;
        if place == self.tip {
            return Ok(());
        }
        if place.message > self.tip.message {
            let (expected, found) = (place.last.next(), self.tip.last.next());
            return Err(AppendError::Fenced { expected, found });
        }
        // One that was just elected may be behind for a moment. What was set back is told by an append.
        let (ends, known) = (place.message, self.tip.message);
        let what = format!("the stream ends at record {ends}, and record {known} was appended");
        Err(AppendError::Unavailable(std::io::Error::other(what)))
    }

    fn replaced(&self, reason: String) -> AppendError {
        AppendError::Replaced { stream: self.api.stream.to_string(), reason }
    }
}
