//! The attempts that a log tells of, and those whose output is kept, by number and by task.
//!
//! Not here: showing them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use push0_core::{AttemptId, Event, TaskId, Timestamp, Turn};
use push0_dispatch::AttemptLog;

use crate::lines::word;

/// Attempts by number.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    all: BTreeMap<u64, Attempt>,
    tasks: BTreeMap<TaskId, String>,
}

/// What is known of an attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    pub(super) number: u64,
    /// Its task's id, in hex.
    pub(super) task: String,
    /// Its task's stage and key.
    pub(super) of: Option<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) end: Option<End>,
    /// Where its output is kept.
    pub(super) path: Option<PathBuf>,
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
                self.tasks.insert(*task, format!("{stage} {key}"));
            } else if let Event::Granted { task, .. } = event {
                let of = self.tasks.get(task).cloned();
                let (task, since) = (task.to_string(), Some(turn.at));
                let attempt = Attempt { number, task, of, since, ..Attempt::default() };
                self.all.insert(number, attempt);
            } else if let Some((attempt, end)) = ended(turn.at, event)
                && let Some(attempt) = self.all.get_mut(&attempt.position().0)
            {
                attempt.end = Some(end);
            }
        }
    }

    /// Adds where output is kept.
    pub(super) fn keep(&mut self, kept: Vec<AttemptLog>) {
        for AttemptLog { attempt, task, path } in kept {
            let number = attempt.position().0;
            let attempt = Attempt { number, task, ..Attempt::default() };
            self.all.entry(number).or_insert(attempt).path = Some(path);
        }
    }

    /// Those that `named` means: an attempt's number, or a task by its id or the first digits of it.
    pub(super) fn named(&self, named: &str) -> Result<Vec<&Attempt>, String> {
        let number = named.strip_prefix("attempt-").unwrap_or(named);
        let number = number.split_once("-of-").map_or(number, |(number, _)| number);
        // Its position, or its whole id.
        let number = number.parse().ok().map(|number| AttemptId(number).position().0);
        let by_number = number.and_then(|number| self.all.get(&number));
        let by_task: Vec<&Attempt> = match named.len() {
            PREFIX_MIN.. => self.all.values().filter(|one| one.task.starts_with(named)).collect(),
            _ => Vec::new(),
        };
        let tasks: BTreeSet<&str> = by_task.iter().map(|one| one.task.as_str()).collect();
        let opened = || self.tasks.iter().find(|(id, _)| id.to_string().starts_with(named));
        match (by_number, tasks.len()) {
            (Some(attempt), 0) => Ok(vec![attempt]),
            (None, 1) => Ok(by_task),
            (None, 0) => Err(match opened().filter(|_| named.len() >= PREFIX_MIN) {
                Some((id, of)) => {
                    format!("task {} ({of}) was not tried yet: see `push0 status`", id.short())
                }
                None => format!(
                    "there is no task or attempt {named}: `push0 log cat` names those there are"
                ),
            }),
            (Some(_), _) | (None, _) => {
                Err(format!("{named} is the beginning of several names: give more digits of one"))
            }
        }
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
        Event::Configured { .. }
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
        Ok(found.iter().map(|attempt| attempt.number).collect())
    }
}
