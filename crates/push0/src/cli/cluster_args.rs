//! What the commands of a cluster are asked, and the defaults of what they are not.
//!
//! Not here: what they do (`cluster`).

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::run_args::MachineArgs;
pub(crate) use crate::cluster::ClusterArgs;

/// Runs an engine of a cluster: it stands by, or leads
///
/// Any number may run. One leads; when it is gone, another one takes over within half a second, from the log.
/// The pipeline is what the log says: the file counts for a log that has none yet.
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
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

impl ServeArgs {
    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("engine-{}", std::process::id()))
    }
}

/// Runs provers for a cluster; comes and goes as it likes
///
/// It announces the pipeline's programs, takes what the leading engine grants, and holds each result until it
/// is recorded. SIGTERM or Ctrl-C stops its provers; what they worked on is given to others.
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
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Submits the blocks of a file to a cluster
///
/// Each payload goes into the store, then the block to the engine; when the engine is full, this waits. Known
/// blocks change nothing, so the same command goes on where it was cut off.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Example:\n  push0 submit pipeline.toml blocks.jsonl --nats nats://a:4222 --store /shared"
)]
pub(crate) struct SubmitArgs {
    /// The pipeline's file
    pub(crate) pipeline: PathBuf,
    /// The blocks, a JSON object a line
    pub(crate) blocks: PathBuf,
    /// How long to look for an engine
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Says that no block follows: open batches close, and the cluster ends its work
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Example:\n  push0 drain --nats nats://a:4222")]
pub(crate) struct DrainArgs {
    /// How long to look for an engine
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Writes the final proofs of a cluster as files, in the order of their release
///
/// Follows the log and asks no engine. A file that is there and right is left alone; a proof is verified before
/// its file is written. A line on stdout for each.
#[derive(Args, Clone, Debug)]
#[command(
    after_long_help = "Example:\n  push0 proofs pipeline.toml --nats nats://a:4222 --store /shared --follow --hook ./settle"
)]
pub(crate) struct ProofsArgs {
    /// The pipeline's file: its verifiers are what proofs are checked with
    pub(crate) pipeline: PathBuf,
    /// Where proofs are written [default: ./NAME.proofs, after the pipeline's name]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Wait for more, until the source has ended and everything is released
    #[arg(long)]
    pub(crate) follow: bool,
    /// Run this for each proof, its arguments after spaces and the file last; again until it exits 0
    #[arg(long, value_name = "COMMAND")]
    pub(crate) hook: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
