//! Which events are picked, and what each is about.

use std::collections::BTreeMap;

use push0_core::{BlockHash, Event, Height, Key, StageName, TaskId, Timestamp};

use crate::cli::LogCatArgs;
use crate::clock;
use crate::lines;

/// What tasks and blocks are called, as far as the log was read.
#[derive(Debug, Default)]
pub(super) struct Names {
    tasks: BTreeMap<TaskId, (StageName, Key)>,
    blocks: BTreeMap<BlockHash, Height>,
}

impl Names {
    /// Goes on by an event.
    pub(super) fn learn(&mut self, event: &Event) {
        if let Event::TaskOpened { task, stage, key, .. } = event {
            self.tasks.insert(*task, (stage.clone(), *key));
        } else if let Event::BlockSubmitted { block } = event {
            self.blocks.insert(block.hash, block.number);
        }
    }

    /// A task's stage and key.
    pub(super) fn of(&self, task: &TaskId) -> Option<(&StageName, Key)> {
        self.tasks.get(task).map(|(stage, key)| (stage, *key))
    }

    /// The blocks that an event is about, first and last.
    fn span(&self, event: &Event) -> Option<(Height, Height)> {
        if let Event::BlockSubmitted { block } = event {
            return Some((block.number, block.number));
        }
        if let Event::PayloadLost { block } | Event::Resupplied { block, .. } = event {
            return self.blocks.get(block).map(|number| (*number, *number));
        }
        if let Event::BatchClosed { key, .. } | Event::Released { key, .. } = event {
            return Some((key.first, key.last));
        }
        let (_, key) = self.of(task_of(event)?)?;
        Some((key.first, key.last))
    }

    fn stage<'a>(&'a self, event: &'a Event) -> Option<&'a StageName> {
        if let Event::BatchClosed { stage, .. } = event {
            return Some(stage);
        }
        self.of(task_of(event)?).map(|(stage, _)| stage)
    }
}

impl LogCatArgs {
    /// What is asked for, as it was typed.
    pub(super) fn asked(&self) -> String {
        let Self { since, event, task, block, stage, .. } = self;
        let asked = [
            task.as_ref().map(|task| format!("--task {task}")),
            block.map(|block| format!("--block {block}")),
            stage.as_ref().map(|stage| format!("--stage {stage}")),
            (!event.is_empty()).then(|| format!("--event {}", event.join(","))),
            since.map(|since| format!("--since {}", lines::time(since))),
        ];
        asked.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Whether an event fits all that is asked for.
    pub(super) fn picks(&self, at: Timestamp, event: &Event, names: &Names) -> bool {
        let is_of_task = |digits: &str| {
            let released = if let Event::Released { tasks, .. } = event { &**tasks } else { &[] };
            task_of(event).into_iter().chain(released).any(|task| begins(task, digits))
        };
        let is_of_block = |block| {
            names.span(event).is_some_and(|(first, last)| (first.0..=last.0).contains(&block))
        };
        self.since.is_none_or(|since| at >= since)
            && (self.event.is_empty() || self.event.iter().any(|name| name == event.name()))
            && self.task.as_deref().is_none_or(is_of_task)
            && self.block.is_none_or(is_of_block)
            && self.stage.as_ref().is_none_or(|stage| names.stage(event) == Some(stage))
    }
}

/// Whether a task's id begins with these digits.
pub(super) fn begins(task: &TaskId, digits: &str) -> bool {
    task.to_string().starts_with(digits)
}

/// A task's id, or the first digits of it.
pub(in crate::cli) fn task_digits(text: &str) -> Result<String, String> {
    let is_id = !text.is_empty() && text.len() <= 64;
    match is_id && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => {
            Err("a task's id has hexadecimal digits, 64 at the most: `push0 status` names them"
                .to_owned())
        }
    }
}

/// The name of an event.
pub(in crate::cli) fn event_name(text: &str) -> Result<String, String> {
    match EVENTS.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("no event is named so: name some of {}", EVENTS.join(", "))),
    }
}

/// A time, or how long ago it is.
pub(in crate::cli) fn since(text: &str) -> Result<Timestamp, String> {
    let micros = |duration: std::time::Duration| u64::try_from(duration.as_micros()).ok();
    let ago = humantime::parse_duration(text).ok().and_then(micros);
    let at = humantime::parse_rfc3339_weak(text).ok();
    let at = at.and_then(|at| micros(at.duration_since(std::time::UNIX_EPOCH).ok()?));
    match (ago, at) {
        (Some(ago), _) => Ok(Timestamp(clock::wall().0.saturating_sub(ago))),
        (None, Some(at)) => Ok(Timestamp(at)),
        (None, None) => {
            Err("write a time in UTC like 2025-10-09T08:53:20Z, or how long ago like 10m"
                .to_owned())
        }
    }
}

/// The task that an event is about.
pub(super) fn task_of(event: &Event) -> Option<&TaskId> {
    match event {
        Event::TaskOpened { task, .. }
        | Event::Granted { task, .. }
        | Event::Accepted { task, .. }
        | Event::Surplus { task, .. }
        | Event::Remade { task, .. }
        | Event::Failed { task, .. }
        | Event::Rejected { task, .. }
        | Event::Lost { task, .. }
        | Event::Withdrawn { task, .. }
        | Event::Parked { task, .. }
        | Event::Reopened { task, .. }
        | Event::KeyNamed { task, .. }
        | Event::Discarded { task, .. } => Some(task),
        Event::HeadMoved { .. }
        | Event::Finalized { .. }
        | Event::Configured { .. }
        | Event::Claimed { .. }
        | Event::BlockSubmitted { .. }
        | Event::SourceEnded { .. }
        | Event::Resupplied { .. }
        | Event::PayloadLost { .. }
        | Event::BatchClosed { .. }
        | Event::Released { .. }
        | Event::Unpinned { .. }
        | Event::SetAside { .. }
        | Event::Restored { .. }
        | Event::Cordoned { .. }
        | Event::Uncordoned { .. }
        | Event::SourceResumed { .. }
        | Event::Led {}
        | Event::Pinned { .. } => None,
    }
}

/// All that the log may have.
const EVENTS: [&str; 31] = [
    "configured",
    "claimed",
    "led",
    "block_submitted",
    "head_moved",
    "finalized",
    "source_ended",
    "source_resumed",
    "resupplied",
    "payload_lost",
    "batch_closed",
    "task_opened",
    "granted",
    "accepted",
    "surplus",
    "remade",
    "failed",
    "rejected",
    "lost",
    "withdrawn",
    "set_aside",
    "restored",
    "parked",
    "reopened",
    "pinned",
    "key_named",
    "unpinned",
    "discarded",
    "cordoned",
    "uncordoned",
    "released",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_can_be_asked_for_by_name() {
        // It lists those that there are.
        let unknown = serde_json::from_str::<Event>(r#"{"event":"none"}"#).expect_err("unknown");
        let told = unknown.to_string();
        let mut known: Vec<_> = told.split('`').skip(1).step_by(2).skip(1).collect();
        let mut listed = EVENTS.to_vec();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, known, "{told}");
    }

    #[test]
    fn since_is_a_time_or_a_while() {
        assert_eq!(since("1970-01-01T00:00:02Z"), Ok(Timestamp(2_000_000)));
        assert_eq!(since("1970-01-01 00:00:02"), Ok(Timestamp(2_000_000)));
        let now = clock::wall();
        let ago = since("10m").expect("a while");
        assert!((now.0 - 600_000_000..=now.0 + 60_000_000).contains(&(ago.0)), "{ago:?}");
        assert!(since("yesterday").is_err_and(|why| why.contains("10m")));
    }
}
