//! The readers of what `push0 logs` is given, for a fuzzer: whatever it is, a terminal obeys none
//! of it.

use push0_dispatch::OutputAnswer;

use super::logs::{before, body, shown};

/// What a person is shown of an answer that came over the bus; none where it is no answer.
#[doc(hidden)]
#[must_use = "a fuzzer may ignore it"]
pub fn answer(payload: &[u8]) -> Option<String> {
    match serde_json::from_slice(payload).ok()? {
        OutputAnswer::Piece(piece) => {
            Some(shown(&(before(piece.forgotten) + &piece.text + &piece.rest)))
        }
        OutputAnswer::None => Some(String::new()),
        OutputAnswer::Later(why) => Some(shown(&why)),
    }
}

/// What a person is shown of an output that a store or a dispatcher has kept.
#[doc(hidden)]
#[must_use = "a fuzzer may ignore it"]
pub fn kept(bytes: &[u8]) -> String {
    shown(body(&String::from_utf8_lossy(bytes)))
}
