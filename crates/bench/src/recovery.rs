//! `push0 bench recovery`: how long nothing is accepted after a part is killed (`kill -9`), with
//! work going on.
//!
//! - *the engine that leads*, with another one standing by, and *the server that leads the stream*
//!   of three, whose election is in it: dispatchers answer after 10 ms, and as much is submitted as
//!   comes back; what is told is the longest time without an accepted result, as the client sees
//!   it.
//! - *a dispatcher*, and *its provers*, of two real ones with provers of a second, in the middle of
//!   what they are at: what is told is when the last of that is begun anew, as far as the client
//!   sees. Silence tells of a dispatcher, unless servers tell of lost connections: that is told by
//!   the tests that kill them, `cargo test -p push0 --test cluster -- --nocapture`.

use std::time::{Duration, Instant};
use std::{fmt, thread};

use push0_dispatch::children;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli::BenchOptions;
use crate::fault::Fault;
use crate::interleave::{Cell, interleave};
use crate::load::next;
use crate::noise::Noise;
use crate::place::LogKind;
use crate::report::Row;
use crate::results::Results;
use crate::stats::{median, millis, spread};
use crate::system::cluster::{Process, around, dispatcher, engine};
use crate::system::{Payload, Prover, Running, Shape};

/// A row for what is killed, on each log of NATS that is asked for, if it recovers within a minute.
///
/// # Errors
///
/// None of its own.
pub(crate) fn measure(asked: &BenchOptions, results: &mut Results) -> Result<(), Fault> {
    let mut places = Vec::new();
    for noise in &asked.noise {
        let mut add = |log: LogKind, what: &'static str, how: How| {
            places.push(Place { log, noise: noise.clone(), what, how, took: Vec::new() });
        };
        for log in asked.log.iter().filter(|log| **log != LogKind::File) {
            add(*log, "the leading engine is killed", How::Pause(engine_killed));
        }
        // Who is missed for how long does not depend on the log.
        if let Some(log) = asked.log.iter().find(|log| **log != LogKind::File) {
            add(*log, "a dispatcher is killed", How::Missed(dispatcher_killed));
            add(*log, "the provers of a dispatcher are killed", How::Missed(provers_killed));
        }
        if asked.log.contains(&LogKind::NatsR3) {
            add(LogKind::NatsR3, "the NATS server that leads is killed", How::Pause(server_killed));
        }
    }
    let rows = interleave(asked, places, results);
    results.rows.extend(rows);
    Ok(())
}

/// One of them.
struct Place {
    log: LogKind,
    noise: String,
    what: &'static str,
    how: How,
    /// Milliseconds, of each run.
    took: Vec<f64>,
}

/// What is measured.
enum How {
    /// The longest time without a result, with provers that are none.
    Pause(fn(&BenchOptions, LogKind) -> Result<Duration, Fault>),
    /// How long what a dispatcher is at is missed, with real ones; struck as this says.
    Missed(fn(&mut Process) -> Result<(), Fault>),
}

impl Cell for Place {
    fn run(&mut self, asked: &BenchOptions) -> Result<(), Fault> {
        let _noise = Noise::of(&self.noise)?;
        self.took.push(millis(match self.how {
            How::Pause(how) => how(asked, self.log)?,
            How::Missed(strike) => missed(asked, self.log, strike)?,
        }));
        Ok(())
    }

    fn row(self, asked: &BenchOptions) -> Row {
        let was_run = !self.took.is_empty();
        Row {
            bench: "recovery".to_owned(),
            system: "push0".to_owned(),
            log: self.log.to_string(),
            sync: Some(asked.sync().to_string()),
            noise: Some(self.noise),
            prover: Some(match self.how {
                How::Pause(_) => SHAPE.prover.to_string(),
                How::Missed(_) => format!("serve:{}", humantime::format_duration(TAKES)),
            }),
            what: Some(self.what.to_owned()),
            runs: was_run.then_some(self.took.len()),
            took_spread_ms: was_run.then(|| spread(&self.took)),
            took_ms: median(self.took),
            ..Row::default()
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recovery, {}, {}, {}", self.log, self.noise, self.what)
    }
}

fn engine_killed(asked: &BenchOptions, log: LogKind) -> Result<Duration, Fault> {
    let site = log.site(&asked.nats, asked.sync())?.ok_or_else(|| Fault::new("no servers"))?;
    let servers = &site.servers;
    let dir = tempfile::Builder::new().prefix("push0-bench-").tempdir()?;
    let mut first = Process(engine(dir.path(), "first", servers, false)?);
    let mut running = around(servers, SHAPE, dir.path())?;
    let _second = Process(engine(dir.path(), "second", servers, false)?);
    let gap = gap(&mut running, || Ok(first.0.kill()?))?;
    first.0.wait()?;
    Ok(gap)
}

fn server_killed(asked: &BenchOptions, log: LogKind) -> Result<Duration, Fault> {
    if !asked.nats.is_empty() {
        return Err(Fault::new(
            "servers that --nats names are not the bench's to kill: leave it out",
        ));
    }
    let mut site = log.site(&[], asked.sync())?.ok_or_else(|| Fault::new("no servers"))?;
    let servers = site.servers.clone();
    let nats = site.nats.as_mut().ok_or_else(|| Fault::new("no servers of its own"))?;
    let dir = tempfile::Builder::new().prefix("push0-bench-").tempdir()?;
    let _engine = Process(engine(dir.path(), "first", &servers, false)?);
    let mut running = around(&servers, SHAPE, dir.path())?;
    let leader = nats.leader_of(&servers.name);
    gap(&mut running, || {
        nats.kill(leader);
        Ok(())
    })
}

fn dispatcher_killed(dispatcher: &mut Process) -> Result<(), Fault> {
    Ok(dispatcher.0.kill()?)
}

fn provers_killed(dispatcher: &mut Process) -> Result<(), Fault> {
    let mut provers = children(Pid::from_child(&dispatcher.0)).into_iter();
    provers.try_for_each(|prover| Ok(kill_process(prover, Signal::KILL)?))
}

/// How long what one of two dispatchers is at is missed, once it is struck in the middle of that.
fn missed(
    asked: &BenchOptions,
    log: LogKind,
    strike: fn(&mut Process) -> Result<(), Fault>,
) -> Result<Duration, Fault> {
    let site = log.site(&asked.nats, asked.sync())?.ok_or_else(|| Fault::new("no servers"))?;
    let servers = &site.servers;
    let dir = tempfile::Builder::new().prefix("push0-bench-").tempdir()?;
    let _engine = Process(engine(dir.path(), "engine", servers, false)?);
    // Real provers read what they prove.
    let shape = Shape { dispatchers: 0, payload: Payload::Bytes500, ..SHAPE };
    let Running { mut submit, done, _parts } = around(servers, shape, dir.path())?;
    let start = |name| dispatcher(dir.path(), name, servers, SLOTS, TAKES);
    let (mut first, _second) = (start("first")?, start("second")?);
    // More than one of them has slots for; when the first are proved, both are there.
    let tasks = u64::from(2 * SLOTS - 1);
    submit(0..tasks);
    (0..tasks).try_for_each(|_| next(&done).map(drop))?;
    submit(tasks..2 * tasks);
    thread::sleep(TAKES / 2);
    let killed = Instant::now();
    strike(&mut first)?;
    let mut last = None;
    for _ in 0..tasks {
        let result = next(&done)?;
        last = last.max(result.at.checked_sub(result.ran));
    }
    // What was begun before was not struck.
    let missed = last.and_then(|last| last.checked_duration_since(killed));
    missed.ok_or_else(|| Fault::new("it was at nothing when it was struck"))
}

/// The longest time without a result, from when `kill` is called after a while of work until work
/// has gone on for a while again.
fn gap(running: &mut Running, kill: impl FnOnce() -> Result<(), Fault>) -> Result<Duration, Fault> {
    let Running { submit, done, .. } = running;
    let mut submitted = UNDER_WAY;
    submit(0..submitted);
    let begin = Instant::now();
    let mut kill = Some(kill);
    let (mut killed, mut longest, mut last, mut since) = (None, Duration::ZERO, begin, 0_u32);
    loop {
        let at = next(done)?.at;
        submit(submitted..submitted + 1);
        submitted += 1;
        if killed.is_some() {
            // What was on its way when it was killed comes at once: the longest pause is the
            // recovery.
            longest = longest.max(at.saturating_duration_since(last));
            since += 1;
            let is_calm = killed.is_some_and(|killed: Instant| at > killed + longest + CALM);
            if is_calm && since > RESULTS_MIN {
                return Ok(longest);
            }
        } else if at > begin + BEFORE
            && let Some(kill) = kill.take()
        {
            kill()?;
            killed = Some(Instant::now());
        }
        last = at;
    }
}

const SHAPE: Shape = Shape {
    dispatchers: 2,
    slots: 4,
    prover: Prover::Sleep(Duration::from_millis(10)),
    payload: Payload::Reference,
    has_backlog: false,
};

/// Of each of the two dispatchers.
const SLOTS: u32 = 4;

/// What their provers take.
const TAKES: Duration = Duration::from_secs(1);

/// Tasks under way: more than are proved while a client waits for an answer that does not come (2
/// s).
const UNDER_WAY: u64 = 4_096;

/// How long work goes on before: the second engine stands by by then.
const BEFORE: Duration = Duration::from_secs(2);

/// How long work goes on after the longest pause: longer than any pause that is not it. An election
/// takes seconds.
const CALM: Duration = Duration::from_secs(8);

const RESULTS_MIN: u32 = 100;
