//! A block's header, and whether its hash is its hash.
//!
//! The hash is the Keccak-256 of the RLP list of the header's fields: alloy's type knows which
//! there are, and in which order. A fork only adds: so what is there must be a prefix of the list,
//! and a chain that lacks a fork lacks its fields.
//!
//! Not here: the rest of a block, which no header covers as it stands; chains that hash their
//! blocks otherwise (`unlike`).

use alloy_consensus::Header as Fields;
use alloy_primitives::U256;
use push0_core::{BlockHash, BlockHashing, Height};

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
    let all = FIELDS.iter().chain(&LATER_FIELDS).chain(&[HASH, BAL_HASH]);
    all.into_iter().any(|field| *field == key)
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

/// The hash that the header's fields make.
pub(super) fn hash(object: &Object) -> Result<BlockHash, Lie> {
    Ok(BlockHash(fields(object)?.hash_slow().0))
}

/// The header itself. Each field is named, so that one which a newer alloy adds is missed by the
/// compiler.
fn fields(object: &Object) -> Result<Fields, Lie> {
    let is_there = later(object)?;
    let hash = |field| fixed::<32>(field, required(object, field)?).map(Into::into);
    let count = |field| in_u64(field, object);
    let later_hash = |field| is_there(field).then(|| hash(field)).transpose();
    let later_count = |field| is_there(field).then(|| count(field)).transpose();
    let difficulty = quantity("difficulty", required(object, "difficulty")?, 32)?;
    Ok(Fields {
        parent_hash: hash("parentHash")?,
        ommers_hash: hash("sha3Uncles")?,
        beneficiary: fixed::<20>("miner", required(object, "miner")?)?.into(),
        state_root: hash("stateRoot")?,
        transactions_root: hash("transactionsRoot")?,
        receipts_root: hash("receiptsRoot")?,
        logs_bloom: fixed::<256>("logsBloom", required(object, "logsBloom")?)?.into(),
        difficulty: U256::from_be_slice(&difficulty),
        number: count("number")?,
        gas_limit: count("gasLimit")?,
        gas_used: count("gasUsed")?,
        timestamp: count("timestamp")?,
        extra_data: data("extraData", required(object, "extraData")?)?.into(),
        mix_hash: hash("mixHash")?,
        nonce: fixed::<8>("nonce", required(object, "nonce")?)?.into(),
        base_fee_per_gas: later_count("baseFeePerGas")?,
        withdrawals_root: later_hash("withdrawalsRoot")?,
        blob_gas_used: later_count("blobGasUsed")?,
        excess_blob_gas: later_count("excessBlobGas")?,
        parent_beacon_block_root: later_hash("parentBeaconBlockRoot")?,
        requests_hash: later_hash("requestsHash")?,
        block_access_list_hash: later_hash("blockAccessListHash")?,
        slot_number: later_count("slotNumber")?,
    })
}

/// Which of the later fields are there: those up to the block's fork, and none after it.
fn later(object: &Object) -> Result<impl Fn(&str) -> bool, Lie> {
    let mut absent = None;
    for field in LATER_FIELDS {
        match (object.contains_key(field), absent) {
            (true, None) => {}
            (true, Some(absent)) => {
                let what = format!("no `{absent}`, though there is `{field}`, which came after it");
                return Err(Lie::field(absent, what, "write the whole block, as a node gives it"));
            }
            (false, earlier) => absent = earlier.or(Some(field)),
        }
    }
    Ok(|field: &str| object.contains_key(field))
}

fn in_u64(field: &str, object: &Object) -> Result<u64, Lie> {
    let bytes = quantity(field, required(object, field)?, 8)?;
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
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

const HASH: &str = "hash";
const BAL_HASH: &str = "balHash";

/// In every header.
const FIELDS: [&str; 15] = [
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
];

/// Each since a fork, in the order in which they came.
const LATER_FIELDS: [&str; 8] = [
    "baseFeePerGas",         // London
    "withdrawalsRoot",       // Shanghai
    "blobGasUsed",           // Cancun
    "excessBlobGas",         // Cancun
    "parentBeaconBlockRoot", // Cancun
    "requestsHash",          // Prague
    "blockAccessListHash",   // Amsterdam
    "slotNumber",            // Amsterdam
];
