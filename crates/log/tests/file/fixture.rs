//! Bytes that some push0 wrote load for ever, and say what they said.
//!
//! Not here: how they were made (`examples/fixture.rs`).

use std::fs;
use std::path::{Path, PathBuf};

use push0_core::Seq;
use push0_log::conformance::finish;
use push0_log::{Ending, FileLog, Log as _, scan};
use serde_json::Value;
use tempfile::TempDir;

use crate::turns::turn;

#[test]
fn a_log_of_version_1_says_what_it_always_did() {
    says_what_it_always_did("v1");
}

#[test]
fn a_log_of_version_1_in_messagepack_says_what_it_always_did() {
    says_what_it_always_did("v1-messagepack");
}

#[test]
fn a_log_of_version_1_can_be_gone_on_with() {
    can_be_gone_on_with("v1", "70757368302066697874757265207631");
}

#[test]
fn a_log_of_version_1_in_messagepack_can_be_gone_on_with() {
    can_be_gone_on_with("v1-messagepack", "70757368302066697874757265206d70");
}

fn says_what_it_always_did(name: &str) {
    let fixture = fixture(name);
    let mut turns = Vec::new();
    let report = scan(&fixture, Seq(0), &mut |turn| turns.push(turn)).expect("it can be read");
    assert!(matches!(report.ending, Ending::Closed), "{report:?}");

    let listing = fs::read_to_string(fixture.join("turns.jsonl")).expect("it can be read");
    assert_eq!(turns.len(), listing.lines().count());
    for (turn, line) in turns.iter().zip(listing.lines()) {
        let said = serde_json::to_value(turn).expect("facts are JSON");
        let always = serde_json::from_str(line).expect("the listing is JSON");
        assert!(holds(&said, &always), "{said}\n{always}");
        for event in &turn.events {
            let written = serde_json::to_value(event).expect("facts are JSON");
            assert_eq!(written.get("event"), Some(&event.name().into()));
        }
    }
}

/// What is appended to it is MessagePack, whatever it began with.
fn can_be_gone_on_with(name: &str, id: &str) {
    let fixture = fixture(name).join("log");
    let dir = TempDir::new().expect("a temporary directory");
    fs::create_dir(dir.path().join("log")).expect("it is empty");
    for file in fs::read_dir(fixture).expect("it can be read") {
        let file = file.expect("it can be read");
        fs::copy(file.path(), dir.path().join("log").join(file.file_name()))
            .expect("there is room");
    }
    let (mut log, mut history, report) = FileLog::open(dir.path()).expect("it is sound");
    assert_eq!(log.id().to_string(), id);
    assert_eq!((history.len() as u64, report.cut()), (report.turns, None));
    let next = turn(log.last().next(), 7);
    finish(log.append(&next)).expect("it follows");
    history.push(next);
    drop(log);
    let (_, gone_on, _) = FileLog::open(dir.path()).expect("it is sound");
    assert_eq!(gone_on, history);
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Whether all of `always` is in `said`, which may have more fields by now.
fn holds(said: &Value, always: &Value) -> bool {
    match (said, always) {
        (Value::Object(said), Value::Object(always)) => {
            always.iter().all(|(key, always)| said.get(key).is_some_and(|said| holds(said, always)))
        }
        (Value::Array(said), Value::Array(always)) => {
            said.len() == always.len()
                && said.iter().zip(always).all(|(said, always)| holds(said, always))
        }
        (said, always) => said == always,
    }
}
