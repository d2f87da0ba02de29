//! Blocks that nobody has seen before: valid headers of the London fork, each the child of the one
//! before.
//!
//! Encoded and hashed here anew, so that the source is not checked with itself; a test compares
//! with mainnet.

use serde_json::{Value, json};
use sha3::{Digest as _, Keccak256};

#[test]
fn mainnets_headers_hash_here_as_they_say() {
    let path =
        super::binaries::workspace().join("examples/scroll/scroll-mainnet-16525000-20.jsonl");
    for line in std::fs::read_to_string(path).expect("an example").lines() {
        let block: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(header_hash(&block), block["hash"]);
    }
}

/// `count` blocks from `first` on, one a line.
pub(crate) fn blocks(first: u64, count: usize) -> String {
    lines(&chain(first).take(count).collect::<Vec<_>>())
}

/// Blocks as a source's file.
pub(crate) fn lines(blocks: &[Value]) -> String {
    blocks.iter().map(|block| format!("{block}\n")).collect()
}

/// All that follow on each other, from block `first` on.
pub(crate) fn chain(first: u64) -> impl Iterator<Item = Value> {
    let parent = json!({"hash": made("hash", first - 1), "stateRoot": made("state", first - 1)});
    let follow = move |parent: &mut Value, number| {
        *parent = child(parent, number);
        Some(parent.clone())
    };
    (first..).scan(parent, follow)
}

fn child(parent: &Value, number: u64) -> Value {
    let mut block = json!({
        "parentHash": parent["hash"],
        "preStateRoot": parent["stateRoot"],
        "sha3Uncles": made("no uncles", 0),
        "miner": format!("0x{:040x}", 7),
        "stateRoot": made("state", number),
        "transactionsRoot": made("transactions", number),
        "receiptsRoot": made("receipts", number),
        "logsBloom": format!("0x{}", "00".repeat(256)),
        "difficulty": "0x0",
        "number": format!("{number:#x}"),
        "gasLimit": "0x1c9c380",
        "gasUsed": format!("{:#x}", 21_000 * (number % 7)),
        "timestamp": format!("{:#x}", 1_700_000_000 + 3 * number),
        "extraData": format!("{:#x}", 0x70_75_73_68_30 + number),
        "mixHash": made("mix", number),
        "nonce": "0x0000000000000000",
        "baseFeePerGas": "0x3b9aca00",
    });
    let hash = header_hash(&block).into();
    block.as_object_mut().expect("it is one").insert("hash".to_owned(), hash);
    block
}

/// The hash of a London header: Keccak-256 of the RLP list of its fields (yellow paper, 4.4 and B).
pub(crate) fn header_hash(block: &Value) -> String {
    let fields = FIELDS.iter().map(|field| {
        let digits = block[field].as_str().expect("text").trim_start_matches("0x");
        let is_number = NUMBERS.contains(field);
        let digits = if is_number { digits.trim_start_matches('0') } else { digits };
        let padding = if digits.len() % 2 == 1 { "0" } else { "" };
        rlp(0x80, &hex::decode(format!("{padding}{digits}")).expect("digits"))
    });
    let list = fields.collect::<Vec<_>>().concat();
    format!("0x{}", hex::encode(Keccak256::digest(rlp(0xc0, &list))))
}

fn rlp(base: u8, bytes: &[u8]) -> Vec<u8> {
    let long = bytes.len().to_be_bytes();
    let digits: Vec<u8> = long.into_iter().skip_while(|byte| *byte == 0).collect();
    let short = |length: usize| base + u8::try_from(length).expect("below 56");
    match bytes {
        [byte] if base == 0x80 && *byte < 0x80 => vec![*byte],
        _ if bytes.len() < 56 => [&[short(bytes.len())], bytes].concat(),
        _ => [&[short(55 + digits.len())], digits.as_slice(), bytes].concat(),
    }
}

/// 32 bytes that nothing else has.
fn made(what: &str, number: u64) -> String {
    format!("0x{}", hex::encode(Keccak256::digest(format!("{what} {number}"))))
}

const FIELDS: [&str; 16] = [
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
    "baseFeePerGas",
];

const NUMBERS: [&str; 6] =
    ["difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"];
