//! Whether what is due is decided when it is: a decided deadline is met within two beats of an
//! engine that can.

use std::time::Duration;

use push0_core::{Deadline, Event, Input, Timestamp};

use super::Watch;
use crate::check::{Check, Found, holds};
use crate::ledger::Closing;

impl Watch {
    /// An engine has decided all that is due at `now`, by its own word.
    pub(crate) fn settled(&mut self, now: Timestamp) {
        let overdue = self.ledger.overdue(now, &self.limits);
        let words = || format!("left over at {now:?}: {}", overdue.as_deref().unwrap_or_default());
        let result = holds(Check::Deadlines, overdue.is_none(), words);
        self.note(result);
    }

    /// It sleeps until then, unless it is asked something.
    pub(crate) fn sleeps(&mut self, now: Timestamp, until: Option<Deadline>) {
        let due = self.ledger.next_due(now, &self.limits);
        self.next_due = due.map(|(at, _)| at);
        let Some((at, why)) = due else { return };
        let is_woken = until.is_some_and(|deadline| deadline.at <= at);
        let result = holds(Check::Deadlines, is_woken, || {
            format!("{why} is due at {at:?}, and the engine sleeps until {until:?}")
        });
        self.note(result);
    }

    /// When the next of what it has decided is due, by its own clock.
    pub(crate) const fn next_due(&self) -> Option<Timestamp> {
        self.next_due
    }

    /// An engine that can has not met a deadline for so long.
    pub(crate) fn late(&mut self, by: Duration) {
        self.note(Err((Check::Deadlines, format!("a deadline was passed by {by:?}"))));
    }

    /// So much has happened at this instant.
    pub(crate) fn count_instant(&mut self) {
        match self.instant == self.now {
            true => self.at_instant += 1,
            false => (self.instant, self.at_instant) = (self.now, 0),
        }
        let count = self.at_instant;
        let result = holds(Check::Instants, count <= INSTANT_MAX, || format!("{count} steps"));
        self.note(result);
    }

    /// Batches are closed as what has arrived by then says.
    pub(super) fn check_batches(&self, now: Timestamp, events: &[Event]) -> Result<(), Found> {
        for event in events {
            let Event::BatchClosed { stage, items, why, .. } = event else { continue };
            let pipeline = self.ledger.pipeline.as_ref();
            let Some(index) = pipeline.and_then(|pipeline| pipeline.find(stage)) else { continue };
            let ledger = &self.ledger;
            let closing = ledger.closing(index, now, ledger.ended, &self.limits);
            let is_so = |closing| match closing {
                Closing::Due(count, by) => count as u64 == *items && by == *why,
                Closing::At(_) | Closing::Nothing => false,
            };
            let choked = ledger.tip().filter(|_| ledger.is_choked(&self.limits));
            let choked = choked.map(|tip| ledger.closing(index, now, Some(tip), &self.limits));
            let holds_so = is_so(closing) || choked.is_some_and(is_so);
            holds(Check::Batches, holds_so, || {
                format!("{stage} closes {items} items by {why:?}; by its rule: {closing:?}")
            })?;
        }
        Ok(())
    }

    /// A wake-up is asked for again as long as it decides something: so often, at most, at one
    /// instant.
    pub(crate) fn wakes(&mut self, times: u32) -> bool {
        let is_bounded = times <= WAKES_MAX;
        let result =
            holds(Check::Instants, is_bounded, || format!("{times} decisions of one turn"));
        self.note(result);
        is_bounded
    }

    /// Whether what an input ended was overdue: nothing else gives an attempt up without a
    /// dispatcher's silence.
    pub(super) const fn is_by_itself(input: &Input) -> bool {
        matches!(input, Input::Wake)
    }
}

/// Steps of a world at one instant, at most: every message that is held for a party which stood
/// still comes at once.
const INSTANT_MAX: u32 = 20_000;

/// Decisions of one turn, at most, before its record is full.
const WAKES_MAX: u32 = 10_000;
