//! What a failure costs: budgets by class, and the wait before the next try.
//!
//! Jitter is derived from the task and the attempt, never drawn, so the same history gives the same
//! times.
//!
//! Not here: what ended how (the dispatcher says), who may try next (`queue`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{AttemptId, Budgets, DispatcherId, Event, FailureClass, Limits, ParkedBy, TaskId};

/// How the attempts at a task ended since it was last opened. Most tasks succeed at once, so one without a
/// failure takes no more than a word.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally(Option<Box<Failures>>);

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Failures {
    /// So many by each ending; an ending that never was is absent.
    counts: BTreeMap<Ending, u32>,
    /// The dispatchers that the task is known to fail on.
    dispatchers: BTreeSet<DispatcherId>,
}

/// The ways in which an attempt can end that a budget counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Ending {
    Failed(FailureClass),
    Rejected,
    Lost,
}

impl Tally {
    /// Counts what `event` says of an attempt by `holder`.
    pub(crate) fn count(&mut self, event: &Event, holder: Option<DispatcherId>) {
        let Some(ending) = Ending::of(event) else { return };
        let failures = self.0.get_or_insert_default();
        let count = failures.counts.entry(ending).or_default();
        *count = count.saturating_add(1);
        if ending.counts_against_dispatcher() {
            failures.dispatchers.extend(holder);
        }
    }

    /// How many attempts ended so.
    pub(crate) fn of(&self, ending: Ending) -> u32 {
        let counts = self.0.as_ref().map(|failures| &failures.counts);
        counts.and_then(|counts| counts.get(&ending)).copied().unwrap_or_default()
    }

    /// The dispatchers it failed on.
    pub(crate) fn dispatchers(&self) -> impl Iterator<Item = &DispatcherId> {
        self.0.iter().flat_map(|failures| &failures.dispatchers)
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().flat_map(|failures| failures.counts.values()).sum()
    }
}

/// How many dispatchers a task can have failed on before it is parked, at most.
pub(crate) fn failed_on_max(budgets: &Budgets) -> usize {
    let counted = Ending::ALL.into_iter().filter(|ending| ending.counts_against_dispatcher());
    counted.map(|ending| usize::try_from(ending.budget(budgets)).unwrap_or(usize::MAX)).sum()
}

impl Ending {
    const ALL: [Self; 9] = [
        Self::Failed(FailureClass::Transient),
        Self::Failed(FailureClass::Resource),
        Self::Failed(FailureClass::Timeout),
        Self::Failed(FailureClass::Failed),
        Self::Failed(FailureClass::Unprovable),
        Self::Failed(FailureClass::InvalidInput),
        Self::Failed(FailureClass::Unjudged),
        Self::Rejected,
        Self::Lost,
    ];

    pub(crate) fn of(event: &Event) -> Option<Self> {
        if let Event::Failed { class, .. } = event {
            Some(Self::Failed(*class))
        } else if let Event::Rejected { .. } = event {
            Some(Self::Rejected)
        } else if let Event::Lost { .. } = event {
            Some(Self::Lost)
        } else {
            None
        }
    }

    /// How many attempts may end so before the task is parked; at least one.
    pub(crate) fn budget(self, budgets: &Budgets) -> u32 {
        match self {
            Self::Failed(FailureClass::Transient) => budgets.transient,
            Self::Failed(FailureClass::Resource) => budgets.resource,
            Self::Failed(FailureClass::Timeout) => budgets.timeout,
            Self::Failed(FailureClass::Failed) => budgets.failed,
            Self::Failed(FailureClass::Unprovable) => budgets.unprovable,
            Self::Failed(FailureClass::InvalidInput) => budgets.invalid_input,
            Self::Failed(FailureClass::Unjudged) => budgets.unjudged,
            Self::Rejected => budgets.rejected,
            Self::Lost => budgets.lost,
        }
        .max(1)
    }

    /// What it parks a task as.
    pub(crate) const fn parks_as(self) -> ParkedBy {
        match self {
            Self::Failed(FailureClass::Transient) => ParkedBy::Transient,
            Self::Failed(FailureClass::Resource) => ParkedBy::Resource,
            Self::Failed(FailureClass::Timeout) => ParkedBy::Timeout,
            Self::Failed(FailureClass::Failed) => ParkedBy::Failed,
            Self::Failed(FailureClass::Unprovable) => ParkedBy::Unprovable,
            Self::Failed(FailureClass::InvalidInput) => ParkedBy::InvalidInput,
            Self::Failed(FailureClass::Unjudged) => ParkedBy::Unjudged,
            Self::Rejected => ParkedBy::Rejected,
            Self::Lost => ParkedBy::Lost,
        }
    }

    /// Whether it says something about the task on that dispatcher. A store that is down, or a dispatcher
    /// that is gone, does not.
    pub(crate) const fn counts_against_dispatcher(self) -> bool {
        !matches!(self, Self::Lost | Self::Failed(FailureClass::Transient))
    }
}

/// The wait before the next try, after `failures` that ended alike.
///
/// Doubles from `backoff_min` and stays at `backoff_max`; then a share of a half to the whole of it,
/// derived from the task and the attempt, so that tasks that failed together do not return together.
pub(crate) fn backoff(
    limits: &Limits,
    task: TaskId,
    attempt: AttemptId,
    failures: u32,
) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let whole = limits.backoff_min.saturating_mul(doubled).min(limits.backoff_max);
    let [byte, ..] = task.0;
    let [.., turn] = attempt.0.wrapping_mul(0x9e37).to_be_bytes();
    whole / 2 + whole / 2 * u32::from(byte ^ turn) / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn every_ending_is_counted_once() {
        let (task, attempt, retry_at) = (TaskId([7; 32]), AttemptId(3), Timestamp(0));
        let mut tally = Tally::default();
        assert_eq!(tally.total(), 0);
        for _ in 0..2 {
            let message = String::new();
            tally.count(&Event::Lost { task, attempt, message, retry_at }, None);
        }
        let (message, class) = (String::new(), FailureClass::Timeout);
        tally.count(&Event::Failed { task, attempt, class, message, ran_us: 0, retry_at }, None);
        assert_eq!((tally.of(Ending::Lost), tally.total()), (2, 3));
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit_and_stays_there() {
        let limits = Limits::default();
        let wait = |failures| backoff(&limits, TaskId([7; 32]), AttemptId(3), failures);
        let rounding = Duration::from_nanos(2);
        assert!(wait(2).abs_diff(wait(1) * 2) <= rounding);
        assert!(wait(40) <= limits.backoff_max && wait(40) >= limits.backoff_max / 2);
        assert_eq!(wait(40), wait(4_000_000));
    }
}
