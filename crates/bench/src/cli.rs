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
use crate::report::{Machine, Report};
use crate::results::Results;
use crate::system::{Payload, Prover};
use crate::{
    baseline, leash, memory, overhead, page, prover, recovery, replay, scaling, throughput,
};

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
    Overhead(BenchOptions),
    /// Tasks a second, with as many under way as a client likes
    Throughput(BenchOptions),
    /// What more dispatchers, more open tasks and more queued tasks cost
    Scaling(BenchOptions),
    /// How long nothing is accepted after an engine, or the server that leads the log, is killed
    Recovery(BenchOptions),
    /// What processes hold in memory
    Memory(BenchOptions),
    /// How long a log takes to open
    Replay(BenchOptions),
    /// All of these, into one file of results
    All {
        #[command(flatten)]
        asked: BenchOptions,
        /// Where the results go
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The directory that a page of them goes to, as `push0 bench page` writes it
        #[arg(long, value_name = "DIR")]
        page: Option<PathBuf>,
        /// One run of each, of a second, quiet: shows that all of it works, and little else
        #[arg(long, conflicts_with_all = ["runs", "time", "noise"])]
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
pub(crate) struct BenchOptions {
    /// Where the log is: file, nats-r1, nats-r3
    #[arg(long, value_delimiter = ',', default_value = "file,nats-r1,nats-r3")]
    pub(crate) log: Vec<LogKind>,
    /// NATS servers to measure over, of one cluster, instead of ones that are started for it.
    /// Streams named `push0-bench-...` are made on them, and deleted
    #[arg(long, value_delimiter = ',', value_name = "URL")]
    pub(crate) nats: Vec<String>,
    /// When NATS servers sync: always (before they acknowledge), default (every two minutes)
    /// [default: always; with --nats it is what the results say of the servers, else `unknown`]
    #[arg(long, value_delimiter = ',')]
    sync: Vec<Sync>,
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

impl BenchOptions {
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// How servers sync, of parts that measure it both ways.
    pub(crate) fn syncs(&self) -> Vec<Sync> {
        match (self.sync.is_empty(), self.nats.is_empty()) {
            (true, true) => vec![Sync::Always],
            (true, false) => vec![Sync::Unknown],
            (false, _) => self.sync.clone(),
        }
    }

    /// How servers sync, of parts that measure it one way: always, where it is the bench that
    /// starts them.
    pub(crate) fn sync(&self) -> Sync {
        match (self.nats.is_empty(), self.sync.first()) {
            (true, _) => Sync::Always,
            (false, said) => said.copied().unwrap_or(Sync::Unknown),
        }
    }

    /// Refuses what contradicts itself.
    fn check(&self) -> Result<(), Fault> {
        match self.nats.is_empty() || self.sync.len() <= 1 {
            true => Ok(()),
            false => {
                Err(Fault::new("--nats: servers sync one way: give --sync once, or not at all"))
            }
        }
    }

    /// The same, of one run of a second each, beside nothing.
    fn quick(self) -> Self {
        Self { runs: 1, time: Duration::from_secs(1), noise: vec!["quiet".to_owned()], ..self }
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
            Self::Overhead(asked) => one(&asked, overhead::measure)?,
            Self::Throughput(asked) => one(&asked, throughput::measure)?,
            Self::Scaling(asked) => one(&asked, scaling::measure)?,
            Self::Recovery(asked) => one(&asked, recovery::measure)?,
            Self::Memory(asked) => one(&asked, memory::measure)?,
            Self::Replay(asked) => one(&asked, replay::measure)?,
            Self::All { asked, out, page, quick } => {
                let asked = if quick { asked.quick() } else { asked };
                all(&asked, &out, page.as_deref())?;
            }
            Self::Page { from, to } => page::write(&from, &to)?,
            Self::Hold { tasks } => memory::hold(tasks)?,
            Self::Burn => burn(),
            Self::Echo => baseline::floor::echo(),
            Self::Prover { args } => prover::prove(&args)?,
        }
        Ok(())
    }
}

/// Adds what it measures to what was measured before, and says what it could not.
type Measure = fn(&BenchOptions, &mut Results) -> Result<(), Fault>;

/// Prints what was measured, though not all was.
fn one(asked: &BenchOptions, measure: Measure) -> Result<(), Fault> {
    asked.check()?;
    leash::put_on();
    let machine = Machine::here();
    let mut results = Results::default();
    let ended = measure(asked, &mut results);
    let verdict = ended.and_then(|()| results.verdict());
    let report = Report { machine, results: results.rows };
    let text = match asked.json {
        true => serde_json::to_string_pretty(&report)?,
        false => report.table(),
    };
    writeln!(std::io::stdout(), "{text}")?;
    verdict
}

/// One after the other; what was measured is kept though a later one fails.
fn all(asked: &BenchOptions, out: &Path, to: Option<&Path>) -> Result<(), Fault> {
    asked.check()?;
    let at = |error| Fault::at(out, &error);
    // It takes long: what can be known before is not told after.
    fs::OpenOptions::new().create(true).append(true).open(out).map_err(at)?;
    to.map(page::folder).transpose()?;
    leash::put_on();
    let machine = Machine::here();
    let mut results = Results::default();
    let mut measure = |name: &str, measure: Measure, asked: &BenchOptions| {
        if let Err(fault) = measure(asked, &mut results) {
            results.fail(name, &fault);
        }
        let report = Report { machine: machine.clone(), results: results.rows.clone() };
        let json = serde_json::to_string_pretty(&report)?;
        fs::write(out, json).map_err(at)
    };
    measure("overhead", overhead::measure, asked)?;
    measure("throughput", throughput::measure, asked)?;
    measure("memory", memory::measure, asked)?;
    // The others are long: what is quiet comes first, and is kept though the rest is cut off.
    for noise in &asked.noise {
        let asked = BenchOptions { noise: vec![noise.clone()], ..asked.clone() };
        measure("replay", replay::measure, &asked)?;
        measure("recovery", recovery::measure, &asked)?;
        measure("scaling", scaling::measure, &asked)?;
    }
    to.map(|to| page::write(out, to)).transpose()?;
    results.verdict()
}

/// Says on stderr what is being measured.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

#[cfg(test)]
impl BenchOptions {
    /// As these words say.
    pub(crate) fn of(words: &[&str]) -> Self {
        let args = ["push0-bench", "throughput"];
        let parsed = Cli::try_parse_from(args.iter().chain(words)).expect("it is a command");
        let Command::Throughput(asked) = parsed.command else { panic!("it was asked for") };
        asked
    }
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
        assert_eq!(asked.noise, ["quiet"]);
        for more in [["--runs", "2"], ["--time", "2s"], ["--noise", "busy"]] {
            assert!(parsed(&more).is_err(), "{more:?}");
        }
    }

    /// Pages name commands that take minutes, so no test runs them: that they are commands is what
    /// is held here.
    #[test]
    fn every_command_of_a_page_is_one_that_is_known() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let pages = ["README.md", "docs/benchmarks.md", "docs/benchmarks/history.md"];
        let pages = pages.iter().chain(&["docs/measured.md", "docs/paper.md", "docs/sizing.md"]);
        let mut known = 0;
        for page in pages {
            let text = fs::read_to_string(root.join(page)).expect("a page");
            for command in text.split("push0 bench ").skip(1) {
                let command = command.split(['`', '#', '\n']).next().unwrap_or_default();
                let words: Vec<_> = command.split_whitespace().collect();
                let lacks_out = words.first() == Some(&"all") && !words.contains(&"--out");
                let out: &[&str] = if lacks_out { &["--out", "o.json"] } else { &[] };
                if !matches!(words[..], [] | ["--help"]) {
                    let args = ["push0-bench"].iter().chain(&words).chain(out);
                    if let Err(error) = Cli::try_parse_from(args) {
                        panic!("{page}: push0 bench {command}: {error}");
                    }
                    known += 1;
                }
            }
        }
        assert!(known > 20, "{known}");
    }

    #[test]
    fn what_is_said_of_how_named_servers_sync_is_told() {
        let named = ["--nats", "nats://a:4222,nats://b:4222"];
        let both = ["--sync", "always,default"];
        assert_eq!(BenchOptions::of(&[]).syncs(), [Sync::Always]);
        assert_eq!(BenchOptions::of(&both).syncs(), [Sync::Always, Sync::Default]);
        assert_eq!(BenchOptions::of(&named).syncs(), [Sync::Unknown]);
        assert_eq!(
            BenchOptions::of(&[named[0], named[1], "--sync", "default"]).sync(),
            Sync::Default
        );
        assert!(BenchOptions::of(&named).check().is_ok());
        assert!(BenchOptions::of(&[named[0], named[1], both[0], both[1]]).check().is_err());
    }
}
