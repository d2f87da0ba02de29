//! How far a pipeline is, as people and programs are shown it.
//!
//! Not here: why a block is not released (`watch`, `held`), where the state comes from
//! (`cli::status`, `cluster`).

mod cluster;
mod cordoned;
mod explain;
mod hear;
mod heard;
mod held;
mod layout;
mod local;
mod parked;
mod reason;
mod room;
mod runs;
mod shown;
mod space;
mod stages;
mod trouble;
mod watch;

use std::path::Path;

use push0_core::{AttemptId, Canonical, Fleet, Scheduler};
use push0_dispatch::{About, Now};
use serde::{Deserialize, Serialize};

use self::cluster::Record;
pub(crate) use self::cluster::{Cluster, DispatcherView, EngineView, Leader};
use self::cordoned::Cordoned;
pub use self::explain::Subject;
use self::heard::BeatView;
use self::held::WaitingBlocks;
pub(crate) use self::layout::{RECENT, fit, long, middle, rows_of};
pub(crate) use self::local::Local;
use self::parked::Parked;
pub(crate) use self::room::LogRoom;
use self::runs::Run;
pub(crate) use self::space::{Space, StoreUsage};
use self::stages::{Attempts, Stage};
use self::trouble::Trouble;
pub(crate) use self::trouble::is_held;
use self::watch::Watch;
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
    /// How long ago that was when this was looked at. Unit: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_seconds: Option<u64>,
    /// Since when the engine leads that does, or did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    led_since: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    led_seconds: Option<u64>,
    blocks: Blocks,
    stages: Vec<Stage>,
    attempts: Attempts,
    parked: Vec<Parked>,
    /// The lowest block that is not released.
    head: Option<WaitingBlocks>,
    /// The first blocks that are not released, the head among them.
    #[serde(default)]
    unreleased: Vec<WaitingBlocks>,
    /// What runs, the oldest first.
    #[serde(default)]
    runs: Vec<Run>,
    /// How attempts ended, by dispatcher.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by_dispatcher: Vec<Record>,
    /// Who is set aside, and for what.
    #[serde(default, skip_serializing_if = "Trouble::is_none")]
    trouble: Trouble,
    /// Who gets no new work by an operator's word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cordoned: Vec<Cordoned>,
    /// Of whom the engine that leads has heard, and how long ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) heard: Vec<BeatView>,
    /// How full the log is, where it has a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<LogRoom>,
    /// What the store of a cluster holds, as it was counted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<StoreUsage>,
    /// What log and store take, and what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) space: Option<Space>,
    /// What the dispatcher that runs here, or ran last, said of itself.
    pub(crate) dispatcher: Option<About>,
    /// What it does, where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dispatcher_now: Option<Now>,
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

/// How much of a status people are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// That of the terminal; none where it is no terminal.
    pub(crate) width: Option<usize>,
    /// Rows that are left on it, where it is drawn anew; none where the text may be as long as it
    /// is.
    pub(crate) rows: Option<usize>,
    /// Entries of blocks that are not released.
    pub(crate) blocks: usize,
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
    /// Where the source says which blocks are its chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<Heads>,
}

/// What a source has said of its chain.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Heads {
    /// The block that it ends in.
    head: Option<u64>,
    hash: Option<String>,
    /// The last that is final.
    #[serde(rename = "final")]
    is_final: Option<u64>,
    /// How often a block left it, in reorgs.
    superseded: u64,
}

impl Heads {
    fn of(scheduler: &Scheduler) -> Option<Self> {
        let tip = scheduler.chain().tip();
        let says_heads = scheduler.pipeline().source.canonical == Canonical::ByHead;
        says_heads.then(|| Self {
            head: tip.map(|(height, _)| height.0),
            hash: tip.map(|(_, hash)| hash.to_string()),
            is_final: scheduler.chain().finalized().map(|last| last.0),
            superseded: scheduler.totals().blocks_superseded,
        })
    }
}

impl Status {
    /// What the state says, with what is known of who proves.
    pub(crate) fn of(scheduler: &Scheduler, fleet: Option<&Fleet>, blocks: usize) -> Self {
        Self::seen(&Watch::new(scheduler, fleet, wall()), (blocks, usize::MAX))
    }

    /// The same, and no more than goes into a message.
    pub(crate) fn sent(scheduler: &Scheduler, fleet: &Fleet) -> Self {
        let watch = Watch::new(scheduler, Some(fleet), wall());
        let status = Self::seen(&watch, (BLOCKS_SENT_MAX, parked::SENT_MAX));
        Self { heard: BeatView::all(&watch, fleet), ..status.bounded() }
    }

    fn seen(watch: &Watch<'_>, (blocks_max, parked_max): (usize, usize)) -> Self {
        let Watch { scheduler, now, .. } = *watch;
        let totals = scheduler.totals();
        let canonical = scheduler.chain().len() as u64;
        let beside = scheduler.chain().beside() as u64;
        let stages = Stage::all(scheduler);
        let running = stages.iter().map(|stage| stage.running).sum();
        let unreleased = WaitingBlocks::all(watch, blocks_max.max(1));
        let led = scheduler.ran().led_since();
        let last = (scheduler.last().0 > 0).then(|| scheduler.now());
        Self {
            format: FORMAT.to_owned(),
            pipeline: scheduler.is_configured().then(|| scheduler.pipeline().name.to_string()),
            running: None,
            complete: scheduler.is_complete(),
            at: last.map(lines::time),
            at_seconds: last.map(|last| now.since(last).as_secs()),
            led_since: led.map(lines::time),
            led_seconds: led.map(|led| now.since(led).as_secs()),
            blocks: Blocks {
                submitted: totals.blocks_submitted,
                released: totals.blocks_released,
                waiting: canonical.saturating_sub(totals.blocks_released),
                beside,
                ahead: (scheduler.chain().known() as u64).saturating_sub(canonical + beside),
                ended: scheduler.chain().ended().is_some(),
                chain: Heads::of(scheduler),
            },
            attempts: Attempts::of(scheduler, running),
            stages,
            parked: Parked::all(scheduler, parked_max),
            head: unreleased.first().cloned(),
            unreleased,
            runs: Run::all(watch),
            by_dispatcher: Record::all(scheduler, now),
            trouble: Trouble::of(watch),
            cordoned: Cordoned::of(watch),
            heard: Vec::new(),
            log: None,
            store: None,
            space: None,
            dispatcher: None,
            dispatcher_now: None,
            cluster: None,
        }
    }

    /// No more of it than goes into a message; the counts stay whole.
    fn bounded(mut self) -> Self {
        Parked::bound(&mut self.parked);
        self.unreleased = self.unreleased.into_iter().map(WaitingBlocks::bounded).collect();
        self.head = self.unreleased.first().cloned();
        self
    }

    /// Notes whether an engine runs. Without one nothing is done for anything.
    pub(crate) fn runs(&mut self, running: Option<bool>) {
        self.running = running;
        if running == Some(false) {
            let has_dispatchers = self.cluster.is_some();
            let all = std::mem::take(&mut self.unreleased);
            self.unreleased = WaitingBlocks::all_without_engine(all, has_dispatchers);
            if !has_dispatchers {
                self.stages.iter_mut().for_each(Stage::interrupt);
                self.attempts.interrupt();
                self.runs.clear();
            }
            self.head = self.unreleased.first().cloned();
        }
    }

    /// Whether the log has so little room that no block is taken.
    pub(crate) fn is_short_of_room(&self) -> bool {
        self.log.as_ref().is_some_and(|log| is_short(&log.room()))
    }

    /// Whether the log holds nothing, though somebody is there who works for it: an engine writes
    /// its pipeline as soon as it leads, and a dispatcher answers once it has heard an engine that
    /// leads.
    pub(crate) fn is_wiped(&self) -> bool {
        self.pipeline.is_none()
            && self
                .cluster
                .as_ref()
                .is_some_and(|it| !it.engines.is_empty() || !it.dispatchers.is_empty())
    }
}

/// An attempt as people name it to `push0 logs`.
fn named(attempt: AttemptId) -> String {
    attempt.position().to_string()
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

/// Entries of blocks that go into a message.
const BLOCKS_SENT_MAX: usize = 32;

/// Digits of a task's id that people are shown.
const SHORT: usize = 8;

#[cfg(test)]
mod tests {
    use push0_core::{FailureClass, Outcome};

    use super::*;
    use crate::fixture::{Place as World, WELL, one_stage};

    /// A task is parked, one runs, others wait; the words are long.
    fn status() -> Status {
        let mut world = World::new(&one_stage("day"), 5..12);
        world.beat(WELL);
        world.assign();
        let message = "it says no and more, ".repeat(30);
        world.report(Outcome::Failed { class: FailureClass::Unprovable, message });
        world.assign();
        Status::of(&world.scheduler, Some(&world.fleet), 10)
    }

    #[test]
    fn a_status_fits_a_terminal_but_for_what_is_to_be_typed() {
        let data = Path::new("/a/path/that/is/long/".to_owned().repeat(6).leak());
        for (place, width) in [Place::Cluster, Place::Data(data)]
            .into_iter()
            .flat_map(|it| [60, 80, 120].map(|w| (it, w)))
        {
            let shown = status().shown(place, Frame { width: Some(width), rows: None, blocks: 10 });
            let is_command =
                |line: &&str| line.contains("/a/path") || line.trim().starts_with("push0 ");
            let wide = shown.lines().filter(|line| line.chars().count() > width);
            let wide: Vec<_> = wide.filter(|line| !is_command(line)).collect();
            assert!(wide.is_empty(), "{width}: {wide:#?}");
            assert!(shown.contains("  blocks 7-11: prove of each waits"), "{shown}");
        }
    }

    /// What a terminal of so many rows shows of it.
    fn drawn(status: &Status, (width, rows): (usize, usize)) -> String {
        let frame = Frame { width: Some(width), rows: Some(rows), blocks: 10 };
        let shown = status.shown(Place::Cluster, frame);
        let lines = shown.lines().take(rows).collect::<Vec<_>>().join("\n");
        assert!(shown.lines().count() <= rows, "{width}x{rows}: it does not fit\n{shown}");
        lines
    }

    #[test]
    fn a_terminal_shows_what_needs_a_person_before_what_runs() {
        let mut world = World::new(&one_stage("day"), 5..25);
        world.beat(WELL);
        for _ in 0..5 {
            world.assign();
            let message = "it says no and more, ".repeat(30);
            world.report(Outcome::Failed { class: FailureClass::Unprovable, message });
        }
        world.assign();
        let mut status = Status::of(&world.scheduler, Some(&world.fleet), 10);
        let silent = BeatView { dispatcher: "well".to_owned(), silent: 4, ..BeatView::default() };
        let there = Cluster::default();
        status.heard = vec![silent];
        status.hear_all(there, true);
        for size in [(80, 22), (60, 22), (120, 38)] {
            let shown = drawn(&status, size);
            let at = |words: &str| shown.find(words).unwrap_or_else(|| panic!("{words}: {shown}"));
            let needs =
                [at("parked, they wait for you: 5"), at("push0 retry"), at("well (silent 4s)")];
            assert!(
                needs.iter().all(|at| *at < shown.find("head of the chain").unwrap_or(usize::MAX)),
                "{shown}"
            );
        }
    }

    #[test]
    fn blocks_that_are_parked_with_the_same_words_share_a_line() {
        let mut world = World::new(&one_stage("day"), 5..9);
        world.beat(WELL);
        for _ in 0..3 {
            world.assign();
            let message = "over a limit".to_owned();
            world.report(Outcome::Failed { class: FailureClass::Unprovable, message });
        }
        let status = Status::of(&world.scheduler, Some(&world.fleet), 10);
        let shown = status.shown(Place::Cluster, Frame { width: None, rows: None, blocks: 10 });
        let head = "head of the chain: blocks 5-7: prove of each is parked: unprovable: attempt 1 of 1 that ended so: over a limit";
        assert!(shown.contains(head), "{shown}");
        assert!(shown.contains("  to try the first again: push0 retry "), "{shown}");
    }

    #[test]
    fn what_is_sent_fits_a_message_of_any_server() {
        let mut world = World::new(&one_stage("day"), 5..255);
        world.beat(WELL);
        for _ in 0..80 {
            world.assign();
            let message = "\u{1f}".repeat(4_000);
            world.report(Outcome::Failed { class: FailureClass::Unprovable, message });
        }
        let sent = Status::sent(&world.scheduler, &world.fleet);
        let bytes = serde_json::to_vec(&sent).expect("it is JSON").len();
        assert!(bytes < 60 << 10, "{bytes}");
        let read: Status =
            serde_json::from_slice(&serde_json::to_vec(&sent).expect("JSON")).expect("read");
        assert_eq!(read.unreleased.len(), sent.unreleased.len());
    }
}
