//! `push0 bench recovery`: how long nothing is accepted after a part is killed (`kill -9`), with work going on.
//!
//! Dispatchers answer after 10 ms, and as much is submitted as comes back; what is told is the longest time without an
//! accepted result, as the client sees it. Killed are the engine that leads, with another one standing by, and the
//! server that leads the stream of three, whose election is in it. How long a killed dispatcher or prover is missed
//! is told by the tests that kill them: `cargo test -p push0 --test cluster -- --nocapture`.

use std::fmt;
use std::time::{Duration, Instant};

use crate::cli::Asked;
use crate::fault::Fault;
use crate::interleave::{Cell, interleave};
use crate::load::next;
use crate::noise::Noise;
use crate::place::LogKind;
use crate::report::Row;
use crate::results::Results;
use crate::stats::{median, millis, spread};
use crate::system::cluster::{Process, around, engine};
use crate::system::{Payload, Prover, Running, Shape};

/// A row for what is killed, on each log of NATS that is asked for, if it recovers within a minute.
///
/// # Errors
///
/// None of its own.
pub(crate) fn measure(asked: &Asked, results: &mut Results) -> Result<(), Fault> {
    let mut places = Vec::new();
    for noise in &asked.noise {
        let mut add = |log: LogKind, what: &'static str, how: How| {
            let (noise, took, note) = (noise.clone(), Vec::new(), None);
            places.push(Place { log, noise, what, how, took, note });
        };
        for log in asked.log.iter().filter(|log| **log != LogKind::File) {
            add(*log, "the leading engine is killed", engine_killed);
        }
        if asked.log.contains(&LogKind::NatsR3) {
            add(LogKind::NatsR3, "the NATS server that leads is killed", server_killed);
        }
    }
    interleave(asked, &mut places, results);
    results.rows.extend(places.into_iter().map(|place| place.row(asked)));
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
    /// Why it is not run any more.
    note: Option<String>,
}

type How = fn(&Asked, LogKind) -> Result<Duration, Fault>;

impl Place {
    fn row(self, asked: &Asked) -> Row {
        let was_run = !self.took.is_empty();
        Row {
            bench: "recovery".to_owned(),
            system: "push0".to_owned(),
            log: self.log.to_string(),
            sync: Some(asked.sync().to_string()),
            noise: Some(self.noise),
            prover: Some(SHAPE.prover.to_string()),
            what: Some(self.what.to_owned()),
            runs: was_run.then_some(self.took.len()),
            took_spread_ms: was_run.then(|| spread(&self.took)),
            took_ms: median(self.took),
            note: self.note,
            ..Row::default()
        }
    }
}

impl Cell for Place {
    fn run(&mut self, asked: &Asked) -> Result<(), Fault> {
        let _noise = Noise::of(&self.noise)?;
        self.took.push(millis((self.how)(asked, self.log)?));
        Ok(())
    }

    fn note(&mut self) -> &mut Option<String> {
        &mut self.note
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recovery, {}, {}, {}", self.log, self.noise, self.what)
    }
}

fn engine_killed(asked: &Asked, log: LogKind) -> Result<Duration, Fault> {
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

fn server_killed(asked: &Asked, log: LogKind) -> Result<Duration, Fault> {
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

/// The longest time without a result, from when `kill` is called after a while of work until work has gone on for
/// a while again.
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
            // What was on its way when it was killed comes at once: the longest pause is the recovery.
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

/// Tasks under way: more than are proved while a client waits for an answer that does not come (2 s).
const UNDER_WAY: u64 = 4_096;

/// How long work goes on before: the second engine stands by by then.
const BEFORE: Duration = Duration::from_secs(2);

/// How long work goes on after the longest pause: longer than any pause that is not it. An election takes seconds.
const CALM: Duration = Duration::from_secs(8);

const RESULTS_MIN: u32 = 100;
