//! The SDK for prover authors: write the maths, and [`main`] speaks every contract of push0.
//!
//! ```text
//!                       ┌─ --input-path F --output-path F    one task, then exit   (file contract)
//!   push0_prover::main ─┼─ stdin: {"prove":…}, {"cancel":…}  many tasks            (serve contract)
//!                       └─ verify --input-path ENVELOPE      accept or refuse      (verifier)
//! ```
//!
//! A prover is a type that implements [`Prover`], and a program whose `main` is one call:
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     push0_prover::main::<MyProver>()
//! }
//! ```
//!
//! `examples/squares.rs` is a whole one. The types of the formats ([`wire`], [`Envelope`]) are here
//! too, since whoever runs provers speaks the same formats.
//!
//! Not here: how provers are run, watched and killed, and which tasks there are.

mod around;
mod cli;
mod envelope;
mod failure;
mod file;
mod output;
mod progress;
mod prover;
mod replies;
mod serve;
mod task;
mod verify;
pub mod wire;

pub use cli::main;
pub use envelope::{
    BlockHashes, Envelope, EnvelopeError, EnvelopeFormat, HistoryEntry, JointEnvelope, JointProof,
    Program, ProofFile,
};
pub use failure::{Failure, Refusal};
pub use progress::Progress;
pub use prover::{Output, Prover};
pub use task::{Input, InputError, Item, Task};
pub use wire::{FailureClass, Key, ResultFile, Vkey};
