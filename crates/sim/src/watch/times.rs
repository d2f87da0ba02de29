//! Whether what ran out had its time: while no engine runs, nobody can be heard, and nothing runs
//! out.

use std::time::Duration;

use push0_core::{AttemptId, Event, InputId, ParkedBy};

use super::Watch;
use crate::check::{Check, Found, holds};

/// How long engines ran, and when what may run out began.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// In all lives before.
    ran: Duration,
    since: Option<Duration>,
    /// How long they had run when each attempt was granted, and for how long it was.
    granted: std::collections::BTreeMap<AttemptId, (Duration, Duration)>,
    /// The same of each payload that was lost.
    lost: std::collections::BTreeMap<push0_core::BlockHash, Duration>,
}

impl Watch {
    /// An engine runs from here on, or does not.
    pub(crate) fn runs(&mut self, is_running: bool) {
        self.times.ran = self.ran();
        self.times.since = is_running.then_some(self.now);
    }

    fn ran(&self) -> Duration {
        let now = self.times.since.map_or(Duration::ZERO, |since| self.now.saturating_sub(since));
        self.times.ran + now
    }

    pub(super) fn check_times(
        &mut self,
        at: push0_core::Timestamp,
        event: &Event,
        is_by_itself: bool,
    ) -> Result<(), Found> {
        let ran = self.ran();
        if let Event::Granted { until, .. } = event {
            let attempt = AttemptId::of(self.ledger.epoch, self.ledger.last.next());
            self.times.granted.insert(attempt, (ran, until.since(at)));
        } else if let Event::PayloadLost { block } = event {
            self.times.lost.insert(*block, ran);
        } else if let (Event::Lost { attempt, .. }, true) = (event, is_by_itself) {
            let (from, length) = self.times.granted.get(attempt).copied().unwrap_or_default();
            let had = ran.saturating_sub(from);
            return holds(Check::OwnTime, had >= length * 9 / 10, || {
                format!("{attempt} had {had:?} of its {length:?} while an engine ran")
            });
        } else if let (Event::Parked { task, class: ParkedBy::InputLost, .. }, true) =
            (event, is_by_itself)
        {
            let entry = self.ledger.tasks.get(task);
            let inputs = entry.into_iter().flat_map(|entry| &entry.inputs);
            let lost = inputs.filter_map(|input| match input {
                InputId::Block(hash) => self.times.lost.get(hash),
                InputId::Task(_) | InputId::Part(..) => None,
            });
            // What was lost before this engine led had other engines' time as well.
            let Some(lost) = lost.min().copied() else { return Ok(()) };
            let had = ran.saturating_sub(lost);
            let length = self.limits.resupply_max;
            return holds(Check::OwnTime, had >= length * 9 / 10, || {
                format!("the source had {had:?} of its {length:?} while an engine ran")
            });
        }
        Ok(())
    }
}
