//! One line for each event, for people who watch stderr: `TIME EVENT stage=… key=… …`.
//!
//! Not here: reading a log's events (`cli::log`), which knows no state to look things up in.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use push0_core::{Event, Scheduler, TaskId, Timestamp, Turn};

/// The lines of a turn, in order.
#[must_use]
pub fn lines(scheduler: &Scheduler, turn: &Turn) -> Vec<String> {
    let time = time(turn.at);
    turn.events.iter().map(|event| format!("{time} {}", words(scheduler, event))).collect()
}

/// A time as people and programs read it: RFC 3339, UTC, to the microsecond.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_micros(at.0)).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_micros(time).to_string()
}

fn words(scheduler: &Scheduler, event: &Event) -> String {
    match event {
        Event::Configured { pipeline } => format!("configured pipeline={}", pipeline.name),
        Event::Claimed { epoch } => format!("claimed epoch={}", epoch.0),
        Event::BlockSubmitted { block } => {
            format!("block_submitted number={} hash={}", block.number, block.hash)
        }
        Event::SourceEnded { last } => format!("source_ended last={last}"),
        Event::Resupplied { block, .. } => format!("resupplied block={block}"),
        Event::PayloadLost { block } => format!("payload_lost block={block}"),
        Event::BatchClosed { stage, key, items, why } => {
            let why = snake(&format!("{why:?}"));
            format!("batch_closed stage={stage} key={key} items={items} why={why}")
        }
        Event::TaskOpened { task, stage, key, .. } => {
            format!("task_opened stage={stage} key={key} task={}", task.short())
        }
        Event::Granted { task, dispatcher, .. } => {
            format!("granted {} dispatcher={dispatcher}", of(scheduler, task))
        }
        Event::Accepted { task, attempt, ran_us, .. } => {
            let ran = Duration::from_micros(*ran_us).as_secs_f64();
            format!("accepted {} attempt={} ran={ran:.3}s", of(scheduler, task), attempt.0)
        }
        Event::Surplus { task, attempt, .. } => {
            format!("surplus {} attempt={}", of(scheduler, task), attempt.0)
        }
        Event::Remade { task, new, .. } => {
            format!("remade {} output={}", of(scheduler, task), new.short())
        }
        Event::Failed { task, attempt, class, message, .. } => {
            let class = snake(&format!("{class:?}"));
            let attempt = format!("attempt={} class={class}", attempt.0);
            format!("failed {} {attempt} message={}", of(scheduler, task), quoted(message))
        }
        Event::Rejected { task, attempt, message, .. } => {
            ended(scheduler, "rejected", task, attempt.0, message)
        }
        Event::Lost { task, attempt, message, .. } => {
            ended(scheduler, "lost", task, attempt.0, message)
        }
        Event::Withdrawn { task, attempt, message, .. } => {
            ended(scheduler, "withdrawn", task, attempt.0, message)
        }
        Event::Parked { task, class, message } => {
            let class = snake(&format!("{class:?}"));
            format!("parked {} class={class} message={}", of(scheduler, task), quoted(message))
        }
        Event::Reopened { task, why } => {
            format!("reopened {} why={}", of(scheduler, task), snake(&format!("{why:?}")))
        }
        Event::Pinned { program, vkey } => format!("pinned program={program} vkey={vkey}"),
        Event::Released { number, key, .. } => format!("released number={} key={key}", number.0),
    }
}

fn ended(scheduler: &Scheduler, name: &str, task: &TaskId, attempt: u64, message: &str) -> String {
    format!("{name} {} attempt={attempt} message={}", of(scheduler, task), quoted(message))
}

/// What a task is about.
fn of(scheduler: &Scheduler, id: &TaskId) -> String {
    let mut words = String::new();
    if let Some(task) = scheduler.task(id) {
        let stage = &scheduler.pipeline().stage(task.stage).name;
        let _ = write!(words, "stage={stage} key={} ", task.key); // a String takes everything
    }
    words + "task=" + &id.short()
}

/// One line, in quotes, whatever a prover printed.
fn quoted(message: &str) -> String {
    format!("\"{}\"", message.escape_debug())
}

/// `InvalidInput` as `invalid_input`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prover_cannot_break_out_of_its_line() {
        assert_eq!(quoted("a\n\u{1b}[2Jb\""), r#""a\n\u{1b}[2Jb\"""#);
    }

    #[test]
    fn names_are_as_in_the_log() {
        assert_eq!(snake("InvalidInput"), "invalid_input");
    }
}
