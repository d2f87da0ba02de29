//! `push0 bench replay`: how long a log takes to open and fold, from its first event to a state
//! that can lead.

use std::path::Path;
use std::time::{Duration, Instant};

use push0::data::Replay;
use push0_core::{Digest, Effect, Grant};
use push0_core::{
    Epoch, Event, Input, Limits, Offer, Outcome, Report, ResultRef, Scheduler, Timestamp, Turn,
};
use push0_log::conformance::finish;
use push0_log::{Directory, FileLog, Log as _, Settings};

use crate::cli::{BenchOptions, say};
use crate::fault::Fault;
use crate::noise::Noise;
use crate::report::Row;
use crate::results::Results;
use crate::stats::{median, millis, spread};
use crate::system::{Payload, Prover, Shape, pipeline};

/// A row for a log of a million events.
///
/// # Errors
///
/// The disk's.
pub(crate) fn measure(asked: &BenchOptions, results: &mut Results) -> Result<(), Fault> {
    let dir = tempfile::Builder::new().prefix("push0-bench-").tempdir_in(asked.dir())?;
    say(&format!("replay: writes a log of {EVENTS} events"));
    write(dir.path())?;
    for noise in &asked.noise {
        let mut took = Vec::new();
        for run in 1..=asked.runs {
            say(&format!("run {run} of {}: replay, {noise}", asked.runs));
            let _noise = Noise::of(noise)?;
            took.push(millis(open(dir.path())?));
        }
        results.rows.push(Row {
            bench: "replay".to_owned(),
            system: "push0".to_owned(),
            log: "file".to_owned(),
            noise: Some(noise.clone()),
            what: Some(format!("a log of {EVENTS} events opened")),
            runs: Some(asked.runs),
            took_spread_ms: Some(spread(&took)),
            took_ms: median(took),
            ..Row::default()
        });
    }
    Ok(())
}

/// How long the log in `dir` takes to open.
fn open(dir: &Path) -> Result<Duration, Fault> {
    let begin = Instant::now();
    let disk = Directory::new(&dir.join("log"));
    let (opened, replay) = Replay::of(|each| FileLog::open_on(disk, Settings::default(), each));
    let (log, report) = opened?;
    let scheduler = replay.end(report)?.scheduler;
    let took = begin.elapsed();
    drop((log, scheduler));
    Ok(took)
}

/// Writes what a scheduler decides about one block after the other, as engines do.
fn write(dir: &Path) -> Result<(), Fault> {
    let (mut log, _, _) = FileLog::open(dir)?;
    let limits = Limits { blocks_max: WINDOW, ..Limits::default() };
    let mut scheduler = Scheduler::new(limits);
    let capacity = pipeline::capacity(256);
    let offer =
        Offer { dispatcher: pipeline::dispatcher(0), free: capacity.clone(), whole: capacity };
    let shape = Shape {
        dispatchers: 1,
        slots: 256,
        prover: Prover::Echo,
        payload: Payload::Reference,
        has_backlog: false,
    };
    let spec = pipeline::spec(WINDOW as u64, shape);
    let mut inputs = vec![Input::Claim(Epoch(1)), Input::Configure(Box::new(spec))];
    let (mut number, mut grants) = (0, Vec::new());
    while scheduler.last().0 < EVENTS {
        let blocks = number..number + BLOCKS_A_TURN;
        inputs.extend(blocks.map(|number| Input::Submit(Box::new(pipeline::block(number, None)))));
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
    Ok(finish(log.close())?)
}

fn decide(scheduler: &mut Scheduler, turn: &mut Turn, input: &Input) -> Result<usize, Fault> {
    let events: Vec<Event> = scheduler.decide(turn.at, input)?;
    scheduler.apply_all(turn.at, &events)?;
    let count = events.len();
    turn.events.extend(events);
    Ok(count)
}

fn proved(grant: &Grant) -> Report {
    let digest = Digest(grant.task.0);
    let result = ResultRef {
        output: digest,
        bytes: 1,
        statement: digest,
        vkey: None,
        mock: true,
        parts: Vec::new(),
    };
    Report {
        dispatcher: pipeline::dispatcher(0),
        incarnation: 1,
        attempt: grant.attempt,
        task: grant.task,
        outcome: Outcome::Proved(result),
        ran: Duration::ZERO,
    }
}

const EVENTS: u64 = 1_000_000;

const WINDOW: usize = 1_024;

/// Blocks that a turn of the log takes in; as many are granted in it, and accepted.
const BLOCKS_A_TURN: u64 = 64;
