//! What `push0 dev` is asked.
//!
//! Not here: what it does (`dev`).

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

/// Runs a whole cluster on this machine, for trying things out, until Ctrl-C
///
/// A NATS server on 127.0.0.1, an engine and a dispatcher, each a process of its own, and what to
/// type next. The server is the nats-server in PATH, or what PUSH0_NATS_SERVER names. Everything is
/// in one directory, and the same command goes on from there. Ctrl-C ends all three, and so does
/// the death of this process. Whoever is on this machine may use the server: for what others depend
/// on, see `push0 serve`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "Example:\n  push0 dev pipeline.toml --data /tmp/demo")]
pub(crate) struct DevArgs {
    /// The pipeline's file; its source is of kind "submit"
    pub(crate) pipeline: PathBuf,
    /// Where the server's, the engine's and the dispatcher's files are [default: ./NAME.dev, after
    /// the pipeline's name]
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub(crate) data: Option<PathBuf>,
    /// How many attempts run at once [default: the cores of this machine]
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<NonZeroU32>,
}
