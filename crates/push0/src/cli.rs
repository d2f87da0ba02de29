//! The command line: what can be asked of push0. Each command is a file beside this one.
//!
//! stdout carries a command's result and nothing else; stderr carries progress and errors.
//!
//! Not here: what `run` does (`run`), and which exit code an error has (`exit`, and beside each
//! error).

mod artifacts;
mod bench;
mod check;
mod explain;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod init;
mod log;
mod log_args;
mod logs;
mod pages;
mod panic;
mod status;
mod take_back;
mod tell_args;
mod verify;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use push0_prover::Vkey;

use log_args::{LogArgs, LogCatArgs, LogCommand, LogStepArgs, LogsArgs};
use tell_args::TellArgs;

use crate::alive::AliveArgs;
use crate::cluster::{
    self, ApplyArgs, CordonArgs, DiscardArgs, DispatchArgs, DrainArgs, FinishArgs, HeadArgs,
    ProofsArgs, RetryArgs, ServeArgs, SubmitArgs, UncordonArgs, UnpinArgs,
};
use crate::dev::DevArgs;
use crate::doctor::DoctorArgs;
use crate::exit::{self, Exit};
use crate::run::RunArgs;
use crate::run::args::bytes;
use crate::tell;

/// Proves a stream of blocks with your provers, and ends in final proofs in chain order.
///
/// A pipeline file says what is proved, by which programs, and how proofs are grouped. push0 runs
/// the provers, watches them, checks what they make, tries again what failed, and keeps every fact
/// in a log on disk: killed at any moment, the same command goes on where it was.
#[derive(Debug, Parser)]
#[command(
    name = "push0",
    version,
    max_term_width = 100,
    after_long_help = exit::HELP,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    tell: TellArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    Init(init::InitArgs),
    Dev(DevArgs),
    Serve(ServeArgs),
    Dispatch(DispatchArgs),
    Fetch(fetch::FetchArgs),
    Submit(SubmitArgs),
    Head(HeadArgs),
    Finish(FinishArgs),
    Drain(DrainArgs),
    Cordon(CordonArgs),
    Uncordon(UncordonArgs),
    Apply(ApplyArgs),
    Retry(RetryArgs),
    Discard(DiscardArgs),
    Unpin(UnpinArgs),
    Proofs(ProofsArgs),
    Alive(AliveArgs),
    Check(CheckArgs),
    Doctor(DoctorArgs),
    Verify(VerifyArgs),
    Status(StatusArgs),
    Explain(ExplainArgs),
    Log(LogArgs),
    Logs(LogsArgs),
    Artifacts(ArtifactsArgs),
    Bench(bench::BenchArgs),
    Completions(pages::CompletionsArgs),
    Man(pages::ManArgs),
}

/// Says all that is wrong with a pipeline file, or shows its stages
///
/// Each fault has its line and what to do. A program that is not to be found on this machine is a
/// warning: the pipeline may be for another. Nothing is run, unless with --try.
///
/// With --try, a few blocks go through every program, in a directory of their own that goes at the
/// end: the first ones of the source, or made-up ones. One line says of each program whether it
/// starts, answers in time and writes what its contract says, and how much memory it takes. Another
/// says whether its verifier accepts that, and refuses copies with a flipped bit. Each fault has
/// its remedy, and the exit code is 2 then.
#[derive(Args, Debug)]
#[command(after_long_help = CHECK_EXAMPLES)]
struct CheckArgs {
    /// The pipeline's file
    pipeline: PathBuf,
    /// Run every program, and its verifier, on a few blocks
    #[arg(long = "try")]
    is_tried: bool,
    /// With --try: take the first blocks of this file
    #[arg(long, value_name = "FILE", requires = "is_tried")]
    blocks: Option<PathBuf>,
    /// With --try: how long a prover or a verifier may take, where its pipeline gives it more
    #[arg(long, value_name = "TIME", value_parser = crate::trial::within, default_value = "5m")]
    within: Duration,
}

/// Verifies final proofs as a stranger would, and shows what they claim
///
/// A file is read and compared byte for byte with what push0 would write, so any flipped bit is
/// refused. Then a verifier checks the proof: the shipped prover of that name beside push0, or the
/// one named here. Nothing that the file names is ever run.
///
/// Only key, public values and proof are bound by cryptography, and only as far as the verifier
/// checks. The rest is the word of whoever ran push0. Pin the verification key (--vkey, or `vkey`
/// in the pipeline) to trust it and not the verifier that is found here; the verifier must name it
/// then.
#[derive(Args, Debug)]
#[command(after_long_help = VERIFY_EXAMPLES)]
struct VerifyArgs {
    /// The proofs, files that `push0 run` wrote: *.proof.json
    #[arg(value_name = "PROOF", required = true)]
    proofs: Vec<PathBuf>,
    /// Use the verifier and the key of this pipeline's program
    #[arg(long, value_name = "FILE", conflicts_with = "verifier")]
    pipeline: Option<PathBuf>,
    /// Use this command, with its arguments after spaces; --input-path and the file are appended
    #[arg(long, value_name = "COMMAND")]
    verifier: Option<String>,
    /// What of the command that --verifier names is believed
    #[arg(long, value_enum, default_value_t = VerdictArg::Line, requires = "verifier")]
    verdict: VerdictArg,
    /// The verification key that the proof must verify under
    #[arg(long, value_name = "sha256:DIGEST")]
    vkey: Option<Vkey>,
    /// The memory that a verifier may take which no pipeline speaks of, in bytes or with a unit
    /// (16GiB) [default: half of the machine's, or of what a control group leaves]
    #[arg(long, value_name = "SIZE", value_parser = bytes, conflicts_with = "pipeline")]
    memory: Option<u64>,
    /// Print JSON, an object a line for each file
    #[arg(long)]
    json: bool,
}

/// What of a verifier is believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum VerdictArg {
    /// Its verdict line on stdout, with exit 0
    Line,
    /// Exit 0 alone, too
    Exit,
}

impl From<VerdictArg> for push0_core::Believes {
    fn from(verdict: VerdictArg) -> Self {
        match verdict {
            VerdictArg::Line => Self::Line,
            VerdictArg::Exit => Self::Exit,
        }
    }
}

/// Shows how far a run or a cluster is
///
/// Stages, attempts, what runs and how far it is, what is parked, and why each of the first blocks
/// is not released. Of a run, reads the log without its lock, so it works beside a running engine
/// and after it. Of a cluster, asks the engine that leads, and which engines and dispatchers are
/// there; where none leads, reads the log. Changes nothing. Exits with 6 where the log has so
/// little room that no block is taken.
#[derive(Args, Debug)]
#[command(after_long_help = STATUS_EXAMPLES)]
struct StatusArgs {
    /// The data directory of a run; a cluster without it
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    data: Option<PathBuf>,
    #[command(flatten)]
    cluster: cluster::ClusterArgs,
    /// Refresh every SECONDS until Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3_600))]
    watch: Option<u64>,
    /// How many unreleased blocks, or rows of them, to explain; a cluster explains 32 at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    blocks: u32,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Says why a block or a task is where it is
///
/// What happened to it, by the log: who tried it, for how long, and how that ended. What it waits
/// for now, by the word of the engine that leads and of its dispatchers. And what makes it move: a
/// command to type, or that there is nothing to do. Changes nothing.
#[derive(Args, Debug)]
#[command(after_long_help = EXPLAIN_EXAMPLES)]
struct ExplainArgs {
    /// A block's number, a key (16525002-16525003), or a task's id or the first digits of it (4 at
    /// least)
    #[arg(value_name = "BLOCK|KEY|TASK")]
    what: String,
    /// The data directory of a run; a cluster without it
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    data: Option<PathBuf>,
    #[command(flatten)]
    cluster: cluster::ClusterArgs,
    /// Print JSON, an object a line for each block or task
    #[arg(long)]
    json: bool,
}

/// Shows what the store holds, and why
///
/// Payloads, results and final proofs, what failed attempts of a cluster printed, and what nothing
/// refers to, which an engine removes once it is older than any result that waits. Changes nothing.
/// Exit 1: something is missing or damaged; it is made again when it is needed.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  push0 artifacts --data scroll.push0 --verify\n  push0 artifacts --nats nats://a:4222 --store /shared"
)]
struct ArtifactsArgs {
    /// The data directory of a run; a cluster without it
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    data: Option<PathBuf>,
    #[command(flatten)]
    cluster: cluster::ClusterArgs,
    /// Read every artifact, and compare it with its digest
    #[arg(long)]
    verify: bool,
    /// A line for each artifact
    #[arg(long, conflicts_with = "json")]
    list: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Does what the command line says, and answers the process' exit code.
#[must_use]
pub fn main() -> ExitCode {
    panic::exit_as_a_bug();
    let here = std::env::current_dir().ok().map(Into::into);
    if let Some(fault) = words::fault(std::env::args_os(), std::env::vars_os(), here) {
        tell::error(fault);
        return Exit::Usage.into();
    }
    let exit = match Cli::try_parse() {
        Ok(cli) => {
            tell::begin(cli.tell.manner(cli.command.is_long()));
            if let Command::Serve(_) | Command::Dispatch(_) = cli.command {
                tell::never_wait();
            }
            let exit = cli.execute();
            tell::end();
            exit
        }
        Err(told) => {
            // To stdout for --help, to stderr for an error; if nobody reads it, nobody misses it.
            print_told(&told);
            if told.use_stderr() { Exit::Usage } else { Exit::Done }
        }
    };
    exit.into()
}

/// As clap prints it, but for what must not be shown of a URL among the arguments.
fn print_told(told: &clap::Error) {
    let plain = told.to_string();
    let shown = push0_core::without_secrets(&plain);
    if shown == plain {
        let _ = told.print(); // in colour, where there is a terminal
    } else {
        tell::as_it_is(&shown);
    }
}

impl Cli {
    fn execute(self) -> Exit {
        match self.command {
            Command::Run(args) => crate::run::run(&args),
            Command::Init(args) => init::init(&args),
            Command::Dev(args) => crate::dev::dev(&args),
            Command::Serve(args) => cluster::serve(&args),
            Command::Dispatch(args) => cluster::dispatch(&args),
            Command::Fetch(args) => fetch::fetch(&args),
            Command::Submit(args) => cluster::submit(&args),
            Command::Head(args) => cluster::head(&args),
            Command::Finish(args) => cluster::finish(&args),
            Command::Drain(args) => cluster::drain(&args),
            Command::Cordon(args) => cluster::cordon(&args),
            Command::Uncordon(args) => cluster::uncordon(&args),
            Command::Apply(args) => cluster::apply(&args),
            Command::Retry(args) => cluster::retry(&args),
            Command::Discard(args) => take_back::discard(&args),
            Command::Unpin(args) => take_back::unpin(&args),
            Command::Proofs(args) => cluster::proofs(&args),
            Command::Alive(args) => crate::alive::alive(&args),
            Command::Check(args) => check::check(&args),
            Command::Doctor(args) => crate::doctor::doctor(&args),
            Command::Verify(args) => verify::verify(&args),
            Command::Status(args) => status::status(&args),
            Command::Explain(args) => explain::explain(&args),
            Command::Log(args) => log::log(&args),
            Command::Logs(args) => logs::logs(&args),
            Command::Artifacts(args) => artifacts::artifacts(&args),
            Command::Bench(args) => bench::bench(&args),
            Command::Completions(args) => pages::completions(&args),
            Command::Man(args) => pages::man(&args),
        }
    }
}

const CHECK_EXAMPLES: &str = "\
Examples:
  push0 check examples/scroll/pipeline.toml
  push0 check pipeline.toml --try --within 30s";

const STATUS_EXAMPLES: &str = "\
Examples:
  push0 status --data scroll.push0
  push0 status --nats nats://a:4222,nats://b:4222";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  push0 explain 16525003 --data scroll.push0
  push0 explain 3f9a01c2 --nats nats://a:4222";

const VERIFY_EXAMPLES: &str = "\
Examples:
  push0 verify scroll.push0/proofs/*.proof.json
  push0 verify 16525000-16525019-5f1c0a2b.proof.json --vkey sha256:9f86d081884c7d65...
  push0 verify 16525000-16525019-5f1c0a2b.proof.json --verifier 'my-prover verify'

Exit: 0 all accepted, 1 one refused, 2 no verdict on one (the file or the verifier cannot be used).";
