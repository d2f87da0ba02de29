//! What a proof says, in its three forms: a value, 192 bytes, and 40 field elements.
//!
//! ```text
//! bytes, big-endian:  chain 8 | first 8 | last 8 | gas 8 | parent 32 | tip 32
//!                     | pre_root 32 | post_root 32 | commitment 4 × 8
//! elements:           the same order; 32 bytes are eight u32, the commitment is four elements
//! ```
//!
//! Each form has exactly one encoding of a value: numbers are below 2^62, elements of the
//! commitment below the field's order, and anything else is refused when read. So a flipped bit in
//! the bytes is another statement, or none.
//!
//! Not here: the same rules as constraints (`circuit`).

use std::fmt;

use plonky2::field::types::{Field, Field64, PrimeField64};
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use push0_prover::wire::Hash32;

use crate::Block;
use crate::circuit::F;

/// That blocks `first` to `last` of a chain are known, each linked to the one before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Statement {
    /// The chain's id.
    pub chain: u64,
    /// Number of the first block.
    pub first: u64,
    /// Number of the last block, included.
    pub last: u64,
    /// Gas used by all of them.
    pub gas: u64,
    /// Hash of the block before the first.
    pub parent: Hash32,
    /// Hash of the last block.
    pub tip: Hash32,
    /// State root before the first block.
    pub pre_root: Hash32,
    /// State root after the last block.
    pub post_root: Hash32,
    /// To the fields of every block, and to how the proofs were joined.
    pub commitment: Commitment,
}

/// A Poseidon hash: four elements of the field of order 2^64 - 2^32 + 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Commitment([u64; 4]);

impl Statement {
    /// Bytes of an encoded statement.
    pub const SIZE: usize = 4 * 8 + 4 * 32 + 4 * 8;

    /// The statement of a leaf.
    #[must_use]
    pub fn of_block(chain: u64, block: &Block) -> Self {
        let &Block { number, hash, parent, pre_root, post_root, gas_used: gas, .. } = block;
        let none = Commitment([0; 4]);
        let (first, last, tip, commitment) = (number, number, hash, none);
        let mut statement =
            Self { chain, first, last, gas, parent, tip, pre_root, post_root, commitment };
        statement.commitment = leaf_commitment(&statement.fields(), block.gas_limit);
        statement
    }

    /// The statement of an aggregate of `left` and `right`.
    ///
    /// # Errors
    ///
    /// [`JoinError`]: no proof joins these two.
    pub fn join(left: &Self, right: &Self) -> Result<Self, JoinError> {
        if left.chain != right.chain {
            return Err(JoinError::Chain { left: left.chain, right: right.chain });
        }
        if left.last.checked_add(1) != Some(right.first) {
            return Err(JoinError::Gap { last: left.last, first: right.first });
        }
        if left.tip != right.parent {
            return Err(JoinError::Link { last: left.last, tip: left.tip, parent: right.parent });
        }
        if left.post_root != right.pre_root {
            let (post, pre) = (left.post_root, right.pre_root);
            return Err(JoinError::Root { last: left.last, post, pre });
        }
        let gas = left.gas.saturating_add(right.gas);
        if gas >> NUMBER_BITS != 0 {
            return Err(JoinError::Gas(gas));
        }
        Ok(Self {
            chain: left.chain,
            first: left.first,
            last: right.last,
            gas,
            parent: left.parent,
            tip: right.tip,
            pre_root: left.pre_root,
            post_root: right.post_root,
            commitment: range_commitment(left.commitment, right.commitment),
        })
    }

    /// Reads public values.
    ///
    /// # Errors
    ///
    /// [`StatementError`]: these bytes encode no statement.
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() != Self::SIZE {
            return Err(StatementError::Size(bytes.len()));
        }
        let mut rest = bytes;
        let statement = Self {
            chain: take_number(&mut rest, "chain")?,
            first: take_number(&mut rest, "first")?,
            last: take_number(&mut rest, "last")?,
            gas: take_number(&mut rest, "gas")?,
            parent: take_hash(&mut rest)?,
            tip: take_hash(&mut rest)?,
            pre_root: take_hash(&mut rest)?,
            post_root: take_hash(&mut rest)?,
            commitment: take_commitment(&mut rest)?,
        };
        let Self { first, last, .. } = statement;
        if first > last { Err(StatementError::Empty { first, last }) } else { Ok(statement) }
    }

    /// Writes public values; [`decode`](Self::decode) reads them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let numbers = [self.chain, self.first, self.last, self.gas].map(u64::to_be_bytes);
        let hashes = [self.parent, self.tip, self.pre_root, self.post_root].map(|hash| hash.0);
        let commitment = self.commitment.0.map(u64::to_be_bytes);
        [numbers.concat(), hashes.concat(), commitment.concat()].concat()
    }

    /// How many blocks it is about.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.last - self.first + 1
    }

    /// The statement as field elements.
    pub(crate) fn fields(&self) -> Fields<F> {
        Fields {
            chain: F::from_noncanonical_u64(self.chain),
            first: F::from_noncanonical_u64(self.first),
            last: F::from_noncanonical_u64(self.last),
            gas: F::from_noncanonical_u64(self.gas),
            parent: limbs(self.parent),
            tip: limbs(self.tip),
            pre_root: limbs(self.pre_root),
            post_root: limbs(self.post_root),
            commitment: self.commitment.0.map(F::from_noncanonical_u64),
        }
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x")?;
        self.0.iter().try_for_each(|element| write!(f, "{element:016x}"))
    }
}

/// A statement over field elements (`F`) or over a circuit's wires. The order of the fields is that
/// of the public inputs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fields<T> {
    pub chain: T,
    pub first: T,
    pub last: T,
    pub gas: T,
    pub parent: [T; 8],
    pub tip: [T; 8],
    pub pre_root: [T; 8],
    pub post_root: [T; 8],
    pub commitment: [T; 4],
}

impl<T: Copy> Fields<T> {
    /// How many there are.
    pub(crate) const COUNT: usize = 4 + 4 * 8 + 4;

    /// The fields that `next` makes, one after another.
    pub(crate) fn from_next(mut next: impl FnMut() -> T) -> Self {
        Self {
            chain: next(),
            first: next(),
            last: next(),
            gas: next(),
            parent: std::array::from_fn(|_| next()),
            tip: std::array::from_fn(|_| next()),
            pre_root: std::array::from_fn(|_| next()),
            post_root: std::array::from_fn(|_| next()),
            commitment: std::array::from_fn(|_| next()),
        }
    }

    /// All of them, in order.
    pub(crate) fn to_vec(self) -> Vec<T> {
        let mut fields = self.known();
        fields.extend(self.commitment);
        fields
    }

    /// All but the commitment, in order.
    pub(crate) fn known(&self) -> Vec<T> {
        let numbers = [self.chain, self.first, self.last, self.gas];
        let hashes = [self.parent, self.tip, self.pre_root, self.post_root];
        numbers.into_iter().chain(hashes.into_iter().flatten()).collect()
    }
}

/// Why bytes are no statement. Refuse the proof.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Cut short, or of another prover.
    #[error("public values have {0} bytes, not {size}", size = Statement::SIZE)]
    Size(usize),
    /// Not the encoding of a number.
    #[error("{field} {number} is not below 2^{NUMBER_BITS}")]
    Number { field: &'static str, number: u64 },
    /// Not the encoding of a field element.
    #[error("an element of the commitment, {0}, is not below the field's order")]
    Element(u64),
    /// A span holds at least a block.
    #[error("first {first} is after last {last}")]
    Empty { first: u64, last: u64 },
}

/// Why two spans do not join. Give the proofs of two neighbours, the lower first.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Two chains have nothing in common.
    #[error("the left is of chain {left}, the right of chain {right}")]
    Chain { left: u64, right: u64 },
    /// Swapped, skipped or repeated.
    #[error("not neighbours: the left ends at block {last}, the right starts at {first}")]
    Gap { last: u64, first: u64 },
    /// Two branches of one chain.
    #[error("not linked: block {last} is {tip}, the next one's parent is {parent}")]
    Link { last: u64, tip: Hash32, parent: Hash32 },
    /// The blocks disagree about the state between them.
    #[error("not chained: the state after block {last} is {post}, before the next it is {pre}")]
    Root { last: u64, post: Hash32, pre: Hash32 },
    /// More gas than any chain uses.
    #[error("gas {0} is not below 2^{NUMBER_BITS}")]
    Gas(u64),
}

/// The commitment of a leaf: a tag, the statement's other fields, the gas limit.
fn leaf_commitment(fields: &Fields<F>, gas_limit: u64) -> Commitment {
    let mut image = vec![F::from_canonical_u64(LEAF_TAG)];
    image.extend(fields.known());
    image.push(F::from_canonical_u64(gas_limit));
    poseidon(&image)
}

/// The commitment of an aggregate: a tag, and those of its children.
fn range_commitment(left: Commitment, right: Commitment) -> Commitment {
    let mut image = vec![F::from_canonical_u64(RANGE_TAG)];
    image.extend(left.0.iter().chain(&right.0).map(|element| F::from_canonical_u64(*element)));
    poseidon(&image)
}

fn poseidon(image: &[F]) -> Commitment {
    Commitment(PoseidonHash::hash_no_pad(image).elements.map(|element| element.to_canonical_u64()))
}

/// Eight u32, the first of the most significant bytes.
fn limbs(hash: Hash32) -> [F; 8] {
    let (limbs, _) = hash.0.as_chunks();
    let mut limbs = limbs.iter().map(|bytes| F::from_canonical_u32(u32::from_be_bytes(*bytes)));
    std::array::from_fn(|_| limbs.next().unwrap_or_default())
}

fn take_number(rest: &mut &[u8], field: &'static str) -> Result<u64, StatementError> {
    let number = u64::from_be_bytes(take(rest)?);
    if number >> NUMBER_BITS == 0 {
        Ok(number)
    } else {
        Err(StatementError::Number { field, number })
    }
}

fn take_hash(rest: &mut &[u8]) -> Result<Hash32, StatementError> {
    take(rest).map(Hash32)
}

fn take_commitment(rest: &mut &[u8]) -> Result<Commitment, StatementError> {
    let mut elements = [0; 4];
    for element in &mut elements {
        *element = u64::from_be_bytes(take(rest)?);
        if *element >= F::ORDER {
            return Err(StatementError::Element(*element));
        }
    }
    Ok(Commitment(elements))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], StatementError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(StatementError::Size(rest.len()))?;
    *rest = after;
    Ok(*bytes)
}

/// Numbers are below two to this: the sum of two is then below the field's order, and comes out of
/// the circuit as it went in.
pub(crate) const NUMBER_BITS: usize = 62;

/// First element of what a leaf's commitment hashes; keeps leaves and aggregates apart.
pub(crate) const LEAF_TAG: u64 = 1;
/// First element of what an aggregate's commitment hashes.
pub(crate) const RANGE_TAG: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_statement_say_the_same() {
        let statement = sample();
        let bytes = statement.encode();
        assert_eq!(bytes.len(), Statement::SIZE);
        assert_eq!(Statement::decode(&bytes), Ok(statement));
        assert_eq!(statement.fields().to_vec().len(), Fields::<F>::COUNT);
    }

    #[test]
    fn a_flipped_bit_is_another_statement_or_none() {
        let bytes = sample().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            *flipped.get_mut(bit / 8).expect("a byte") ^= 1 << (bit % 8);
            let Ok(statement) = Statement::decode(&flipped) else { continue };
            assert_ne!(statement.fields(), sample().fields(), "bit {bit}");
            assert_eq!(statement.encode(), flipped, "bit {bit}");
        }
    }

    #[test]
    fn bytes_that_encode_no_statement_are_refused() {
        let with = |range: std::ops::Range<usize>, byte: u8| {
            let mut bytes = sample().encode();
            bytes.get_mut(range).expect("in range").fill(byte);
            Statement::decode(&bytes)
        };
        assert!(matches!(with(0..1, 0x40), Err(StatementError::Number { field: "chain", .. })));
        assert!(matches!(with(184..192, 0xff), Err(StatementError::Element(u64::MAX))));
        assert!(matches!(with(8..10, 0x01), Err(StatementError::Empty { .. })));
        assert_eq!(Statement::decode(&[0; 191]), Err(StatementError::Size(191)));
        assert_eq!(Statement::decode(&[0; 193]), Err(StatementError::Size(193)));
    }

    #[test]
    fn the_words_of_a_hash_are_big_endian() {
        let hash = Hash32(std::array::from_fn(|at| u8::try_from(at).expect("below 32")));
        assert_eq!(
            limbs(hash).map(|limb| limb.to_canonical_u64())[..2],
            [0x0001_0203, 0x0405_0607]
        );
    }

    fn sample() -> Statement {
        let hash = |byte| Hash32([byte; 32]);
        let block = Block {
            number: 16_525_000,
            hash: hash(1),
            parent: hash(2),
            pre_root: hash(3),
            post_root: hash(4),
            gas_used: 5,
            gas_limit: 6,
        };
        Statement::of_block(534_352, &block)
    }
}
