//! The attempts that a log tells of, and those whose output is kept, by number and by task.
//!
//! Not here: showing them.

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{
    AttemptId, DispatcherId, Epoch, Event, Key, Seq, StageName, TaskId, Timestamp, Turn,
};
use push0_dispatch::AttemptLog;

use crate::lines::word;

/// Attempts by number.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    all: BTreeMap<u64, Attempt>,
    tasks: BTreeMap<TaskId, Task>,
    /// Of the attempts' ids that follow.
    epoch: Option<Epoch>,
    /// The blocks of all that was released.
    released: Option<u64>,
}

/// What is known of a task.
#[derive(Debug)]
struct Task {
    stage: StageName,
    key: Key,
    /// Whether nothing more is tried, unless somebody says so.
    is_settled: bool,
}

/// What is known of an attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    pub(super) number: u64,
    pub(super) id: AttemptId,
    /// Its task's id, in hex.
    pub(super) task: String,
    /// Its task's stage and key.
    pub(super) of: Option<String>,
    /// Who was granted it.
    pub(super) dispatcher: Option<DispatcherId>,
    pub(super) since: Option<Timestamp>,
    pub(super) end: Option<End>,
    /// Whether its output is there, whatever the log says.
    pub(super) is_kept: bool,
}

/// Which attempts are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Selection {
    /// This one.
    Attempt(u64),
    /// All at these tasks.
    Tasks(BTreeSet<String>),
    /// All at tasks that are about this block.
    Block(u64),
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) at: Timestamp,
    /// The event's.
    pub(super) name: &'static str,
    pub(super) class: Option<String>,
    /// Empty where there is none.
    pub(super) message: String,
}

impl Attempts {
    /// Goes on by a turn of the log.
    pub(super) fn turn(&mut self, turn: &Turn) {
        for (number, event) in (turn.first.0..).zip(&turn.events) {
            if let Event::TaskOpened { task, stage, key, .. } = event {
                let opened = Task { stage: stage.clone(), key: *key, is_settled: false };
                self.tasks.insert(*task, opened);
            } else if let Event::Granted { task, dispatcher, .. } = event {
                let of = self.tasks.get(task).map(Task::name);
                let id =
                    self.epoch.map_or(AttemptId(number), |epoch| AttemptId::of(epoch, Seq(number)));
                let (task, since) = (task.to_string(), Some(turn.at));
                let dispatcher = Some(dispatcher.clone());
                let attempt =
                    Attempt { number, id, task, of, dispatcher, since, end: None, is_kept: false };
                self.all.insert(number, attempt);
            } else if let Event::Claimed { epoch, ids_hold_it } = event {
                self.epoch = ids_hold_it.then_some(*epoch);
            } else if let Event::Released { key, .. } = event {
                self.released = self.released.max(Some(key.last.0));
            } else if let Some((attempt, end)) = ended(turn.at, event)
                && let Some(attempt) = self.all.get_mut(&attempt.position().0)
            {
                attempt.end = Some(end);
            }
            self.settle(event);
        }
    }

    fn settle(&mut self, event: &Event) {
        let settled = if let Event::Accepted { task, .. } | Event::Parked { task, .. } = event {
            Some((task, true))
        } else if let Event::Reopened { task, .. } | Event::Discarded { task, .. } = event {
            Some((task, false))
        } else {
            None
        };
        if let Some((task, is_settled)) = settled
            && let Some(task) = self.tasks.get_mut(task)
        {
            task.is_settled = is_settled;
        }
    }

    /// Adds whose output is kept.
    pub(super) fn keep(&mut self, kept: Vec<AttemptLog>) {
        for AttemptLog { attempt: id, task, .. } in kept {
            let number = id.position().0;
            let attempt = Attempt { number, id, task, ..Attempt::default() };
            self.all.entry(number).or_insert(attempt).is_kept = true;
        }
    }

    /// Those that `named` means: an attempt's number, a task by its id or the first digits of it,
    /// or tasks by their key.
    pub(super) fn named(&self, named: &str) -> Result<Selection, String> {
        let number = named.strip_prefix("attempt-").unwrap_or(named);
        let number = number.split_once("-of-").map_or(number, |(number, _)| number);
        // Its position, or its whole id.
        let number = number.parse().ok().map(|number| AttemptId(number).position().0);
        let by_number = number.filter(|number| self.all.contains_key(number));
        let is_long = named.len() >= PREFIX_MIN;
        let tried = self.all.values().map(|one| &one.task);
        let tried: BTreeSet<String> =
            tried.filter(|task| is_long && task.starts_with(named)).cloned().collect();
        let opened = self.tasks.keys().map(ToString::to_string);
        let opened = || opened.filter(|task| is_long && task.starts_with(named)).collect();
        let tasks: BTreeSet<String> = if tried.is_empty() { opened() } else { tried };
        match (by_number, tasks.len()) {
            (Some(attempt), 0) => Ok(Selection::Attempt(attempt)),
            (None, 1) => Ok(Selection::Tasks(tasks)),
            (None, 0) => {
                let of_key = self.tasks.iter().filter(|(_, task)| task.key.to_string() == named);
                let of_key: BTreeSet<_> = of_key.map(|(id, _)| id.to_string()).collect();
                match of_key.is_empty() {
                    false => Ok(Selection::Tasks(of_key)),
                    true => Err(format!(
                        "there is no task or attempt {named}: `push0 status` and `push0 log cat` list them"
                    )),
                }
            }
            (Some(_), _) | (None, _) => {
                Err(format!("{named} is the beginning of several names: give more digits of one"))
            }
        }
    }

    /// Those that are meant, oldest first.
    pub(super) fn of(&self, selection: &Selection) -> Vec<&Attempt> {
        let is_meant = |attempt: &&Attempt| match selection {
            Selection::Attempt(number) => attempt.number == *number,
            Selection::Tasks(tasks) => tasks.contains(&attempt.task),
            Selection::Block(block) => {
                let task = attempt.task.parse().ok().and_then(|task: TaskId| self.tasks.get(&task));
                task.is_some_and(|task| task.is_about(*block))
            }
        };
        self.all.values().filter(is_meant).collect()
    }

    /// Why none is meant.
    pub(super) fn why_none(&self, selection: &Selection) -> String {
        match selection {
            Selection::Attempt(number) => format!("there is no attempt {number}"),
            Selection::Tasks(tasks) => {
                let names = tasks.iter().map(|id| {
                    let of = id.parse().ok().and_then(|task: TaskId| self.tasks.get(&task));
                    let of = of.map(|of| format!(" ({})", of.name())).unwrap_or_default();
                    format!("{}{of}", id.get(..SHORT).unwrap_or(id))
                });
                let names = names.collect::<Vec<_>>().join(", ");
                format!("task {names} was not tried yet: see `push0 status`")
            }
            Selection::Block(block) => {
                match self.tasks.values().any(|task| task.is_about(*block)) {
                    true => {
                        format!("no task about block {block} was tried yet: see `push0 status`")
                    }
                    false => format!(
                        "there is no task about block {block}: `push0 log cat --block {block}` (--data, or the cluster's) has what is known \
                         of it"
                    ),
                }
            }
        }
    }

    /// Whether nothing more is tried of what is meant, unless somebody says so.
    pub(super) fn is_settled(&self, selection: &Selection) -> bool {
        match selection {
            Selection::Attempt(number) => {
                self.all.get(number).is_none_or(|attempt| attempt.end.is_some())
            }
            Selection::Tasks(tasks) => self
                .tasks
                .iter()
                .filter(|(id, _)| tasks.contains(&id.to_string()))
                .all(|(_, task)| task.is_settled),
            Selection::Block(block) => self.released.is_some_and(|last| last >= *block),
        }
    }
}

impl Task {
    fn name(&self) -> String {
        format!("{} {}", self.stage, self.key)
    }

    fn is_about(&self, block: u64) -> bool {
        (self.key.first.0..=self.key.last.0).contains(&block)
    }
}

fn ended(at: Timestamp, event: &Event) -> Option<(AttemptId, End)> {
    let (attempt, class, message) = match event {
        Event::Failed { attempt, class, message, .. } => {
            (attempt, Some(word(class)), message.clone())
        }
        Event::Rejected { attempt, message, .. }
        | Event::Lost { attempt, message, .. }
        | Event::Withdrawn { attempt, message, .. } => (attempt, None, message.clone()),
        Event::Accepted { attempt, .. } | Event::Surplus { attempt, .. } => {
            (attempt, None, String::new())
        }
        Event::HeadMoved { .. }
        | Event::Finalized { .. }
        | Event::Configured { .. }
        | Event::Claimed { .. }
        | Event::BlockSubmitted { .. }
        | Event::SourceEnded { .. }
        | Event::Resupplied { .. }
        | Event::PayloadLost { .. }
        | Event::BatchClosed { .. }
        | Event::TaskOpened { .. }
        | Event::Granted { .. }
        | Event::Remade { .. }
        | Event::Parked { .. }
        | Event::Reopened { .. }
        | Event::Pinned { .. }
        | Event::KeyNamed { .. }
        | Event::Unpinned { .. }
        | Event::Cordoned { .. }
        | Event::Uncordoned { .. }
        | Event::SourceResumed { .. }
        | Event::Discarded { .. }
        | Event::SetAside { .. }
        | Event::Restored { .. }
        | Event::Led {}
        | Event::Released { .. } => return None,
    };
    Some((*attempt, End { at, name: event.name(), class, message }))
}

/// Digits of a task's id that people are shown.
pub(super) const SHORT: usize = 8;

/// The fewest digits that name a task.
const PREFIX_MIN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_goes_by_its_number_and_a_task_by_its_first_digits() {
        assert_eq!(named("17"), Ok(vec![17]));
        assert_eq!(named("abcd"), Ok(vec![17, 18]));
        assert_eq!(named("abcd01"), Ok(vec![17, 18]));
    }

    #[test]
    fn what_names_nothing_or_several_is_told() {
        assert!(named("19").is_err_and(|why| why.starts_with("there is no")));
        assert!(named("abc").is_err_and(|why| why.starts_with("there is no")));
        assert!(named("1234").is_err_and(|why| why.contains("several")));
    }

    fn named(name: &str) -> Result<Vec<u64>, String> {
        let log = |attempt, task: &str| AttemptLog {
            attempt: AttemptId(attempt),
            task: task.to_owned(),
            path: "/log".into(),
        };
        let mut attempts = Attempts::default();
        attempts.keep(vec![
            log(17, "abcd01"),
            log(18, "abcd01"),
            log(20, "123401"),
            log(21, "123402"),
        ]);
        let found = attempts.named(name)?;
        Ok(attempts.of(&found).iter().map(|attempt| attempt.number).collect())
    }
}
