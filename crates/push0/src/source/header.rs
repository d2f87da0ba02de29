//! A block's header, and whether its hash is its hash.
//!
//! The hash is the Keccak-256 of the RLP list of the header's fields, in this order (Ethereum yellow
//! paper, 4.4; EIP-1559, 4895, 4844, 4788, 7685, 7928, 7843 for those that forks have added at its end). A fork only
//! adds: so what is there must be a prefix of the list, and a chain that lacks a fork lacks its fields.
//!
//! Not here: the rest of a block, which no header covers as it stands; chains that hash their blocks otherwise
//! (`unlike`).

use push0_core::{BlockHash, BlockHashing, Height};
use sha3::{Digest as _, Keccak256};

use super::Lie;
use super::json::Object;
use super::value::{data, fixed, number, quantity, required};

/// What the next block is checked against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) hash: BlockHash,
    pub(super) parent: BlockHash,
    /// None where nobody asks for it.
    pub(super) state_root: Option<[u8; 32]>,
}

/// Why a header is not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum NoHeader {
    /// A field is missing, or no value.
    Lie(Lie),
    /// It is whole, and its hash is another than it says.
    Unlike {
        /// What its fields hash to.
        hash: BlockHash,
        /// What it says.
        claimed: BlockHash,
    },
}

impl From<Lie> for NoHeader {
    fn from(lie: Lie) -> Self {
        Self::Lie(lie)
    }
}

/// Whether `key` is a field of a header, or names its hash.
pub(super) fn has(key: &str) -> bool {
    key == HASH
        || key == BAL_HASH
        || FIELDS.iter().chain(&LATER_FIELDS).any(|(field, _)| *field == key)
}

/// Reads a header, and checks its hash where that is not trusted.
pub(super) fn read(object: &Object, hashing: BlockHashing) -> Result<Header, NoHeader> {
    let claimed = BlockHash(fixed(HASH, required(object, HASH)?)?);
    match hashing {
        BlockHashing::OfHeader => {
            let hash = hash(object)?;
            if hash != claimed {
                return Err(NoHeader::Unlike { hash, claimed });
            }
        }
        BlockHashing::Trusted => {}
    }
    let number = number("number", required(object, "number")?)?;
    if number > Height::MAX.0 {
        let what = format!("block {number}, and the highest that push0 takes is {}", Height::MAX);
        let lie = Lie::field("number", what, "no chain is that long: fetch the block again");
        return Err(lie.into());
    }
    let parent = BlockHash(fixed("parentHash", required(object, "parentHash")?)?);
    let state_root = object.get("stateRoot").map(|root| fixed("stateRoot", root)).transpose()?;
    Ok(Header { number, hash: claimed, parent, state_root })
}

/// Go-ethereum's name for `blockAccessListHash`, put right.
pub(super) fn renamed(mut object: Object) -> Result<Object, Lie> {
    if let Some(value) = object.remove(BAL_HASH)
        && object.insert("blockAccessListHash".to_owned(), value).is_some()
    {
        let what = format!("`blockAccessListHash` twice in one block, once as `{BAL_HASH}`");
        return Err(Lie::field(BAL_HASH, what, "leave one of them"));
    }
    Ok(object)
}

/// The hash that the header's fields make.
pub(super) fn hash(object: &Object) -> Result<BlockHash, Lie> {
    let mut list = Vec::new();
    for (field, kind) in &FIELDS {
        append(&mut list, &kind.bytes(field, required(object, field)?)?);
    }
    let mut absent = None;
    for (field, kind) in &LATER_FIELDS {
        match (object.get(*field), absent) {
            (Some(value), None) => append(&mut list, &kind.bytes(field, value)?),
            (Some(_), Some(absent)) => {
                let what = format!("no `{absent}`, though there is `{field}`, which came after it");
                return Err(Lie::field(absent, what, "write the whole block, as a node gives it"));
            }
            (None, earlier) => absent = earlier.or(Some(field)),
        }
    }
    let mut encoded = prefix(0xc0, list.len());
    encoded.extend(list);
    Ok(BlockHash(Keccak256::digest(&encoded).into()))
}

/// Appends a string to an RLP list (yellow paper, appendix B).
fn append(list: &mut Vec<u8>, bytes: &[u8]) {
    match bytes {
        [byte] if *byte < 0x80 => list.push(*byte),
        _ => {
            list.extend(prefix(0x80, bytes.len()));
            list.extend_from_slice(bytes);
        }
    }
}

/// The prefix of a string (from 0x80) or a list (from 0xc0) of this length.
fn prefix(base: u8, length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(length @ 0..=55) => vec![base + length],
        _ => {
            let bytes = length.to_be_bytes();
            let digits = bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
            let count = u8::try_from(digits.len()).expect("a length has at most eight bytes");
            [vec![base + 55 + count], digits].concat()
        }
    }
}

/// How a field is written.
enum Kind {
    Hash,
    Address,
    Bloom,
    Nonce,
    Data,
    Quantity,
    BigQuantity,
}

impl Kind {
    /// What RLP encodes.
    fn bytes(&self, field: &str, value: &serde_json::Value) -> Result<Vec<u8>, Lie> {
        match self {
            Self::Hash => fixed::<32>(field, value).map(Vec::from),
            Self::Address => fixed::<20>(field, value).map(Vec::from),
            Self::Bloom => fixed::<256>(field, value).map(Vec::from),
            Self::Nonce => fixed::<8>(field, value).map(Vec::from),
            Self::Data => data(field, value),
            Self::Quantity => quantity(field, value, 8),
            Self::BigQuantity => quantity(field, value, 32),
        }
    }
}

/// In every header.
const FIELDS: [(&str, Kind); 15] = [
    ("parentHash", Kind::Hash),
    ("sha3Uncles", Kind::Hash),
    ("miner", Kind::Address),
    ("stateRoot", Kind::Hash),
    ("transactionsRoot", Kind::Hash),
    ("receiptsRoot", Kind::Hash),
    ("logsBloom", Kind::Bloom),
    ("difficulty", Kind::BigQuantity),
    ("number", Kind::Quantity),
    ("gasLimit", Kind::Quantity),
    ("gasUsed", Kind::Quantity),
    ("timestamp", Kind::Quantity),
    ("extraData", Kind::Data),
    ("mixHash", Kind::Hash),
    ("nonce", Kind::Nonce),
];

/// Each since a fork.
const LATER_FIELDS: [(&str, Kind); 8] = [
    ("baseFeePerGas", Kind::BigQuantity),  // London
    ("withdrawalsRoot", Kind::Hash),       // Shanghai
    ("blobGasUsed", Kind::Quantity),       // Cancun
    ("excessBlobGas", Kind::Quantity),     // Cancun
    ("parentBeaconBlockRoot", Kind::Hash), // Cancun
    ("requestsHash", Kind::Hash),          // Prague
    ("blockAccessListHash", Kind::Hash),   // Amsterdam
    ("slotNumber", Kind::Quantity),        // Amsterdam
];

const HASH: &str = "hash";
const BAL_HASH: &str = "balHash";
