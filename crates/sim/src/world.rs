//! A world: one engine over its disk, dispatchers, a source and a reader, in one thread on virtual
//! time.
//!
//! Everything that happens is on one agenda, and everything drawn comes from the seed, so the same
//! story is the same history, byte for byte.

mod crew;
mod ending;
mod heads;
mod life;
mod mischief;
mod reader;
mod source;

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{DispatcherId, FailureClass, PipelineSpec, TaskId};

use self::ending::Phase;
use self::reader::Reader;
use self::source::Source;
use crate::agenda::{Agenda, Happening, Healed};
use crate::broken::Broken;
use crate::chance::Chance;
use crate::clock::Rate;
use crate::disk::{Damage, SimDisk};
use crate::dispatcher::Dispatcher;
use crate::engine::Engine;
use crate::fault::{Fault, Faults};
use crate::ledger::Ledger;
use crate::scenario::Scenario;
use crate::store::Store;
use crate::story::{Outcome, Story};
use crate::watch::Watch;

/// A world, while it lasts.
pub(crate) struct World {
    scenario: Scenario,
    agenda: Agenda,
    faults: Faults,
    /// Draws that are no fault: how long messages take.
    chance: Chance,
    disk: SimDisk,
    store: Store,
    engine: Option<Engine>,
    /// Which life of the engine.
    life: u64,
    /// Until when the engine stands still.
    frozen: Duration,
    /// When the engine looks next.
    look: Option<Duration>,
    /// When the engine could last not decide.
    unable: Duration,
    /// How far the wall clock is off. Unit: microseconds.
    wall_step: i64,
    /// How fast the engine's clock runs.
    rate: Rate,
    crew: Vec<Dispatcher>,
    /// Which ways nothing passes between a dispatcher and the engine.
    cut: Vec<Cut>,
    /// Tasks of which a message is more than the bus takes: the grant, or the result.
    too_large: BTreeMap<TaskId, Option<Way>>,
    /// Until when every prover fails, and how.
    all_fail: (Duration, Option<FailureClass>),
    source: Source,
    reader: Reader,
    watch: Watch,
    poison: BTreeMap<String, Option<FailureClass>>,
    /// The pipeline's file.
    spec: PipelineSpec,
    damage: Option<Damage>,
    phase: Phase,
    broken: Option<Broken>,
    history: Option<String>,
    steps: u64,
}

/// Which ways a dispatcher is cut off.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    up: bool,
    down: bool,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    /// To the engine.
    Up,
    /// To a dispatcher.
    Down,
}

impl World {
    pub(crate) fn new(story: &Story, is_told: bool) -> Self {
        let scenario = Scenario::of(story.seed, story.blocks);
        let chain = scenario.blocks.iter().map(|block| (block.number, block.hash)).collect();
        let ledger = if scenario.says_heads { Ledger::by_head() } else { Ledger::new(chain) };
        let broken = story.broken;
        let crew = scenario.dispatchers.iter().zip(NAMES).map(|(capacity, name)| {
            let id: DispatcherId = name.parse().expect("it is a name");
            Dispatcher::new(id, capacity.clone(), broken)
        });
        let mut crew: Vec<_> = crew.collect();
        if let Some((who, bad)) = scenario.bad {
            crew.get_mut(who).into_iter().for_each(|one| one.bad = Some(bad));
        }
        let is_lying = broken == Some(Broken::LyingDisk);
        Self {
            agenda: Agenda::default(),
            faults: Faults::of_kinds_often(
                story.seed,
                story.only.clone(),
                Fault::ALL,
                &story.often,
            ),
            chance: Chance::of(story.seed, NETWORK_STREAM),
            disk: SimDisk::new(Chance::of(story.seed, DISK_STREAM), scenario.sector, is_lying),
            store: Store::default(),
            engine: None,
            life: 0,
            frozen: Duration::ZERO,
            look: None,
            unable: Duration::ZERO,
            wall_step: 0,
            rate: Rate::TRUE,
            cut: crew.iter().map(|_| Cut::default()).collect(),
            too_large: BTreeMap::new(),
            all_fail: (Duration::ZERO, None),
            crew,
            source: Source::default(),
            reader: Reader::default(),
            watch: Watch::new(ledger, scenario.limits),
            poison: BTreeMap::new(),
            spec: scenario.spec.clone(),
            damage: None,
            phase: Phase::Cruel,
            broken,
            history: is_told.then(String::new),
            steps: 0,
            scenario,
        }
    }

    /// Lives through everything.
    pub(crate) fn run(&mut self, mut each: impl FnMut(&Self)) {
        self.begin();
        while self.watch.found().is_none() && self.phase != Phase::Over {
            let Some(happening) = self.agenda.next() else {
                self.starve();
                break;
            };
            self.watch.now = self.agenda.now();
            self.watch.count_instant();
            self.steps += 1;
            self.happen(happening);
            self.check_bound();
            self.check_lateness();
            each(self);
        }
    }

    /// How it came out.
    pub(crate) fn outcome(self) -> Outcome {
        Outcome {
            violation: self.watch.found().cloned(),
            struck: self.faults.struck().to_vec(),
            steps: self.steps,
            events: self.watch.ledger.last.0,
            lasted: self.agenda.now(),
            history: self.history.unwrap_or_default(),
        }
    }

    fn begin(&mut self) {
        self.draw_rates();
        self.agenda.at(Duration::ZERO, Happening::EngineStarts);
        if !self.scenario.is_one_process {
            for who in 0..self.crew.len() {
                let wait = self.chance.millis(0, 800);
                self.agenda.after(wait, Happening::DispatcherStarts { who });
            }
        }
        self.agenda.at(MISCHIEF, Happening::Mischief);
        self.agenda.at(self.scenario.cruel, Happening::Quiet);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::EngineStarts => self.engine_starts(),
            Happening::EngineLooks { life } if life == self.life => self.engine_looks(),
            Happening::EngineSends { life } if life == self.life => self.engine_sends(),
            Happening::SourceGoes { life } if life == self.life => self.source_goes(),
            Happening::ReaderLooks { life } if life == self.life => self.reader_looks(),
            Happening::EngineLooks { .. }
            | Happening::EngineSends { .. }
            | Happening::SourceGoes { .. }
            | Happening::ReaderLooks { .. } => {}
            Happening::ToEngine { from, message } => self.engine_hears(from, message),
            Happening::ToDispatcher { to, life, message } => {
                self.dispatcher_hears(to, life, message);
            }
            Happening::DispatcherStarts { who } => self.dispatcher_starts(who),
            Happening::Beats { who, life } => self.beats(who, life),
            Happening::Goes { who, life, attempt, step } => self.goes(who, life, attempt, step),
            Happening::Mischief => self.mischief(),
            Happening::Heals(healed) => self.heals(healed),
            Happening::Quiet => self.quiet(),
        }
    }

    fn heals(&mut self, healed: Healed) {
        self.say(|| format!("heals: {healed:?}"));
        match healed {
            Healed::Link(who) => {
                self.cut.get_mut(who).into_iter().for_each(|cut| *cut = Cut::default());
            }
            Healed::Room(who) => {
                self.crew.get_mut(who).into_iter().for_each(|one| one.is_open = true);
            }
            Healed::Program(who) => {
                self.crew.get_mut(who).into_iter().for_each(|one| one.withdrawn.clear());
            }
            Healed::Store => self.store.set_down(false),
            Healed::Disk => self.disk.fill(false),
        }
    }

    /// Tells a line of the history, where somebody listens.
    fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            let now = self.agenda.now();
            history.push_str(&format!("{:>12.6} {}\n", now.as_secs_f64(), line()));
        }
    }

    /// What the parties hold at the moment, for people.
    pub(crate) fn state(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(engine) = &self.engine {
            let scheduler = engine.scheduler();
            let (last, durable, epoch) = (scheduler.last(), engine.durable(), scheduler.epoch());
            lines.push(format!("engine life {} {epoch} last {last} durable {durable}", self.life));
            for stage in scheduler.stages() {
                lines.push(format!(
                    "stage {}: {} waiting {} ready {} leased {} accepted {} parked",
                    stage.name,
                    stage.waiting,
                    stage.ready,
                    stage.leased,
                    stage.accepted,
                    stage.parked
                ));
            }
            for attempt in scheduler.attempts() {
                lines.push(format!(
                    "{} at {} until {:?}",
                    attempt.id, attempt.dispatcher, attempt.until
                ));
            }
            let released = scheduler.totals().blocks_released;
            lines.push(format!("released {released} of {} blocks", scheduler.chain().len()));
        } else {
            lines.push("engine is down".to_owned());
        }
        lines.extend(self.crew.iter().map(Dispatcher::words));
        lines
    }

    /// What was told of it so far.
    pub(crate) fn told(&self) -> &str {
        self.history.as_deref().unwrap_or_default()
    }
}

/// Between two times at which something may go wrong by itself.
const MISCHIEF: Duration = Duration::from_millis(500);

const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
const NETWORK_STREAM: u64 = 1002;
const DISK_STREAM: u64 = 1003;
