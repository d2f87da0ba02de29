//! What a block file may hold, and what is said of one that lies.
//!
//! The Scroll blocks are real. The block of mainnet is its genesis. Those of the later forks were made by
//! go-ethereum on the test chain of the execution API's conformance tests; their hashes are its own.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

#[test]
fn twenty_real_blocks_are_read() {
    let blocks = read(&scroll(), &["gasUsed", "witnessBytes"]).expect("good blocks");
    let numbers: Vec<_> = blocks.iter().map(|block| block.block.number.0).collect();
    assert_eq!(numbers, (16_525_000..16_525_020).collect::<Vec<_>>());
    let first = blocks.first().expect("a block");
    assert_eq!(first.block.fields.get("gasUsed"), Some(&0x7548b));
    assert_eq!(first.block.fields.get("witnessBytes"), Some(&532_811));
    assert_eq!(first.block.payload, push0_core::Digest::of(&first.payload));
    assert_eq!(first.block.bytes, first.payload.len() as u64);
    assert_eq!(Some(first.payload.as_slice()), scroll().split(|byte| *byte == b'\n').next());
}

#[test]
fn headers_of_every_fork_hash_to_their_hash() {
    for block in [frontier(), shanghai(), cancun(), prague()] {
        let read = read(&lines(&[block]), &[]).map(|blocks| blocks.len());
        assert!(matches!(read, Ok(1)), "{read:?}");
    }
}

#[test]
fn a_change_of_any_field_is_caught() {
    for (field, value) in prague().as_object().expect("an object") {
        let mut block = prague();
        let mut digits = text(value).into_bytes();
        let last = digits.last_mut().expect("a digit");
        *last = if *last == b'1' { b'2' } else { b'1' };
        if digits == b"01" || text(value) == "0x" {
            digits = b"0x01".to_vec();
        }
        set(&mut block, field, json!(String::from_utf8(digits).expect("text")));
        assert_eq!(lie(&[block]).field.as_deref(), Some("hash"), "{field}");
    }
}

#[test]
fn a_field_that_is_left_out_is_named() {
    for field in ["number", "parentHash", "stateRoot", "nonce", "hash"] {
        let mut block = prague();
        block.as_object_mut().expect("an object").remove(field);
        assert_eq!(lie(&[block]), (field, format!("no `{field}`")));
    }
    let mut block = prague();
    set(&mut block, "withdrawalsRoot", Value::Null);
    let what = "no `withdrawalsRoot`, though there is `blobGasUsed`, which came after it";
    assert_eq!(lie(&[block]), ("withdrawalsRoot", what.to_owned()));
}

#[test]
fn a_value_that_is_none_is_named() {
    for (field, value, what) in [
        ("number", json!(45), "a number, where text belongs"),
        ("number", json!("45"), "`45` has no 0x"),
        ("number", json!("0x"), "a quantity without digits"),
        ("number", json!("0x2g"), "`g` is no hexadecimal digit"),
        ("number", json!("0x1ffffffffffffffff"), "a number of more than 64 bits"),
        ("stateRoot", json!("0x123"), "3 hexadecimal digits, which are no bytes"),
        ("stateRoot", json!("0x1234"), "2 bytes, where 32 belong"),
        ("extraData", json!("0xzz"), "`z` is no hexadecimal digit"),
        ("miner", json!(["0x"]), "an array, where text belongs"),
    ] {
        let mut block = prague();
        set(&mut block, field, value);
        assert_eq!(lie(&[block]), (field, what.to_owned()));
    }
}

#[test]
fn leading_zeros_of_a_quantity_change_nothing() {
    let mut block = prague();
    set(&mut block, "gasUsed", json!("0x000054a92"));
    read(block.to_string().as_bytes(), &["gasUsed"]).expect("a good block");
}

#[test]
fn a_file_that_is_no_chain_is_refused() {
    let chain = chain(4);
    let [first, second, third, fourth] = chain.as_slice() else { panic!("four blocks") };
    let pick = |blocks: &[&Value]| {
        let error = read(&lines(&blocks.iter().map(|b| (*b).clone()).collect::<Vec<_>>()), &[]);
        error.expect_err("no chain").to_string()
    };
    let says = |blocks: &[&Value], what: &str| {
        let said = pick(blocks);
        assert!(said.contains(what), "{said}");
    };
    says(&[first, first], "block 100 twice (FILE:2, number): remove the line");
    says(&[first, third], "block 102, after block 100: 1 missing (FILE:2, number)");
    says(&[second, first], "block 100, after block 101 (FILE:2, number)");
    let mut fork = third.clone();
    set(&mut fork, "gasUsed", json!("0x5"));
    seal(&mut fork);
    says(&[second, third, &fork], "another block 102 (FILE:3, number)");
    says(&[second, &fork, fourth], "but the block before is 0x");
    says(&[second, &fork, fourth], "(FILE:3, parentHash): keep the blocks of one branch");
}

#[test]
fn a_state_root_that_does_not_continue_is_refused() {
    let mut chain = chain(2);
    let mut second = chain.pop().expect("a block");
    set(
        &mut second,
        "preStateRoot",
        chain.first().and_then(|b| b.get("stateRoot")).cloned().into(),
    );
    chain.push(second.clone());
    read(&lines(&chain), &[]).expect("a chain");
    chain.pop();
    set(&mut second, "preStateRoot", json!(format!("0x{}", "11".repeat(32))));
    chain.push(second);
    assert_eq!(lie(&chain).field.as_deref(), Some("preStateRoot"));
}

#[test]
fn a_weighed_field_must_be_a_number_in_every_block() {
    let asked = |value: Value| {
        let mut block = prague();
        set(&mut block, "cycles", value);
        read(&lines(&[block]), &["cycles"]).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(asked(json!(5)), Ok(()));
    assert_eq!(asked(json!("0x5")), Ok(()));
    let said = |value: Value| asked(value).expect_err("no number");
    assert!(
        said(Value::Null).starts_with("no `cycles`, by which the pipeline weighs (FILE:1, cycles)")
    );
    assert!(said(json!(-5)).starts_with("-5 is no whole number of 64 bits (FILE:1, cycles)"));
    assert!(said(json!(1.5)).starts_with("1.5 is no whole number of 64 bits"));
    assert!(said(json!("5")).starts_with("`5` has no 0x"));
}

#[test]
fn blank_lines_and_windows_line_ends_change_no_block() {
    let plain = read(&lines(&chain(3)), &[]).expect("a chain");
    let text = String::from_utf8(lines(&chain(3))).expect("text");
    let odd = format!("\u{feff}{}\r\n \r\n", text.trim_end().replace('\n', "\r\n\r\n"));
    assert_eq!(read(odd.as_bytes(), &[]).expect("a chain"), plain);
}

#[test]
fn a_line_that_is_no_block_is_refused() {
    let whole = lines(&chain(2));
    let cut = whole.get(..whole.len() - 40).expect("a part");
    for (text, said) in [
        (cut, "the line ends within the block (FILE:2)"),
        (b"{\n".as_slice(), "the line ends within the block (FILE:1)"),
        (b"[1]\n", "no block: invalid type: sequence, expected an object (FILE:1)"),
        (b"{} {}\n", "not JSON at column 4: trailing characters (FILE:1)"),
        (b"nonsense\n", "not JSON at column 2: expected ident (FILE:1)"),
        (b"{\"hash\":\"0x\",\"hash\":\"0x\"}\n", "no block: `hash` twice (FILE:1)"),
        (b"\xff\xfe\n", "not JSON at column 1: expected value (FILE:1)"),
        (b"", "no blocks in the file (FILE:1)"),
        (b"\n\n", "no blocks in the file (FILE:2)"),
    ] {
        let error = read(text, &[]).expect_err("no block").to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_memory() {
    let endless = vec![b' '; 10 << 20];
    let error = read(&endless, &[]).expect_err("too long").to_string();
    assert!(error.starts_with("a line of more than 8388608 bytes (FILE:1)"), "{error}");
}

#[test]
fn the_blocks_before_a_fault_are_good_and_nothing_comes_after_it() {
    let mut text = lines(&chain(3));
    text.extend(b"broken\n");
    text.extend(lines(&chain(1)));
    let file = file(&text);
    let results: Vec<_> = BlockFile::open(file.path(), &[]).expect("a file").collect();
    let good: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, true, true, false]);
}

#[test]
fn a_file_that_cannot_be_read_is_not_a_lie() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = BlockFile::open(&dir.path().join("none.jsonl"), &[]);
    assert!(matches!(missing, Err(SourceError::Unreadable { .. })));
    let blocks = BlockFile::open(dir.path(), &[]).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    assert!(matches!(blocks, Err(SourceError::Unreadable { .. })));
}

fn read(text: &[u8], fields: &[&str]) -> Result<Vec<SourceBlock>, SourceError> {
    let file = file(text);
    let fields: Vec<_> = fields.iter().map(|field| (*field).to_owned()).collect();
    let blocks = BlockFile::open(file.path(), &fields)?.collect::<Result<Vec<_>, _>>();
    blocks.map_err(|error| match error {
        SourceError::Lies { line, field, what, remedy, .. } => {
            SourceError::Lies { file: "FILE".into(), line, field, what, remedy }
        }
        unreadable @ SourceError::Unreadable { .. } => unreadable,
    })
}

fn lie(blocks: &[Value]) -> Lie {
    match read(&lines(blocks), &[]).expect_err("a lie") {
        SourceError::Lies { field, what, remedy, .. } => Lie { field, what, remedy },
        unreadable @ SourceError::Unreadable { .. } => panic!("{unreadable}"),
    }
}

impl PartialEq<(&str, String)> for Lie {
    fn eq(&self, (field, what): &(&str, String)) -> bool {
        self.field.as_deref() == Some(*field) && self.what == *what
    }
}

fn file(text: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text).expect("room");
    file
}

fn lines(blocks: &[Value]) -> Vec<u8> {
    blocks.iter().flat_map(|block| format!("{block}\n").into_bytes()).collect()
}

/// Blocks from number 100 on, each the child of the one before.
fn chain(length: u64) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    for number in 100..100 + length {
        let mut block = prague();
        set(&mut block, "number", json!(format!("{number:#x}")));
        if let Some(hash) = blocks.last().and_then(|before| before.get("hash")) {
            set(&mut block, "parentHash", hash.clone());
        }
        seal(&mut block);
        blocks.push(block);
    }
    blocks
}

/// Gives a changed block the hash it has.
fn seal(block: &mut Value) {
    let object = json::read(block.to_string().as_bytes(), &header::has).expect("an object");
    let hash = header::hash(&object).expect("a header").to_string();
    set(block, "hash", json!(hash));
}

fn set(block: &mut Value, field: &str, value: Value) {
    block.as_object_mut().expect("an object").insert(field.to_owned(), value);
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn scroll() -> Vec<u8> {
    let path = "../../examples/scroll/scroll-mainnet-16525000-20.jsonl";
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("the example")
}

fn zeros(bytes: usize) -> String {
    format!("0x{}", "00".repeat(bytes))
}

/// A bloom filter of these bytes, each at its place, and zeros.
fn bloom(bytes: &[(usize, u8)]) -> String {
    let mut bloom = [0_u8; 256];
    for (place, byte) in bytes {
        *bloom.get_mut(*place).expect("a place") = *byte;
    }
    format!("0x{}", hex::encode(bloom))
}

/// Ethereum mainnet's genesis.
fn frontier() -> Value {
    json!({
        "number": "0x0", "parentHash": zeros(32), "sha3Uncles": NO_UNCLES, "miner": zeros(20),
        "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
        "transactionsRoot": EMPTY, "receiptsRoot": EMPTY, "logsBloom": zeros(256),
        "difficulty": "0x400000000", "gasLimit": "0x1388", "gasUsed": "0x0", "timestamp": "0x0",
        "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
        "mixHash": zeros(32), "nonce": "0x0000000000000042",
        "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    })
}

fn shanghai() -> Value {
    json!({
        "number": "0x27", "sha3Uncles": NO_UNCLES, "miner": zeros(20), "mixHash": zeros(32),
        "parentHash": "0x42e8850f25f4b485ec41ca5fd1b739396101b9e342f8751360eda2c23f2e59c7",
        "stateRoot": "0xe08e279cf4a1d63c0124fd6360acab3df93d4949319c80b44701834d5c44e72f",
        "transactionsRoot": "0xecb17a94f7359cafb2f558ca27410833feaa72f92c3b88dd810874921ecaba0f",
        "receiptsRoot": "0xd8b031b7eaf79c70b378523ef39d37bcae47cab5e8d93e080d7b124f0504f1aa",
        "logsBloom": bloom(SHANGHAI_BLOOM), "difficulty": "0x0", "gasLimit": "0xbebc200",
        "gasUsed": "0x3923b", "timestamp": "0x186", "extraData": "0x", "nonce": zeros(8),
        "baseFeePerGas": "0xc0c00f7",
        "withdrawalsRoot": "0x0cbd4206b2131f21f541589e2bb2ad8cfceb1875f04acde910ea91933245f92b",
        "hash": "0x75e13732ba750526a8363ffaa970fa602e883780efcc68beaa43b0c1733637a4",
    })
}

fn cancun() -> Value {
    json!({
        "number": "0x2a", "sha3Uncles": NO_UNCLES, "miner": zeros(20), "mixHash": zeros(32),
        "parentHash": "0x3f48caa9f008fc368c54449bcf5866229a4d394c52d12ae860290a74c05e6a1d",
        "stateRoot": "0xd57890add22fbbfd3817dadf352b60e49056d43fa7aaba115e1eb32058d84c1b",
        "transactionsRoot": "0xa50f8a5695bda2c18ead4c929e13c5a1ec409a2ea2a0d4ceaf2eaa116e54257a",
        "receiptsRoot": "0xd986dfa6b469d59e2b16338ad9b4e757dd3d29deda9676d4d1dde8ec7721ea54",
        "logsBloom": bloom(CANCUN_BLOOM), "difficulty": "0x0", "gasLimit": "0xbebc200",
        "gasUsed": "0x3b27a", "timestamp": "0x1a4", "extraData": "0x", "nonce": zeros(8),
        "baseFeePerGas": "0x813ba56", "withdrawalsRoot": EMPTY, "blobGasUsed": "0x20000",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": "0x83472eda6eb475906aeeb7f09e757ba9f6663b9f6a5bf8611d6306f677f67ebd",
        "hash": "0x0f301cfeb1ba6f4ebfb246a350357f7c136adf5aa77b464e422b8a1059565bad",
    })
}

fn prague() -> Value {
    json!({
        "number": "0x2d", "sha3Uncles": NO_UNCLES, "miner": zeros(20), "mixHash": zeros(32),
        "parentHash": "0x5728fa3c576e9a3752567c117c855c453c366645ed30f9490bb30b230a99b751",
        "stateRoot": "0x56852e5aa0d8282b17c5bf8bc232b237080bd5d8bd2bca5ea885a222ebc9d281",
        "transactionsRoot": "0xe5dd57ce3d51101d81f5dd866b2c0a878d44245ef8f96836c07210a529b0a438",
        "receiptsRoot": "0x2c86b2791cdd088d3c3e9d6225f71724d3e8c67bdd13cd6208831058cee1043f",
        "logsBloom": bloom(PRAGUE_BLOOM), "difficulty": "0x0", "gasLimit": "0xbebc200",
        "gasUsed": "0x54a92", "timestamp": "0x1c2", "extraData": "0x", "nonce": zeros(8),
        "baseFeePerGas": "0x56a6c98", "withdrawalsRoot": EMPTY, "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": "0x4b118bd31ed2c4eeb81dc9e3919e9989994333fe36f147c2930f12c53f0d3c78",
        "requestsHash": "0x57cac3e52cdcd73e52bd9e54956e0eae370f00ed41f68edc78266bdb46c3a543",
        "hash": "0xe02dd6dfcd01b2afca0e56cd1d09535398be984b97b3e8be7bfba38ea17fc633",
    })
}

const NO_UNCLES: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";
const EMPTY: &str = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
const SHANGHAI_BLOOM: &[(usize, u8)] = &[
    (3, 0x08),
    (10, 0x10),
    (16, 0x01),
    (25, 0x01),
    (28, 0x80),
    (44, 0x40),
    (45, 0x04),
    (50, 0x48),
    (51, 0x10),
    (62, 0x40),
    (66, 0x80),
    (69, 0x10),
    (74, 0x40),
    (76, 0x20),
    (80, 0x02),
    (95, 0x20),
    (97, 0x01),
    (100, 0x40),
    (103, 0x08),
    (114, 0x20),
    (117, 0x10),
    (124, 0x08),
    (128, 0x01),
    (135, 0x80),
    (136, 0x20),
    (144, 0x10),
    (149, 0x01),
    (151, 0x02),
    (162, 0x08),
    (167, 0x91),
    (172, 0x02),
    (173, 0x20),
    (187, 0x04),
    (199, 0x10),
    (206, 0x40),
    (210, 0x80),
    (214, 0x20),
    (250, 0x01),
    (254, 0x01),
];
const CANCUN_BLOOM: &[(usize, u8)] = &[
    (23, 0x01),
    (28, 0x80),
    (74, 0x40),
    (80, 0x02),
    (95, 0x20),
    (134, 0x02),
    (139, 0x08),
    (145, 0x08),
    (167, 0x90),
    (238, 0x04),
    (244, 0x10),
];
const PRAGUE_BLOOM: &[(usize, u8)] = &[
    (5, 0x80),
    (15, 0x40),
    (28, 0x80),
    (36, 0x08),
    (74, 0x40),
    (79, 0x02),
    (80, 0x02),
    (95, 0x20),
    (122, 0x01),
    (167, 0x90),
    (179, 0x20),
];
