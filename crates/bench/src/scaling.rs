//! `push0 bench scaling`: whether more dispatchers prove as much more, and whether what waits costs
//! anything.
//!
//! - *efficiency*: of one slot each, the part of the time that dispatchers prove, where there is
//!   always more to prove. Provers sleep, so that two cores serve for many: each until its own
//!   moment ([`timer`](crate::timer)).
//! - *open tasks*: the overhead with 1,000 dispatchers there and 99,000 tasks open that none of
//!   them can run, beside the overhead with one dispatcher and none.
//! - *queued tasks*: tasks a second from the first submission to the last result, of so many that
//!   are submitted at once.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::cli::BenchOptions;
use crate::fault::Fault;
use crate::interleave::{Cell, interleave};
use crate::load::{next, open_loop};
use crate::place::{LogKind, Sync};
use crate::report::Row;
use crate::results::Results;
use crate::stats::{median, millis, quantile};
use crate::system::{Payload, Prover, Running, Shape};
use crate::target::Target;

/// A row for each that can be measured.
///
/// # Errors
///
/// None of its own.
pub(crate) fn measure(asked: &BenchOptions, results: &mut Results) -> Result<(), Fault> {
    let mut places = Vec::new();
    for noise in &asked.noise {
        for log in &asked.log {
            let busy = grid().map(|(dispatchers, time)| What::Busy { dispatchers, time });
            let open = [(1, 0), (DISPATCHERS_MANY, OPEN_MANY)];
            let open = open.map(|(dispatchers, open)| What::Open { dispatchers, open });
            let mut all: Vec<_> = busy.chain(open).collect();
            if *log == LogKind::File {
                all.extend(QUEUED.map(What::Queued));
            }
            places.extend(all.into_iter().map(|what| Place::new(*log, noise, what)));
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
    what: What,
    runs: Vec<Numbers>,
}

enum What {
    /// Dispatchers of one slot, whose provers take a time.
    Busy { dispatchers: u32, time: Duration },
    /// Dispatchers that are there, and tasks that none of them can run.
    Open { dispatchers: u32, open: u64 },
    /// So many tasks at once.
    Queued(u64),
}

/// Of one run; each kind has some.
#[derive(Default)]
struct Numbers {
    efficiency: Option<f64>,
    tasks_per_s: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

impl Place {
    fn new(log: LogKind, noise: &str, what: What) -> Self {
        Self { log, noise: noise.to_owned(), what, runs: Vec::new() }
    }
}

impl Cell for Place {
    fn run(&mut self, asked: &BenchOptions) -> Result<(), Fault> {
        let shape = self.what.shape();
        let target = Target::Push0(self.log, asked.sync());
        let mut started = target.start(asked, &self.noise, shape, |_| Ok(()))?;
        let running = &mut started.running;
        self.runs.push(match self.what {
            What::Busy { dispatchers, time } => busy_share(running, dispatchers, time, asked.time)?,
            What::Open { open, .. } => open_tasks(running, open, asked.time)?,
            What::Queued(tasks) => queued(running, tasks)?,
        });
        Ok(())
    }

    fn row(self, asked: &BenchOptions) -> Row {
        let of = |which: fn(&Numbers) -> Option<f64>| {
            median(self.runs.iter().filter_map(which).collect())
        };
        let row = Row {
            bench: "scaling".to_owned(),
            system: "push0".to_owned(),
            log: self.log.to_string(),
            noise: Some(self.noise),
            runs: Some(self.runs.len()).filter(|runs| *runs > 0),
            efficiency: of(|run| run.efficiency),
            tasks_per_s: of(|run| run.tasks_per_s),
            p50_ms: of(|run| run.p50_ms),
            p99_ms: of(|run| run.p99_ms),
            ..Row::default()
        };
        match self.what {
            What::Busy { dispatchers, time } => Row {
                sync: Some(sync(asked, self.log)),
                prover: Some(Prover::Sleep(time).to_string()),
                dispatchers: Some(dispatchers),
                ..row
            },
            What::Open { dispatchers, open } => Row {
                sync: Some(sync(asked, self.log)),
                prover: Some(Prover::Echo.to_string()),
                rate: Some(RATE),
                dispatchers: Some(dispatchers),
                open: Some(open),
                ..row
            },
            What::Queued(tasks) => Row {
                prover: Some(Prover::Echo.to_string()),
                what: Some(self.what.to_string()),
                open: Some(tasks),
                ..row
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scaling, {}, {}, {}", self.log, self.noise, self.what)
    }
}

impl What {
    const fn shape(&self) -> Shape {
        let payload = Payload::Reference;
        let (dispatchers, slots, prover, has_backlog) = match *self {
            Self::Busy { dispatchers, time } => (dispatchers, 1, Prover::Sleep(time), false),
            Self::Open { dispatchers, open } => (dispatchers, 8, Prover::Echo, open > 0),
            Self::Queued(_) => (1, 256, Prover::Echo, false),
        };
        Shape { dispatchers, slots, prover, payload, has_backlog }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { dispatchers, time } => {
                write!(f, "{dispatchers} x {}", Prover::Sleep(*time))
            }
            Self::Open { dispatchers, open } => write!(f, "{dispatchers} dispatchers, {open} open"),
            Self::Queued(tasks) => write!(f, "{tasks} queued tasks"),
        }
    }
}

/// More dispatchers for short provers, longer provers for many dispatchers, and a fleet that is
/// busy.
fn grid() -> impl Iterator<Item = (u32, Duration)> {
    let more = [1, 2, 4, 8, 16].map(|dispatchers| (dispatchers, Duration::from_millis(10)));
    let longer = [10, 50, 1_000].map(|ms| (DISPATCHERS, Duration::from_millis(ms)));
    let fleet = (DISPATCHERS_MANY, Duration::from_secs(1));
    more.into_iter().chain(longer).chain([fleet])
}

/// The part of their time that dispatchers prove, and tasks a second, while more waits than they
/// can take: what was proved is made up for in rounds. The time begins and ends with a round of
/// results, so that no prover is cut off in the middle.
fn busy_share(
    running: &mut Running,
    dispatchers: u32,
    prover: Duration,
    time: Duration,
) -> Result<Numbers, Fault> {
    let Running { submit, done, .. } = running;
    let time = time.max(prover * ROUNDS_MIN);
    let round = u64::from(dispatchers);
    let mut submitted = round * AHEAD;
    calls(submitted).for_each(submit.as_mut());
    let (mut ran, mut tasks, mut rounds) = (Duration::ZERO, 0_u32, 0);
    let mut begin = Instant::now();
    let mut last = begin;
    while rounds < ROUNDS_BEFORE || last < begin + time {
        for _ in 0..dispatchers {
            let result = next(done)?;
            (ran, tasks, last) = (ran + result.ran, tasks + 1, result.at);
        }
        submit(submitted..submitted + round);
        (submitted, rounds) = (submitted + round, rounds + 1);
        if rounds == ROUNDS_BEFORE {
            (ran, tasks, begin) = (Duration::ZERO, 0, last);
        }
    }
    let took = last.saturating_duration_since(begin).as_secs_f64();
    let share = ran.as_secs_f64() / took / f64::from(dispatchers);
    let rate = f64::from(tasks) / took;
    Ok(Numbers { efficiency: Some(share), tasks_per_s: Some(rate), ..Numbers::default() })
}

/// The overhead once so many tasks are open that nobody can run.
fn open_tasks(running: &mut Running, open: u64, time: Duration) -> Result<Numbers, Fault> {
    for call in calls(open) {
        (running.submit)(call.clone());
        for _ in call {
            next(&running.done)?;
        }
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let count = (time.as_secs_f64() * RATE) as u64;
    let overheads = open_loop(running, (open, count / 4, count), RATE)?;
    let of = |share| Some(millis(quantile(&overheads, share)));
    Ok(Numbers { p50_ms: of(0.5), p99_ms: of(0.99), ..Numbers::default() })
}

/// So many tasks at once, through one dispatcher that answers at once.
fn queued(running: &mut Running, tasks: u64) -> Result<Numbers, Fault> {
    let begin = Instant::now();
    // What is measured is the queue, and not how it is filled: in calls of as many as one turn
    // takes.
    calls(tasks).for_each(running.submit.as_mut());
    let mut last = begin;
    for _ in 0..tasks {
        last = next(&running.done)?.at;
    }
    let rate = tasks as f64 / last.saturating_duration_since(begin).as_secs_f64();
    Ok(Numbers { tasks_per_s: Some(rate), ..Numbers::default() })
}

/// So many tasks, by calls that submit them.
fn calls(tasks: u64) -> impl Iterator<Item = Range<u64>> {
    let end = move |begin| tasks.min(begin + AT_ONCE as u64);
    (0..tasks).step_by(AT_ONCE).map(move |begin| begin..end(begin))
}

/// A file is always synced.
fn sync(asked: &BenchOptions, log: LogKind) -> String {
    let sync = if log == LogKind::File { Sync::Always } else { asked.sync() };
    sync.to_string()
}

/// As the original push0 was measured with.
const DISPATCHERS: u32 = 32;

const DISPATCHERS_MANY: u32 = 1_000;

/// An engine opens 100,000 tasks at most by default; there must be room for those that are
/// measured.
const OPEN_MANY: u64 = 99_000;

/// Tasks a second, while so many are open.
const RATE: f64 = 100.0;

const QUEUED: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

const ROUNDS_MIN: u32 = 8;

/// Rounds that wait, or are under way: of 32 dispatchers with provers of 10 ms a third of a second.
/// A server that is slow for a moment leaves nobody without work so.
const AHEAD: u64 = 32;

/// The first rounds find dispatchers that wait.
const ROUNDS_BEFORE: u32 = 2;

/// Submitted in one call.
const AT_ONCE: usize = 1_000;
