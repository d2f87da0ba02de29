//! A mock prover: takes time, proves nothing, says so everywhere, and fails in any way on request.
//!
//! It is for demonstrations of pipelines without provers, and for tests of what push0 does when
//! provers misbehave. Everything that it does follows from its arguments, task and input, save for
//! `--flaky-bytes`.
//!
//! Not here: the contracts, which the SDK speaks; any cryptography.

mod arguments;
mod parts;
mod prover;
mod trouble;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(ending) = trouble::before_anything_else() {
        return ending;
    }
    push0_prover::main::<prover::Mock>()
}
