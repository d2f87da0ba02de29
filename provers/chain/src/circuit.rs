//! The two circuits, leaf and aggregate, and the one shape that they share.
//!
//! A circuit that verifies a proof must know the shape of the circuit that made it (plonky2's
//! common data: gates, degree, number of public inputs). Here there is one shape, that of the
//! aggregate itself, found by fix-point: build an aggregate of children of shape *n*, take the
//! shape of what came out as *n + 1*, until it repeats. The leaf is padded to it. So a child may be
//! either, and only its verification key differs.
//!
//! Public inputs: the statement, then the circuit digest of the aggregate ([`Inputs`]). A circuit
//! cannot contain its own digest; so each proof carries it, an aggregate demands that its children
//! carry the same, and whoever checks the last proof compares it with the real one.
//!
//! Not here: how built circuits are kept (`cache`), and which digests are the right ones (`key`).

pub(crate) mod aggregate;
pub(crate) mod leaf;

use std::panic::{AssertUnwindSafe, catch_unwind};

use plonky2::field::goldilocks_field::GoldilocksField;
use plonky2::hash::hash_types::HashOut;
use plonky2::iop::target::Target;
use plonky2::iop::witness::PartialWitness;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::plonk::circuit_data::{CircuitConfig, CircuitData, CommonCircuitData};
use plonky2::plonk::config::PoseidonGoldilocksConfig;
use plonky2::plonk::proof::ProofWithPublicInputs;
use plonky2::util::serialization::{Buffer, IoResult};

use crate::statement::Fields;
use aggregate::AggregateWires;
use leaf::LeafWires;

pub(crate) type F = GoldilocksField;
pub(crate) type C = PoseidonGoldilocksConfig;
pub(crate) const D: usize = 2;
pub(crate) type Builder = CircuitBuilder<F, D>;
pub(crate) type Common = CommonCircuitData<F, D>;
pub(crate) type Data = CircuitData<F, C, D>;
pub(crate) type Plonky2Proof = ProofWithPublicInputs<F, C, D>;

/// A built circuit, and the wires that a witness starts from.
pub(crate) struct Circuit<W> {
    pub(crate) data: Data,
    pub(crate) wires: W,
}

/// The wires that a circuit's witness starts from, written beside the circuit when it is cached.
pub(crate) trait Wires: Sized {
    /// Writes them; [`read`](Self::read) reads them.
    fn write(&self, bytes: &mut Vec<u8>) -> IoResult<()>;
    /// Reads them.
    fn read(bytes: &mut Buffer<'_>) -> IoResult<Self>;
}

impl<W> Circuit<W> {
    /// Makes a proof. plonky2 panics on some witnesses that fit nothing; that is an error like any.
    pub(crate) fn prove(&self, witness: PartialWitness<F>) -> Result<Plonky2Proof, String> {
        guard(|| self.data.prove(witness))
            .and_then(|proof| proof.map_err(|error| error.to_string()))
    }
}

/// All public inputs of a proof.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<T> {
    pub(crate) fields: Fields<T>,
    /// Circuit digest of the aggregate.
    pub(crate) aggregate: [T; 4],
}

impl<T: Copy> Inputs<T> {
    /// How many there are.
    const COUNT: usize = Fields::<T>::COUNT + 4;

    /// The inputs that `next` makes, one after another.
    pub(crate) fn from_next(mut next: impl FnMut() -> T) -> Self {
        Self { fields: Fields::from_next(&mut next), aggregate: std::array::from_fn(|_| next()) }
    }

    /// All of them, in order.
    pub(crate) fn to_vec(self) -> Vec<T> {
        let mut inputs = self.fields.to_vec();
        inputs.extend(self.aggregate);
        inputs
    }
}

impl Inputs<Target> {
    /// Those of a proof that is verified in the circuit.
    ///
    /// # Panics
    ///
    /// If there are fewer: a proof of another shape, which is a bug here.
    fn of(targets: &[Target]) -> Self {
        assert_eq!(targets.len(), Self::COUNT, "public inputs of our shape");
        let mut targets = targets.iter().copied();
        Self::from_next(|| targets.next().expect("as many as were counted"))
    }
}

/// Both circuits of this crate's shape, built from nothing but this source.
pub struct Shape {
    pub(crate) leaf: Circuit<LeafWires>,
    pub(crate) aggregate: Circuit<AggregateWires>,
    /// Rows of the aggregate before its public inputs are hashed and it is padded.
    pub rows: usize,
}

/// Why there are no circuits: a bug in this crate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// The aggregate changes shape with each round.
    #[error("no shape of the aggregate repeated in {ROUNDS_MAX} rounds")]
    NoFixPoint,
}

impl Shape {
    /// Finds the shape, then builds both circuits: seconds of work. Provers do not need it, since
    /// the shape is part of the pinned key.
    ///
    /// # Errors
    ///
    /// [`ShapeError`]: there are no such circuits.
    pub fn build() -> Result<Self, ShapeError> {
        // Digests of circuits that do not exist yet are only constants to this shape.
        let some_digest = HashOut { elements: [F::default(); 4] };
        let mut common = shape_of(leaf::builder(None).0);
        for _ in 0..ROUNDS_MAX {
            let (aggregate, _) = aggregate::builder(&common, some_digest);
            let rows = aggregate.num_gates();
            let next = shape_of(aggregate);
            if next == common {
                let leaf = leaf::build(&common);
                let digest = leaf.data.verifier_only.circuit_digest;
                return Ok(Self { leaf, aggregate: aggregate::build(&common, digest), rows });
            }
            common = next;
        }
        Err(ShapeError::NoFixPoint)
    }
}

/// The parameters of both circuits: plonky2's for recursion, about 100 bits by its own estimate.
pub(crate) fn config() -> CircuitConfig {
    // The fork widens the table for a Poseidon2 gate that these circuits do not have.
    CircuitConfig { num_wires: 135, ..CircuitConfig::standard_recursion_config() }
}

/// Runs what may panic in plonky2, where a proof or witness is not as it expects.
pub(crate) fn guard<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or("panicked with no message").to_owned()
    })
}

/// The shape of what a builder would build, without the costly commitment to it.
fn shape_of(builder: Builder) -> Common {
    builder.try_build_with_options::<C>(false).0.common
}

/// Rows of a proof, log 2. The smallest that an aggregate fits in.
const DEGREE_BITS: usize = 13;

/// Three rounds are enough in practice.
const ROUNDS_MAX: usize = 8;
