//! What the commands that read a log are asked.
//!
//! Not here: what they do (`log`, `logs`).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use push0_core::{StageName, Timestamp};

use super::log::{event_name, since, task_digits};
use crate::cluster::ClusterArgs;

/// Reads the log of a run or a cluster: every fact since the first
///
/// Takes no lock, and asks no engine, so it works beside a running one and after it. Changes
/// nothing.
#[derive(Args, Debug)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(super) struct LogArgs {
    #[command(subcommand)]
    pub(super) command: LogCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    Cat(LogCatArgs),
    /// Checks every byte of a run's log, and that every event may follow those before it
    #[command(after_long_help = "Example:\n  push0 log verify --data scroll.push0")]
    Verify(LogReadArgs),
    Step(LogStepArgs),
}

/// Prints events, a line each
///
/// Each line about a task has the task's stage and key. An event must match every flag.
#[derive(Args, Debug)]
#[command(after_long_help = CAT_EXAMPLES)]
pub(super) struct LogCatArgs {
    /// The data directory of a run; a cluster without it
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// Only events of this task: its id, or the first digits of it
    #[arg(long, value_parser = task_digits)]
    pub(super) task: Option<String>,
    /// Only events about this block, alone or among others
    #[arg(long, value_name = "HEIGHT")]
    pub(super) block: Option<u64>,
    /// Only events of this stage
    #[arg(long)]
    pub(super) stage: Option<StageName>,
    /// Only events of these names, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = event_name)]
    pub(super) event: Vec<String>,
    /// Only events since this time (2025-10-09T08:53:20Z), or of the last while (10m)
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(super) since: Option<Timestamp>,
    /// Go on as the log grows, until Ctrl-C
    #[arg(long, short)]
    pub(super) follow: bool,
    /// Print JSON, an object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Walks through the log event by event, with what each changed
///
/// On a terminal, enter goes on, and q ends. Elsewhere everything is printed.
#[derive(Args, Debug)]
#[command(after_long_help = STEP_EXAMPLES)]
pub(super) struct LogStepArgs {
    /// The data directory of a run; a cluster without it
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// The first event shown
    #[arg(long, value_name = "SEQ")]
    pub(super) from: Option<u64>,
    /// The last event shown
    #[arg(long, value_name = "SEQ")]
    pub(super) to: Option<u64>,
    /// Only events of this task: its id, or the first digits of it
    #[arg(long, value_parser = task_digits)]
    pub(super) task: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct LogReadArgs {
    /// The data directory
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(super) data: PathBuf,
    /// Print JSON, an object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Shows how the attempts at a task ended, and what their provers printed
///
/// The end of each attempt's output, oldest first. Of an attempt that runs, the dispatcher that has
/// it is asked. In a cluster that dispatcher is asked afterwards too; what failed attempts printed
/// is in the store (--store), and is there when their machine is not. `push0 status` and `push0 log
/// cat` name tasks and attempts.
#[derive(Args, Debug)]
#[command(after_long_help = LOGS_EXAMPLES)]
pub(super) struct LogsArgs {
    /// A task's id or the first digits of it (4 at least), an attempt's number, or a key
    /// (16525002-16525003)
    #[arg(required_unless_present = "block", conflicts_with = "block")]
    pub(super) task: Option<String>,
    /// Of all tasks that are about this block, alone or among others
    #[arg(long, value_name = "HEIGHT")]
    pub(super) block: Option<u64>,
    /// Go on with what runs, and with what is tried next, until nothing more follows, or Ctrl-C
    #[arg(long, short)]
    pub(super) follow: bool,
    /// The data directory of a run (`--data` of `push0 run`, ./NAME.push0 by default); a cluster
    /// without it
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

const CAT_EXAMPLES: &str = "\
Examples:
  push0 log cat --data scroll.push0
  push0 log cat --data scroll.push0 --event failed,parked --since 1h
  push0 log cat --nats nats://a:4222 --block 16525004 -f
  push0 log cat --data scroll.push0 --json | grep '\"event\":\"accepted\"' | wc -l";

const STEP_EXAMPLES: &str = "\
Examples:
  push0 log step --data scroll.push0 --from 40
  push0 log step --data scroll.push0 --task 3f9a01c2 | less";

const LOGS_EXAMPLES: &str = "\
Examples:
  push0 logs 3f9a01c2 --data scroll.push0
  push0 logs 117 --data scroll.push0 -f
  push0 logs --block 16525004 --nats nats://a:4222 --store /shared";
