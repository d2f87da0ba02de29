//! The dispatcher with real processes: every way in which a prover can end or misbehave.
//!
//! Each test has a dispatcher of its own in this one process; provers are shell scripts.
//!
//! Not here: what needs no process (beside the code).

mod endings;
mod file;
mod hostile;
mod hung;
mod keeping;
mod lives;
mod serve;
mod surroundings;
mod verdicts;
mod world;
