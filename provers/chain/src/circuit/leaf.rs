//! The leaf: somebody knows a block with these fields, and its gas is within its limit.
//!
//! | constraint | why |
//! |---|---|
//! | `first == last` | one block |
//! | chain, number, gas used, gas limit, limit - used below 2^62 | used <= limit; sums do not wrap |
//! | each of the 32 words of the four hashes below 2^32 | one encoding of each value |
//! | commitment = Poseidon(tag, fields, gas limit) | the sequence is fixed by it |
//!
//! The aggregate's digest passes through unconstrained; whoever takes the proof compares it.
//!
//! Not here: the same rules on values, with messages ([`Block`], [`Statement`]).

use plonky2::field::types::Field;
use plonky2::gates::noop::NoopGate;
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::iop::target::Target;
use plonky2::iop::witness::{PartialWitness, WitnessWrite};
use plonky2::util::serialization::{Buffer, IoError, IoResult, Read as _, Write as _};

use super::{Builder, C, Circuit, Common, DEGREE_BITS, F, Inputs, Wires, config};
use crate::statement::{Fields, LEAF_TAG, NUMBER_BITS};
use crate::{Block, Statement};

/// What a leaf's witness starts from.
pub(crate) struct LeafWires {
    inputs: Inputs<Target>,
    gas_limit: Target,
}

impl LeafWires {
    /// The witness for `block`. Of a block that breaks a rule there is one too, but no proof.
    pub(crate) fn witness(
        &self,
        chain: u64,
        block: &Block,
        aggregate: HashOut<F>,
    ) -> Result<PartialWitness<F>, String> {
        let mut witness = PartialWitness::new();
        let mut set =
            |wire, value| witness.set_target(wire, value).map_err(|error| error.to_string());
        let known = Statement::of_block(chain, block).fields().known();
        for (wire, value) in self.inputs.fields.known().into_iter().zip(known) {
            set(wire, value)?;
        }
        set(self.gas_limit, F::from_noncanonical_u64(block.gas_limit))?;
        for (wire, value) in self.inputs.aggregate.into_iter().zip(aggregate.elements) {
            set(wire, value)?;
        }
        Ok(witness)
    }
}

impl Wires for LeafWires {
    fn write(&self, bytes: &mut Vec<u8>) -> IoResult<()> {
        bytes.write_target_vec(&self.inputs.to_vec())?;
        bytes.write_target(self.gas_limit)
    }

    fn read(bytes: &mut Buffer<'_>) -> IoResult<Self> {
        let inputs = bytes.read_target_vec()?;
        if inputs.len() != Inputs::<Target>::COUNT {
            return Err(IoError);
        }
        Ok(Self { inputs: Inputs::of(&inputs), gas_limit: bytes.read_target()? })
    }
}

/// Builds the leaf in this shape.
pub(crate) fn build(common: &Common) -> Circuit<LeafWires> {
    let (builder, wires) = builder(Some(common));
    Circuit { data: builder.build::<C>(), wires }
}

/// The leaf, not built yet: padded to `shape`, or to its degree alone where there is no shape yet.
pub(super) fn builder(shape: Option<&Common>) -> (Builder, LeafWires) {
    let mut builder = Builder::new(config());
    let wires = constrain(&mut builder);
    let half = 1 << (DEGREE_BITS - 1);
    while builder.num_gates() <= half {
        builder.add_gate(NoopGate, vec![]);
    }
    for gate in shape.iter().flat_map(|common| &common.gates) {
        builder.add_gate_to_gate_set(gate.clone());
    }
    (builder, wires)
}

fn constrain(builder: &mut Builder) -> LeafWires {
    let mut fields = Fields::from_next(|| builder.add_virtual_target());
    fields.last = fields.first;
    let gas_limit = builder.add_virtual_target();

    let spare = builder.sub(gas_limit, fields.gas);
    for number in [fields.chain, fields.first, fields.gas, gas_limit, spare] {
        builder.range_check(number, NUMBER_BITS);
    }
    let hashes = [fields.parent, fields.tip, fields.pre_root, fields.post_root];
    for limb in hashes.into_iter().flatten() {
        builder.range_check(limb, 32);
    }

    let mut image = vec![builder.constant(F::from_canonical_u64(LEAF_TAG))];
    image.extend(fields.known());
    image.push(gas_limit);
    fields.commitment = builder.hash_n_to_hash_no_pad::<PoseidonHash>(image).elements;

    let inputs = Inputs { fields, aggregate: builder.add_virtual_hash().elements };
    builder.register_public_inputs(&inputs.to_vec());
    LeafWires { inputs, gas_limit }
}

#[cfg(test)]
mod tests {
    use plonky2::field::types::PrimeField64;
    use push0_prover::wire::Hash32;

    use super::*;
    use crate::Key;

    #[test]
    fn a_word_of_a_hash_has_32_bits() {
        let circuit = build(Key::pinned().common());
        for count in [0, 8, 16, 24] {
            let fields = Statement::of_block(1, &block()).fields();
            let wires = circuit.wires.inputs.fields.known();
            let mut witness = PartialWitness::new();
            for (at, (wire, value)) in wires.into_iter().zip(fields.known()).enumerate() {
                let extra = if at == 4 + count { 1 << 32 } else { 0 };
                let value = F::from_canonical_u64(value.to_canonical_u64() + extra);
                witness.set_target(wire, value).expect("a free wire");
            }
            let (limit, aggregate) = (circuit.wires.gas_limit, circuit.wires.inputs.aggregate);
            witness.set_target(limit, F::ONE).expect("a free wire");
            witness.set_target_arr(&aggregate, &[F::ZERO; 4]).expect("free wires");
            let proof = circuit.prove(witness);
            let verified = proof.map(|proof| circuit.data.verify(proof).is_ok());
            assert_ne!(verified, Ok(true), "word {count}");
        }
    }

    fn block() -> Block {
        let hash = Hash32([1; 32]);
        let (parent, pre_root, post_root) = (hash, hash, hash);
        Block { number: 1, hash, parent, pre_root, post_root, gas_used: 1, gas_limit: 1 }
    }
}
