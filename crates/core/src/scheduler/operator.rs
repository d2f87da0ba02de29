//! What operators say of dispatchers and of the source: who gets no new work, and that blocks
//! follow after all.
//!
//! Not here: what they take back of results (`discard`) and keys (`keys`).

use super::Scheduler;
use crate::task::IllegalEvent;
use crate::{DispatcherId, Event, Rejection, Seq, Timestamp};

/// Why a dispatcher gets no new work.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cordon {
    /// Since when.
    pub since: Timestamp,
    /// Who said so.
    pub by: String,
    /// And why.
    pub why: String,
}

impl Scheduler {
    /// Whether an operator keeps new work from it.
    #[must_use]
    pub fn is_cordoned(&self, dispatcher: &DispatcherId) -> bool {
        self.cordons.contains_key(dispatcher)
    }

    /// The dispatchers that an operator keeps new work from, by name.
    pub fn cordons(&self) -> impl ExactSizeIterator<Item = (&DispatcherId, &Cordon)> {
        self.cordons.iter()
    }

    pub(super) fn cordon(
        &self,
        dispatcher: &DispatcherId,
        by: &str,
        why: &str,
    ) -> Result<Vec<Event>, Rejection> {
        if self.is_cordoned(dispatcher) {
            return Ok(Vec::new()); // it is said twice
        }
        if self.cordons.len() >= CORDONS_MAX {
            return Err(Rejection::TooManyCordoned(CORDONS_MAX));
        }
        let (by, why) = (self.bounded(by), self.bounded(why));
        Ok(vec![Event::Cordoned { dispatcher: dispatcher.clone(), by, why }])
    }

    pub(super) fn uncordon(
        &self,
        dispatcher: &DispatcherId,
        by: &str,
        why: &str,
    ) -> Result<Vec<Event>, Rejection> {
        if !self.is_cordoned(dispatcher) {
            return Err(Rejection::NotCordoned(dispatcher.clone()));
        }
        let (by, why) = (self.bounded(by), self.bounded(why));
        Ok(vec![Event::Uncordoned { dispatcher: dispatcher.clone(), by, why }])
    }

    pub(super) fn note_cordon(&mut self, since: Timestamp, event: &Event) {
        if let Event::Cordoned { dispatcher, by, why } = event {
            let cordon = Cordon { since, by: by.clone(), why: why.clone() };
            self.cordons.insert(dispatcher.clone(), cordon);
        } else if let Event::Uncordoned { dispatcher, .. } = event {
            self.cordons.remove(dispatcher);
        }
    }

    /// Whether a batch or a group was closed because no block follows.
    #[must_use]
    pub const fn has_closed_by_end(&self) -> bool {
        self.has_closed_by_end
    }

    pub(super) fn resume_source(&self, by: &str, why: &str) -> Result<Vec<Event>, Rejection> {
        if self.chain.ended().is_none() {
            return Err(Rejection::CannotResume(
                "nothing to undo: nobody has said that no block follows",
            ));
        }
        if self.has_closed_by_end {
            return Err(Rejection::CannotResume(
                "that no block follows cannot be undone: a batch was closed by it, and may be proved already; go on with a new log",
            ));
        }
        let (by, why) = (self.bounded(by), self.bounded(why));
        Ok(vec![Event::SourceResumed { by, why }])
    }

    pub(super) fn resumed(&mut self, seq: Seq) -> Result<(), IllegalEvent> {
        if self.has_closed_by_end || !self.chain.resume_source() {
            let what = "a source went on that had not ended, or by whose end something closed";
            return Err(IllegalEvent { seq, what: what.into() });
        }
        Ok(())
    }
}

/// Dispatchers that are cordoned at once, at most: more than any fleet has that anybody keeps idle.
/// Each is kept in memory.
const CORDONS_MAX: usize = 4_096;
