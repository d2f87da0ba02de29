//! The trait that a prover author implements.
//!
//! Not here: processes, files and frames, which [`main`](crate::main) takes care of.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::wire::{Key, Vkey};
use crate::{Failure, Item, Progress, Refusal, Task};

/// A prover: what it proves, and how a proof of it is checked.
///
/// One value is made a process, and may prove many tasks, one after another.
pub trait Prover: Sized + 'static {
    /// The program's name, as in `--help`.
    const NAME: &'static str;
    /// What it proves and which arguments it takes, for `--help`. A few lines of plain text.
    const ABOUT: &'static str = "";
    /// Whether its proofs prove nothing. Its results say so, and its verifier refuses everything.
    const IS_MOCK: bool = false;

    /// What the public values say, as a type: becomes the `claim` of a final proof.
    ///
    /// Prefer integers up to 64 bits and strings to floating-point numbers.
    type Claim: Serialize;

    /// Loads keys and circuits, once a process.
    ///
    /// `cache` is a directory that exists and may be kept between runs. Several processes may use
    /// it at once, so write a temporary file and rename it, and check what is read from it.
    ///
    /// # Errors
    ///
    /// A [`Failure`], which ends the process.
    fn load(cache: &Path) -> Result<Self, Failure>;

    /// The digest of the key that its proofs are checked with; `None` if there is no such key.
    fn vkey(&self) -> Option<Vkey>;

    /// Makes one proof. Where it can, tells `progress` how far it is, and asks it whether to go on.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the class that says what should be done about it. A panic counts as one of
    /// class `failed`, and the process goes on.
    fn prove(&self, task: &Task, progress: &Progress) -> Result<Output, Failure>;

    /// Checks a proof against its public values, and says what these mean.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]: this does not prove that.
    fn verify(&self, public_values: &[u8], proof: &[u8]) -> Result<Self::Claim, Refusal>;

    /// Checks that a valid claim is the one that was asked for: about `key` always, and about
    /// exactly `inputs` where they are given. A valid proof of another statement must be refused.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]: this proves something else.
    fn fits(&self, claim: &Self::Claim, key: &Key, inputs: Option<&[Item]>) -> Result<(), Refusal>;
}

/// What a prover makes of a task.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// A proof, which [`Prover::verify`] accepts.
    Proof { public_values: Vec<u8>, proof: Vec<u8> },
    /// The parts that a task was split into, at least one; each becomes an item of its own.
    Parts(Vec<Value>),
    /// Bytes that are written as they are.
    Raw(Vec<u8>),
}
