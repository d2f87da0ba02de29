//! The aggregate: two children verify, the right one goes on where the left one ends.
//!
//! | constraint | why |
//! |---|---|
//! | both children's proofs verify | all that they say holds |
//! | a child's key is the leaf's if `first == last`, else the aggregate's | no foreign circuit |
//! | a child carries the aggregate's digest that this proof carries | so it holds all the way down |
//! | `left.chain == right.chain` | one chain |
//! | `left.last + 1 == right.first` | neighbours |
//! | `left.tip == right.parent` | linked |
//! | `left.post_root == right.pre_root` | chained |
//! | gas = left.gas + right.gas, below 2^62 | no wrapping |
//! | commitment = Poseidon(tag, left's, right's) | the sequence is fixed by it |
//!
//! A leaf has `first == last` and an aggregate has not, by the rules above and since numbers are
//! below 2^62. So the statement says which key a proof was made under, and nobody can choose.
//!
//! A child's key is given as its Merkle cap, from which the circuit computes the digest (as plonky2
//! does when it builds a circuit); comparing four elements is cheaper than carrying 68.
//!
//! Not here: the same rules on values, with messages ([`Statement::join`](crate::Statement::join)).

use plonky2::field::types::Field;
use plonky2::hash::hash_types::{HashOut, HashOutTarget, MerkleCapTarget};
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::iop::target::Target;
use plonky2::iop::witness::{PartialWitness, WitnessWrite};
use plonky2::plonk::circuit_data::VerifierCircuitTarget;
use plonky2::plonk::config::Hasher;
use plonky2::plonk::proof::ProofWithPublicInputsTarget;
use plonky2::util::serialization::{Buffer, IoResult, Read as _, Write as _};

use super::{Builder, C, Circuit, Common, D, F, Inputs, Plonky2Proof, Wires, config};
use crate::statement::{Fields, NUMBER_BITS, RANGE_TAG};

/// What an aggregate's witness starts from.
pub(crate) struct AggregateWires {
    left: ChildWires,
    right: ChildWires,
    aggregate: HashOutTarget,
}

/// A proof to verify, and the key it was made under.
pub(crate) struct Child<'a> {
    pub(crate) proof: &'a Plonky2Proof,
    pub(crate) cap: &'a MerkleCap<F, PoseidonHash>,
}

struct ChildWires {
    proof: ProofWithPublicInputsTarget<D>,
    cap: MerkleCapTarget,
}

impl AggregateWires {
    /// The witness for two children. Of children that break a rule there is one too, but no proof.
    pub(crate) fn witness(
        &self,
        left: &Child<'_>,
        right: &Child<'_>,
        aggregate: HashOut<F>,
    ) -> Result<PartialWitness<F>, String> {
        let mut witness = PartialWitness::new();
        let mut set = || {
            for (wires, child) in [(&self.left, left), (&self.right, right)] {
                witness.set_proof_with_pis_target(&wires.proof, child.proof)?;
                witness.set_cap_target(&wires.cap, child.cap)?;
            }
            witness.set_hash_target(self.aggregate, aggregate)
        };
        set().map_err(|error| error.to_string())?;
        Ok(witness)
    }
}

impl Wires for AggregateWires {
    fn write(&self, bytes: &mut Vec<u8>) -> IoResult<()> {
        for child in [&self.left, &self.right] {
            bytes.write_target_proof_with_public_inputs(&child.proof)?;
            bytes.write_target_merkle_cap(&child.cap)?;
        }
        bytes.write_target_hash(&self.aggregate)
    }

    fn read(bytes: &mut Buffer<'_>) -> IoResult<Self> {
        let mut child = || {
            let proof = bytes.read_target_proof_with_public_inputs()?;
            Ok(ChildWires { proof, cap: bytes.read_target_merkle_cap()? })
        };
        Ok(Self { left: child()?, right: child()?, aggregate: bytes.read_target_hash()? })
    }
}

/// Builds the aggregate of leaves with this circuit digest.
pub(crate) fn build(common: &Common, leaf: HashOut<F>) -> Circuit<AggregateWires> {
    let (builder, wires) = builder(common, leaf);
    Circuit { data: builder.build::<C>(), wires }
}

/// The aggregate, not built yet, of children of shape `common`.
pub(super) fn builder(common: &Common, leaf: HashOut<F>) -> (Builder, AggregateWires) {
    let mut builder = Builder::new(config());
    let leaf = builder.constant_hash(leaf);
    let aggregate = builder.add_virtual_hash();
    let (left, left_says) = verified_child(&mut builder, common, leaf, aggregate);
    let (right, right_says) = verified_child(&mut builder, common, leaf, aggregate);
    let fields = join(&mut builder, &left_says, &right_says);
    let inputs = Inputs { fields, aggregate: aggregate.elements };
    builder.register_public_inputs(&inputs.to_vec());
    for gate in &common.gates {
        builder.add_gate_to_gate_set(gate.clone());
    }
    (builder, AggregateWires { left, right, aggregate })
}

/// A child, and what it says once it is verified.
fn verified_child(
    builder: &mut Builder,
    common: &Common,
    leaf: HashOutTarget,
    aggregate: HashOutTarget,
) -> (ChildWires, Fields<Target>) {
    let proof = builder.add_virtual_proof_with_pis(common);
    let cap = builder.add_virtual_cap(common.config.fri_config.cap_height);
    let Inputs { fields, aggregate: carried } = Inputs::of(&proof.public_inputs);

    let is_leaf = builder.is_equal(fields.first, fields.last);
    let digest = digest_of(builder, common, &cap);
    for (((digest, leaf), aggregate), carried) in
        digest.elements.into_iter().zip(leaf.elements).zip(aggregate.elements).zip(carried)
    {
        let wanted = builder.select(is_leaf, leaf, aggregate);
        builder.connect(digest, wanted);
        builder.connect(carried, aggregate);
    }

    let key = VerifierCircuitTarget { constants_sigmas_cap: cap.clone(), circuit_digest: digest };
    builder.verify_proof::<C>(&proof, &key, common);
    (ChildWires { proof, cap }, fields)
}

/// The circuit digest that belongs to a Merkle cap, as `CircuitBuilder::build` computes it.
fn digest_of(builder: &mut Builder, common: &Common, cap: &MerkleCapTarget) -> HashOutTarget {
    let no_separator: HashOut<F> = PoseidonHash::hash_pad(&[]);
    let mut image: Vec<Target> = cap.0.iter().flat_map(|hash| hash.elements).collect();
    image.extend(builder.constants(&no_separator.elements));
    image.push(builder.constant(F::from_canonical_usize(common.degree_bits())));
    builder.hash_n_to_hash_no_pad::<PoseidonHash>(image)
}

/// What the two say together.
fn join(builder: &mut Builder, left: &Fields<Target>, right: &Fields<Target>) -> Fields<Target> {
    builder.connect(left.chain, right.chain);
    let one = builder.one();
    let next = builder.add(left.last, one);
    builder.connect(next, right.first);
    builder.connect_array(left.tip, right.parent);
    builder.connect_array(left.post_root, right.pre_root);

    let gas = builder.add(left.gas, right.gas);
    builder.range_check(gas, NUMBER_BITS);

    let mut image = vec![builder.constant(F::from_canonical_u64(RANGE_TAG))];
    image.extend(left.commitment.into_iter().chain(right.commitment));
    let commitment = builder.hash_n_to_hash_no_pad::<PoseidonHash>(image).elements;

    Fields {
        chain: left.chain,
        first: left.first,
        last: right.last,
        gas,
        parent: left.parent,
        tip: right.tip,
        pre_root: left.pre_root,
        post_root: right.post_root,
        commitment,
    }
}
