//! What a block file may hold, and what is said of one that lies.
//!
//! The Scroll blocks are real; `headers` says what the others are.

mod answers;
mod headers;

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use headers::{amsterdam, cancun, frontier, prague, shanghai, zksync};
use push0_core::BlockHashing;

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
    for block in [frontier(), shanghai(), cancun(), prague(), amsterdam()] {
        let read = read(&lines(&[block]), &[]).map(|blocks| blocks.len());
        assert!(matches!(read, Ok(1)), "{read:?}");
    }
}

#[test]
fn a_change_of_any_field_is_caught() {
    for (field, value) in amsterdam().as_object().expect("an object") {
        let mut block = amsterdam();
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
        (b"[1]\n", "no block: invalid type: integer `1`, expected an object (FILE:1)"),
        (b"{} {}\n", "not JSON at column 4: trailing characters (FILE:1)"),
        (b"nonsense\n", "not JSON at column 2: expected ident (FILE:1)"),
        (b"{\"hash\":\"0x\",\"hash\":\"0x\"}\n", "`hash` twice in one block (FILE:1, hash)"),
        (b"\xff\xfe\n", "not UTF-8 at column 1 (FILE:1)"),
        (b"{\"added\":\"\xff\"}\n", "not UTF-8 at column 11 (FILE:1)"),
        (b"{\"added\":\"\xe2\x82", "the line ends within the block (FILE:1)"),
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
    let results: Vec<_> = BlockFile::open(file.path(), &checked()).expect("a file").collect();
    let good: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, true, true, false]);
}

#[test]
fn a_file_that_cannot_be_read_is_not_a_lie() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = BlockFile::open(&dir.path().join("none.jsonl"), &checked());
    assert!(matches!(missing, Err(SourceError::Unreadable { .. })));
    let blocks =
        BlockFile::open(dir.path(), &checked()).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    assert!(matches!(blocks, Err(SourceError::Unreadable { .. })));
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let pipe = dir.path().join("pipe.jsonl");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    for path in [&pipe, Path::new("/dev/zero")] {
        let error = BlockFile::open(path, &checked()).expect_err("no file");
        assert!(matches!(error, SourceError::Unreadable { .. }), "{error}");
        assert!(error.to_string().starts_with("a pipe, socket or device ("), "{error}");
    }
}

#[test]
fn go_ethereums_name_of_the_access_lists_hash_is_taken_and_only_once() {
    let mut block = amsterdam();
    let hash = block.as_object_mut().and_then(|block| block.remove("blockAccessListHash"));
    set(&mut block, "balHash", hash.clone().into());
    read(&lines(&[block.clone()]), &[]).expect("a good block");
    set(&mut block, "blockAccessListHash", hash.into());
    assert_eq!(lie(&[block]).field.as_deref(), Some("balHash"));
}

#[test]
fn a_field_of_a_fork_to_come_is_told_and_not_passed_over() {
    let mut block = amsterdam();
    set(&mut block, "totalDifficulty", json!("0x0"));
    set(&mut block, "inclusionListHash", json!("0x11"));
    set(&mut block, "hash", json!(format!("0x{}", "11".repeat(32))));
    let lie = lie(&[block]);
    assert!(lie.remedy.contains("`inclusionListHash`"), "{}", lie.remedy);
    assert!(lie.remedy.ends_with("use a newer push0") && !lie.remedy.contains("totalDifficulty"));
}

#[test]
fn a_changed_block_is_told_from_a_chain_that_hashes_otherwise() {
    let blocks = chain(3);
    for changed in 0..3 {
        let mut blocks = blocks.clone();
        set(blocks.get_mut(changed).expect("one of three"), "gasUsed", json!("0x7"));
        let Lie { what, remedy, .. } = lie(&blocks);
        assert!(what.contains("other blocks of the file have the hash"), "{what}");
        assert!(
            remedy.contains("fetch the block again") && !remedy.contains("trusted"),
            "{remedy}"
        );
        let line = changed + 1;
        let told = read(&lines(&blocks), &[]).expect_err("a lie").to_string();
        assert!(told.contains(&format!("(FILE:{line}, hash)")), "{told}");
    }
    let mut next = zksync();
    set(&mut next, "number", json!("0x2"));
    for blocks in [vec![zksync()], vec![zksync(), next]] {
        let Lie { remedy, .. } = lie(&blocks);
        assert!(remedy.contains("`hash = \"trusted\"` in [source]"), "{remedy}");
        assert!(!remedy.contains("fetch the block again"), "{remedy}");
    }
}

#[test]
fn a_chain_that_hashes_otherwise_is_taken_on_its_sources_word() {
    let mut next = zksync();
    set(&mut next, "number", json!("0x2"));
    set(&mut next, "parentHash", zksync().get("hash").cloned().into());
    set(&mut next, "hash", json!(format!("0x{}", "22".repeat(32))));
    // All that is needed of one.
    let bare = json!({"number": "0x3", "hash": format!("0x{}", "33".repeat(32)),
        "parentHash": next.get("hash")});
    let read = read_trusting(&lines(&[zksync(), next.clone(), bare])).expect("a chain");
    assert_eq!(read.len(), 3);
    let told = |blocks: &[Value]| read_trusting(&lines(blocks)).expect_err("a lie").to_string();
    set(&mut next, "parentHash", json!(format!("0x{}", "11".repeat(32))));
    assert!(told(&[zksync(), next.clone()]).contains("keep the blocks of one branch"));
    set(&mut next, "number", json!("0x5"));
    assert!(told(&[zksync(), next]).contains("3 missing"));
}

#[test]
fn a_height_that_no_log_takes_is_refused_here() {
    let mut block = prague();
    set(&mut block, "number", json!(format!("{:#x}", u64::MAX / 4)));
    seal(&mut block);
    read(&lines(&[block.clone()]), &[]).expect("the highest");
    set(&mut block, "number", json!(format!("{:#x}", u64::MAX / 4 + 1)));
    seal(&mut block);
    assert_eq!(lie(&[block]).field.as_deref(), Some("number"));
}

fn read(text: &[u8], fields: &[&str]) -> Result<Vec<SourceBlock>, SourceError> {
    let file = file(text);
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    read_by(file.path(), &Rules { fields, ..checked() })
}

/// As [`read`], of a chain whose source is believed.
fn read_trusting(text: &[u8]) -> Result<Vec<SourceBlock>, SourceError> {
    read_by(file(text).path(), &Rules { hashing: BlockHashing::Trusted, ..checked() })
}

fn checked() -> Rules {
    Rules { fields: Vec::new(), hashing: BlockHashing::OfHeader }
}

fn read_by(path: &Path, rules: &Rules) -> Result<Vec<SourceBlock>, SourceError> {
    let blocks = BlockFile::open(path, rules)?.collect::<Result<Vec<_>, _>>();
    blocks.map_err(|error| match error {
        SourceError::Lies { line, field, what, remedy, .. } => {
            SourceError::Lies { file: "FILE".into(), line, field, what, remedy }
        }
        other @ (SourceError::Unreadable { .. } | SourceError::Node { .. }) => other,
    })
}

fn lie(blocks: &[Value]) -> Lie {
    match read(&lines(blocks), &[]).expect_err("a lie") {
        SourceError::Lies { field, what, remedy, .. } => Lie { field, what, remedy },
        other @ (SourceError::Unreadable { .. } | SourceError::Node { .. }) => panic!("{other}"),
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
    let line = json::read(block.to_string().as_bytes(), &header::has).expect("an object");
    let hash = header::hash(&line.object).expect("a header").to_string();
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
