//! What `push0 doctor` is asked.
//!
//! Not here: what is looked at (`doctor`).

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cluster::ClusterArgs;
use crate::trial;

/// Looks at what push0 relies on here: machine, disk, clock, NATS, store, programs
///
/// A line for each thing, ok, warn or FAIL, with what to do. Each is looked at within a bound of
/// time, and nothing is left behind. With a pipeline, its programs are tried on a few blocks, as
/// `push0 check --try` does. NATS and the store are looked at where they are named. Exit 1:
/// something does not work.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// The pipeline's file
    pub(crate) pipeline: Option<PathBuf>,
    /// The data directory whose disk is looked at; it need not be there [default: that of the
    /// pipeline's run, else the working directory]
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(crate) data: Option<PathBuf>,
    /// Take the first blocks of this file for the programs
    #[arg(long, value_name = "FILE", requires = "pipeline")]
    pub(crate) blocks: Option<PathBuf>,
    /// How long a prover or a verifier may take, where its pipeline gives it more
    #[arg(long, value_name = "TIME", value_parser = trial::within, default_value = "1m")]
    pub(crate) within: Duration,
    /// The monitoring port of a NATS server, which tells whether it syncs before it acknowledges
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) monitor: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  push0 doctor
  push0 doctor pipeline.toml --data /var/lib/push0
  push0 doctor pipeline.toml --nats nats://a:4222 --store /shared --monitor a:8222 --json";
