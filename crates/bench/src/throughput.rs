//! `push0 bench throughput`: tasks a second, with as many under way as the client likes (a closed loop).

use std::error::Error;

use crate::cli::{Asked, say};
use crate::load::closed_loop;
use crate::noise::Noise;
use crate::overhead::start;
use crate::place::{LogKind, Sync};
use crate::report::Row;
use crate::stats::median;
use crate::system::Shape;

/// A row for each log and noise.
///
/// # Errors
///
/// That something cannot be started, or gives no results.
pub(crate) fn measure(asked: &Asked) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for noise in &asked.noise {
        for log in &asked.log {
            let syncs = if *log == LogKind::File { &[Sync::Always][..] } else { &asked.sync };
            for sync in syncs {
                rows.push(cell(asked, noise, *log, *sync)?);
            }
        }
    }
    Ok(rows)
}

fn cell(asked: &Asked, noise: &str, log: LogKind, sync: Sync) -> Result<Row, Box<dyn Error>> {
    let mut rates = Vec::new();
    for run in 1..=asked.runs {
        say(&format!("run {run} of {}: throughput, {log} {sync}, {noise}", asked.runs));
        let servers = log.servers(sync);
        let _noise = (noise == "busy").then(Noise::start).transpose()?;
        #[expect(clippy::cast_possible_truncation, reason = "as many as are under way")]
        let slots = asked.in_flight as u32;
        let shape = Shape {
            dispatchers: 1,
            slots,
            prover: asked.prover,
            payload: asked.payload,
            has_backlog: false,
        };
        let at = servers.as_ref().map(|(_, servers)| servers);
        let mut running = start(at, &asked.dir(), shape)?;
        rates.push(closed_loop(&mut running, asked.in_flight, asked.time)?);
    }
    let spread = [
        rates.iter().copied().fold(f64::INFINITY, f64::min),
        rates.iter().copied().fold(0.0, f64::max),
    ];
    Ok(Row {
        bench: "throughput".to_owned(),
        system: "push0".to_owned(),
        log: log.to_string(),
        sync: Some(sync.to_string()),
        noise: Some(noise.to_owned()),
        prover: Some(asked.prover.to_string()),
        payload: Some(asked.payload.name().to_owned()),
        runs: Some(asked.runs),
        tasks_per_s: median(rates),
        tasks_per_s_spread: Some(spread),
        ..Row::default()
    })
}
