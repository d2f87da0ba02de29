//! How long the scheduler takes for a block, and how much memory for a task, by the number of
//! blocks that wait: `cargo run --release -p push0-core --example backlog`.
//!
//! All blocks are submitted at once, proved one by one and joined in a tree; 64 attempts run at a
//! time, one turn of the engine for each 16 results.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures, and prints it")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use push0_core::{
    Beat, Block, BlockHash, Capacity, Digest, DispatcherId, Effect, Fleet, Grant, Height, Input,
    Limits, Outcome, PipelineSpec, ProgramSpec, Report, ResultRef, Scheduler, Seq, StageSpec,
    Timestamp,
};

fn main() {
    // The first has all its tasks open at once, in memory that nothing has used before.
    for (blocks, window) in [(100_000, 200_000), (1_000, 1_024), (10_000, 1_024), (100_000, 1_024)]
    {
        let mut backlog = Backlog::new(window);
        let (start, before) = (Instant::now(), resident_bytes());
        (0..blocks).for_each(|number| backlog.submit(number));
        let (tasks, used) = (backlog.scheduler.totals().tasks_open, resident_bytes());
        backlog.ask(&Input::EndSource);
        backlog.drain();
        let each = start.elapsed() / u32::try_from(blocks).unwrap_or(1);
        print!("{blocks} blocks, window {window}: {} us a block", each.as_micros());
        if window > 100_000 {
            let bytes = used.saturating_sub(before) / 100_000;
            print!("; {tasks} open tasks, {bytes} bytes each with its block");
        }
        println!();
    }
}

/// A scheduler with much to do, and one dispatcher that does it.
struct Backlog {
    now: Timestamp,
    scheduler: Scheduler,
    fleet: Fleet,
    dispatcher: DispatcherId,
    running: Vec<Grant>,
}

impl Backlog {
    fn new(window: u64) -> Self {
        let dispatcher: DispatcherId = "one".parse().expect("a name");
        let limits = Limits { blocks_max: 1_000_000, tasks_max: 1_000_000, ..Limits::default() };
        let scheduler = Scheduler::new(limits);
        let fleet = Fleet::new(Duration::from_secs(10));
        let now = Timestamp(1);
        let mut backlog = Self { now, scheduler, fleet, dispatcher, running: Vec::new() };
        backlog.ask(&Input::Configure(Box::new(pipeline(window))));
        let capacity = Capacity {
            programs: std::iter::once("prover".parse().expect("a name")).collect(),
            slots: 64,
            memory_bytes: 1 << 40,
            gpus: 0,
        };
        let beat = Beat {
            dispatcher: backlog.dispatcher.clone(),
            incarnation: 1,
            capacity,
            running: [].into(),
            held: [].into(),
            leaving: false,
        };
        backlog.fleet.beat(now, &beat, &backlog.scheduler);
        backlog
    }

    fn submit(&mut self, number: u64) {
        self.ask(&Input::Submit(Box::new(block(number))));
        if number.is_multiple_of(16) {
            self.wake();
        }
    }

    /// Proves everything.
    fn drain(&mut self) {
        while !self.scheduler.is_complete() {
            self.now = Timestamp(self.now.0 + 100);
            for grant in self.running.drain(..self.running.len().min(16)).collect::<Vec<_>>() {
                self.report(&grant);
            }
            self.wake();
            self.ask(&Input::Assign(self.fleet.offers(&self.scheduler)));
            while let Some(effect) = self.scheduler.poll_effect(Seq(u64::MAX)) {
                if let Effect::Grant(_, grant) = effect {
                    self.running.push(*grant);
                }
            }
        }
    }

    fn report(&mut self, grant: &Grant) {
        let what = ResultRef {
            output: Digest(grant.task.0),
            bytes: 1,
            statement: Digest(grant.task.0),
            vkey: None,
            mock: false,
            parts: Vec::new(),
        };
        self.ask(&Input::Report(Report {
            dispatcher: self.dispatcher.clone(),
            incarnation: 1,
            attempt: grant.attempt,
            task: grant.task,
            outcome: Outcome::Proved(what),
            ran: Duration::from_millis(1),
        }));
    }

    fn wake(&mut self) {
        while self.ask(&Input::Wake) > 0 {}
    }

    fn ask(&mut self, input: &Input) -> usize {
        let events = self.scheduler.decide(self.now, input).expect("it is legal");
        self.scheduler.apply_all(self.now, &events).expect("it was decided");
        events.len()
    }
}

fn pipeline(window: u64) -> PipelineSpec {
    let mut spec =
        PipelineSpec { push0: Some(1), name: "backlog".into(), ..PipelineSpec::default() };
    (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
    spec.window = Some(window);
    let program = ProgramSpec {
        command: vec!["prover".into()],
        contract: Some("serve".into()),
        memory: Some(1),
        ..ProgramSpec::default()
    };
    spec.programs = BTreeMap::from([("prover".into(), program)]);
    let stage = |from: &str, collect: &str| StageSpec {
        inputs: vec![from.into()],
        collect: Some(collect.into()),
        program: Some("prover".into()),
        ..StageSpec::default()
    };
    let range = StageSpec { max: BTreeMap::from([("items".into(), 100)]), ..stage("leaf", "tree") };
    spec.stages =
        BTreeMap::from([("leaf".into(), stage("blocks", "each")), ("range".into(), range)]);
    spec.release.inputs = vec!["range".into()];
    spec
}

fn block(number: u64) -> Block {
    let hash = |number: u64| BlockHash(Digest::of(&number.to_be_bytes()).0);
    Block {
        number: Height(number),
        hash: hash(number),
        parent: hash(number.wrapping_sub(1)),
        payload: Digest(hash(number).0),
        bytes: 1_000,
        fields: BTreeMap::new(),
    }
}

/// The memory of this process, where the system tells.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}
