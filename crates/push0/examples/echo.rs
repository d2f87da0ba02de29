//! What the engine itself costs: time and memory by the block, by the open task, by the event of a
//! log.
//!
//! ```text
//! cargo run --release -p push0 --example echo              100,000 blocks from submission to release
//! cargo run --release -p push0 --example echo -- tasks     the process that holds 100,000 open tasks
//! cargo run --release -p push0 --example echo -- open      a log of 1,000,000 events, opened and replayed
//! ```
//!
//! The engine, the scheduler and the file log are the real ones; a number after the word is another
//! amount. The dispatcher is a fake: [`Echo`] speaks the engine's channels and answers every grant
//! at once with the task's own id. No prover runs, nothing is verified or stored.
//!
//! Everything is written below the system's directory for temporary files (`TMPDIR` names another),
//! and removed. Times differ from run to run with the disk and with what else runs; memory does
//! not.

#![expect(clippy::print_stdout, reason = "it measures, and prints it")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use push0::data::Replay;
use push0::engine::{Engine, EngineError, EngineGone, Handle, Ports};
use push0_core::{
    AttemptId, Beat, Block, BlockHash, Capacity, Digest, DispatcherId, Effect, Epoch, Event,
    FromDispatcher, Grant, Height, Input, Limits, Offer, Outcome, PipelineSpec, ProgramSpec,
    Rejection, Report, ResultRef, Scheduler, StageSpec, TaskId, Timestamp, ToDispatcher, Turn,
};
use push0_log::conformance::finish;
use push0_log::{Directory, FileLog, Log as _, Settings};
use tokio::sync::mpsc;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::Builder::new().prefix("push0-echo-").tempdir()?;
    let mut words = std::env::args().skip(1);
    let word = words.next().unwrap_or_else(|| "blocks".to_owned());
    let amount = words.next().map(|amount| amount.parse()).transpose()?;
    match word.as_str() {
        "blocks" => echo(dir.path(), amount.unwrap_or(100_000)),
        "tasks" => hold(dir.path(), amount.unwrap_or(100_000)),
        "open" => reopen(dir.path(), amount.unwrap_or(1_000_000)),
        "again" => again(Path::new(&words.next().unwrap_or_default())),
        _ => Err("say `blocks`, `tasks` or `open`, and an amount".into()),
    }
}

/// Has blocks proved by the fake, and prints what each ten thousand of them cost.
fn echo(dir: &Path, blocks: u64) -> Result<(), Box<dyn Error>> {
    let limits = Limits { blocks_max: WINDOW, ..Limits::default() };
    let running = Running::start(dir, limits, SLOTS)?;
    let (start, before) = (Usage::now(), resident_bytes());
    let mut since = (start, before);
    for done in (STEP..=blocks).step_by(usize::try_from(STEP)?) {
        running.submit(done - STEP..done)?;
        running.wait_for(done)?;
        let (usage, resident) = (Usage::now(), resident_bytes());
        println!("{done} blocks: {}", spent(since, (usage, resident), STEP));
        since = (usage, resident);
    }
    println!("in all: {}", spent((start, before), since, blocks / STEP * STEP));
    println!("resident at the end: {} MB", since.1 / 1_000_000);
    running.stop()
}

/// Has tasks opened that nobody takes, and prints what the process holds.
fn hold(dir: &Path, tasks: u64) -> Result<(), Box<dyn Error>> {
    let amount = usize::try_from(tasks)?;
    let limits = Limits { blocks_max: amount, tasks_max: amount, ..Limits::default() };
    let running = Running::start(dir, limits, 0)?;
    let before = resident_bytes();
    running.submit(0..tasks)?;
    let open = running.handle.look(|scheduler, _| scheduler.totals().tasks_open)?;
    let resident = resident_bytes();
    let each = resident.saturating_sub(before) / tasks;
    println!("{open} open tasks: {} MB resident", resident / 1_000_000);
    println!("each with its block: {each} bytes");
    running.stop()?;
    // Memory that was used once is not given back, so that only another process tells.
    let again = Command::new(std::env::current_exe()?).args(["again", "0"]).arg(dir).status()?;
    again.success().then_some(()).ok_or_else(|| "the second process failed".into())
}

/// Goes on from the log in `dir`, and prints what the process holds then.
fn again(dir: &Path) -> Result<(), Box<dyn Error>> {
    let (log, scheduler) = replay(dir)?;
    let (open, megabytes) = (scheduler.totals().tasks_open, resident_bytes() / 1_000_000);
    println!("{open} open tasks, after a restart: {megabytes} MB resident");
    drop(log);
    Ok(())
}

/// Opens a log of so many events, several times, and prints how long each took.
fn reopen(dir: &Path, events: u64) -> Result<(), Box<dyn Error>> {
    write_log(dir, events)?;
    for _ in 0..OPENINGS {
        let start = Usage::now();
        let (log, scheduler) = replay(dir)?;
        let end = Usage::now();
        let (took, processor) = (end.wall - start.wall, end.processor - start.processor);
        let events = scheduler.last();
        println!("{events} events: opened in {took:.2?}, {processor:.2?} of it on a processor");
        drop(log);
    }
    Ok(())
}

/// Opens the log in `dir` as a run does.
fn replay(dir: &Path) -> Result<(FileLog, Scheduler), Box<dyn Error>> {
    let disk = Directory::new(&dir.join("log"));
    let (opened, replay) = Replay::of(|each| FileLog::open_on(disk, Settings::default(), each));
    let (log, report) = opened?;
    let scheduler = replay.end(report)?.scheduler;
    Ok((log, scheduler))
}

/// The real engine with the fake dispatcher.
struct Running {
    handle: Handle,
    engine: JoinHandle<Result<(), EngineError>>,
    echo: JoinHandle<Result<(), EngineGone>>,
}

impl Running {
    fn start(dir: &Path, limits: Limits, slots: u32) -> Result<Self, Box<dyn Error>> {
        let (log, _, _) = FileLog::open(dir)?;
        let (dispatcher, messages) = mpsc::channel(MESSAGES_MAX);
        // Nobody reads these: the engine leaves out what finds no room.
        let (source, _) = mpsc::channel(1);
        let (turns, _) = mpsc::channel(1);
        let ports = Ports { post: Box::new(dispatcher), source, turns, lines: false };
        let (engine, handle) = Engine::new(Scheduler::new(limits), log, ports);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let engine = thread::spawn(move || runtime.block_on(engine.run()));
        let configure = Input::Configure(Box::new(pipeline(limits.blocks_max)));
        handle.ask_all(vec![Input::Claim(Epoch(1)), configure])??;
        let echo = Echo { handle: handle.clone(), held: BTreeMap::new(), slots };
        let echo = thread::spawn(move || echo.run(messages));
        Ok(Self { handle, engine, echo })
    }

    /// Submits blocks, some in one turn, and waits where the engine is full.
    fn submit(&self, numbers: std::ops::Range<u64>) -> Result<(), EngineGone> {
        let mut next = numbers.start;
        while next < numbers.end {
            let end = numbers.end.min(next + SUBMITTED_TOGETHER);
            // A block that is known is taken again, and nothing is recorded of it.
            let inputs = (next..end).map(|number| Input::Submit(Box::new(block(number))));
            match self.handle.ask_all(inputs.collect())? {
                Ok(()) => next = end,
                Err(Rejection::Full { .. }) => thread::sleep(Duration::from_millis(1)),
                Err(refused) => unreachable!("the blocks are in order: {refused}"),
            }
        }
        Ok(())
    }

    fn wait_for(&self, released: u64) -> Result<(), EngineGone> {
        while self.handle.look(|scheduler, _| scheduler.totals().blocks_released)? < released {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn stop(self) -> Result<(), Box<dyn Error>> {
        self.handle.stop();
        self.engine.join().expect("the engine does not panic")?;
        // The echo may be in the middle of an answer that nobody takes any more.
        let _ = self.echo.join().expect("the echo does not panic");
        Ok(())
    }
}

/// A fake dispatcher: it takes every attempt and has proved it at once, without a prover.
struct Echo {
    handle: Handle,
    /// Reported, and no verdict has come.
    held: BTreeMap<AttemptId, TaskId>,
    slots: u32,
}

impl Echo {
    fn run(mut self, mut messages: mpsc::Receiver<ToDispatcher>) -> Result<(), EngineGone> {
        self.beat()?;
        let mut beaten = Instant::now();
        while let Some(message) = messages.blocking_recv() {
            match message {
                // What was not taken in time comes with a beat, and what was is not reported twice.
                ToDispatcher::Grant(grant)
                    if self.held.insert(grant.attempt, grant.task).is_none() =>
                {
                    self.handle.heard(FromDispatcher::Report(proved(&grant)))?;
                }
                ToDispatcher::Grant(_) => {}
                ToDispatcher::Cancel(attempt) | ToDispatcher::Verdict(attempt, _) => {
                    self.held.remove(&attempt);
                }
            }
            if beaten.elapsed() >= BEAT {
                self.beat()?;
                beaten = Instant::now();
            }
        }
        Ok(())
    }

    fn beat(&self) -> Result<(), EngineGone> {
        self.handle.heard(FromDispatcher::Beat(Beat {
            dispatcher: name(),
            incarnation: 1,
            capacity: capacity(self.slots),
            running: BTreeMap::new(),
            held: self.held.clone(),
            leaving: false,
        }))
    }
}

/// Writes what a scheduler decides about one block after the other, until there are so many events.
fn write_log(dir: &Path, events: u64) -> Result<(), Box<dyn Error>> {
    let (mut log, _, _) = FileLog::open(dir)?;
    let mut scheduler = Scheduler::new(Limits { blocks_max: WINDOW, ..Limits::default() });
    let capacity = capacity(SLOTS);
    let offer = Offer { dispatcher: name(), free: capacity.clone(), whole: capacity };
    let (mut number, mut grants) = (0, Vec::new());
    let first = [Input::Claim(Epoch(1)), Input::Configure(Box::new(pipeline(WINDOW)))];
    let mut inputs = Vec::from(first);
    while scheduler.last().0 < events {
        inputs.extend(
            (number..number + BLOCKS_A_TURN).map(|number| Input::Submit(Box::new(block(number)))),
        );
        inputs.extend(grants.drain(..).map(|grant: Grant| Input::Report(proved(&grant))));
        number += BLOCKS_A_TURN;
        let (first, at) = (scheduler.last().next(), Timestamp(number));
        let mut turn = Turn { epoch: Epoch(1), first, at, events: Vec::new() };
        for input in inputs.drain(..) {
            decide(&mut scheduler, &mut turn, &input)?;
        }
        while decide(&mut scheduler, &mut turn, &Input::Wake)? > 0 {}
        decide(&mut scheduler, &mut turn, &Input::Assign(vec![offer.clone()]))?;
        while let Some(effect) = scheduler.poll_effect(turn.last()) {
            if let Effect::Grant(_, grant) = effect {
                grants.push(*grant);
            }
        }
        finish(log.append(&turn))?;
    }
    finish(log.close())?;
    Ok(())
}

fn decide(
    scheduler: &mut Scheduler,
    turn: &mut Turn,
    input: &Input,
) -> Result<usize, Box<dyn Error>> {
    let events: Vec<Event> = scheduler.decide(turn.at, input)?;
    scheduler.apply_all(turn.at, &events)?;
    let count = events.len();
    turn.events.extend(events);
    Ok(count)
}

/// A moment, on the wall and in the processor's time that this process has had.
#[derive(Clone, Copy)]
struct Usage {
    wall: Instant,
    processor: Duration,
}

impl Usage {
    fn now() -> Self {
        Self { wall: Instant::now(), processor: processor_time() }
    }
}

fn spent(from: (Usage, u64), to: (Usage, u64), blocks: u64) -> String {
    let each = |time: Duration| time.as_micros() / u128::from(blocks.max(1));
    let wall = each(to.0.wall - from.0.wall);
    let processor = each(to.0.processor.saturating_sub(from.0.processor));
    let bytes = to.1.saturating_sub(from.1) / blocks.max(1);
    format!("{wall} us a block, {processor} of it on a processor; {bytes} bytes a block")
}

/// The processor's time of all threads, where the system tells. Unit of the file: 1/100 s.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The memory of this process, where the system tells.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}

fn pipeline(window: usize) -> PipelineSpec {
    let mut spec = PipelineSpec { push0: Some(1), name: "echo".into(), ..PipelineSpec::default() };
    (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
    spec.window = Some(window as u64);
    let program = ProgramSpec {
        command: vec!["echo".into()],
        contract: Some("serve".into()),
        memory: Some(1),
        ..ProgramSpec::default()
    };
    spec.programs = BTreeMap::from([("echo".into(), program)]);
    let leaf = StageSpec {
        inputs: vec!["blocks".into()],
        collect: Some("each".into()),
        program: Some("echo".into()),
        ..StageSpec::default()
    };
    spec.stages = BTreeMap::from([("leaf".into(), leaf)]);
    spec.release.inputs = vec!["leaf".into()];
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

fn proved(grant: &Grant) -> Report {
    let result = ResultRef {
        output: Digest(grant.task.0),
        bytes: 1,
        statement: Digest(grant.task.0),
        vkey: None,
        mock: false,
        parts: Vec::new(),
    };
    Report {
        dispatcher: name(),
        incarnation: 1,
        attempt: grant.attempt,
        task: grant.task,
        outcome: Outcome::Proved(result),
        ran: Duration::ZERO,
    }
}

fn name() -> DispatcherId {
    "echo".parse().expect("it is a name")
}

fn capacity(slots: u32) -> Capacity {
    let programs = std::iter::once("echo".parse().expect("it is a name")).collect();
    Capacity { programs, slots, memory_bytes: 1 << 40, gpus: 0 }
}

/// Blocks in flight.
const WINDOW: usize = 1_024;

/// Attempts that run at a time, as far as they run.
const SLOTS: u32 = 256;

/// Blocks that share a request.
const SUBMITTED_TOGETHER: u64 = 16;

/// Blocks between two lines.
const STEP: u64 = 10_000;

/// As many as can be on their way to the fake; more are left out.
const MESSAGES_MAX: usize = 1_024;

/// Blocks that a turn of the log takes in; as many are granted in it, and accepted.
const BLOCKS_A_TURN: u64 = 64;

const BEAT: Duration = Duration::from_secs(1);

const OPENINGS: usize = 5;
