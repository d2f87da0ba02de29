//! What the commands of a cluster are asked, and the defaults of what they are not.
//!
//! Not here: what they do (`cluster`).

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use push0_core::{BlockHash, DispatcherId, ProgramName};
use push0_dispatch::Reclaim;

use super::hook;
use super::settings::ClusterArgs;
use crate::run::MachineArgs;
use crate::telemetry::TelemetryArgs;

/// Runs an engine of a cluster: it stands by, or leads
///
/// Any number may run. One leads; when it is gone, another one takes over within half a second,
/// from the log. The pipeline is what the log says: the file counts for a log that has none yet.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Example:\n  push0 serve pipeline.toml --nats nats://a:4222,nats://b:4222 --store /shared"
)]
pub(crate) struct ServeArgs {
    /// The pipeline's file; its source is of kind "submit"
    pub(crate) pipeline: PathBuf,
    /// The engine's name in messages [default: engine-PID]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Touch this file while the log answers; `push0 alive FILE` tells
    #[arg(long, value_name = "FILE")]
    pub(crate) alive: Option<PathBuf>,
    /// The store of this log is lost for good: begin with an empty one
    #[arg(long = "store-lost")]
    pub(crate) is_store_lost: bool,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

impl ServeArgs {
    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("engine-{}", std::process::id()))
    }
}

/// Runs provers for a cluster; may start and stop at any time
///
/// It announces the pipeline's programs, takes what the leading engine grants, and holds each
/// result until it is recorded. SIGTERM, SIGUSR1 or Ctrl-C has it leave: it takes nothing new, ends
/// what it runs, hands over its results, and goes. SIGTERM or Ctrl-C again stops its provers at
/// once; what they worked on is given to others.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Example:\n  push0 dispatch pipeline.toml --nats nats://a:4222 --store s3://bucket/prefix --id gpu-1"
)]
pub(crate) struct DispatchArgs {
    /// The pipeline's file: its programs are what is offered
    pub(crate) pipeline: PathBuf,
    /// Its name, one of its own among all dispatchers [default: the machine's]
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,
    /// Its own directory: attempts, provers' output [default: ./NAME.ID, after the pipeline's name]
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(crate) dir: Option<PathBuf>,
    /// How long it waits for what it runs when it leaves; then that is stopped, and given to others
    /// [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) drain: Option<Duration>,
    /// Leave once this file is there, or this http:// address says that the machine is taken back
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) notice: Option<Reclaim>,
    /// Touch this file while there is a connection; `push0 alive FILE` tells
    #[arg(long, value_name = "FILE")]
    pub(crate) alive: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    #[command(flatten)]
    pub(crate) telemetry: TelemetryArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Submits the blocks of a file, or of stdin, to a cluster
///
/// Each payload goes into the store, then the block to the engine; when the engine is full, this
/// waits. Known blocks change nothing, so the same command goes on where it was cut off. From
/// stdin, what has come is submitted whenever no more comes for a moment, and the command ends with
/// its input.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Examples:\n  push0 submit pipeline.toml blocks.jsonl --nats nats://a:4222 --store /shared\n  ./fetch-blocks | push0 submit pipeline.toml -"
)]
pub(crate) struct SubmitArgs {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
    /// The blocks, a JSON object a line; - for stdin
    pub(crate) blocks: PathBuf,
    #[command(flatten)]
    pub(crate) asks: AskArgs,
}

/// Says which block the chain ends in now, or that one is final
///
/// It is for pipelines with `heads = true`, whose blocks are submitted. The block and those before
/// it are submitted first. From where the chain is another one than before, what was begun is
/// taken back, and what runs is cancelled. Proofs go out once their blocks are final.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Examples:\n  push0 head 0x9c1f... --nats nats://a:4222\n  push0 head 0x9c1f... --number 7\n  push0 head 0x52ab... --final"
)]
pub(crate) struct HeadArgs {
    /// Its hash
    #[arg(value_name = "HASH")]
    pub(crate) block: BlockHash,
    /// The number of this word, from 1: one that is not above the last changes nothing
    #[arg(long, value_name = "N", conflicts_with = "is_final", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) number: Option<u64>,
    /// It is final, and so are all before it
    #[arg(long = "final")]
    pub(crate) is_final: bool,
    #[command(flatten)]
    pub(crate) asks: AskArgs,
}

/// Says that no block follows: open batches close, and the cluster ends its work
///
/// Blocks past the last one are refused from then on. It can be taken back (--undo) until a batch
/// closes by it.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Examples:\n  push0 finish --nats nats://a:4222\n  push0 finish --undo"
)]
pub(crate) struct FinishArgs {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Take it back: blocks follow after all
    #[arg(long, conflicts_with = "yes")]
    pub(crate) undo: bool,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
    #[command(flatten)]
    pub(crate) asks: AskArgs,
}

/// Has dispatchers leave: each takes nothing new, ends what it runs, and goes
///
/// It is what SIGTERM does on the dispatcher's own machine. How long it waits for its provers is
/// said there (`push0 dispatch --drain`). Whatever starts it again brings it back; `push0 cordon`
/// keeps work from it then too.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Examples:\n  push0 drain gpu-1 gpu-2 --nats nats://a:4222\n  push0 drain --all"
)]
pub(crate) struct DrainArgs {
    /// Their names
    #[arg(value_name = "ID", conflicts_with = "all")]
    pub(crate) dispatchers: Vec<DispatcherId>,
    /// All that are there
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
    #[command(flatten)]
    pub(crate) asks: AskArgs,
}

/// Keeps new work from dispatchers; what they run goes on
///
/// It holds whoever leads, and whenever a dispatcher of that name starts again, until `push0
/// uncordon`. Who says so and why stands in the log for ever.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Example:\n  push0 cordon gpu-1 --why 'its fan is loud' --nats nats://a:4222"
)]
pub(crate) struct CordonArgs {
    /// Their names
    #[arg(value_name = "ID", required = true)]
    pub(crate) dispatchers: Vec<DispatcherId>,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
    #[command(flatten)]
    pub(crate) asks: AskArgs,
}

/// Gives work again to dispatchers that are cordoned
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Example:\n  push0 uncordon gpu-1 --nats nats://a:4222")]
pub(crate) struct UncordonArgs {
    #[command(flatten)]
    pub(crate) cordon: CordonArgs,
}

/// The cluster whose engine is asked, and how long one is looked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct AskArgs {
    /// How long to look for an engine
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Who says something, and why.
#[derive(Args, Clone, Debug)]
pub(crate) struct WhoArgs {
    /// Why, for whoever reads the log
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Who says so [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl WhoArgs {
    pub(crate) fn by(&self) -> String {
        named_or_user(self.by.as_deref())
    }

    pub(crate) fn why(&self) -> String {
        self.why.clone().unwrap_or_default()
    }
}

fn named_or_user(name: Option<&str>) -> String {
    let user = || ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    name.map(ToOwned::to_owned).or_else(user).unwrap_or_else(push0_dispatch::own_user)
}

/// Has a cluster go on with a changed pipeline file
///
/// Timeouts, budgets, bounds and commands may change under way; what is proved may not. Shows what
/// differs from the pipeline that runs, and asks. Dispatchers read programs and commands from their
/// own file, when they start.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Example:\n  push0 apply pipeline.toml --nats nats://a:4222 --yes")]
pub(crate) struct ApplyArgs {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) asks: AskArgs,
}

/// Has a cluster try parked tasks again
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Examples:\n  push0 retry 3f9a01c2 --nats nats://a:4222\n  push0 retry --all"
)]
pub(crate) struct RetryArgs {
    /// A task's id, or the first digits of it (4 at least); `push0 status` names them
    #[arg(value_name = "TASK", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) tasks: Vec<String>,
    /// All that are parked
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) asks: AskArgs,
}

/// Takes back accepted results, and all that was made from them
///
/// For a result that should not have been accepted: a dispatcher lied, or a verifier was wrong. The
/// tasks are proved again, and so is whatever read their results. What was released keeps its
/// number; `push0 proofs` sets its file aside, and writes it again once it is made. Who says so and
/// why stands in the log for ever.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Examples:\n  push0 discard 3f9a01c2 --why 'garbage of gpu-1' --nats nats://a:4222\n  push0 discard 3f9a01c2 --why 'the verifier was of another circuit' --data scroll.push0"
)]
pub(crate) struct DiscardArgs {
    /// A task's id, or the first digits of it (4 at least); what is refused at delivery is named
    /// there
    #[arg(value_name = "TASK", required = true)]
    pub(crate) tasks: Vec<String>,
    #[command(flatten)]
    pub(crate) said: SaidArgs,
}

/// Forgets which verification key a program's proofs are under
///
/// Only what dispatchers named is forgotten; a key in the pipeline's file holds. After it, the next
/// key that two dispatchers name alike is pinned. Who says so and why stands in the log for ever.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Example:\n  push0 unpin chain --why 'the prover was updated' --nats nats://a:4222"
)]
pub(crate) struct UnpinArgs {
    /// The program's name in the pipeline
    pub(crate) program: ProgramName,
    #[command(flatten)]
    pub(crate) said: SaidArgs,
}

/// Who says something that stands in the log, why, and to whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct SaidArgs {
    /// Why, for whoever reads the log
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// Who says so [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// The data directory of a run that has ended; a cluster without it
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) asks: AskArgs,
}

impl SaidArgs {
    pub(crate) fn by(&self) -> String {
        named_or_user(self.by.as_deref())
    }
}

/// Writes the final proofs of a cluster as files, in the order of their release
///
/// Follows the log and asks no engine. A file that is there and right is left alone; a proof is
/// verified before its file is written. A line on stdout for each.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Example:\n  push0 proofs pipeline.toml --nats nats://a:4222 --store /shared --follow --hook ./settle"
)]
pub(crate) struct ProofsArgs {
    /// The pipeline's file: its verifiers are what proofs are checked with
    pub(crate) pipeline: PathBuf,
    /// Where proofs are written [default: ./NAME.proofs, after the pipeline's name]
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(crate) out: Option<PathBuf>,
    /// Wait for more, until the source has ended and everything is released
    #[arg(long)]
    pub(crate) follow: bool,
    /// Run this for each proof, its arguments after spaces and the file last; again until it exits
    /// 0
    #[arg(long, value_name = "COMMAND")]
    pub(crate) hook: Option<String>,
    /// How long the hook may take; then it is ended, with what it started, and run again
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(crate) hook_timeout: Duration,
    /// A variable of this command's environment that the hook is given too, as for its key; more
    /// than once for several
    #[arg(long, value_name = "VARIABLE", requires = "hook", value_parser = hook::passed)]
    pub(crate) hook_pass: Vec<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
