//! `push0 status`: how far a run is, from its log alone.
//!
//! Not here: what holds the head of the chain (`head`).

mod head;

use std::collections::BTreeMap;
use std::path::Path;

use push0_core::{AttemptId, FailureClass, ParkedBy, Scheduler, StageView};
use push0_dispatch::About;
use push0_log::Ending;
use serde::Serialize;

use self::head::Head;
use super::output::{gist, print, say, table};
use super::{Exit, StatusArgs};
use crate::data::{DataError, Layout, Recorded};
use crate::lines;

pub(super) fn status(args: &StatusArgs) -> Exit {
    let status = match read(&args.data) {
        Ok(status) => status,
        Err(error) => {
            say(&format!("error: {error}"));
            return Exit::from(&error);
        }
    };
    let text = match args.json {
        true => serde_json::to_string(&status).expect("names and numbers are JSON"),
        false => status.shown(&args.data),
    };
    Exit::of_print(print(&text))
}

/// How far a run is.
#[derive(Debug, Serialize)]
struct Status {
    format: &'static str,
    /// Absent where nothing ran yet.
    pipeline: Option<String>,
    /// Whether an engine writes the log at this moment; absent where that cannot be told.
    running: Option<bool>,
    /// Whether the source has ended and all it gave is released.
    complete: bool,
    /// The time of the last event; absent where there is none.
    at: Option<String>,
    blocks: Blocks,
    stages: Vec<Stage>,
    attempts: Attempts,
    parked: Vec<Parked>,
    head: Option<Head>,
    /// What the dispatcher that runs here, or ran last, said of itself.
    dispatcher: Option<About>,
}

#[derive(Debug, Serialize)]
struct Blocks {
    submitted: u64,
    released: u64,
    waiting: u64,
    /// Whether the source has said that no block follows.
    ended: bool,
}

#[derive(Debug, Serialize)]
struct Stage {
    name: String,
    waiting: u64,
    ready: u64,
    running: u64,
    accepted: u64,
    parked: u64,
}

#[derive(Debug, Serialize)]
struct Attempts {
    started: u64,
    running: u64,
    accepted: u64,
    surplus: u64,
    lost: u64,
    withdrawn: u64,
    rejected: u64,
    failed: BTreeMap<FailureClass, u64>,
}

#[derive(Debug, Serialize)]
struct Parked {
    task: String,
    stage: String,
    key: String,
    class: Option<ParkedBy>,
    message: String,
}

fn read(data: &Path) -> Result<Status, DataError> {
    let layout = Layout::new(data);
    let Recorded { scheduler, report, .. } = layout.replay()?;
    let is_empty = matches!(report.ending, Ending::Absent) || scheduler.last().0 == 0;
    let totals = scheduler.totals();
    let canonical = scheduler.chain().len() as u64;
    let stages: Vec<Stage> = scheduler.stages().map(Stage::of).collect();
    Ok(Status {
        format: "push0.status/1",
        pipeline: scheduler.is_configured().then(|| scheduler.pipeline().name.to_string()),
        running: layout.has_writer().ok(),
        complete: scheduler.is_complete(),
        at: (!is_empty).then(|| lines::time(scheduler.now())),
        blocks: Blocks {
            submitted: totals.blocks_submitted,
            released: totals.blocks_released,
            waiting: canonical.saturating_sub(totals.blocks_released),
            ended: scheduler.chain().ended().is_some(),
        },
        attempts: Attempts {
            started: totals.started,
            running: stages.iter().map(|stage| stage.running).sum(),
            accepted: totals.accepted,
            surplus: totals.surplus,
            lost: totals.lost,
            withdrawn: totals.withdrawn,
            rejected: totals.rejected,
            failed: totals.failed.clone(),
        },
        stages,
        parked: parked(&scheduler),
        head: Head::of(&scheduler),
        dispatcher: About::read(&layout.dispatch()),
    })
}

fn parked(scheduler: &Scheduler) -> Vec<Parked> {
    let parked = scheduler.parked().map(|(id, task)| {
        let stage = scheduler.pipeline().stage(task.stage).name.to_string();
        let (class, message) = match &task.parked {
            Some((class, message)) => (Some(*class), message.to_string()),
            None => (None, String::new()),
        };
        Parked { task: id.to_string(), stage, key: task.key.to_string(), class, message }
    });
    parked.collect()
}

impl Stage {
    fn of(view: StageView) -> Self {
        let StageView { name, waiting, ready, leased, accepted, parked } = view;
        Self { name: name.to_string(), waiting, ready, running: leased, accepted, parked }
    }
}

impl Status {
    fn shown(&self, data: &Path) -> String {
        let engine = match self.running {
            Some(true) => "an engine runs",
            Some(false) => "no engine runs",
            None => "whether an engine runs cannot be told",
        };
        let (Some(pipeline), Some(at)) = (&self.pipeline, &self.at) else {
            return format!("nothing has run here yet; {engine}");
        };
        let complete = if self.complete { "complete" } else { "not complete" };
        let Blocks { submitted, released, waiting, ended } = self.blocks;
        let more = if ended { "" } else { ", more may come" };
        let mut sections = vec![
            format!(
                "pipeline {pipeline}: {complete}; {engine}; last event {at}\n\
                 blocks: {submitted} submitted, {released} released, {waiting} waiting{more}"
            ),
            self.stages_shown(),
            format!("attempts: {}", self.attempts.shown()),
        ];
        if let Some(head) = &self.head {
            sections.push(format!("head of the chain: block {}: {}", head.block, head.why));
        }
        if let Some(dispatcher) = &self.dispatcher {
            sections.push(dispatcher_shown(dispatcher));
        }
        if !self.parked.is_empty() {
            sections.push(self.parked_shown(data));
        }
        sections.join("\n\n")
    }

    fn stages_shown(&self) -> String {
        let head = ["stage", "waiting", "ready", "running", "accepted", "parked"];
        let rows = self.stages.iter().map(|stage| {
            let Stage { name, waiting, ready, running, accepted, parked } = stage;
            let counts = [waiting, ready, running, accepted, parked].map(ToString::to_string);
            let [waiting, ready, running, accepted, parked] = counts;
            [name.clone(), waiting, ready, running, accepted, parked]
        });
        let head = head.map(ToOwned::to_owned);
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    }

    fn parked_shown(&self, data: &Path) -> String {
        let data = quoted(&data.to_string_lossy());
        let mut lines = vec![format!("parked, set aside for you: {}", self.parked.len())];
        for parked in self.parked.iter().take(PARKED_SHOWN_MAX) {
            let Parked { task, stage, key, class, message } = parked;
            let class = class.map(lines::word).unwrap_or_default();
            let message = gist(message);
            let task = task.get(..SHORT).unwrap_or(task);
            lines.push(format!("  {task}  {stage} {key}  {class}: {message}"));
            lines.push(format!("            push0 logs {task} --data {data}"));
        }
        if let Some(more) = self.parked.len().checked_sub(PARKED_SHOWN_MAX).filter(|more| *more > 0)
        {
            lines.push(format!("  and {more} more: --json shows all"));
        }
        lines.push(format!("to try them again: push0 run PIPELINE --data {data} --retry-parked"));
        lines.join("\n")
    }
}

impl Attempts {
    fn shown(&self) -> String {
        let Self { started, running, accepted, surplus, lost, withdrawn, rejected, failed } = self;
        let fixed = [
            (*started, "started"),
            (*running, "running"),
            (*accepted, "accepted"),
            (*surplus, "surplus"),
            (*lost, "lost"),
            (*withdrawn, "withdrawn"),
            (*rejected, "rejected"),
        ];
        let fixed = fixed.into_iter().map(|(count, name)| (count, name.to_owned()));
        let failed = failed.iter().map(|(class, count)| (*count, lines::word(*class)));
        let told = fixed.chain(failed).filter(|(count, name)| *count > 0 || name == "started");
        told.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    }
}

fn dispatcher_shown(about: &About) -> String {
    let About { dispatcher, slots, memory_bytes, gpus, memory_limit, .. } = about;
    let gpus = if *gpus > 0 { format!(", {gpus} GPUs") } else { String::new() };
    let mib = memory_bytes >> 20;
    format!(
        "dispatcher {dispatcher}: {slots} slots, {mib} MiB of memory{gpus}\n\
         memory of provers: {memory_limit}"
    )
}

/// An attempt as people name it to `push0 logs`.
fn named(attempt: AttemptId) -> String {
    format!("attempt {}", attempt.0)
}

/// A word that a shell takes as one.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+:@,".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

const PARKED_SHOWN_MAX: usize = 10;
/// Digits of a task's id that people are shown.
const SHORT: usize = 8;
