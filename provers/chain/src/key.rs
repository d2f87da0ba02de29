//! The verification key, pinned in the source, and the check of a proof under it.
//!
//! `verification.key` holds all that a verifier needs: the shape of both circuits, and for each its
//! Merkle cap and digest. It is what [`Shape::build`](crate::Shape::build) makes of this source; a
//! test builds it again and compares, and `cargo run --example rebuild_key` writes it. So a
//! verifier starts at once, trusts no cache, and cannot be made to use another key.
//!
//! A proof is a statement and bytes. The bytes hold no public inputs: these are made from the
//! statement and the pinned aggregate's digest, so there is nothing to keep in step. They have one
//! encoding: what is read is written again and must be the same bytes.
//!
//! Not here: how the rules became constraints (`circuit`).

use std::sync::OnceLock;

use plonky2::hash::hash_types::HashOut;
use plonky2::plonk::circuit_data::{VerifierCircuitData, VerifierOnlyCircuitData};
use plonky2::util::serialization::{
    Buffer, DefaultGateSerializer, IoResult, Read as _, Remaining as _, Write as _,
};
use push0_prover::Vkey;

use crate::circuit::{C, Common, D, Data, F, Inputs, Plonky2Proof, Shape, guard};
use crate::{Stage, Statement};

/// What a proof is checked with.
#[derive(Clone)]
pub struct Key {
    pub(crate) leaf: VerifierCircuitData<F, C, D>,
    pub(crate) aggregate: VerifierCircuitData<F, C, D>,
}

/// A statement and the proof of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// What is proved.
    pub statement: Statement,
    /// plonky2's proof, without public inputs.
    pub bytes: Vec<u8>,
}

impl Key {
    /// The key of this version.
    ///
    /// # Panics
    ///
    /// Never: a test reads the same bytes.
    #[must_use]
    pub fn pinned() -> &'static Self {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(|| Self::decode(PINNED).expect("the bytes that a test reads"))
    }

    /// The key of circuits that were built.
    #[must_use]
    pub fn of(shape: &Shape) -> Self {
        let (leaf, aggregate) =
            (shape.leaf.data.verifier_data(), shape.aggregate.data.verifier_data());
        Self { leaf, aggregate }
    }

    /// Reads a key.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: these bytes are no key of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut buffer = Buffer::new(bytes);
        let mut read = || -> IoResult<Self> {
            let common: Common = buffer.read_common_circuit_data(&DefaultGateSerializer)?;
            let leaf = buffer.read_verifier_only_circuit_data()?;
            let aggregate = buffer.read_verifier_only_circuit_data()?;
            Ok(Self {
                leaf: VerifierCircuitData { verifier_only: leaf, common: common.clone() },
                aggregate: VerifierCircuitData { verifier_only: aggregate, common },
            })
        };
        let key = guard(&mut read).map_err(|_| KeyError)?.map_err(|_| KeyError)?;
        if buffer.is_empty() { Ok(key) } else { Err(KeyError) }
    }

    /// Writes a key.
    ///
    /// # Panics
    ///
    /// Never: every gate of these circuits has an encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut write = || {
            bytes.write_common_circuit_data(self.common(), &DefaultGateSerializer)?;
            bytes.write_verifier_only_circuit_data(&self.leaf.verifier_only)?;
            bytes.write_verifier_only_circuit_data(&self.aggregate.verifier_only)
        };
        write().expect("gates of plonky2 alone");
        bytes
    }

    /// The digest of the key: the name of what this version proves.
    #[must_use]
    pub fn vkey(&self) -> Vkey {
        Vkey::of(&self.encode())
    }

    /// Checks a proof.
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: refuse it.
    pub fn verify(&self, proof: &Proof) -> Result<(), VerifyError> {
        let opened = self.open(proof)?;
        let checked = guard(|| self.of_span(&proof.statement).verify(opened));
        checked
            .and_then(|checked| checked.map_err(|error| error.to_string()))
            .map_err(VerifyError::False)
    }

    /// A proof as plonky2 has it. Not verified.
    pub(crate) fn open(&self, proof: &Proof) -> Result<Plonky2Proof, VerifyError> {
        let read = || {
            let mut buffer = Buffer::new(&proof.bytes);
            buffer.read_proof::<F, C, D>(self.common())
        };
        let opened =
            guard(read).map_err(|_| VerifyError::Encoding)?.map_err(|_| VerifyError::Encoding)?;
        let opened = Plonky2Proof { proof: opened, public_inputs: self.inputs(&proof.statement) };
        if encode(&opened) == proof.bytes { Ok(opened) } else { Err(VerifyError::Encoding) }
    }

    /// Takes a proof that plonky2 made.
    pub(crate) fn close(statement: Statement, proof: &Plonky2Proof) -> Proof {
        Proof { statement, bytes: encode(proof) }
    }

    /// What a proof of `statement` is checked with. An aggregate never proves a single block.
    pub(crate) const fn of_span(&self, statement: &Statement) -> &VerifierCircuitData<F, C, D> {
        if statement.first == statement.last { &self.leaf } else { &self.aggregate }
    }

    pub(crate) const fn common(&self) -> &Common {
        &self.aggregate.common
    }

    pub(crate) const fn aggregate_digest(&self) -> HashOut<F> {
        self.aggregate.verifier_only.circuit_digest
    }

    /// Whether a circuit is the one that this key is of.
    pub(crate) fn is_of(&self, stage: Stage, data: &Data) -> bool {
        let own: &VerifierOnlyCircuitData<C, D> = match stage {
            Stage::Leaf => &self.leaf.verifier_only,
            Stage::Range => &self.aggregate.verifier_only,
        };
        data.verifier_only == *own && data.common == *self.common()
    }

    fn inputs(&self, statement: &Statement) -> Vec<F> {
        let aggregate = self.aggregate_digest().elements;
        Inputs { fields: statement.fields(), aggregate }.to_vec()
    }
}

fn encode(proof: &Plonky2Proof) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.write_proof(&proof.proof).expect("writing to memory");
    bytes
}

/// Bytes that are no key of this version. Build it again: `cargo run --example rebuild_key`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a verification key of this version")]
pub struct KeyError;

/// Why a proof is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Damaged, cut short, or of another prover.
    #[error("the proof is not in this prover's encoding")]
    Encoding,
    /// It proves something else, or nothing.
    #[error("the proof does not prove its public values: {0}")]
    False(String),
}

/// What [`Shape::build`] makes of this source.
const PINNED: &[u8] = include_bytes!("verification.key");
