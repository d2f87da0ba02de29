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
    /// Why it was not in the cache, or will not be there the next time. The proof is none the
    /// worse.
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::LazyLock;

    use plonky2::field::types::{Field, Field64};
    use plonky2::hash::hash_types::HashOut;
    use plonky2::hash::merkle_tree::MerkleCap;
    use plonky2::hash::poseidon::PoseidonHash;
    use plonky2::iop::witness::WitnessWrite;
    use plonky2::recursion::dummy_circuit::dummy_circuit;
    use push0_prover::wire::Hash32;

    use super::*;
    use crate::Shape;
    use crate::circuit::{C, D};

    #[test]
    fn three_real_blocks_become_one_proof() {
        let World { blocks, all, .. } = world();
        let [first, _, last] = blocks;
        assert_eq!(Key::pinned().verify(all), Ok(()));
        let Statement { first: from, last: to, gas, parent, tip, pre_root, post_root, .. } =
            all.statement;
        assert_eq!((from, to, all.statement.blocks()), (16_525_000, 16_525_002, 3));
        assert_eq!((parent, tip), (first.parent, last.hash));
        assert_eq!((pre_root, post_root), (first.pre_root, last.post_root));
        assert_eq!(gas, blocks.iter().map(|block| block.gas_used).sum::<u64>());
    }

    #[test]
    fn the_circuit_refuses_only_what_breaks_a_rule() {
        let World { leaves: [a, b, _], .. } = world();
        assert_eq!(circuit_range(&open(a), leaf_cap(), &open(b)), Ok(()));
    }

    #[test]
    fn a_leaf_alone_is_a_final_proof() {
        let [leaf, ..] = &world().leaves;
        assert_eq!(Key::pinned().verify(leaf), Ok(()));
    }

    #[test]
    fn how_spans_were_joined_is_in_the_commitment() {
        let [a, b, c] = world().leaves.each_ref().map(|leaf| leaf.statement);
        let join = |left, right| Statement::join(&left, &right).expect("neighbours");
        let (left, right) = (join(join(a, b), c), join(a, join(b, c)));
        assert_ne!(left.commitment, right.commitment);
        assert_eq!(Statement { commitment: right.commitment, ..left }, right);
    }

    #[test]
    fn swapped_children_are_refused() {
        let [a, b, _] = &world().leaves;
        refused(b, a, &JoinError::Gap { last: 16_525_001, first: 16_525_000 });
    }

    #[test]
    fn skipped_children_are_refused() {
        let [a, _, c] = &world().leaves;
        refused(a, c, &JoinError::Gap { last: 16_525_000, first: 16_525_002 });
    }

    #[test]
    fn a_skipped_number_is_refused_even_between_blocks_that_link() {
        let World { blocks: [_, block, _], leaves: [a, ..], .. } = world();
        let number = block.number + 1;
        let later = leaf(534_352, &Block { number, ..*block });
        refused(a, &later, &JoinError::Gap { last: 16_525_000, first: number });
    }

    #[test]
    fn repeated_children_are_refused() {
        let World { leaves: [a, b, _], pair, .. } = world();
        refused(a, a, &JoinError::Gap { last: 16_525_000, first: 16_525_000 });
        refused(pair, b, &JoinError::Gap { last: 16_525_001, first: 16_525_001 });
    }

    #[test]
    fn neighbours_that_do_not_link_or_chain_are_refused() {
        let World { blocks: [_, block, _], leaves: [a, ..], .. } = world();
        let other = Hash32([7; 32]);
        for block in [Block { parent: other, ..*block }, Block { pre_root: other, ..*block }] {
            let b = leaf(534_352, &block);
            let error = Statement::join(&a.statement, &b.statement).expect_err("no neighbours");
            refused(a, &b, &error);
        }
        let abroad = leaf(1, block);
        refused(a, &abroad, &JoinError::Chain { left: 534_352, right: 1 });
    }

    #[test]
    fn gas_that_wraps_is_refused() {
        let [a, b, _] = world().blocks.map(|block| {
            let half = 1 << (NUMBER_BITS - 1);
            leaf(534_352, &Block { gas_used: half, gas_limit: half, ..block })
        });
        refused(&a, &b, &JoinError::Gas(1 << NUMBER_BITS));
    }

    #[test]
    fn gas_over_its_limit_is_refused() {
        let [block, ..] = world().blocks;
        let gas_used = block.gas_limit + 1;
        let block = Block { gas_used, ..block };
        let error = BlockError::OverLimit { gas_used, gas_limit: block.gas_limit };
        assert_eq!(world().chain.prove_block(1, &block), Err(ProveError::Block(error)));
        assert!(circuit_leaf(1, &block, Key::pinned().aggregate_digest()).is_err());
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let [block, ..] = world().blocks;
        let large = 1 << NUMBER_BITS;
        for (chain, block) in [
            (large, block),
            (1, Block { number: large, ..block }),
            (1, Block { gas_limit: large, ..block }),
            // Minus one in the field: far below the limit.
            (1, Block { gas_used: F::ORDER - 1, gas_limit: 5, ..block }),
        ] {
            assert!(world().chain.prove_block(chain, &block).is_err());
            assert!(circuit_leaf(chain, &block, Key::pinned().aggregate_digest()).is_err());
        }
    }

    #[test]
    fn a_tampered_child_is_refused() {
        let World { leaves: [a, b, _], chain, .. } = world();
        let mut richer = b.clone();
        richer.statement.gas += 1;
        let mut bent = b.clone();
        *bent.bytes.get_mut(5000).expect("a byte") ^= 1;
        for tampered in [richer, bent] {
            let result = chain.prove_range(a, &tampered);
            let is_named = matches!(
                &result,
                Err(ProveError::Child { side: "right", source: VerifyError::False(_) })
            );
            assert!(is_named, "{result:?}");
            assert!(circuit_range(&open(a), leaf_cap(), &open(&tampered)).is_err());
        }
    }

    #[test]
    fn a_leaf_is_no_aggregate() {
        let World { leaves: [a, b, _], pair, .. } = world();
        let key = Key::pinned();
        let claim = Proof { statement: pair.statement, bytes: a.bytes.clone() };
        assert!(matches!(key.verify(&claim), Err(VerifyError::False(_))));
        assert!(key.aggregate.verify(open(a)).is_err());
        // Its own statement, under the aggregate's key, which the witness may name but not use.
        assert!(circuit_range(&open(a), aggregate_cap(), &open(b)).is_err());
    }

    #[test]
    fn an_aggregate_is_no_leaf() {
        let World { leaves: [a, _, c], pair, .. } = world();
        let key = Key::pinned();
        let claim = Proof { statement: a.statement, bytes: pair.bytes.clone() };
        assert!(matches!(key.verify(&claim), Err(VerifyError::False(_))));
        assert!(key.leaf.verify(open(pair)).is_err());
        assert!(circuit_range(&open(pair), leaf_cap(), &open(c)).is_err());
    }

    #[test]
    fn a_foreign_verifier_key_is_refused() {
        let World { leaves: [a, b, _], .. } = world();
        let key = Key::pinned();
        // A circuit of the same shape that demands nothing, and its proof of what it likes.
        let foreign = dummy_circuit::<F, C, D>(key.common());
        let mut witness = PartialWitness::new();
        for (wire, value) in foreign.prover_only.public_inputs.iter().zip(open(a).public_inputs) {
            witness.set_target(*wire, value).expect("a free wire");
        }
        let forged = foreign.prove(witness).expect("a proof of nothing");
        assert!(foreign.verify(forged.clone()).is_ok());

        let claim = Key::close(a.statement, &forged);
        assert!(matches!(key.verify(&claim), Err(VerifyError::False(_))));
        let own_cap = &foreign.verifier_only.constants_sigmas_cap;
        assert!(circuit_range(&forged, own_cap, &open(b)).is_err());
        assert!(circuit_range(&forged, leaf_cap(), &open(b)).is_err());
    }

    #[test]
    fn a_child_that_carries_a_foreign_aggregate_is_refused() {
        let World { blocks: [block, ..], leaves: [_, b, _], .. } = world();
        let key = Key::pinned();
        let other =
            circuit_leaf(534_352, block, HashOut { elements: [F::ONE; 4] }).expect("a leaf");
        assert!(key.leaf.verify(other.clone()).is_ok(), "the leaf takes any");
        let claim = Key::close(Statement::of_block(534_352, block), &other);
        assert!(matches!(key.verify(&claim), Err(VerifyError::False(_))));
        assert!(circuit_range(&other, leaf_cap(), &open(b)).is_err());
    }

    #[test]
    fn a_flipped_bit_of_the_public_values_is_refused() {
        let World { all, .. } = world();
        let bytes = all.statement.encode();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            *flipped.get_mut(at).expect("a byte") ^= 1 << (at % 8);
            let Ok(statement) = Statement::decode(&flipped) else { continue };
            let claim = Proof { statement, bytes: all.bytes.clone() };
            assert!(Key::pinned().verify(&claim).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_flipped_bit_of_the_proof_is_refused() {
        let World { all, .. } = world();
        for at in (0..all.bytes.len()).step_by(997) {
            let mut claim = all.clone();
            *claim.bytes.get_mut(at).expect("a byte") ^= 1 << (at % 8);
            assert!(Key::pinned().verify(&claim).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_proof_has_one_encoding() {
        let World { all, .. } = world();
        let encoding = |bytes: Vec<u8>| Key::pinned().verify(&Proof { bytes, ..all.clone() });
        let (short, long) =
            (all.bytes.split_last().expect("bytes").1, [&all.bytes[..], &[0]].concat());
        assert_eq!(encoding(short.to_vec()), Err(VerifyError::Encoding));
        assert_eq!(encoding(long), Err(VerifyError::Encoding));
        assert_eq!(encoding(Vec::new()), Err(VerifyError::Encoding));
        // The first word of the proof as a number that is not below the field's order.
        let mut large = all.bytes.clone();
        large.splice(..8, (F::ORDER + 1).to_le_bytes());
        assert_eq!(encoding(large), Err(VerifyError::Encoding));
    }

    #[test]
    fn this_source_builds_the_pinned_key() {
        let shape = Shape::build().expect("a shape that repeats");
        assert_eq!(shape.leaf.data.common, shape.aggregate.data.common);
        assert_eq!(shape.aggregate.data.common.degree_bits(), 13, "{} rows", shape.rows);
        let is_pinned = Key::of(&shape).encode() == Key::pinned().encode();
        assert!(is_pinned, "run `cargo run -p push0-prover-chain --example rebuild_key`");
    }

    /// What many tests share: real blocks, their leaves, and two aggregates.
    struct World {
        chain: Chain,
        blocks: [Block; 3],
        leaves: [Proof; 3],
        pair: Proof,
        all: Proof,
    }

    fn world() -> &'static World {
        static WORLD: LazyLock<World> = LazyLock::new(|| {
            let chain = Chain::new(None);
            let path = "../../examples/scroll/scroll-mainnet-16525000-20.jsonl";
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            let text = fs::read_to_string(path).expect("the example's blocks");
            let mut lines = text.lines();
            let blocks = [(); 3].map(|()| {
                let json = lines.next().expect("three blocks");
                Block::parse(&serde_json::from_str(json).expect("json")).expect("a sound block")
            });
            let leaves = blocks.map(|block| chain.prove_block(534_352, &block).expect("a leaf"));
            let [a, b, c] = &leaves;
            let pair = chain.prove_range(a, b).expect("neighbours");
            let all = chain.prove_range(&pair, c).expect("neighbours");
            World { chain, blocks, leaves, pair, all }
        });
        &WORLD
    }

    /// Both the check with a message and the circuit without it refuse these two.
    fn refused(left: &Proof, right: &Proof, error: &JoinError) {
        let chain = &world().chain;
        assert_eq!(chain.prove_range(left, right), Err(ProveError::Join(error.clone())));
        let (left, right) = (open(left), open(right));
        assert!(circuit_range(&left, own_cap(&left), &right).is_err());
    }

    fn leaf(chain: u64, block: &Block) -> Proof {
        world().chain.prove_block(chain, block).expect("a sound block")
    }

    fn open(proof: &Proof) -> Plonky2Proof {
        Key::pinned().open(proof).expect("an encoded proof")
    }

    /// A leaf of what no check has seen.
    fn circuit_leaf(chain: u64, block: &Block, digest: HashOut<F>) -> Result<Plonky2Proof, String> {
        let circuit = world().chain.leaf.get().expect("set up");
        let proof = circuit.prove(circuit.wires.witness(chain, block, digest)?)?;
        Key::pinned().leaf.verify(proof.clone()).map_err(|error| error.to_string())?;
        Ok(proof)
    }

    /// An aggregate of what no check has seen, its left child with a key of the prover's choice.
    fn circuit_range(left: &Plonky2Proof, cap: &Cap, right: &Plonky2Proof) -> Result<(), String> {
        let key = Key::pinned();
        let circuit = world().chain.aggregate.get().expect("set up");
        let left = Child { proof: left, cap };
        let right = Child { proof: right, cap: own_cap(right) };
        let proof =
            circuit.prove(circuit.wires.witness(&left, &right, key.aggregate_digest())?)?;
        key.aggregate.verify(proof).map_err(|error| error.to_string())
    }

    fn own_cap(proof: &Plonky2Proof) -> &'static Cap {
        if is_leaf(proof) { leaf_cap() } else { aggregate_cap() }
    }

    fn leaf_cap() -> &'static Cap {
        &Key::pinned().leaf.verifier_only.constants_sigmas_cap
    }

    fn aggregate_cap() -> &'static Cap {
        &Key::pinned().aggregate.verifier_only.constants_sigmas_cap
    }

    type Cap = MerkleCap<F, PoseidonHash>;
}
