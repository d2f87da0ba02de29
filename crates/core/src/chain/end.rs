//! The chain's end: said by its source, and taken back.
//!
//! Not here: whether it may be said (`scheduler`).

use super::{Chain, Standing};
use crate::Height;

impl Chain {
    /// No block follows `last`.
    pub(crate) fn end(&mut self, last: Height) {
        self.ended = Some(last);
        self.strays.put_beside_past(last);
    }

    /// Blocks follow after all; answers whether the source had ended. What was past its end may
    /// follow the chain again.
    pub(crate) fn resume_source(&mut self) -> bool {
        let Some(last) = self.ended.take() else { return false };
        // Lowest first, so that how a block's parent stands is known before its own place is looked
        // for.
        for hash in self.strays.take_from_beside_past(last) {
            if self.standing(&hash) == Some(Standing::Beside) {
                self.strays.put_beside(hash);
            }
        }
        true
    }
}
