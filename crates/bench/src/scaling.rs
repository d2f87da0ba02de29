//! `push0 bench scaling`: whether more dispatchers prove as much more, and whether what waits costs anything.
//!
//! - *efficiency*: of one slot each, the part of the time that dispatchers prove, where there is always more to prove.
//!   Provers sleep, so that two cores serve for many.
//! - *open tasks*: the overhead with 1,000 dispatchers there and 99,000 tasks open that none of them can run, beside
//!   the overhead with one dispatcher and none.
//! - *queued tasks*: tasks a second from the first submission to the last result, of so many that are submitted at once.

use std::time::{Duration, Instant};

use crate::cli::{Asked, say};
use crate::fault::Fault;
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
pub(crate) fn measure(asked: &Asked, results: &mut Results) -> Result<(), Fault> {
    for noise in &asked.noise {
        for log in &asked.log {
            for (dispatchers, prover) in grid() {
                let what =
                    format!("scaling, {log}, {noise}, {dispatchers} x {}", Prover::Sleep(prover));
                results.keep(what, efficiency(asked, (*log, noise), (dispatchers, prover)));
            }
            for (dispatchers, open) in [(1, 0), (DISPATCHERS_MANY, OPEN_MANY)] {
                let what =
                    format!("scaling, {log}, {noise}, {dispatchers} dispatchers, {open} open");
                results.keep(what, open_tasks(asked, (*log, noise), (dispatchers, open)));
            }
        }
        if asked.log.contains(&LogKind::File) {
            for tasks in QUEUED {
                let what = format!("scaling, {noise}, {tasks} queued tasks");
                results.keep(what, queued(asked, noise, tasks));
            }
        }
    }
    Ok(())
}

/// More dispatchers for short provers, and longer provers for many dispatchers.
fn grid() -> impl Iterator<Item = (u32, Duration)> {
    let more = [1, 2, 4, 8, 16].map(|dispatchers| (dispatchers, Duration::from_millis(10)));
    let longer = [10, 50, 1_000].map(|ms| (DISPATCHERS, Duration::from_millis(ms)));
    more.into_iter().chain(longer)
}

fn efficiency(
    asked: &Asked,
    (log, noise): (LogKind, &str),
    (dispatchers, time): (u32, Duration),
) -> Result<Row, Fault> {
    let prover = Prover::Sleep(time);
    let (mut shares, mut rates) = (Vec::new(), Vec::new());
    for run in 1..=asked.runs {
        say(&format!(
            "run {run} of {}: scaling, {log}, {noise}, {dispatchers} x {prover}",
            asked.runs
        ));
        let shape = Shape {
            dispatchers,
            slots: 1,
            prover,
            payload: Payload::Reference,
            has_backlog: false,
        };
        let mut started =
            Target::Push0(log, asked.sync()).start(asked, noise, shape, |_| Ok(()))?;
        let running = &mut started.running;
        let (share, rate) = busy_share(running, dispatchers, time, asked.time)?;
        shares.push(share);
        rates.push(rate);
    }
    Ok(Row {
        bench: "scaling".to_owned(),
        system: "push0".to_owned(),
        log: log.to_string(),
        sync: Some(sync(asked, log)),
        noise: Some(noise.to_owned()),
        prover: Some(prover.to_string()),
        dispatchers: Some(dispatchers),
        runs: Some(asked.runs),
        efficiency: median(shares),
        tasks_per_s: median(rates),
        ..Row::default()
    })
}

/// The part of their time that dispatchers prove, and tasks a second, while more waits than they can take: what was
/// proved is made up for in rounds. The time begins and ends with a round of results, so that no prover is cut off in the
/// middle.
fn busy_share(
    running: &mut Running,
    dispatchers: u32,
    prover: Duration,
    time: Duration,
) -> Result<(f64, f64), Fault> {
    let Running { submit, done, .. } = running;
    let time = time.max(prover * ROUNDS_MIN);
    let round = u64::from(dispatchers);
    let mut submitted = round * AHEAD;
    submit(0..submitted);
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
    Ok((share, f64::from(tasks) / took))
}

fn open_tasks(
    asked: &Asked,
    (log, noise): (LogKind, &str),
    (dispatchers, open): (u32, u64),
) -> Result<Row, Fault> {
    let (mut p50s, mut p99s) = (Vec::new(), Vec::new());
    for run in 1..=asked.runs {
        say(&format!(
            "run {run} of {}: scaling, {log}, {noise}, {dispatchers} dispatchers, {open} open",
            asked.runs
        ));
        let (prover, payload) = (Prover::Echo, Payload::Reference);
        let shape = Shape { dispatchers, slots: 8, prover, payload, has_backlog: open > 0 };
        let mut started =
            Target::Push0(log, asked.sync()).start(asked, noise, shape, |_| Ok(()))?;
        let running = &mut started.running;
        for begin in (0..open).step_by(AT_ONCE) {
            let end = open.min(begin + AT_ONCE as u64);
            (running.submit)(begin..end);
            for _ in begin..end {
                next(&running.done)?;
            }
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = (asked.time.as_secs_f64() * RATE) as u64;
        let overheads = open_loop(running, (open, count / 4, count), RATE)?;
        p50s.push(millis(quantile(&overheads, 0.5)));
        p99s.push(millis(quantile(&overheads, 0.99)));
    }
    Ok(Row {
        bench: "scaling".to_owned(),
        system: "push0".to_owned(),
        log: log.to_string(),
        sync: Some(sync(asked, log)),
        noise: Some(noise.to_owned()),
        prover: Some(Prover::Echo.to_string()),
        rate: Some(RATE),
        dispatchers: Some(dispatchers),
        open: Some(open),
        runs: Some(asked.runs),
        p50_ms: median(p50s),
        p99_ms: median(p99s),
        ..Row::default()
    })
}

/// A file is always synced.
fn sync(asked: &Asked, log: LogKind) -> String {
    let sync = if log == LogKind::File { Sync::Always } else { asked.sync() };
    sync.to_string()
}

/// So many tasks at once, through one dispatcher that answers at once.
fn queued(asked: &Asked, noise: &str, tasks: u64) -> Result<Row, Fault> {
    let mut rates = Vec::new();
    for run in 1..=asked.runs {
        say(&format!("run {run} of {}: scaling, {noise}, {tasks} queued tasks", asked.runs));
        let (prover, payload) = (Prover::Echo, Payload::Reference);
        let shape = Shape { dispatchers: 1, slots: 256, prover, payload, has_backlog: false };
        let target = Target::Push0(LogKind::File, Sync::Always);
        let mut started = target.start(asked, noise, shape, |_| Ok(()))?;
        let running = &mut started.running;
        let begin = Instant::now();
        // What is measured is the queue, and not how it is filled: in calls of as many as one turn takes.
        for first in (0..tasks).step_by(AT_ONCE) {
            (running.submit)(first..tasks.min(first + AT_ONCE as u64));
        }
        let mut last = begin;
        for _ in 0..tasks {
            last = next(&running.done)?.at;
        }
        rates.push(tasks as f64 / last.saturating_duration_since(begin).as_secs_f64());
    }
    Ok(Row {
        bench: "scaling".to_owned(),
        system: "push0".to_owned(),
        log: LogKind::File.to_string(),
        noise: Some(noise.to_owned()),
        prover: Some(Prover::Echo.to_string()),
        what: Some(format!("{tasks} queued tasks")),
        open: Some(tasks),
        runs: Some(asked.runs),
        tasks_per_s: median(rates),
        ..Row::default()
    })
}

/// As the original push0 was measured with.
const DISPATCHERS: u32 = 32;

const DISPATCHERS_MANY: u32 = 1_000;

/// An engine opens 100,000 tasks at most by default; there must be room for those that are measured.
const OPEN_MANY: u64 = 99_000;

/// Tasks a second, while so many are open.
const RATE: f64 = 100.0;

const QUEUED: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

const ROUNDS_MIN: u32 = 8;

/// Rounds that wait, or are under way.
const AHEAD: u64 = 4;

/// The first rounds find dispatchers that wait.
const ROUNDS_BEFORE: u32 = 2;

/// Submitted in one call.
const AT_ONCE: usize = 1_000;
