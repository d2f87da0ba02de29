//! Results, as a table for a person or as one JSON object.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// All that was measured, and where.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) results: Vec<Row>,
}

/// Where, and beside what.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// Of one, five and fifteen minutes, before the first measurement.
    pub(crate) load: String,
    /// That this program was built of: `unknown`, where it was no checkout; `-dirty`, where files
    /// differed from it.
    pub(crate) commit: Option<String>,
    pub(crate) push0: String,
    pub(crate) nats_server: Option<String>,
    pub(crate) postgres: Option<String>,
    /// UTC.
    pub(crate) date: String,
}

/// One measurement. What it has no word on is absent.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Row {
    /// `overhead`, `throughput`, `scaling`, `recovery`, `memory`, `replay`.
    pub(crate) bench: String,
    /// `push0`, `pull`, `poll`, `poll-tight`.
    pub(crate) system: String,
    /// `file`, `nats-r1`, `nats-r3`, `postgres`.
    pub(crate) log: String,
    /// `always`, `default`; `unknown` of servers that the user has named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sync: Option<String>,
    /// Tasks a second, of an open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    /// `quiet`, `busy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) noise: Option<String>,
    /// `echo`, `sleep:TIME`, `serve`, `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prover: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<String>,
    /// Of how many runs what follows are the medians.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) runs: Option<usize>,
    /// This, the p99 and tasks a second are null where they were not measured.
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// The lowest and the highest p50 of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_spread_ms: Option<[f64; 2]>,
    /// What durable writes and hops alone take, in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) floor_p50_ms: Option<f64>,
    /// What push0's published architecture takes, in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pull_p50_ms: Option<f64>,
    pub(crate) tasks_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tasks_per_s_spread: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pull_tasks_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dispatchers: Option<u32>,
    /// Tasks that are open meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<u64>,
    /// Time provers worked, of the time that they could have: from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) efficiency: Option<f64>,
    /// What a recovery or a replay took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) took_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) took_spread_ms: Option<[f64; 2]>,
    /// What was measured, where `bench` does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) what: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resident_bytes: Option<u64>,
    /// Overheads in milliseconds at the shares 0.01, 0.02 … 1 of the tasks of all runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cdf_ms: Option<Vec<f64>>,
    /// Why there is no number, or what is to be known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Machine {
    /// As it is now.
    pub(crate) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = after(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
        let said = |program: &std::path::Path, args: &[&str]| {
            let output = Command::new(program).args(args).output().ok()?;
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (output.status.success() && !said.is_empty()).then_some(said)
        };
        Self {
            cpu: after(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kib * 1_024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
            commit: Some(env!("PUSH0_COMMIT").to_owned()),
            push0: env!("CARGO_PKG_VERSION").to_owned(),
            nats_server: crate::leash::server().and_then(|binary| said(&binary, &["--version"])),
            postgres: crate::baseline::postgres::installed()
                .and_then(|bin| said(&bin.join("postgres"), &["--version"])),
            date: date(),
        }
    }
}

fn date() -> String {
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_micros(push0::clock::wall().0);
    humantime::format_rfc3339_seconds(now).to_string()
}

impl Report {
    /// For a person.
    pub(crate) fn table(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
        let whole =
            |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
        let mut text = format!(
            "{} x {}, Linux {}, load {}\n",
            self.machine.cores, self.machine.cpu, self.machine.kernel, self.machine.load
        );
        let head = [
            "bench", "system", "log", "sync", "noise", "rate", "p50 ms", "p99 ms", "floor", "pull",
            "tasks/s", "what",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        for row in &self.results {
            let word = |word: &Option<String>| word.clone().unwrap_or_default();
            let mut what = word(&row.what);
            if let Some(took) = row.took_ms {
                what = format!("{what} {took:.1} ms");
            }
            if let Some(bytes) = row.resident_bytes {
                what = format!("{what} {:.1} MB", bytes as f64 / 1e6);
            }
            if let Some(efficiency) = row.efficiency {
                what = format!("{what} {:.2} %", efficiency * 100.0);
            }
            if let Some(note) = &row.note {
                what = format!("{what} {note}");
            }
            lines.push([
                row.bench.clone(),
                row.system.clone(),
                row.log.clone(),
                word(&row.sync),
                word(&row.noise),
                whole(row.rate),
                number(row.p50_ms),
                number(row.p99_ms),
                number(row.floor_p50_ms),
                number(row.pull_p50_ms),
                whole(row.tasks_per_s),
                what.trim().to_owned(),
            ]);
        }
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..head.len()).map(width).collect();
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}
