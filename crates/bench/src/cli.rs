//! The command line.

use std::fs;
use std::io::Write as _;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::fault::Fault;
use crate::noise::burn;
use crate::place::{LogKind, Sync};
use crate::report::{Machine, Report, Row};
use crate::system::{Payload, Prover};
use crate::{baseline, memory, overhead, page, prover, recovery, replay, scaling, throughput};

/// Measures what push0 costs, beside the floor of the machine and the designs that others ship
#[derive(Debug, Parser)]
#[command(
    name = "push0 bench",
    bin_name = "push0 bench",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The time of a task from its submission to its durable result, less the prover's own
    Overhead(Asked),
    /// Tasks a second, with as many under way as a client likes
    Throughput(Asked),
    /// What more dispatchers, more open tasks and more queued tasks cost
    Scaling(Asked),
    /// How long nothing is accepted after an engine, or the server that leads the log, is killed
    Recovery(Asked),
    /// What processes hold in memory
    Memory(Asked),
    /// How long a log takes to open
    Replay(Asked),
    /// All of these, into one file of results
    All {
        #[command(flatten)]
        asked: Asked,
        /// Where the results go
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// One run of each, of a second: shows that all of it works, and little else
        #[arg(long, conflicts_with_all = ["runs", "time"])]
        quick: bool,
    },
    /// Writes benchmarks.md and its plots from a file of results
    Page {
        /// What `all` has written
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// The directory that the page goes to
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    #[command(hide = true)]
    Hold { tasks: u64 },
    #[command(hide = true)]
    Burn,
    #[command(hide = true)]
    Echo,
    #[command(hide = true)]
    Prover {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// What is measured, and how often.
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    /// Where the log is: file, nats-r1, nats-r3
    #[arg(long, value_delimiter = ',', default_value = "file,nats-r1,nats-r3")]
    pub(crate) log: Vec<LogKind>,
    /// When NATS servers sync: always (before they acknowledge), default (every two minutes)
    #[arg(long, value_delimiter = ',', default_value = "always")]
    pub(crate) sync: Vec<Sync>,
    /// Tasks a second that arrive, whatever comes back
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    pub(crate) rate: Vec<f64>,
    /// quiet, busy (a process of the lowest priority on each core)
    #[arg(long, value_delimiter = ',', default_value = "quiet,busy")]
    pub(crate) noise: Vec<String>,
    /// What stands for a prover: echo, sleep:TIME, serve, file (processes; over the file log)
    #[arg(long, default_value = "echo")]
    pub(crate) prover: Prover,
    /// What a task carries: reference, 500B
    #[arg(long, default_value = "reference")]
    pub(crate) payload: Payload,
    /// Runs of each, interleaved; what is told are medians
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// How long each run goes on
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) time: Duration,
    /// Tasks under way, for throughput
    #[arg(long, default_value_t = 2_048)]
    pub(crate) in_flight: u64,
    /// Leave out what push0 is compared with
    #[arg(long)]
    pub(crate) alone: bool,
    /// Where the file log is [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Asked {
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The same, of one run of a second each.
    fn quick(self) -> Self {
        Self { runs: 1, time: Duration::from_secs(1), ..self }
    }
}

pub(crate) fn main() -> ExitCode {
    match Cli::parse().command.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Command {
    fn execute(self) -> Result<(), Fault> {
        match self {
            Self::Overhead(asked) => told(&asked, overhead::measure(&asked)?),
            Self::Throughput(asked) => told(&asked, throughput::measure(&asked)?),
            Self::Scaling(asked) => told(&asked, scaling::measure(&asked)?),
            Self::Recovery(asked) => told(&asked, recovery::measure(&asked)?),
            Self::Memory(asked) => told(&asked, memory::measure(&asked)?),
            Self::Replay(asked) => told(&asked, replay::measure(&asked)?),
            Self::All { asked, out, quick: true } => all(&asked.quick(), &out)?,
            Self::All { asked, out, quick: false } => all(&asked, &out)?,
            Self::Page { from, to } => page::write(&from, &to)?,
            Self::Hold { tasks } => memory::hold(tasks)?,
            Self::Burn => burn(),
            Self::Echo => baseline::floor::echo(),
            Self::Prover { args } => prover::prove(&args)?,
        }
        Ok(())
    }
}

/// One after the other; what was measured is kept though a later one fails.
fn all(asked: &Asked, out: &Path) -> Result<(), Fault> {
    let mut report = Report { machine: Machine::here(), results: Vec::new() };
    type Measure = fn(&Asked) -> Result<Vec<Row>, Fault>;
    let parts: [(&str, Measure); 6] = [
        ("overhead", overhead::measure),
        ("throughput", throughput::measure),
        ("scaling", scaling::measure),
        ("recovery", recovery::measure),
        ("memory", memory::measure),
        ("replay", replay::measure),
    ];
    let mut failed = Vec::new();
    for (name, measure) in parts {
        match measure(asked) {
            Ok(rows) => report.results.extend(rows),
            Err(error) => {
                say(&format!("warning: {name}: {error}"));
                failed.push(name);
            }
        }
        let json = serde_json::to_string_pretty(&report)?;
        fs::write(out, json).map_err(|error| Fault::new(format!("{}: {error}", out.display())))?;
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Fault::new(format!(
            "not measured: {}; the rest is in {}",
            failed.join(", "),
            out.display()
        ))),
    }
}

fn told(asked: &Asked, results: Vec<Row>) {
    let report = Report { machine: Machine::here(), results };
    let text = match asked.json {
        true => serde_json::to_string_pretty(&report).unwrap_or_default(),
        false => report.table(),
    };
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says on stderr what is being measured.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_is_one_run_of_a_second_and_goes_with_no_other_word_on_that() {
        let parsed = |more: &[&str]| {
            let args = ["push0-bench", "all", "--out", "o.json", "--quick"];
            Cli::try_parse_from(args.iter().chain(more))
        };
        let Ok(Cli { command: Command::All { asked, quick: true, .. } }) = parsed(&[]) else {
            panic!("--quick is known to `all`")
        };
        let asked = asked.quick();
        assert_eq!((asked.runs, asked.time), (1, Duration::from_secs(1)));
        assert!(parsed(&["--runs", "2"]).is_err() && parsed(&["--time", "2s"]).is_err());
    }
}
