//! `push0 bench overhead`: the time of a task from its submission to its durable result as the client sees it, less
//! the prover's own. Tasks arrive at a fixed rate, whatever comes back.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use crate::baseline::floor;
use crate::cli::{Asked, say};
use crate::load::open_loop;
use crate::noise::Noise;
use crate::place::{LogKind, Sync};
use crate::report::Row;
use crate::stats::{median, millis, quantile};
use crate::system::cluster::Servers;
use crate::system::{Running, Shape, cluster, file};

/// A row for each log, noise and rate.
///
/// # Errors
///
/// That something cannot be started, or gives no results.
pub(crate) fn measure(asked: &Asked) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut cells = Vec::new();
    for noise in &asked.noise {
        for rate in &asked.rate {
            for log in &asked.log {
                let syncs = if *log == LogKind::File { &[Sync::Always][..] } else { &asked.sync };
                cells.extend(syncs.iter().map(|sync| Cell::new(*log, *sync, *rate, noise)));
            }
        }
    }
    for run in 1..=asked.runs {
        for cell in &mut cells {
            say(&format!("run {run} of {}: overhead, {cell}", asked.runs));
            cell.run(asked)?;
        }
    }
    Ok(cells.into_iter().map(|cell| cell.row(asked)).collect())
}

/// What is measured again in every run.
struct Cell {
    log: LogKind,
    sync: Sync,
    rate: f64,
    noise: String,
    runs: Vec<Vec<Duration>>,
    floors: Vec<f64>,
}

impl Cell {
    fn new(log: LogKind, sync: Sync, rate: f64, noise: &str) -> Self {
        Self { log, sync, rate, noise: noise.to_owned(), runs: Vec::new(), floors: Vec::new() }
    }

    fn run(&mut self, asked: &Asked) -> Result<(), Box<dyn Error>> {
        let servers = self.log.servers(self.sync);
        let _noise = (self.noise == "busy").then(Noise::start).transpose()?;
        let shape = Shape {
            dispatchers: 1,
            slots: SLOTS,
            prover: asked.prover,
            payload: asked.payload,
            has_backlog: false,
        };
        let at = servers.as_ref().map(|(_, servers)| servers);
        let floor_tasks = FLOOR_TASKS;
        let floor = match at {
            None => floor::file(&asked.dir(), self.rate, floor_tasks)?,
            Some(servers) => floor::nats(servers, self.rate, floor_tasks)?,
        };
        self.floors.push(millis(floor));
        let mut running = start(at, &asked.dir(), shape)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = (asked.time.as_secs_f64() * self.rate) as u64;
        self.runs.push(open_loop(&mut running, (0, count / 4, count), self.rate)?);
        Ok(())
    }

    fn row(self, asked: &Asked) -> Row {
        let p50s: Vec<_> = self.runs.iter().map(|run| millis(quantile(run, 0.5))).collect();
        let p99s = self.runs.iter().map(|run| millis(quantile(run, 0.99))).collect();
        let mut all = self.runs.concat();
        all.sort();
        let spread = [
            p50s.iter().copied().fold(f64::INFINITY, f64::min),
            p50s.iter().copied().fold(0.0, f64::max),
        ];
        Row {
            bench: "overhead".to_owned(),
            system: "push0".to_owned(),
            log: self.log.to_string(),
            sync: Some(self.sync.to_string()),
            rate: Some(self.rate),
            noise: Some(self.noise),
            prover: Some(asked.prover.to_string()),
            payload: Some(asked.payload.name().to_owned()),
            runs: Some(asked.runs),
            p50_ms: median(p50s),
            p99_ms: median(p99s),
            p50_spread_ms: Some(spread),
            floor_p50_ms: median(self.floors),
            cdf_ms: Some(
                (1..=100).map(|share| millis(quantile(&all, f64::from(share) / 100.0))).collect(),
            ),
            ..Row::default()
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}, {}/s, {}", self.log, self.sync, self.rate, self.noise)
    }
}

/// push0 over a log.
pub(crate) fn start(
    servers: Option<&Servers>,
    dir: &Path,
    shape: Shape,
) -> Result<Running, Box<dyn Error>> {
    match servers {
        None => file::start(dir, shape),
        Some(servers) => cluster::start(servers, shape),
    }
}

/// Of the one dispatcher: more than tasks arrive while one is under way.
const SLOTS: u32 = 256;

const FLOOR_TASKS: u32 = 200;
