//! `push0 bench overhead`: the time of a task from its submission to its durable result as the
//! client sees it, less the prover's own. Tasks arrive at a fixed rate, whatever comes back.

use std::fmt;
use std::time::Duration;

use crate::baseline::floor;
use crate::cli::BenchOptions;
use crate::fault::Fault;
use crate::interleave::{Cell, interleave};
use crate::load::open_loop;
use crate::report::Row;
use crate::results::Results;
use crate::stats::{median, millis, quantile, spread};
use crate::system::Shape;
use crate::target::Target;

/// A row for each system, noise and rate.
///
/// # Errors
///
/// None of its own.
pub(crate) fn measure(asked: &BenchOptions, results: &mut Results) -> Result<(), Fault> {
    let mut cells = Vec::new();
    for noise in &asked.noise {
        for rate in &asked.rate {
            let targets = Target::all(asked).into_iter();
            cells.extend(targets.map(|target| Place::new(target, *rate, noise)));
        }
    }
    let mut rows = interleave(asked, cells, results);
    let pulls: Vec<_> = rows.iter().filter(|row| row.system == "pull").cloned().collect();
    for row in rows.iter_mut().filter(|row| row.system == "push0") {
        let place = |row: &Row| (row.log.clone(), row.sync.clone(), row.noise.clone(), row.rate);
        let pull = pulls.iter().find(|pull| place(pull) == place(row));
        row.pull_p50_ms = pull.and_then(|pull| pull.p50_ms);
    }
    results.rows.extend(rows);
    Ok(())
}

/// One of them.
struct Place {
    target: Target,
    rate: f64,
    noise: String,
    runs: Vec<Vec<Duration>>,
    floors: Vec<f64>,
}

impl Place {
    fn new(target: Target, rate: f64, noise: &str) -> Self {
        Self { target, rate, noise: noise.to_owned(), runs: Vec::new(), floors: Vec::new() }
    }
}

impl Cell for Place {
    fn run(&mut self, asked: &BenchOptions) -> Result<(), Fault> {
        let shape = Shape {
            dispatchers: 1,
            slots: SLOTS,
            prover: asked.prover,
            payload: asked.payload,
            has_backlog: false,
        };
        let (target, rate, floors) = (self.target, self.rate, &mut self.floors);
        let mut started = target.start(asked, &self.noise, shape, |servers| {
            let floor = match (target, servers) {
                (Target::Push0(..), None) => floor::file(&asked.dir(), rate, FLOOR_TASKS)?,
                (Target::Push0(..), Some(servers)) => floor::nats(servers, rate, FLOOR_TASKS)?,
                (Target::Pull(..) | Target::Poll(_), _) => return Ok(()),
            };
            floors.push(millis(floor));
            Ok(())
        })?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = (asked.time.as_secs_f64() * rate) as u64;
        self.runs.push(open_loop(&mut started.running, (0, count / 4, count), rate)?);
        Ok(())
    }

    fn fault(&self, asked: &BenchOptions) -> Option<String> {
        self.target.fault(asked)
    }

    fn row(self, asked: &BenchOptions) -> Row {
        let p50s: Vec<_> = self.runs.iter().map(|run| millis(quantile(run, 0.5))).collect();
        let p99s = self.runs.iter().map(|run| millis(quantile(run, 0.99))).collect();
        let mut all = self.runs.concat();
        all.sort();
        // What was not run has only its name, and says why.
        let was_run = !self.runs.is_empty();
        let share = |percent: u32| millis(quantile(&all, f64::from(percent) / 100.0));
        Row {
            rate: Some(self.rate),
            noise: Some(self.noise),
            prover: was_run.then(|| asked.prover.to_string()),
            payload: was_run.then(|| asked.payload.name().to_owned()),
            runs: was_run.then_some(self.runs.len()),
            p50_spread_ms: was_run.then(|| spread(&p50s)),
            p50_ms: median(p50s),
            p99_ms: median(p99s),
            floor_p50_ms: median(self.floors),
            cdf_ms: was_run.then(|| (1..=100).map(share).collect()),
            ..self.target.row("overhead")
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "overhead, {}, {}/s, {}", self.target, self.rate, self.noise)
    }
}

/// Of the one dispatcher: more than tasks arrive while one is under way.
const SLOTS: u32 = 256;

const FLOOR_TASKS: u32 = 200;
