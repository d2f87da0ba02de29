//! What a scrape reads of an engine: counts that it keeps, and sums over its dispatchers, attempts
//! and programs. It holds the engine up for no longer than these are many.
//!
//! Not here: what is only seen in passing (`passing`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{Fleet, Height, ProgramName, Scheduler, StageIndex, Totals};

use super::metric as m;
use super::sheet::Sheet;
use crate::lines;
use crate::status::is_held;

/// How an engine that leads stands.
#[derive(Clone, Debug)]
pub(super) struct EngineLook {
    epoch: u64,
    totals: Totals,
    canonical: u64,
    ahead: u64,
    beside: u64,
    tip: Option<Height>,
    released: Option<Height>,
    is_final: Option<Height>,
    stages: Vec<StageLook>,
    programs: BTreeMap<ProgramName, ProgramLook>,
    fleet: FleetLook,
}

#[derive(Clone, Debug)]
struct StageLook {
    name: String,
    /// Items that wait, tasks that are ready, run, are accepted, are parked.
    states: [u64; 6],
}

/// What is wanted of a program, and who has it.
#[derive(Clone, Debug, Default)]
struct ProgramLook {
    /// Tasks that are ready or run.
    tasks: u64,
    /// What they take in all. None where it is not known how long its provers take.
    work: Option<Duration>,
    offering: u64,
    aside: u64,
    is_held: bool,
}

#[derive(Clone, Debug, Default)]
struct FleetLook {
    dispatchers: u64,
    silent: u64,
    cordoned: u64,
    offered: Resources,
    used: Resources,
}

#[derive(Clone, Copy, Debug, Default)]
struct Resources {
    slots: u64,
    memory_bytes: u64,
    gpus: u64,
}

impl EngineLook {
    pub(super) fn of(scheduler: &Scheduler, fleet: &Fleet) -> Self {
        let (chain, totals) = (scheduler.chain(), scheduler.totals().clone());
        let (canonical, beside) = (chain.len() as u64, chain.beside() as u64);
        let released = chain.start().filter(|_| totals.blocks_released > 0);
        let released = released.map(|start| Height(start.0 + totals.blocks_released - 1));
        let stages = scheduler.stages().map(|view| StageLook {
            name: view.name.to_string(),
            states: [
                view.waiting,
                view.ready,
                view.leased,
                view.accepted,
                view.parked,
                view.superseded,
            ],
        });
        Self {
            epoch: scheduler.epoch().0,
            canonical,
            ahead: (chain.known() as u64).saturating_sub(canonical + beside),
            beside,
            tip: chain.tip().map(|(height, _)| height),
            released,
            is_final: chain.finalized(),
            stages: stages.collect(),
            programs: programs(scheduler, fleet),
            fleet: FleetLook::of(scheduler, fleet),
            totals,
        }
    }

    /// The last canonical height.
    pub(super) const fn tip(&self) -> Option<Height> {
        self.tip
    }

    pub(super) fn write(&self, sheet: &mut Sheet) {
        let totals = &self.totals;
        sheet.count(&m::EPOCH, &[], self.epoch);
        sheet.total(&m::SUBMITTED, &[], totals.blocks_submitted);
        sheet.total(&m::RELEASED, &[], totals.blocks_released);
        sheet.count(&m::WAITING, &[], self.canonical.saturating_sub(totals.blocks_released));
        sheet.count(&m::AHEAD, &[], self.ahead);
        sheet.count(&m::BESIDE, &[], self.beside);
        self.tip.into_iter().for_each(|tip| sheet.count(&m::TIP, &[], tip.0));
        self.released.into_iter().for_each(|last| sheet.count(&m::RELEASED_HEIGHT, &[], last.0));
        self.is_final.into_iter().for_each(|last| sheet.count(&m::FINAL_HEIGHT, &[], last.0));
        sheet.total(&m::BLOCKS_LEFT, &[], totals.blocks_superseded);
        let mut parked = 0;
        for StageLook { name, states } in &self.stages {
            for (state, count) in STATES.iter().zip(states) {
                sheet.count(&m::TASKS, &[name, state], *count);
            }
            let [.., of_stage, _] = states;
            parked += of_stage;
        }
        sheet.count(&m::PARKED, &[], parked);
        self.write_attempts(sheet);
        for (name, program) in &self.programs {
            let (name, ProgramLook { tasks, work, offering, aside, is_held }) =
                (name.as_str(), program);
            sheet.count(&m::WANTED, &[name], *tasks);
            work.iter().for_each(|work| sheet.gauge(&m::WORK, &[name], work.as_secs_f64()));
            sheet.count(&m::OFFERING, &[name], *offering);
            sheet.count(&m::ASIDE, &[name], *aside);
            sheet.count(&m::HELD, &[name], u64::from(*is_held));
        }
        self.fleet.write(sheet);
    }

    fn write_attempts(&self, sheet: &mut Sheet) {
        let totals = &self.totals;
        sheet.total(&m::ATTEMPTS, &[], totals.started);
        for (outcome, count) in [
            ("accepted", totals.accepted),
            ("rejected", totals.rejected),
            ("lost", totals.lost),
            ("withdrawn", totals.withdrawn),
            ("surplus", totals.surplus),
            ("overtaken", totals.overtaken),
        ] {
            sheet.total(&m::ENDED, &[outcome, ""], count);
        }
        for (class, count) in &totals.failed {
            sheet.total(&m::ENDED, &["failed", &lines::word(*class)], *count);
        }
    }
}

/// Of each program of the pipeline.
fn programs(scheduler: &Scheduler, fleet: &Fleet) -> BTreeMap<ProgramName, ProgramLook> {
    let pipeline = scheduler.pipeline();
    let mut programs: BTreeMap<_, _> = pipeline
        .programs
        .keys()
        .map(|name| {
            let offering = fleet.offering(name).count() as u64;
            let is_held = is_held(scheduler, Some(fleet), name);
            let work = Some(Duration::ZERO);
            (name.clone(), ProgramLook { tasks: 0, work, offering, aside: 0, is_held })
        })
        .collect();
    for (index, (stage, view)) in pipeline.stages.iter().zip(scheduler.stages()).enumerate() {
        let tasks = u32::try_from(view.ready + view.leased).unwrap_or(u32::MAX);
        let usual = scheduler.ran().usual(StageIndex(index));
        if let Some(program) = programs.get_mut(&stage.program)
            && tasks > 0
        {
            program.tasks += u64::from(tasks);
            let more = usual.map(|usual| usual.saturating_mul(tasks));
            program.work = program.work.zip(more).map(|(work, more)| work.saturating_add(more));
        }
    }
    let there: BTreeSet<_> = fleet.heard(scheduler).map(|(id, ..)| id.clone()).collect();
    for (name, dispatcher, _) in scheduler.asides() {
        if let Some(program) = programs.get_mut(name)
            && there.contains(dispatcher)
        {
            program.aside += 1;
        }
    }
    programs
}

impl FleetLook {
    fn of(scheduler: &Scheduler, fleet: &Fleet) -> Self {
        let mut look = Self { cordoned: scheduler.cordons().len() as u64, ..Self::default() };
        for (_, whole, silence) in fleet.heard(scheduler) {
            look.dispatchers += 1;
            look.silent += u64::from(silence >= SILENT_MIN);
            look.offered.slots += u64::from(whole.slots);
            look.offered.memory_bytes =
                look.offered.memory_bytes.saturating_add(whole.memory_bytes);
            look.offered.gpus += u64::from(whole.gpus);
        }
        let pipeline = scheduler.pipeline();
        for attempt in scheduler.attempts() {
            let program = pipeline.stages.get(attempt.stage.0).map(|stage| &stage.program);
            let Some(program) = program.and_then(|it| pipeline.programs.get(it)) else { continue };
            look.used.slots += 1;
            look.used.memory_bytes = look.used.memory_bytes.saturating_add(program.memory_bytes);
            look.used.gpus += u64::from(program.gpus);
        }
        look
    }

    fn write(&self, sheet: &mut Sheet) {
        sheet.count(&m::DISPATCHERS, &[], self.dispatchers);
        sheet.count(&m::SILENT, &[], self.silent);
        sheet.count(&m::CORDONED, &[], self.cordoned);
        for (state, of) in [("offered", self.offered), ("used", self.used)] {
            sheet.count(&m::SLOTS, &[state], of.slots);
            sheet.count(&m::MEMORY, &[state], of.memory_bytes);
            sheet.count(&m::GPUS, &[state], of.gpus);
        }
    }
}

/// Where a task may stand, in the order of [`StageLook::states`].
const STATES: [&str; 6] = ["waiting", "ready", "running", "accepted", "parked", "superseded"];

/// Three beats of a dispatcher: one that is well has said something since.
const SILENT_MIN: Duration = Duration::from_secs(3);
