//! An event as a line for people: `TIME EVENT stage=… key=… …`. Names and classes are the log's own, so
//! what a person reads can be searched for in either.
//!
//! Not here: who prints them (`run`, `cli::log`), and what an event means.

use std::time::{Duration, UNIX_EPOCH};

use push0_core::{AttemptId, Block, Event, Scheduler, Standing, TaskId, Timestamp, Turn};
use serde::Serialize;
use serde_json::Value;

/// The lines of a turn, in order, with what `scheduler` knows of its tasks.
#[must_use]
pub fn lines(scheduler: &Scheduler, turn: &Turn) -> Vec<String> {
    let time = time(turn.at);
    let about = |id: &TaskId| {
        let task = scheduler.task(id)?;
        let stage = &scheduler.pipeline().stage(task.stage).name;
        Some(format!("stage={stage} key={}", task.key))
    };
    let line = |event| {
        let beside = if is_beside(scheduler, event) { " standing=beside" } else { "" };
        format!("{time} {} {}{beside}", name(event), fields(event, &about))
    };
    turn.events.iter().map(|event| line(event).trim_end().to_owned()).collect()
}

/// Whether a block was submitted that is kept and not proved: another of its height is canonical.
fn is_beside(scheduler: &Scheduler, event: &Event) -> bool {
    let standing = |block: &Block| scheduler.chain().standing(&block.hash);
    matches!(event, Event::BlockSubmitted { block } if standing(block) == Some(Standing::Beside))
}

/// A time as people and programs read it: RFC 3339, UTC, to the microsecond.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_micros(at.0)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_micros(time).to_string()
}

/// The name of an event: `task_opened`.
pub(crate) fn name(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    value.get("event").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The name that a class or a cause has in the log: `invalid_input`.
pub(crate) fn word<T: Serialize>(named: T) -> String {
    match serde_json::to_value(named) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

/// What a task is about, in fields, where that is known.
pub(crate) type About<'a> = &'a dyn Fn(&TaskId) -> Option<String>;

/// The fields of an event that people want to see: `key=value …`.
pub(crate) fn fields(event: &Event, about: About<'_>) -> String {
    let of = |task: &TaskId| match about(task) {
        Some(known) => format!("{known} task={}", task.short()),
        None => format!("task={}", task.short()),
    };
    match event {
        Event::Configured { pipeline } => format!("pipeline={}", pipeline.name),
        Event::Claimed { epoch } => format!("epoch={}", epoch.0),
        Event::BlockSubmitted { block } => {
            format!("number={} hash={} bytes={}", block.number, block.hash.short(), block.bytes)
        }
        Event::SourceEnded { last } => format!("last={last}"),
        Event::Resupplied { block, payload, .. } => {
            format!("block={} payload={}", block.short(), payload.short())
        }
        Event::PayloadLost { block } => format!("block={}", block.short()),
        Event::BatchClosed { stage, key, items, why } => {
            format!("stage={stage} key={key} items={items} why={}", word(why))
        }
        Event::TaskOpened { task, stage, key, inputs, .. } => {
            format!("stage={stage} key={key} task={} inputs={}", task.short(), inputs.len())
        }
        Event::Granted { task, dispatcher, until } => {
            format!("{} dispatcher={dispatcher} until={}", of(task), time(*until))
        }
        Event::Parked { task, class, message } => {
            format!("{} class={} {}", of(task), word(class), quoted(message))
        }
        Event::Reopened { task, why } => format!("{} why={}", of(task), word(why)),
        Event::Remade { task, old, new } => {
            format!("{} old={} new={}", of(task), old.short(), new.short())
        }
        Event::Pinned { program, vkey } => format!("program={program} vkey={vkey}"),
        Event::Released { number, key, tasks } => {
            format!("number={} key={key} tasks={}", number.0, tasks.len())
        }
        Event::Accepted { task, attempt, result, ran_us } => {
            let (of, ran) = (ended(of(task), *attempt), ran(*ran_us));
            format!("{of} output={} {ran}", result.output.short())
        }
        Event::Surplus { task, attempt, output } => {
            format!("{} output={}", ended(of(task), *attempt), output.short())
        }
        Event::Failed { task, attempt, class, message, ran_us, .. } => {
            let (of, ran) = (ended(of(task), *attempt), ran(*ran_us));
            format!("{of} class={} {ran} {}", word(class), quoted(message))
        }
        Event::Rejected { task, attempt, message, ran_us, .. } => {
            format!("{} {} {}", ended(of(task), *attempt), ran(*ran_us), quoted(message))
        }
        Event::Lost { task, attempt, message, .. }
        | Event::Withdrawn { task, attempt, message, .. } => {
            format!("{} {}", ended(of(task), *attempt), quoted(message))
        }
    }
}

fn ended(of: String, attempt: AttemptId) -> String {
    format!("{of} attempt={}", attempt.0)
}

fn ran(micros: u64) -> String {
    format!("ran={}.{:03}s", micros / 1_000_000, micros % 1_000_000 / 1_000)
}

/// One line, in quotes, whatever a prover printed.
fn quoted(message: &str) -> String {
    format!("message={message:?}")
}

#[cfg(test)]
mod tests {
    use push0_core::FailureClass;

    use super::*;

    #[test]
    fn a_prover_cannot_break_out_of_its_line() {
        assert_eq!(quoted("a\n\u{1b}[2J'b\""), r#"message="a\n\u{1b}[2J'b\"""#);
    }

    #[test]
    fn names_are_as_in_the_log() {
        assert_eq!(word(FailureClass::InvalidInput), "invalid_input");
        assert_eq!(name(&lost()), "lost");
    }

    #[test]
    fn a_task_is_told_with_its_stage_and_key_where_they_are_known() {
        let known = |_: &TaskId| Some("stage=leaf key=5".to_owned());
        let unknown = "task=07070707 attempt=3 message=\"gone\"";
        assert_eq!(fields(&lost(), &known), format!("stage=leaf key=5 {unknown}"));
        assert_eq!(fields(&lost(), &|_| None), unknown);
    }

    fn lost() -> Event {
        Event::Lost {
            task: TaskId([7; 32]),
            attempt: AttemptId(3),
            message: "gone".to_owned(),
            retry_at: Timestamp(0),
        }
    }
}
