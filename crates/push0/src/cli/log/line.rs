//! An event as a line: JSON for programs, words for people.
//!
//! The names are the log's own, so what a person reads can be searched for in either.
//!
//! Not here: what an event means.

use push0_core::{AttemptId, Event, TaskId, Timestamp};
use serde_json::Value;

use super::super::output;
use super::word;
use crate::lines::time;

/// `{"seq":…,"at":…,"event":…, …}`: the event's own fields follow, as they are in the log. A grant also
/// names its attempt, which is its own position, so that it can be joined with how that ended.
pub(super) fn json(seq: u64, at: Timestamp, event: &Event) -> String {
    let event_json = serde_json::to_string(event).expect("facts are made of what JSON has");
    let fields = event_json.trim_start_matches('{').strip_suffix('}').unwrap_or_default();
    let is_grant = matches!(event, Event::Granted { .. });
    let attempt = if is_grant { format!(",\"attempt\":{seq}") } else { String::new() };
    format!("{{\"seq\":{seq},\"at\":\"{}\",{fields}{attempt}}}", time(at))
}

/// `SEQ TIME EVENT key=value …`.
pub(super) fn plain(seq: u64, at: Timestamp, event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    let name = value.get("event").and_then(Value::as_str).unwrap_or_default();
    format!("{seq:>6} {} {name:<15} {}", time(at), words(event).join(" ")).trim_end().to_owned()
}

fn words(event: &Event) -> Vec<String> {
    match event {
        Event::Configured { pipeline } => vec![format!("pipeline={}", pipeline.name)],
        Event::Claimed { epoch } => vec![format!("epoch={}", epoch.0)],
        Event::BlockSubmitted { block } => vec![
            format!("number={}", block.number),
            format!("hash={}", block.hash.short()),
            format!("bytes={}", block.bytes),
        ],
        Event::SourceEnded { last } => vec![format!("last={last}")],
        Event::Resupplied { block, payload, .. } => {
            vec![format!("block={}", block.short()), format!("payload={}", payload.short())]
        }
        Event::PayloadLost { block } => vec![format!("block={}", block.short())],
        Event::BatchClosed { stage, key, items, why } => vec![
            format!("stage={stage}"),
            format!("key={key}"),
            format!("items={items}"),
            format!("why={}", word(why)),
        ],
        Event::TaskOpened { task, stage, key, inputs, .. } => vec![
            format!("task={}", task.short()),
            format!("stage={stage}"),
            format!("key={key}"),
            format!("inputs={}", inputs.len()),
        ],
        Event::Granted { task, dispatcher, until } => vec![
            format!("task={}", task.short()),
            format!("dispatcher={dispatcher}"),
            format!("until={}", time(*until)),
        ],
        Event::Parked { task, class, message } => vec![
            format!("task={}", task.short()),
            format!("class={}", word(class)),
            quoted(message),
        ],
        Event::Reopened { task, why } => {
            vec![format!("task={}", task.short()), format!("why={}", word(why))]
        }
        Event::Remade { task, old, new } => vec![
            format!("task={}", task.short()),
            format!("old={}", old.short()),
            format!("new={}", new.short()),
        ],
        Event::Pinned { program, vkey } => {
            vec![format!("program={program}"), format!("vkey={vkey}")]
        }
        Event::Released { number, key, tasks } => vec![
            format!("number={}", number.0),
            format!("key={key}"),
            format!("tasks={}", tasks.len()),
        ],
        Event::Accepted { task, attempt, result, ran_us } => {
            let output = format!("output={}", result.output.short());
            ended(task, *attempt, vec![output, ran(*ran_us)])
        }
        Event::Surplus { task, attempt, output } => {
            ended(task, *attempt, vec![format!("output={}", output.short())])
        }
        Event::Failed { task, attempt, class, message, ran_us, .. } => {
            let class = format!("class={}", word(class));
            ended(task, *attempt, vec![class, ran(*ran_us), quoted(message)])
        }
        Event::Rejected { task, attempt, message, ran_us, .. } => {
            ended(task, *attempt, vec![ran(*ran_us), quoted(message)])
        }
        Event::Lost { task, attempt, message, .. }
        | Event::Withdrawn { task, attempt, message, .. } => {
            ended(task, *attempt, vec![quoted(message)])
        }
    }
}

fn ended(task: &TaskId, attempt: AttemptId, rest: Vec<String>) -> Vec<String> {
    let mut words = vec![format!("task={}", task.short()), format!("attempt={}", attempt.0)];
    words.extend(rest);
    words
}

fn ran(micros: u64) -> String {
    format!("ran={}.{:03}s", micros / 1_000_000, micros % 1_000_000 / 1_000)
}

/// A prover's words on one line, whatever they are.
fn quoted(message: &str) -> String {
    format!("message=\"{}\"", output::plain(message).replace('"', "'"))
}
