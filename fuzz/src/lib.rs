//! Everything of push0 that reads bytes from outside, each as a function over any bytes.
//!
//! ```text
//! cargo +nightly fuzz run frames --features libfuzzer     (or another of the targets)
//! ```
//!
//! None of them may panic, or take more memory than its limits say. Where a checksum keeps a fuzzer
//! out, the bytes are tried as they are and with the checksum made right.
//!
//! Not here: what is right (each crate's own tests).

#![expect(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

mod engine;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use push0::cli::fuzzing;
use push0::cluster::{Answer, Ask, Down, LeaderBeat};
use push0_core::{AttemptId, BlockHashing, FromDispatcher, Limits, Scheduler, Seq, TaskId, Turn};
use push0_dispatch::{OutputAnswer, OutputAsk, Store};
use push0_prover::wire::{Bundle, Digest, Reply, Request, ResultFile};
use push0_prover::{Envelope, ProofFile};
use push0_source::{BlockFile, Rules};
use tempfile::TempDir;

pub use engine::engine;

/// A segment of the file log: read, with whatever of it is whole replayed.
pub fn frames(bytes: &[u8]) {
    segment(bytes);
    let mut right = bytes.to_vec();
    set_checksums(&mut right);
    segment(&right);
}

/// The payload of a turn's frame: a turn as MessagePack; and as JSON, a line each, replayed after
/// nothing and after itself.
pub fn records(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(turn) = serde_json::from_slice::<Turn>(line) else { continue };
        let again = serde_json::to_vec(&turn).expect("what was JSON is JSON again");
        let again: Turn = serde_json::from_slice(&again).expect("what push0 writes it reads");
        assert_eq!(again, turn);
    }
    if let Ok(turn) = rmp_serde::from_slice::<Turn>(bytes) {
        let again = rmp_serde::to_vec_named(&turn).expect("what was MessagePack is that again");
        let again: Turn = rmp_serde::from_slice(&again).expect("what push0 writes it reads");
        assert_eq!(again, turn);
        let _ = Scheduler::replay(Limits::default(), &[turn]);
    }
    let lines = bytes.split(|byte| *byte == b'\n');
    let turns: Vec<Turn> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    // Illegal histories are refused, by whoever reads them first.
    let _ = Scheduler::replay(Limits::default(), &turns);
}

/// A pipeline's file.
pub fn pipelines(bytes: &[u8]) {
    in_a_file("pipeline.toml", bytes, |path| {
        if let Err(error) = push0_pipeline::load(path) {
            assert!(!error.to_string().is_empty());
        }
    });
}

/// A file of blocks, to its end or its first fault.
pub fn blocks(bytes: &[u8]) {
    in_a_file("blocks.jsonl", bytes, |path| {
        for hashing in [BlockHashing::OfHeader, BlockHashing::Trusted] {
            let rules = Rules { fields: vec!["gasUsed".to_owned()], hashing };
            let Ok(file) = BlockFile::open(path, &rules) else { return };
            read(file);
        }
    });
}

fn read(file: BlockFile) {
    for next in file {
        if let Err(error) = next {
            assert!(!error.to_string().is_empty());
            return;
        }
    }
}

/// What a serving prover writes, and what one is told; and the files that a prover reads and
/// writes.
pub fn lines(bytes: &[u8]) {
    let _ = push0_dispatch::fuzzing::lines(bytes);
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(reply) = serde_json::from_slice::<Reply>(line) {
            let again = serde_json::to_string(&reply).expect("what was JSON is JSON again");
            assert!(!again.contains('\n'), "a reply is a line");
        }
        if let Ok(request) = serde_json::from_slice::<Request>(line) {
            let again = serde_json::to_string(&request).expect("what was JSON is JSON again");
            assert!(!again.contains('\n'), "a request is a line");
        }
    }
    let _ = serde_json::from_slice::<Bundle>(bytes);
    let _ = serde_json::from_slice::<ResultFile>(bytes);
}

/// A proof's file: what is read is written back byte for byte.
pub fn envelopes(bytes: &[u8]) {
    envelope(bytes);
    if let Some(body) = bytes.strip_suffix(b"}") {
        let digest = Digest::of(bytes);
        let sealed = [body, format!(",\"digest\":\"sha256:{digest}\"}}").as_bytes()].concat();
        envelope(&sealed);
    }
}

/// What attempts print, as `push0 logs` has it: questions and answers of the bus, the pieces of an
/// output, and what a store keeps, under whatever names.
pub fn outputs(bytes: &[u8]) {
    if let Ok(ask) = serde_json::from_slice::<OutputAsk>(bytes) {
        let again = serde_json::to_vec(&ask).expect("what was JSON is JSON again");
        assert_eq!(serde_json::from_slice::<OutputAsk>(&again).expect("it is its own"), ask);
    }
    if let Ok(answer) = serde_json::from_slice::<OutputAnswer>(bytes) {
        let again = serde_json::to_vec(&answer).expect("what was JSON is JSON again");
        assert_eq!(serde_json::from_slice::<OutputAnswer>(&again).expect("it is its own"), answer);
    }
    fuzzing::answer(bytes).iter().for_each(|shown| is_harmless(shown));
    is_harmless(&fuzzing::kept(bytes));
    is_harmless(&push0_dispatch::fuzzing::pieces(bytes));
    if bytes.len() <= NAME_BYTES_MAX {
        kept_under_any_name(bytes);
    }
}

/// Every message of the bus between engines, dispatchers and clients.
pub fn messages(bytes: &[u8]) {
    if let Ok(ask) = serde_json::from_slice::<Ask>(bytes) {
        let again = serde_json::to_vec(&ask).expect("what was JSON is JSON again");
        assert_eq!(serde_json::from_slice::<Ask>(&again).expect("it is its own"), ask);
    }
    if let Ok(beat) = serde_json::from_slice::<LeaderBeat>(bytes) {
        let again = serde_json::to_vec(&beat).expect("what was JSON is JSON again");
        assert_eq!(serde_json::from_slice::<LeaderBeat>(&again).expect("it is its own"), beat);
    }
    if let Ok(said) = serde_json::from_slice::<Vec<FromDispatcher>>(bytes) {
        let again = serde_json::to_vec(&said).expect("what was JSON is JSON again");
        assert!(serde_json::from_slice::<Vec<FromDispatcher>>(&again).is_ok(), "it is its own");
    }
    if let Ok(answer) = serde_json::from_slice::<Answer>(bytes) {
        let again = serde_json::to_vec(&answer).expect("what was JSON is JSON again");
        assert!(serde_json::from_slice::<Answer>(&again).is_ok(), "it is its own");
    }
    if let Ok(down) = serde_json::from_slice::<Down>(bytes) {
        let again = serde_json::to_vec(&down).expect("what was JSON is JSON again");
        assert!(serde_json::from_slice::<Down>(&again).is_ok(), "it is its own");
    }
}

/// A store is opened for it, which syncs: so of what is as short as a name alone.
fn kept_under_any_name(bytes: &[u8]) {
    let dir = TempDir::new().expect("a directory");
    let store = Store::open(&dir.path().join("store")).expect("a new store");
    let of = (AttemptId(7), TaskId([7; 32]));
    store.put_output(of, bytes).expect("room on the disk");
    assert!(store.output(of).expect("it is there").is_some_and(|kept| bytes.starts_with(&kept)));
    // A stranger puts a file beside it: what its name says is read too.
    let name: Vec<u8> = bytes.iter().filter(|byte| !b"/\0".contains(byte)).copied().collect();
    let name = dir.path().join("store/output").join(OsStr::from_bytes(&name));
    let is_there = name.file_name().is_some() && fs::write(&name, bytes).is_ok();
    let listed = store.outputs().expect("the disk is sound");
    assert!((1..=1 + usize::from(is_there)).contains(&listed.len()), "{listed:?}");
}

/// More than the name of an output has.
const NAME_BYTES_MAX: usize = 120;

/// A terminal obeys none of it.
fn is_harmless(shown: &str) {
    assert_eq!(push0_core::plain_lines(shown), shown);
}

fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::decode(bytes) {
        assert_eq!(envelope.encode().expect("it was JSON"), bytes);
    }
    if let Ok(file) = ProofFile::decode(bytes) {
        assert_eq!(file.encode().expect("it was JSON"), bytes);
    }
}

fn segment(bytes: &[u8]) {
    in_a_file("log/00000001.seg", bytes, |path| {
        let data = path.parent().and_then(Path::parent).expect("a directory above the log");
        let mut turns = Vec::new();
        let report = push0_log::scan(data, Seq(0), &mut |turn| turns.push(turn));
        assert!(report.is_ok(), "the disk is sound");
        let _ = Scheduler::replay(Limits::default(), &turns);
    });
}

/// Makes the checksum right of whatever says that it is a frame: see the table in the log's
/// `frame`.
fn set_checksums(bytes: &mut [u8]) {
    const MAGIC: &[u8] = b"\x89push0\r\n";
    for start in (0..bytes.len()).step_by(64) {
        let Some(frame) = bytes.get_mut(start..).filter(|rest| rest.starts_with(MAGIC)) else {
            continue;
        };
        let length = frame.get(12..16).and_then(|length| <[u8; 4]>::try_from(length).ok());
        let length = length.map_or(0, |length| u32::from_le_bytes(length) as usize);
        let Some(whole) = frame.get_mut(..length.next_multiple_of(64)) else { continue };
        if let Some(checksum) = whole.get_mut(16..20) {
            checksum.fill(0);
        }
        let right = crc32c::crc32c(whole).to_le_bytes();
        if let Some(checksum) = whole.get_mut(16..20) {
            checksum.copy_from_slice(&right);
        }
    }
}

fn in_a_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().expect("it has one")).expect("room on the disk");
    fs::write(&path, bytes).expect("room on the disk");
    read(&path);
}
