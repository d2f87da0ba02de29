//! An event as a line for people: `EVENT stage=… key=… …`. Names and classes are the log's own, so
//! what a person reads can be searched for in either.
//!
//! Not here: who prints them (`run`, `cli::log`), and what an event means.

use std::cell::Cell;
use std::fmt::{self, Display};
use std::time::{Duration, UNIX_EPOCH};

use push0_core::{
    AttemptId, Block, Event, Key, ReleaseNumber, Scheduler, StageName, Standing, TaskId, Timestamp,
};
use serde::Serialize;
use serde_json::Value;

use crate::tell::{self, Level, Line};

/// An event as it is told, with what `scheduler` knows of its task.
pub(crate) fn line(scheduler: &Scheduler, at: Timestamp, event: &Event) -> Line {
    let of = Cell::new(None);
    let about = |id: &TaskId| {
        let task = scheduler.task(id)?;
        let known = (&scheduler.pipeline().stage(task.stage).name, task.key);
        of.set(Some(known));
        Some(known)
    };
    let beside = if is_beside(scheduler, event) { " standing=beside" } else { "" };
    let tail = format!("{}{beside}", fields(event, &about));
    let line = Line::new(level(event), event.name()).at(at).tail(tail);
    if !tell::wants_fields() {
        return line;
    }
    let line = match (of.get(), event) {
        (Some((stage, key)), _) => line.with("stage", stage.as_str()).with("key", key.to_string()),
        (
            None,
            Event::TaskOpened { key, .. }
            | Event::BatchClosed { key, .. }
            | Event::Released { key, .. },
        ) => line.with("key", key.to_string()),
        (None, _) => line,
    };
    scalars(event).into_iter().fold(line, |line, (name, value)| line.with(name, value))
}

/// What somebody should see to: that an attempt came to nothing, and what follows of that.
const fn level(event: &Event) -> Level {
    match event {
        Event::PayloadLost { .. }
        | Event::Parked { .. }
        | Event::SetAside { .. }
        | Event::Discarded { .. }
        | Event::Failed { .. }
        | Event::Rejected { .. }
        | Event::Lost { .. } => Level::Warn,
        Event::HeadMoved { .. }
        | Event::Finalized { .. }
        | Event::Configured { .. }
        | Event::Claimed { .. }
        | Event::BlockSubmitted { .. }
        | Event::SourceEnded { .. }
        | Event::SourceResumed { .. }
        | Event::Resupplied { .. }
        | Event::BatchClosed { .. }
        | Event::TaskOpened { .. }
        | Event::Granted { .. }
        | Event::Reopened { .. }
        | Event::Remade { .. }
        | Event::Pinned { .. }
        | Event::KeyNamed { .. }
        | Event::Unpinned { .. }
        | Event::Restored { .. }
        | Event::Cordoned { .. }
        | Event::Uncordoned { .. }
        | Event::Released { .. }
        | Event::Accepted { .. }
        | Event::Surplus { .. }
        | Event::Led {}
        | Event::Withdrawn { .. } => Level::Info,
    }
}

/// What of an event has one value, by the names that the log has for it; but for its `message`,
/// since a line has one itself.
fn scalars(event: &Event) -> Vec<(String, Value)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(event) else { return Vec::new() };
    let is_one = |value: &Value| !(value.is_array() || value.is_object());
    let fields = fields.into_iter().filter(|(name, value)| name != "event" && is_one(value));
    let named = |name: String| if name == "message" { "reason".to_owned() } else { name };
    fields.map(|(name, value)| (named(name), value)).collect()
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

/// The name that a class or a cause has in the log: `invalid_input`.
pub(crate) fn word<T: Serialize>(named: T) -> String {
    match serde_json::to_value(named) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

/// The stage and the key of a task, where they are known.
pub(crate) type About<'a> = &'a dyn Fn(&TaskId) -> Option<(&'a StageName, Key)>;

/// The fields of an event that people want to see: `key=value …`.
pub(crate) fn fields<'a>(event: &'a Event, about: About<'a>) -> impl Display {
    Fields { event, about }
}

struct Fields<'a> {
    event: &'a Event,
    about: About<'a>,
}

impl Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |task: &TaskId| Of { about: (self.about)(task), task: *task, attempt: None };
        match self.event {
            Event::Configured { pipeline } => write!(f, "pipeline={}", pipeline.name),
            Event::Claimed { epoch, .. } => write!(f, "epoch={}", epoch.0),
            Event::BlockSubmitted { .. }
            | Event::HeadMoved { .. }
            | Event::Finalized { .. }
            | Event::SourceEnded { .. } => of_chain(f, self.event),
            Event::Resupplied { block, payload, .. } => {
                write!(f, "block={} payload={}", block.short(), payload.short())
            }
            Event::PayloadLost { block } => write!(f, "block={}", block.short()),
            Event::BatchClosed { stage, key, items, why } => {
                write!(f, "stage={stage} key={key} items={items} why={}", word(why))
            }
            Event::TaskOpened { task, stage, key, inputs, .. } => {
                let of = Of { about: Some((stage, *key)), task: *task, attempt: None };
                write!(f, "{of} inputs={}", inputs.len())
            }
            Event::Granted { task, dispatcher, until } => {
                write!(f, "{} dispatcher={dispatcher} until={}", of(task), time(*until))
            }
            Event::Parked { task, class, message } => {
                write!(f, "{} class={} {}", of(task), word(class), Message(message))
            }
            Event::Reopened { task, why } => write!(f, "{} why={}", of(task), word(why)),
            Event::Remade { task, old, new } => {
                write!(f, "{} old={} new={}", of(task), old.short(), new.short())
            }
            Event::Pinned { .. }
            | Event::KeyNamed { .. }
            | Event::Unpinned { .. }
            | Event::SetAside { .. }
            | Event::Restored { .. } => of_program(f, self.event),
            Event::Cordoned { dispatcher, by, why } | Event::Uncordoned { dispatcher, by, why } => {
                write!(f, "dispatcher={dispatcher} by={by:?} {}", Message(why))
            }
            Event::SourceResumed { by, why } => write!(f, "by={by:?} {}", Message(why)),
            Event::Discarded { task, by, why, tasks, released } => {
                let (of, released) = (of(task), Numbers(released));
                write!(f, "{of} by={by:?} tasks={tasks}{released} {}", Message(why))
            }
            Event::Released { number, key, tasks } => {
                write!(f, "number={} key={key} tasks={}", number.0, tasks.len())
            }
            Event::Accepted { task, attempt, result, ran_us } => {
                let (of, output) = (of(task).ended(*attempt), result.output.short());
                write!(f, "{of} output={output} {}", Ran(*ran_us))
            }
            Event::Surplus { task, attempt, output } => {
                write!(f, "{} output={}", of(task).ended(*attempt), output.short())
            }
            Event::Failed { task, attempt, class, message, ran_us, excused, .. } => {
                let (of, ran, message) = (of(task).ended(*attempt), Ran(*ran_us), Message(message));
                write!(f, "{of} class={} {ran}{} {message}", word(class), Excused(*excused))
            }
            Event::Rejected { task, attempt, message, ran_us, excused, .. } => {
                let of = of(task).ended(*attempt);
                write!(f, "{of} {}{} {}", Ran(*ran_us), Excused(*excused), Message(message))
            }
            Event::Led {} => Ok(()),
            Event::Lost { task, attempt, message, .. }
            | Event::Withdrawn { task, attempt, message, .. } => {
                write!(f, "{} {}", of(task).ended(*attempt), Message(message))
            }
        }
    }
}

/// What is told of the chain.
fn of_chain(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    if let Event::BlockSubmitted { block } = event {
        let (number, hash, bytes) = (block.number, block.hash.short(), block.bytes);
        write!(f, "number={number} hash={hash} bytes={bytes}")?;
    } else if let Event::HeadMoved { head, block } = event {
        write!(f, "head={} block={}", head.0, block.short())?;
    } else if let Event::Finalized { number, block } = event {
        write!(f, "number={number} block={}", block.short())?;
    } else if let Event::SourceEnded { last } = event {
        write!(f, "last={last}")?;
    }
    Ok(())
}

/// What is told of a program's key, and of who proves it.
fn of_program(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    if let Event::Pinned { program, vkey } = event {
        write!(f, "program={program} vkey={vkey}")?;
    } else if let Event::KeyNamed { program, vkey, dispatcher, .. } = event {
        write!(f, "program={program} vkey={vkey} dispatcher={dispatcher}")?;
    } else if let Event::Unpinned { program, by, why } = event {
        write!(f, "program={program} by={by:?} {}", Message(why))?;
    } else if let Event::SetAside { dispatcher, program, failures, until, message } = event {
        let until = time(*until);
        write!(f, "dispatcher={dispatcher} program={program} failures={failures} ")?;
        write!(f, "until={until} {}", Message(message))?;
    } else if let Event::Restored { dispatcher, program } = event {
        write!(f, "dispatcher={dispatcher} program={program}")?;
    }
    Ok(())
}

/// That an end counts against no budget of its task.
struct Excused(bool);

impl Display for Excused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { " excused" } else { "" })
    }
}

/// The numbers of releases: ` released=3,4`, or nothing.
struct Numbers<'a>(&'a [ReleaseNumber]);

impl Display for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, number) in self.0.iter().enumerate() {
            let before = if index == 0 { " released=" } else { "," };
            write!(f, "{before}{}", number.0)?;
        }
        Ok(())
    }
}

/// What is told of a task: `stage=… key=… task=… attempt=…`.
struct Of<'a> {
    about: Option<(&'a StageName, Key)>,
    task: TaskId,
    /// The one that ended.
    attempt: Option<AttemptId>,
}

impl Of<'_> {
    const fn ended(self, attempt: AttemptId) -> Self {
        Self { attempt: Some(attempt), ..self }
    }
}

impl Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((stage, key)) = self.about {
            write!(f, "stage={stage} key={key} ")?;
        }
        write!(f, "task={}", self.task.short())?;
        self.attempt.map_or(Ok(()), |attempt| write!(f, " attempt={}", attempt.position()))
    }
}

/// How long a prover ran, in microseconds.
struct Ran(u64);

impl Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(micros) = self;
        write!(f, "ran={}.{:03}s", micros / 1_000_000, micros % 1_000_000 / 1_000)
    }
}

/// One line, in quotes, whatever a prover printed.
struct Message<'a>(&'a str);

impl Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message={:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use push0_core::{BlockHash, ChainId, FailureClass, Height};

    use super::*;

    #[test]
    fn a_prover_cannot_break_out_of_its_line() {
        let message = Message("a\n\u{1b}[2J'b\"").to_string();
        assert_eq!(message, r#"message="a\n\u{1b}[2J'b\"""#);
    }

    #[test]
    fn names_are_as_in_the_log() {
        assert_eq!(word(FailureClass::InvalidInput), "invalid_input");
    }

    #[test]
    fn a_task_is_told_with_its_stage_and_key_where_they_are_known() {
        let stage = "leaf".parse().expect("a name");
        let (height, tip) = (Height(5), BlockHash([7; 32]));
        let key = Key { chain: ChainId(1), first: height, last: height, part: None, tip };
        let known = |_: &TaskId| Some((&stage, key));
        let unknown = "task=07070707 attempt=3 message=\"gone\"";
        assert_eq!(fields(&lost(), &known).to_string(), format!("stage=leaf key=5 {unknown}"));
        assert_eq!(fields(&lost(), &|_| None).to_string(), unknown);
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
