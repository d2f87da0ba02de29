//! `push0 bench`: what push0 costs, beside the floor of the machine and the designs that others
//! ship.
//!
//! Every number is of the real engine and the real log. What stands for provers is said in the
//! results (`prover`). Servers are started on loopback for it and ended, unless they are named.
//!
//! Not here: what push0 does (the other crates).

mod baseline;
mod cli;
mod fault;
mod interleave;
mod leash;
mod limits;
mod load;
mod memory;
mod noise;
mod overhead;
mod page;
mod place;
mod plot;
mod prover;
mod recovery;
mod replay;
mod report;
mod results;
mod scaling;
mod stats;
mod system;
mod target;
mod throughput;
mod timer;

use std::process::ExitCode;

fn main() -> ExitCode {
    leash::became_server().unwrap_or_else(cli::main)
}
