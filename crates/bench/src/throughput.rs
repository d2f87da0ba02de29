//! `push0 bench throughput`: tasks a second, with as many under way as the client likes (a closed loop).

use crate::cli::{Asked, say};
use crate::fault::Fault;
use crate::load::closed_loop;
use crate::report::Row;
use crate::stats::{median, spread};
use crate::system::Shape;
use crate::target::Target;

/// A row for each system and noise.
///
/// # Errors
///
/// That something cannot be started, or gives no results.
pub(crate) fn measure(asked: &Asked) -> Result<Vec<Row>, Fault> {
    let mut cells = Vec::new();
    for noise in &asked.noise {
        cells.extend(Target::all(asked).into_iter().map(|target| (target, noise, Vec::new())));
    }
    for run in 1..=asked.runs {
        for (target, noise, rates) in &mut cells {
            say(&format!("run {run} of {}: throughput, {target}, {noise}", asked.runs));
            #[expect(clippy::cast_possible_truncation, reason = "as many as are under way")]
            let slots = asked.in_flight as u32;
            let (prover, payload) = (asked.prover, asked.payload);
            let shape = Shape { dispatchers: 1, slots, prover, payload, has_backlog: false };
            let mut started = target.start(asked, noise, shape, |_| Ok(()))?;
            rates.push(closed_loop(&mut started.running, asked.in_flight, asked.time)?);
        }
    }
    let row = |(target, noise, rates): (Target, &String, Vec<f64>)| Row {
        noise: Some(noise.clone()),
        prover: Some(asked.prover.to_string()),
        payload: Some(asked.payload.name().to_owned()),
        runs: Some(asked.runs),
        tasks_per_s_spread: Some(spread(&rates)),
        tasks_per_s: median(rates),
        ..target.row("throughput")
    };
    let mut rows: Vec<_> = cells.into_iter().map(row).collect();
    let pulls: Vec<_> = rows.iter().filter(|row| row.system == "pull").cloned().collect();
    for row in rows.iter_mut().filter(|row| row.system == "push0") {
        let place = |row: &Row| (row.log.clone(), row.sync.clone(), row.noise.clone());
        let pull = pulls.iter().find(|pull| place(pull) == place(row));
        row.pull_tasks_per_s = pull.and_then(|pull| pull.tasks_per_s);
    }
    Ok(rows)
}
