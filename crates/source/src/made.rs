//! Blocks that no chain has: for a first look at a pipeline, where no real ones are at hand.
//!
//! Each is a whole header with its right hash, the child of the one before, so everything that is
//! checked of a block from outside holds. Nothing was executed in it: a prover that wants
//! transactions or a witness finds none.
//!
//! Not here: what is checked (`header`, `file`).

use serde_json::{Map, Value, json};

use super::{Lie, header, json as line};

/// The lines of a block file with `count` blocks from `first` on. `fields`: numeric ones that each
/// has beside its header's.
///
/// # Panics
///
/// Never: the header that it writes is whole.
#[must_use]
pub fn made(first: u64, count: u64, fields: &[String]) -> Vec<String> {
    let mut parent = format!("0x{}", hex::encode([0; 32]));
    let mut lines = Vec::new();
    for number in first..first.saturating_add(count) {
        let mut block = block(number, &parent);
        for field in fields.iter().filter(|field| !header::has(field)) {
            block.entry(field.as_str()).or_insert_with(|| json!("0x1"));
        }
        parent = hash(&block).expect("a whole header has a hash");
        block.insert("hash".to_owned(), json!(parent));
        lines.push(Value::Object(block).to_string());
    }
    lines
}

fn block(number: u64, parent: &str) -> Map<String, Value> {
    let same = |byte: u8, count: usize| json!(format!("0x{}", hex::encode(vec![byte; count])));
    let quantity = |value: u64| json!(format!("0x{value:x}"));
    let fields = [
        ("number", quantity(number)),
        ("parentHash", json!(parent)),
        ("sha3Uncles", same(0, 32)),
        ("miner", same(0, 20)),
        ("stateRoot", same(1, 32)),
        ("transactionsRoot", same(2, 32)),
        ("receiptsRoot", same(3, 32)),
        ("logsBloom", same(0, 256)),
        ("difficulty", quantity(0)),
        ("gasLimit", quantity(30_000_000)),
        ("gasUsed", quantity(0)),
        ("timestamp", quantity(GENESIS.saturating_add(number.saturating_mul(SLOT)))),
        ("extraData", json!("0x")),
        ("mixHash", same(0, 32)),
        ("nonce", same(0, 8)),
        ("baseFeePerGas", quantity(7)),
        ("withdrawalsRoot", same(4, 32)),
        ("blobGasUsed", quantity(0)),
        ("excessBlobGas", quantity(0)),
        ("parentBeaconBlockRoot", same(5, 32)),
        ("preStateRoot", same(1, 32)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn hash(block: &Map<String, Value>) -> Result<String, Lie> {
    let text = Value::Object(block.clone()).to_string();
    let line::Line { object, .. } = line::read(text.as_bytes(), &header::has)?;
    Ok(format!("0x{}", hex::encode(header::hash(&object)?.0)))
}

/// When the first of Ethereum's slots began. Unit: seconds since 1970.
const GENESIS: u64 = 1_606_824_023;

/// Unit: seconds.
const SLOT: u64 = 12;

#[cfg(test)]
mod tests {
    use push0_core::BlockHashing;

    use super::*;
    use crate::{BlockFile, Rules};

    #[test]
    fn they_pass_every_check_of_a_block_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("blocks.jsonl");
        let fields = ["gasUsed", "blobGasUsed", "witnessBytes"].map(str::to_owned).to_vec();
        std::fs::write(&path, made(7, 3, &fields).join("\n")).expect("a writable directory");
        let rules = Rules { fields, hashing: BlockHashing::OfHeader };
        let blocks: Result<Vec<_>, _> =
            BlockFile::open(&path, &rules).expect("it is there").collect();
        let numbers: Vec<_> =
            blocks.expect("each is right").iter().map(|it| it.block.number.0).collect();
        assert_eq!(numbers, [7, 8, 9]);
    }
}
