//! The attempts that live: each the right and duty of one dispatcher to try one task, for a time.
//!
//! A task says how many it has and not which: they are found here, by their id, their task, who
//! holds them, and when they are overdue. An attempt leaves the table with the event that ends it.
//! Its id never comes again: it holds the epoch of the engine that granted it, and the position of
//! the grant.
//!
//! Not here: what a grant or an end leads to (`scheduler`), and what ended attempts count
//! (`failure`).

mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) use self::held::Leases;
use crate::{AttemptId, DispatcherId, StageIndex, TaskId, Timestamp};

/// One try at a task, and the lease that it has for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// Which one.
    pub id: AttemptId,
    /// What is tried.
    pub task: TaskId,
    /// The stage of that.
    pub stage: StageIndex,
    /// Whose it is.
    pub dispatcher: DispatcherId,
    /// What is done of the task.
    pub does: Does,
    /// From when.
    pub since: Timestamp,
    /// When it ends by itself, if nothing is heard.
    pub until: Timestamp,
}

/// What an attempt does of its task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Does {
    /// It proves, and has its own proof verified.
    Prove,
}

/// Every attempt that lives.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Attempts {
    all: BTreeMap<AttemptId, Box<Attempt>>,
    /// By the first bytes of the task's id, which are those of few others.
    by_task: BTreeSet<(u64, AttemptId)>,
    by_holder: BTreeMap<DispatcherId, Leases>,
    by_end: BTreeSet<(Timestamp, AttemptId)>,
}

impl Attempts {
    pub(crate) fn begin(&mut self, attempt: Attempt) {
        self.by_task.insert((first_of(attempt.task), attempt.id));
        self.by_end.insert((attempt.until, attempt.id));
        let held = self.by_holder.entry(attempt.dispatcher.clone()).or_default();
        held.add(attempt.id, attempt.stage);
        self.all.insert(attempt.id, Box::new(attempt));
    }

    pub(crate) fn end(&mut self, id: AttemptId) -> Option<Attempt> {
        let attempt = self.all.remove(&id)?;
        self.by_task.remove(&(first_of(attempt.task), id));
        self.by_end.remove(&(attempt.until, id));
        if let Some(held) = self.by_holder.get_mut(&attempt.dispatcher) {
            held.remove(id, attempt.stage);
            if held.attempts().is_empty() {
                self.by_holder.remove(&attempt.dispatcher);
            }
        }
        Some(*attempt)
    }

    /// Ends all that there are at a task, oldest first.
    pub(crate) fn end_all(&mut self, task: TaskId) -> Vec<Attempt> {
        let ids: Vec<_> = self.at(task).map(|attempt| attempt.id).collect();
        ids.into_iter().filter_map(|id| self.end(id)).collect()
    }

    /// Gives each so much more time.
    pub(crate) fn prolong(&mut self, by: Duration) {
        self.all.values_mut().for_each(|attempt| attempt.until = attempt.until + by);
        self.by_end = self.all.values().map(|attempt| (attempt.until, attempt.id)).collect();
    }

    pub(crate) fn get(&self, id: AttemptId) -> Option<&Attempt> {
        self.all.get(&id).map(|attempt| &**attempt)
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.all.values().map(|attempt| &**attempt)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those at a task, oldest first.
    pub(crate) fn at(&self, task: TaskId) -> impl Iterator<Item = &Attempt> {
        let first = first_of(task);
        let ids = self.by_task.range((first, AttemptId(0))..=(first, AttemptId(u64::MAX)));
        ids.filter_map(|(_, id)| self.get(*id)).filter(move |attempt| attempt.task == task)
    }

    /// What a dispatcher holds, if anything.
    pub(crate) fn held(&self, by: &DispatcherId) -> Option<&Leases> {
        self.by_holder.get(by)
    }

    /// The dispatchers that hold any, by name, each with what it holds.
    pub(crate) fn holdings(&self) -> impl Iterator<Item = (&DispatcherId, &Leases)> {
        self.by_holder.iter()
    }

    /// Those that are overdue at `now`, the longest first.
    pub(crate) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = &Attempt> {
        let due = self.by_end.iter().take_while(move |(until, _)| *until <= now);
        due.filter_map(|(_, id)| self.get(*id))
    }

    /// When the next is overdue.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.by_end.first().map(|(until, _)| *until)
    }
}

fn first_of(task: TaskId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = task.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: u64, task: u8, dispatcher: &str) -> Attempt {
        Attempt {
            id: AttemptId(id),
            task: TaskId([task; 32]),
            stage: StageIndex(0),
            dispatcher: dispatcher.parse().expect("a name"),
            does: Does::Prove,
            since: Timestamp(0),
            until: Timestamp(id),
        }
    }

    #[test]
    fn whoever_holds_several_at_one_task_ends_each_by_itself_or_all() {
        let mut attempts = Attempts::default();
        [(3, 1, "a"), (1, 1, "b"), (2, 2, "a")]
            .into_iter()
            .for_each(|(id, task, who)| attempts.begin(attempt(id, task, who)));
        let at = |attempts: &Attempts, task| {
            attempts.at(TaskId([task; 32])).map(|attempt| attempt.id.0).collect::<Vec<_>>()
        };
        assert_eq!((at(&attempts, 1), at(&attempts, 2)), (vec![1, 3], vec![2]));
        assert!(attempts.end(AttemptId(1)).is_some());
        assert_eq!(attempts.end(AttemptId(1)), None);
        assert_eq!(at(&attempts, 1), [3]);
        assert_eq!(attempts.next_end(), Some(Timestamp(2)));
        assert_eq!(attempts.end_all(TaskId([1; 32])).len(), 1);
        assert_eq!(attempts.holdings().count(), 1);
        assert!(attempts.end(AttemptId(2)).is_some());
        assert_eq!(attempts, Attempts::default(), "an index remembers what is ended");
    }

    #[test]
    fn what_is_prolonged_is_overdue_as_much_later() {
        let mut attempts = Attempts::default();
        attempts.begin(attempt(5, 1, "a"));
        attempts.prolong(Duration::from_micros(7));
        let overdue = |at| attempts.overdue(Timestamp(at)).count();
        assert_eq!((overdue(5), overdue(11), overdue(12)), (0, 0, 1));
    }
}
