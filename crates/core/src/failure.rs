//! What a failure costs: budgets by class, and the wait before the next try.
//!
//! Jitter is derived from the task and the attempt, never drawn, so the same history gives the same
//! times.
//!
//! Not here: what ended how (the dispatcher says), who may try next (`queue`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{AttemptId, Budgets, DispatcherId, Event, FailureClass, ParkedBy, TaskId, Timestamp};

/// How the attempts at a task ended since it was last opened. Most tasks succeed at once, so one
/// without a failure takes no more than a word.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally(Option<Box<Failures>>);

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Failures {
    /// So many by each ending; an ending that never was is absent.
    counts: BTreeMap<Ending, u32>,
    /// The dispatchers that count where a task is parked for having failed on several.
    dispatchers: BTreeSet<DispatcherId>,
    /// All it did not come to a result on, for whatever reason, and the last of them: a retry goes
    /// elsewhere.
    tried: BTreeSet<DispatcherId>,
    last: Option<DispatcherId>,
    /// The first that was transient.
    transient_since: Option<Timestamp>,
    /// Those that are at no budget. They make the next wait longer all the same.
    excused: u32,
}

/// The ways in which an attempt can end that a budget counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Ending {
    Failed(FailureClass),
    Rejected,
    Lost,
    Withdrawn,
}

impl Tally {
    /// Counts what `event` says at `at` of an attempt by `holder`.
    pub(crate) fn count(&mut self, at: Timestamp, event: &Event, holder: Option<DispatcherId>) {
        let Some(ending) = Ending::of(event) else { return };
        let failures = self.0.get_or_insert_default();
        if ending != Ending::Lost {
            failures.tried.extend(holder.clone());
        }
        failures.last.clone_from(&holder);
        if let Event::Failed { excused: true, .. }
        | Event::Rejected { excused: true, .. }
        | Event::Withdrawn { excused: true, .. } = event
        {
            failures.excused = failures.excused.saturating_add(1);
            return;
        }
        let count = failures.counts.entry(ending).or_default();
        *count = count.saturating_add(1);
        if ending.counts_against_dispatcher() {
            failures.dispatchers.extend(holder);
        }
        if ending == Ending::Failed(FailureClass::Transient) {
            failures.transient_since.get_or_insert(at);
        }
    }

    /// The next try goes elsewhere than to this one.
    pub(crate) fn came_to_nothing_on(&mut self, holder: Option<DispatcherId>) {
        if holder.is_some() {
            self.0.get_or_insert_default().last = holder;
        }
    }

    /// Forgets all but who had it last: whoever opens the task again wants another to try.
    pub(crate) fn begin_anew(&mut self) {
        let last = self.0.take().and_then(|failures| failures.last);
        self.came_to_nothing_on(last);
    }

    /// How many attempts ended so.
    pub(crate) fn of(&self, ending: Ending) -> u32 {
        let counts = self.0.as_ref().map(|failures| &failures.counts);
        counts.and_then(|counts| counts.get(&ending)).copied().unwrap_or_default()
    }

    /// How many attempts are at no budget.
    pub(crate) fn excused(&self) -> u32 {
        self.0.as_ref().map_or(0, |failures| failures.excused)
    }

    /// How ill a dispatcher is placed for the next try: the last that failed it is placed worst.
    pub(crate) fn place(&self, dispatcher: &DispatcherId) -> u8 {
        self.0.as_ref().map_or(0, |failures| {
            let is_last = failures.last.as_ref() == Some(dispatcher);
            u8::from(failures.tried.contains(dispatcher)) + u8::from(is_last)
        })
    }

    /// Whether another than this one has failed it too.
    pub(crate) fn has_failed_elsewhere(&self, one: &DispatcherId) -> bool {
        self.0.iter().flat_map(|failures| &failures.tried).any(|tried| tried != one)
    }

    /// Whether an attempt at it ran out of memory.
    pub(crate) fn has_lacked_memory(&self) -> bool {
        self.of(Ending::Failed(FailureClass::Resource)) > 0
    }

    /// When it first ended as transient.
    pub(crate) fn transient_since(&self) -> Option<Timestamp> {
        self.0.as_ref()?.transient_since
    }

    /// The dispatchers it failed on.
    pub(crate) fn dispatchers(&self) -> impl Iterator<Item = &DispatcherId> {
        self.0.iter().flat_map(|failures| &failures.dispatchers)
    }

    /// How many attempts ended in which way, of those that a budget counts.
    pub fn endings(&self) -> impl Iterator<Item = (ParkedBy, u32)> {
        let counts = self.0.iter().flat_map(|failures| &failures.counts);
        counts.map(|(ending, count)| (ending.parks_as(), *count))
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.excused() + self.0.iter().flat_map(|failures| failures.counts.values()).sum::<u32>()
    }
}

/// How many dispatchers a task can have failed on before it is parked, at most.
pub(crate) fn failed_on_max(budgets: &Budgets) -> usize {
    let counted = Ending::ALL.into_iter().filter(|ending| ending.counts_against_dispatcher());
    counted.map(|ending| usize::try_from(ending.budget(budgets)).unwrap_or(usize::MAX)).sum()
}

impl Ending {
    const ALL: [Self; 10] = [
        Self::Failed(FailureClass::Transient),
        Self::Failed(FailureClass::Resource),
        Self::Failed(FailureClass::Timeout),
        Self::Failed(FailureClass::Failed),
        Self::Failed(FailureClass::Unprovable),
        Self::Failed(FailureClass::InvalidInput),
        Self::Failed(FailureClass::Unjudged),
        Self::Rejected,
        Self::Lost,
        Self::Withdrawn,
    ];

    pub(crate) fn of(event: &Event) -> Option<Self> {
        if let Event::Failed { class, .. } = event {
            Some(Self::Failed(*class))
        } else if let Event::Rejected { .. } = event {
            Some(Self::Rejected)
        } else if let Event::Lost { .. } = event {
            Some(Self::Lost)
        } else if let Event::Withdrawn { cause: Some(_), .. } = event {
            Some(Self::Withdrawn)
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
            Self::Withdrawn => WITHDRAWN_MAX,
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
            Self::Withdrawn => ParkedBy::Withdrawn,
        }
    }

    /// Whether it says something about the task on that dispatcher. A store that is down, or a
    /// dispatcher that is gone or does not begin, does not.
    pub(crate) const fn counts_against_dispatcher(self) -> bool {
        !matches!(self, Self::Lost | Self::Withdrawn | Self::Failed(FailureClass::Transient))
    }

    /// Whether it is the prover's own word on the task, which another try seldom changes.
    pub(crate) const fn is_a_word(self) -> bool {
        matches!(self, Self::Failed(FailureClass::Unprovable | FailureClass::InvalidInput))
    }
}

/// Attempts at one task that may be withdrawn: at the longest waits between them, some hours.
const WITHDRAWN_MAX: u32 = 100;

/// The wait before the next try, after `failures` that ended alike.
///
/// Doubles from `min` and stays at `max`; then a share of a half to the whole of it, derived from
/// the task and the attempt, so that tasks that failed together do not return together.
pub(crate) fn backoff(
    (min, max): (Duration, Duration),
    task: TaskId,
    attempt: AttemptId,
    failures: u32,
) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let whole = min.saturating_mul(doubled).min(max);
    let [byte, ..] = task.0;
    let [.., turn] = attempt.0.wrapping_mul(0x9e37).to_be_bytes();
    whole / 2 + whole / 2 * u32::from(byte ^ turn) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(0);

    fn failed(class: FailureClass, excused: bool) -> Event {
        let (task, attempt, message) = (TaskId([7; 32]), AttemptId(3), String::new());
        Event::Failed { task, attempt, class, message, ran_us: 0, retry_at: AT, excused }
    }

    #[test]
    fn every_ending_is_counted_once_and_what_is_excused_is_not() {
        let (task, attempt, retry_at) = (TaskId([7; 32]), AttemptId(3), AT);
        let mut tally = Tally::default();
        assert_eq!(tally.total(), 0);
        for _ in 0..2 {
            let message = String::new();
            tally.count(AT, &Event::Lost { task, attempt, message, retry_at }, None);
        }
        tally.count(AT, &failed(FailureClass::Timeout, false), None);
        tally.count(AT, &failed(FailureClass::Timeout, true), None);
        assert_eq!((tally.of(Ending::Lost), tally.total(), tally.excused()), (2, 4, 1));
    }

    #[test]
    fn the_last_that_failed_it_is_placed_worst_whatever_the_class() {
        let mut tally = Tally::default();
        let (one, two) = ("one".parse().expect("a name"), "two".parse().expect("a name"));
        for (holder, excused) in [(&two, false), (&one, true)] {
            let event = failed(FailureClass::Transient, excused);
            tally.count(AT, &event, Some(DispatcherId::clone(holder)));
        }
        let place = |name: &str| tally.place(&name.parse().expect("a name"));
        assert_eq!(["one", "two", "new"].map(place), [2, 1, 0]);
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit_and_stays_there() {
        let (min, max) = (Duration::from_millis(500), Duration::from_secs(300));
        let wait = |failures| backoff((min, max), TaskId([7; 32]), AttemptId(3), failures);
        let rounding = Duration::from_nanos(2);
        assert!(wait(2).abs_diff(wait(1) * 2) <= rounding);
        assert!(wait(40) <= max && wait(40) >= max / 2);
        assert_eq!(wait(40), wait(4_000_000));
    }
}
