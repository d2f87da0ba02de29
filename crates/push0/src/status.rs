//! How far a pipeline is, as people and programs are shown it.
//!
//! Not here: what holds the head of the chain (`head`), where the state comes from (`cli::status`, `cluster`).

mod cluster;
mod cordoned;
mod head;
mod reason;
mod room;
mod trouble;

use std::collections::BTreeMap;
use std::path::Path;

use push0_core::{AttemptId, FailureClass, Fleet, ParkedBy, Scheduler, StageView};
use push0_dispatch::About;
use serde::{Deserialize, Serialize};

pub(crate) use self::cluster::{Cannot, Cluster, DispatcherView, EngineView, Leader};
use self::cordoned::Cordoned;
use self::head::Head;
pub(crate) use self::room::LogRoom;
use self::trouble::Trouble;
pub(crate) use self::trouble::is_held;
use crate::cli::{gist, table};
use crate::clock::wall;
use crate::engine::is_short;
use crate::lines;

/// How far a run is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    format: String,
    /// Absent where nothing ran yet.
    pipeline: Option<String>,
    /// Whether an engine writes the log at this moment; absent where that cannot be told.
    pub(crate) running: Option<bool>,
    /// Whether the source has ended and all it gave is released.
    complete: bool,
    /// The time of the last event; absent where there is none.
    at: Option<String>,
    blocks: Blocks,
    stages: Vec<Stage>,
    attempts: Attempts,
    parked: Vec<Parked>,
    head: Option<Head>,
    /// Who is set aside, and for what.
    #[serde(default, skip_serializing_if = "Trouble::is_none")]
    trouble: Trouble,
    /// Who gets no new work by an operator's word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cordoned: Vec<Cordoned>,
    /// How full the log is, where it has a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<LogRoom>,
    /// What the dispatcher that runs here, or ran last, said of itself.
    pub(crate) dispatcher: Option<About>,
    /// Who answers, where many machines work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<Cluster>,
}

/// Where a status comes from, for what a person is told to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// A data directory.
    Data(&'a Path),
    Cluster,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Blocks {
    submitted: u64,
    released: u64,
    waiting: u64,
    /// Kept, and not proved: another block of their height is canonical.
    beside: u64,
    /// They wait for blocks before them.
    #[serde(default)]
    ahead: u64,
    /// Whether the source has said that no block follows.
    ended: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Stage {
    name: String,
    waiting: u64,
    ready: u64,
    running: u64,
    accepted: u64,
    parked: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Attempts {
    started: u64,
    running: u64,
    accepted: u64,
    surplus: u64,
    lost: u64,
    withdrawn: u64,
    rejected: u64,
    /// Another's result closed their task, or it was parked under them.
    #[serde(default)]
    overtaken: u64,
    /// Of those accepted, the ones that had ended otherwise before.
    #[serde(default)]
    late: u64,
    failed: BTreeMap<FailureClass, u64>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Parked {
    task: String,
    stage: String,
    key: String,
    class: Option<ParkedBy>,
    message: String,
}

impl Status {
    /// What the state says; nothing of who runs.
    pub(crate) fn of(scheduler: &Scheduler) -> Self {
        Self::seen(scheduler, None, usize::MAX)
    }

    /// The same with what is known of who proves, and no more than goes into a message.
    pub(crate) fn sent(scheduler: &Scheduler, fleet: &Fleet) -> Self {
        Self::seen(scheduler, Some(fleet), PARKED_SENT_MAX).bounded()
    }

    fn seen(scheduler: &Scheduler, fleet: Option<&Fleet>, parked_max: usize) -> Self {
        let totals = scheduler.totals();
        let canonical = scheduler.chain().len() as u64;
        let beside = scheduler.chain().beside() as u64;
        let stages: Vec<Stage> = scheduler.stages().map(Stage::of).collect();
        Self {
            format: FORMAT.to_owned(),
            pipeline: scheduler.is_configured().then(|| scheduler.pipeline().name.to_string()),
            running: None,
            complete: scheduler.is_complete(),
            at: (scheduler.last().0 > 0).then(|| lines::time(scheduler.now())),
            blocks: Blocks {
                submitted: totals.blocks_submitted,
                released: totals.blocks_released,
                waiting: canonical.saturating_sub(totals.blocks_released),
                beside,
                ahead: (scheduler.chain().known() as u64).saturating_sub(canonical + beside),
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
                overtaken: totals.overtaken,
                late: totals.late,
                failed: totals.failed.clone(),
            },
            stages,
            parked: parked(scheduler, parked_max),
            head: Head::of(scheduler, fleet, fleet.map_or_else(|| scheduler.now(), |_| wall())),
            trouble: Trouble::of(scheduler, fleet),
            cordoned: Cordoned::of(scheduler),
            log: None,
            dispatcher: None,
            cluster: None,
        }
    }

    /// No more of it than goes into a message; the counts stay whole.
    fn bounded(mut self) -> Self {
        let mut left = PARKED_BYTES_MAX;
        self.parked.truncate(PARKED_SENT_MAX);
        self.parked.retain_mut(|parked| {
            if parked.message.len() > WORDS_MAX {
                parked.message = gist(&parked.message);
            }
            let takes = 6 * parked.message.len() + PARKED_BYTES; // each byte of it may be escaped
            let fits = takes <= left;
            left = left.saturating_sub(takes);
            fits
        });
        self
    }

    /// Notes whether an engine runs. Without one nothing is done for anything.
    pub(crate) fn runs(&mut self, running: Option<bool>) {
        self.running = running;
        if running == Some(false) {
            let has_dispatchers = self.cluster.is_some();
            self.head = self.head.take().map(|head| head.without_engine(has_dispatchers));
        }
    }

    /// Whether the log has so little room that no block is taken.
    pub(crate) fn is_short_of_room(&self) -> bool {
        self.log.as_ref().is_some_and(|log| is_short(&log.room()))
    }
}

fn parked(scheduler: &Scheduler, most: usize) -> Vec<Parked> {
    let parked = scheduler.parked().take(most).map(|(id, task)| {
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
    /// The text for people.
    pub(crate) fn shown(&self, place: Place<'_>) -> String {
        let engine = match (&self.cluster, self.running) {
            (Some(cluster), running) => cluster.engines_shown(running),
            (None, running) => engine(running).to_owned(),
        };
        let (Some(pipeline), Some(at)) = (&self.pipeline, &self.at) else {
            return format!("nothing has run here yet; {engine}");
        };
        let complete = if self.complete { "complete" } else { "not complete" };
        let Blocks { submitted, released, waiting, beside, ahead, ended } = self.blocks;
        let more = if ended { "" } else { ", more may come" };
        let beside = match beside {
            0 => String::new(),
            count => format!(", {count} beside the chain (kept, not proved)"),
        };
        let ahead = match ahead {
            0 => String::new(),
            count => format!(", {count} ahead of the chain (they wait for blocks before them)"),
        };
        let mut sections = vec![
            format!(
                "pipeline {pipeline}: {complete}; {engine}; last event {at}\n\
                 blocks: {submitted} submitted, {released} released, {waiting} waiting{beside}{ahead}{more}"
            ),
            self.stages_shown(),
            format!("attempts: {}", self.attempts.shown()),
        ];
        if let Some(head) = &self.head {
            sections.push(format!("head of the chain: block {}: {}", head.block, head.why));
        }
        sections.extend(self.trouble.shown());
        sections.extend(Cordoned::shown(&self.cordoned));
        sections.extend(self.log.as_ref().map(LogRoom::shown));
        sections.extend(self.dispatcher.as_ref().map(dispatcher_shown));
        sections.extend(self.cluster.as_ref().map(Cluster::dispatchers_shown));
        sections.extend(self.cluster.iter().flat_map(Cluster::warnings));
        if !self.parked.is_empty() {
            sections.push(self.parked_shown(place));
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

    fn parked_shown(&self, place: Place<'_>) -> String {
        let all: u64 = self.stages.iter().map(|stage| stage.parked).sum();
        let mut lines = vec![format!("parked, they wait for you: {all}")];
        for parked in self.parked.iter().take(PARKED_SHOWN_MAX) {
            let Parked { task, stage, key, class, message } = parked;
            let class = class.map(lines::word).unwrap_or_default();
            let message = gist(message);
            let task = task.get(..SHORT).unwrap_or(task);
            lines.push(format!("  {task}  {stage} {key}  {class}: {message}"));
            if let Place::Data(data) = place {
                let data = quoted(&data.to_string_lossy());
                lines.push(format!("            push0 logs {task} --data {data}"));
            }
        }
        if let Some(more) = all.checked_sub(PARKED_SHOWN_MAX as u64).filter(|more| *more > 0) {
            lines.push(format!("  and {more} more: --json shows {}", place.how_many()));
        }
        lines.push(match place {
            Place::Data(data) => {
                let data = quoted(&data.to_string_lossy());
                format!("to try them again: push0 run PIPELINE --data {data} --retry-parked")
            }
            Place::Cluster => {
                "to try them again: push0 retry TASK, or push0 retry --all".to_owned()
            }
        });
        lines.join("\n")
    }
}

impl Place<'_> {
    fn how_many(self) -> String {
        match self {
            Self::Data(_) => "all".to_owned(),
            Self::Cluster => format!("the first {PARKED_SENT_MAX}"),
        }
    }
}

const fn engine(running: Option<bool>) -> &'static str {
    match running {
        Some(true) => "an engine runs",
        Some(false) => "no engine runs",
        None => "whether an engine runs cannot be told",
    }
}

impl Attempts {
    fn shown(&self) -> String {
        let Self { started, running, accepted, surplus, lost, withdrawn, .. } = self;
        let Self { rejected, overtaken, late, failed, .. } = self;
        let fixed = [
            (*started, "started"),
            (*running, "running"),
            (*accepted, "accepted"),
            (*surplus, "surplus"),
            (*lost, "lost"),
            (*withdrawn, "withdrawn"),
            (*rejected, "rejected"),
            (*overtaken, "overtaken"),
            (*late, "accepted late"),
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
    format!("attempt {}", attempt.position())
}

/// A word that a shell takes as one.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+:@,".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The format of its JSON.
const FORMAT: &str = "push0.status/1";

/// Parked tasks that go into a message.
const PARKED_SENT_MAX: usize = 64;

/// What they take of it: with all else less than the least that a server takes (64 KiB).
const PARKED_BYTES_MAX: usize = 40 << 10;

/// A longer message is cut to its gist. Unit: bytes.
const WORDS_MAX: usize = 512;

/// What one takes beside its message.
const PARKED_BYTES: usize = 400;

const PARKED_SHOWN_MAX: usize = 10;
/// Digits of a task's id that people are shown.
const SHORT: usize = 8;
