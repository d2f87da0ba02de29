//! `push0 bench`: becomes the `push0-bench` beside it, a program of its own with the servers and
//! clients of what it compares push0 with.
//!
//! Not here: what is measured (`crates/bench`).

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use clap::Args;

use crate::exit::Exit;
use crate::tell;

/// Measures what push0 costs here, beside the floor of the machine and other designs
///
/// Overhead, throughput, scaling, recovery, memory and replay, over a file and over NATS servers
/// that it starts on loopback. docs/benchmarks.md is made by it. `push0 bench --help` lists its
/// commands.
#[derive(Args, Debug)]
#[command(
    disable_help_flag = true,
    after_long_help = "Example:\n  push0 bench overhead --log file --runs 3"
)]
pub(crate) struct BenchArgs {
    /// What is measured, and how
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Does not come back if there is one.
pub(crate) fn bench(args: &BenchArgs) -> Exit {
    let beside = std::env::current_exe().map(|own| own.with_file_name("push0-bench"));
    let error = match beside {
        Ok(program) => {
            let error = Command::new(&program).args(&args.args).exec();
            format!("{}: {error}", program.display())
        }
        Err(error) => error.to_string(),
    };
    tell::error(format_args!(
        "push0-bench cannot be started ({error}): put it beside push0; `cargo build --release` builds both"
    ));
    Exit::Usage
}
