//! Whether what leaves an engine rests on what it was told is durable.

use push0_core::{Epoch, Seq, ToDispatcher, Verdict};

use super::Watch;
use crate::check::{Check, holds};

impl Watch {
    /// The engine is told that its log is durable up to here: all that it has appended.
    pub(crate) fn landed(&mut self, durable: Seq) {
        (self.durable, self.led) = (durable, self.shadow.epoch());
        let is_all = durable == self.shadow.last();
        self.note(holds(Check::DurableFirst, is_all, || {
            format!("{durable} is not all of the log")
        }));
    }

    /// Somebody looks at the state, which goes up to `last`.
    pub(crate) fn looked(&mut self, last: Seq) {
        let durable = self.durable;
        self.note(holds(Check::DurableFirst, last == durable, || {
            format!("{last} was shown, and the log is durable up to {durable}")
        }));
    }

    /// A message leaves an engine in this epoch, by a cause. A promise waits until that is in the
    /// log; a grant for the claim of its engine alone.
    pub(crate) fn leaves(&mut self, message: &ToDispatcher, epoch: Epoch, cause: Seq) {
        let durable = self.durable;
        let is_durable = match message {
            ToDispatcher::Grant(_) => self.led == epoch,
            ToDispatcher::Verdict(_, Verdict::Accepted(seq)) => (*seq).max(cause) <= durable,
            ToDispatcher::Verdict(..) | ToDispatcher::Cancel(_) => cause <= durable,
        };
        self.note(holds(Check::DurableFirst, is_durable, || {
            format!("{message:?} left by {cause}, and the log is durable up to {durable}")
        }));
    }

    /// Somebody who asked is answered, by a cause.
    pub(crate) fn answers(&mut self, cause: Seq) {
        let durable = self.durable;
        self.note(holds(Check::DurableFirst, cause <= durable, || {
            format!("{cause} was answered, and the log is durable up to {durable}")
        }));
    }

    /// Somebody who probed is told that this epoch leads, and that its log is durable up to there.
    pub(crate) fn probed(&mut self, epoch: Epoch, last: Seq) {
        let durable = self.durable;
        let is_true = epoch == self.led && last <= durable;
        self.note(holds(Check::DurableFirst, is_true, || {
            format!(
                "{epoch} was said to lead, durable up to {last}: {} leads, up to {durable}",
                self.led
            )
        }));
    }
}
