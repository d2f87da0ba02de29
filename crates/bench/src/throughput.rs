//! `push0 bench throughput`: tasks a second, with as many under way as the client likes (a closed
//! loop).

use std::fmt;

use crate::cli::BenchOptions;
use crate::fault::Fault;
use crate::interleave::{Cell, interleave};
use crate::load::closed_loop;
use crate::report::Row;
use crate::results::Results;
use crate::stats::{median, spread};
use crate::system::Shape;
use crate::target::Target;

/// A row for each system and noise.
///
/// # Errors
///
/// None of its own.
pub(crate) fn measure(asked: &BenchOptions, results: &mut Results) -> Result<(), Fault> {
    let mut cells = Vec::new();
    for noise in &asked.noise {
        let place = |target| Place { target, noise: noise.clone(), rates: Vec::new() };
        cells.extend(Target::all(asked).into_iter().map(place));
    }
    let mut rows = interleave(asked, cells, results);
    let pulls: Vec<_> = rows.iter().filter(|row| row.system == "pull").cloned().collect();
    for row in rows.iter_mut().filter(|row| row.system == "push0") {
        let place = |row: &Row| (row.log.clone(), row.sync.clone(), row.noise.clone());
        let pull = pulls.iter().find(|pull| place(pull) == place(row));
        row.pull_tasks_per_s = pull.and_then(|pull| pull.tasks_per_s);
    }
    results.rows.extend(rows);
    Ok(())
}

/// One of them.
struct Place {
    target: Target,
    noise: String,
    rates: Vec<f64>,
}

impl Cell for Place {
    fn run(&mut self, asked: &BenchOptions) -> Result<(), Fault> {
        #[expect(clippy::cast_possible_truncation, reason = "as many as are under way")]
        let slots = asked.in_flight as u32;
        let (prover, payload) = (asked.prover, asked.payload);
        let shape = Shape { dispatchers: 1, slots, prover, payload, has_backlog: false };
        let mut started = self.target.start(asked, &self.noise, shape, |_| Ok(()))?;
        self.rates.push(closed_loop(&mut started.running, asked.in_flight, asked.time)?);
        Ok(())
    }

    fn fault(&self, asked: &BenchOptions) -> Option<String> {
        self.target.fault(asked)
    }

    fn row(self, asked: &BenchOptions) -> Row {
        // What was not run has only its name, and says why.
        let was_run = !self.rates.is_empty();
        Row {
            noise: Some(self.noise),
            prover: was_run.then(|| asked.prover.to_string()),
            payload: was_run.then(|| asked.payload.name().to_owned()),
            runs: was_run.then_some(self.rates.len()),
            tasks_per_s_spread: was_run.then(|| spread(&self.rates)),
            tasks_per_s: median(self.rates),
            ..self.target.row("throughput")
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "throughput, {}, {}", self.target, self.noise)
    }
}
