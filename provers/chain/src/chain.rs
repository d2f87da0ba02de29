//! Makes proofs: a block into a leaf, two neighbours into an aggregate.
//!
//! A circuit is loaded or built when first needed, so a process that only verifies has none. What
//! breaks a rule is refused with a message before any proving; should something slip through, the
//! circuit refuses it, and a proof that was made is checked before it is handed out.
//!
//! Not here: files, tasks and processes (`main.rs`, push0-prover).

use std::path::PathBuf;
use std::sync::OnceLock;

use plonky2::iop::witness::PartialWitness;

use crate::circuit::aggregate::{self, AggregateWires, Child};
use crate::circuit::leaf::{self, LeafWires};
use crate::circuit::{Circuit, F, Plonky2Proof, Wires};
use crate::statement::NUMBER_BITS;
use crate::{
    Block, BlockError, CacheError, JoinError, Key, Proof, Source, Statement, VerifyError, cache,
};

/// A prover.
pub struct Chain {
    key: &'static Key,
    cache: Option<PathBuf>,
    leaf: OnceLock<Circuit<LeafWires>>,
    aggregate: OnceLock<Circuit<AggregateWires>>,
}

/// Which circuit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Of one block.
    Leaf,
    /// Of two neighbouring spans.
    Range,
}

/// How a circuit was come by.
#[derive(Debug)]
pub struct SetUp {
    /// Where it is from.
    pub source: Source,
    /// Why it was not in the cache, or will not be there the next time. The proof is none the worse.
    pub problem: Option<CacheError>,
}

impl Chain {
    /// A prover of the pinned key. `cache` is a directory that exists, and may be shared.
    #[must_use]
    pub fn new(cache: Option<PathBuf>) -> Self {
        let (leaf, aggregate) = (OnceLock::new(), OnceLock::new());
        Self { key: Key::pinned(), cache, leaf, aggregate }
    }

    /// Proves a block of chain `chain`.
    ///
    /// # Errors
    ///
    /// [`ProveError`], whose variants say whose fault it is.
    pub fn prove_block(&self, chain: u64, block: &Block) -> Result<Proof, ProveError> {
        block.check()?;
        if chain >> NUMBER_BITS != 0 {
            return Err(ProveError::Chain(chain));
        }
        self.set_up(Stage::Leaf)?;
        let circuit = self.leaf.get().ok_or(ProveError::Build)?;
        let witness = circuit.wires.witness(chain, block, self.key.aggregate_digest());
        self.finish(Statement::of_block(chain, block), circuit, witness)
    }

    /// Proves the span of two neighbours.
    ///
    /// # Errors
    ///
    /// [`ProveError`], whose variants say whose fault it is.
    pub fn prove_range(&self, left: &Proof, right: &Proof) -> Result<Proof, ProveError> {
        let statement = Statement::join(&left.statement, &right.statement)?;
        let child = |side, proof: &Proof| {
            self.key.verify(proof).map_err(|source| ProveError::Child { side, source })?;
            self.key.open(proof).map_err(|source| ProveError::Child { side, source })
        };
        let (left, right) = (child("left", left)?, child("right", right)?);
        self.set_up(Stage::Range)?;
        self.aggregate(statement, &left, &right)
    }

    /// Loads or builds a circuit ahead of its use. `None`: it was there.
    ///
    /// # Errors
    ///
    /// [`ProveError::Build`].
    pub fn set_up(&self, stage: Stage) -> Result<Option<SetUp>, ProveError> {
        match stage {
            Stage::Leaf => self.fill(stage, &self.leaf, || leaf::build(self.key.common())),
            Stage::Range => self.fill(stage, &self.aggregate, || {
                aggregate::build(self.key.common(), self.key.leaf.verifier_only.circuit_digest)
            }),
        }
    }

    fn fill<W: Wires>(
        &self,
        stage: Stage,
        slot: &OnceLock<Circuit<W>>,
        build: impl FnOnce() -> Circuit<W>,
    ) -> Result<Option<SetUp>, ProveError> {
        if slot.get().is_some() {
            return Ok(None);
        }
        let (circuit, set_up) = cache::load_or_build(self.cache.as_deref(), self.key, stage, build);
        if !self.key.is_of(stage, &circuit.data) {
            return Err(ProveError::Build);
        }
        slot.get_or_init(|| circuit);
        Ok(Some(set_up))
    }

    /// Joins two proofs as they are.
    fn aggregate(
        &self,
        statement: Statement,
        left: &Plonky2Proof,
        right: &Plonky2Proof,
    ) -> Result<Proof, ProveError> {
        let circuit = self.aggregate.get().ok_or(ProveError::Build)?;
        let [left, right] = [left, right].map(|proof| {
            let key = if is_leaf(proof) { &self.key.leaf } else { &self.key.aggregate };
            Child { proof, cap: &key.verifier_only.constants_sigmas_cap }
        });
        let witness = circuit.wires.witness(&left, &right, self.key.aggregate_digest());
        self.finish(statement, circuit, witness)
    }

    fn finish<W>(
        &self,
        statement: Statement,
        circuit: &Circuit<W>,
        witness: Result<PartialWitness<F>, String>,
    ) -> Result<Proof, ProveError> {
        let proof =
            witness.and_then(|witness| circuit.prove(witness)).map_err(ProveError::Circuit)?;
        let proof = Key::close(statement, &proof);
        self.key.verify(&proof).map_err(|error| ProveError::Circuit(error.to_string()))?;
        Ok(proof)
    }
}

/// Why there is no proof.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProveError {
    /// Mend the block.
    #[error("block: {0}")]
    Block(#[from] BlockError),
    /// Mend the chain's id.
    #[error("chain {0} is not below 2^{NUMBER_BITS}")]
    Chain(u64),
    /// Give the proofs of two neighbours.
    #[error("{0}")]
    Join(#[from] JoinError),
    /// Make that proof again.
    #[error("{side} proof: {source}")]
    Child { side: &'static str, source: VerifyError },
    /// A bug: what was checked before should be provable.
    #[error("the circuit has no proof of this: {0}")]
    Circuit(String),
    /// A bug: run `cargo run --example rebuild_key`, if the circuits were changed.
    #[error("this source does not build the circuits of its pinned key")]
    Build,
}

/// Whether the first and last block of a proof are the same: the circuit asks no more.
fn is_leaf(proof: &Plonky2Proof) -> bool {
    proof.public_inputs.get(FIRST) == proof.public_inputs.get(LAST)
}

/// Where the first and the last block's number stand among the public inputs.
const FIRST: usize = 1;
const LAST: usize = 2;
