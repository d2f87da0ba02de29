//! `push0 log`.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use push0_core::FailureClass;
use push0_testbed::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::{PAIRS, World, at, failed, proved, push0};

#[test]
fn every_event_has_a_line_of_json_that_joins_grants_with_their_ends() {
    let world = finished();
    let ran = world.push0(&["log", "cat", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let events = events(&ran.stdout);
    let count = |name| events.iter().filter(|event| field(event, "event") == name).count();
    assert_eq!((count("granted"), count("accepted"), count("released")), (3, 3, 1));
    let granted = events.iter().filter(|event| field(event, "event") == "granted");
    let by_attempt: BTreeMap<_, _> =
        granted.map(|event| (number(event, "attempt"), field(event, "task"))).collect();
    for event in events.iter().filter(|event| field(event, "event") == "accepted") {
        assert_eq!(by_attempt.get(&number(event, "attempt")), Some(&field(event, "task")));
    }
}

#[test]
fn events_are_numbered_without_a_gap_and_timed_in_utc() {
    let world = finished();
    let events = events(&world.push0(&["log", "cat", "--json"]).stdout);
    for (event, seq) in events.iter().zip(1_u64..) {
        assert_eq!(number(event, "seq"), Some(seq));
        let at = field(event, "at");
        assert!(at.starts_with("2025-10-09T08:53:20.0") && at.ends_with('Z'), "{at}");
    }
}

#[test]
fn a_walk_shows_what_each_event_changed() {
    let mut world = World::new(PAIRS);
    world.submit(5..6);
    let grant = world.grants().pop().expect("a grant");
    world.report(&grant, failed(FailureClass::Unprovable));
    world.close();
    let task = grant.task.short();
    insta::assert_snapshot!(world.push0(&["log", "step", "--task", &task]).shown(&world), @r#"
         4 2025-10-09T08:53:20.004000Z task_opened     stage=leaf key=5 task=78443ef2 inputs=1
           - stage leaf: 0 waiting, 0 ready, 0 running, 0 accepted, 0 parked
           + stage leaf: 0 waiting, 1 ready, 0 running, 0 accepted, 0 parked
           + task 78443ef2 (leaf 5): ready, to be tried from 2025-10-09T08:53:20.004000Z
         5 2025-10-09T08:53:20.006000Z granted         stage=leaf key=5 task=78443ef2 dispatcher=local until=2025-10-09T10:16:30.006000Z
           - stage leaf: 0 waiting, 1 ready, 0 running, 0 accepted, 0 parked
           - task 78443ef2 (leaf 5): ready, to be tried from 2025-10-09T08:53:20.004000Z
           + stage leaf: 0 waiting, 0 ready, 1 running, 0 accepted, 0 parked
           + task 78443ef2 (leaf 5): running, attempt 5 on local until 2025-10-09T10:16:30.006000Z
         6 2025-10-09T08:53:20.007000Z failed          stage=leaf key=5 task=78443ef2 attempt=5 class=unprovable ran=1.500s message="it says no\nand more"
           - stage leaf: 0 waiting, 0 ready, 1 running, 0 accepted, 0 parked
           - task 78443ef2 (leaf 5): running, attempt 5 on local until 2025-10-09T10:16:30.006000Z
           + stage leaf: 0 waiting, 1 ready, 0 running, 0 accepted, 0 parked
           + task 78443ef2 (leaf 5): ready, to be tried from 2025-10-09T08:53:20.361901Z
         7 2025-10-09T08:53:20.007000Z parked          stage=leaf key=5 task=78443ef2 class=unprovable message="attempt 1 of 1 that ended so: it says no\nand more"
           - stage leaf: 0 waiting, 1 ready, 0 running, 0 accepted, 0 parked
           - task 78443ef2 (leaf 5): ready, to be tried from 2025-10-09T08:53:20.361901Z
           + stage leaf: 0 waiting, 0 ready, 0 running, 0 accepted, 1 parked
           + task 78443ef2 (leaf 5): parked as unprovable
    --- stderr
    --- exit 0
    "#);
    let two = world.push0(&["log", "step", "--from", "2", "--to", "3"]);
    let events: Vec<_> = two.stdout.lines().filter(|line| !line.starts_with("       ")).collect();
    assert_eq!(events.len(), 2, "{}", two.stdout);
}

#[test]
fn where_nothing_matches_that_is_said() {
    let world = finished();
    let ran = world.push0(&["log", "cat", "--block", "99", "--event", "failed,lost"]);
    assert_eq!((ran.code, &*ran.stdout), (Some(0), ""));
    let asked = "none fits --block 99 --event failed,lost\n";
    assert!(
        ran.stderr.starts_with("nothing matches: the log has ") && ran.stderr.ends_with(asked),
        "{}",
        ran.stderr
    );
    let ran = world.push0(&["log", "step", "--task", "ffffffff"]);
    assert_eq!((ran.code, &*ran.stdout), (Some(0), ""));
    assert!(ran.stderr.starts_with("nothing matches: "), "{}", ran.stderr);
    assert_eq!(world.push0(&["log", "cat", "--block", "5"]).stderr, "");
}

#[test]
fn people_get_a_line_for_each_event() {
    let mut world = World::new(PAIRS);
    world.submit(5..6);
    let grant = world.grants().pop().expect("a grant");
    world.report(&grant, failed(FailureClass::Unprovable));
    world.close();
    insta::assert_snapshot!(world.push0(&["log", "cat"]).shown(&world), @r#"
         1 2025-10-09T08:53:20.001000Z claimed         epoch=1
         2 2025-10-09T08:53:20.002000Z configured      pipeline=demo
         3 2025-10-09T08:53:20.003000Z block_submitted number=5 hash=5dee4dd6 bytes=8
         4 2025-10-09T08:53:20.004000Z task_opened     stage=leaf key=5 task=78443ef2 inputs=1
         5 2025-10-09T08:53:20.006000Z granted         stage=leaf key=5 task=78443ef2 dispatcher=local until=2025-10-09T10:16:30.006000Z
         6 2025-10-09T08:53:20.007000Z failed          stage=leaf key=5 task=78443ef2 attempt=5 class=unprovable ran=1.500s message="it says no\nand more"
         7 2025-10-09T08:53:20.007000Z parked          stage=leaf key=5 task=78443ef2 class=unprovable message="attempt 1 of 1 that ended so: it says no\nand more"
    --- stderr
    --- exit 0
    "#);
}

#[test]
fn what_is_picked_fits_every_flag() {
    let world = finished();
    let names = |words: &[&str]| -> Vec<String> {
        let ran = world.push0(&[&["log", "cat", "--json"], words].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        events(&ran.stdout).iter().map(|event| field(event, "event").to_owned()).collect()
    };
    let block = names(&["--block", "6"]);
    let count = |name: &str| block.iter().filter(|it| *it == name).count();
    let once = ["block_submitted", "batch_closed", "released"].map(count);
    assert_eq!((once, ["task_opened", "granted", "accepted"].map(count)), ([1; 3], [2; 3]));
    assert_eq!(block.len(), 9, "{block:?}");
    assert_eq!(names(&["--block", "6", "--stage", "leaf"]), ["task_opened", "granted", "accepted"]);
    let range = names(&["--stage", "range", "--event", "granted,batch_closed"]);
    assert_eq!(range, ["batch_closed", "granted"]);
    assert_eq!(names(&["--block", "7"]), [""; 0]);
    let all = events(&world.push0(&["log", "cat", "--json"]).stdout);
    let task = all.iter().find(|event| field(event, "event") == "granted").expect("a grant");
    let task = field(task, "task").to_owned();
    let (digits, _) = task.split_at(9);
    assert_eq!(names(&["--task", digits, "--event", "task_opened,accepted"]).len(), 2);
    let last = field(all.last().expect("events"), "at").to_owned();
    assert!((1..3).contains(&names(&["--since", &last]).len()));
    assert_eq!(names(&["--since", "1h"]), [""; 0], "it was all in 2025");
    assert_eq!(names(&["--since", "2000-01-01T00:00:00Z"]).len(), all.len());
}

#[test]
fn every_line_about_a_task_has_its_stage_and_key() {
    let world = finished();
    let all = events(&world.push0(&["log", "cat", "--json"]).stdout);
    let of_tasks: Vec<_> = all.iter().filter(|event| event.get("task").is_some()).collect();
    assert!(of_tasks.len() >= 9, "{all:?}");
    for event in of_tasks {
        assert!(["leaf", "range"].contains(&field(event, "stage")), "{event}");
        assert!(event.pointer("/key/first").is_some_and(Value::is_u64), "{event}");
    }
    for line in world.push0(&["log", "cat"]).stdout.lines().filter(|line| line.contains(" task=")) {
        assert!(line.contains(" stage=") && line.contains(" key="), "{line}");
    }
}

#[test]
fn what_cannot_be_picked_is_told_with_what_can() {
    let world = finished();
    for (words, told) in [
        (["--stage", "leave"], "there is no stage leave (--stage): name one of leaf, range"),
        (["--event", "crashed"], "no event is named so: name some of configured, claimed"),
        (["--since", "yesterday"], "write a time in UTC like 2025-10-09T08:53:20Z"),
        (["--task", "leaf"], "a task's id has hexadecimal digits"),
        (["--block", "0x10"], "invalid digit"),
    ] {
        let ran = world.push0(&[&["log", "cat"], &words[..]].concat());
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
    }
    for command in [&["log", "cat"][..], &["log", "step"], &["artifacts"], &["logs", "7"]] {
        let ran = push0(command);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.stderr.contains("nothing says which run or cluster is meant"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_log_is_followed_as_it_grows_until_somebody_interrupts() {
    let mut world = World::new(PAIRS);
    world.submit(5..6);
    let printed = world.path().join("printed");
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
    command.args(["log", "cat", "-f", "--event", "block_submitted", "--data"]).arg(world.data());
    command.stdout(fs::File::create(&printed).expect("writable"));
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let wait = |number: u64| {
        let line = format!(" number={number} ");
        until(&format!("block {number} is not told"), || {
            let text = fs::read_to_string(&printed).expect("it is there");
            text.contains(&line).then_some(text)
        })
    };
    wait(5);
    world.submit(6..8);
    wait(7);
    world.kill();
    world.reopen();
    world.submit(8..9);
    let text = wait(8);
    assert_eq!(text.lines().count(), 4, "{text}");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is ours");
    let ended = until("it does not end", || child.try_wait().expect("it is ours"));
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_log_is_read_beside_the_engine_that_writes_it() {
    let mut world = World::new(PAIRS);
    world.submit(5..6);
    let ran = world.push0(&["log", "verify", "--json"]);
    assert_eq!((ran.code, at(&ran.stdout, "/end")), (Some(0), "open".into()), "{}", ran.stderr);
}

#[test]
fn verify_counts_what_is_there() {
    let world = finished();
    let ran = world.push0(&["log", "verify"]);
    let shown = ran.shown(&world);
    let (_, rest) = shown.split_once('\n').expect("the log's id first");
    insta::assert_snapshot!(rest, @r"
    segments  1
    frames    16
    turns     14
    events    16, every one may follow those before it
    epoch     1
    bytes     4928
    end       clean: whoever wrote it ended well
    --- stderr
    --- exit 0
    ");
}

#[test]
fn a_flipped_byte_in_the_middle_is_refused_after_what_could_be_read() {
    let world = finished();
    let (_, _, end) = world.segment();
    world.flip(end / 2);
    for command in ["cat", "verify"] {
        let ran = world.push0(&["log", command]);
        assert_eq!(ran.code, Some(4));
        let is_told = ran.stderr.contains("00000001.seg is damaged at byte ");
        assert!(is_told && !ran.stdout.is_empty(), "{}", ran.stderr);
    }
    assert_eq!(world.push0(&["status"]).code, Some(4));
}

#[test]
fn a_torn_tail_is_told_and_harms_nothing() {
    let mut world = World::new(PAIRS);
    world.submit(5..8);
    world.kill();
    let (_, _, end) = world.segment();
    world.flip(end - 20);
    let ran = world.push0(&["log", "verify"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("torn: "), "{}", ran.stdout);
    assert_eq!(world.push0(&["log", "cat"]).code, Some(0));
    assert_eq!(world.push0(&["status"]).code, Some(0));
}

#[test]
fn events_that_cannot_follow_one_another_are_damage() {
    let mut world = World::new(PAIRS);
    world.forge();
    let ran = world.push0(&["log", "verify"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    assert!(ran.stderr.contains("cannot be"), "{}", ran.stderr);
}

#[test]
fn a_record_of_a_newer_version_is_refused_as_such() {
    let world = finished();
    let (path, mut bytes, _) = world.segment();
    // Its first frame, as crates/log/src/frame.rs lays it out: version, length, checksum.
    let length =
        bytes.get(12..16).and_then(|length| Some(u32::from_le_bytes(length.try_into().ok()?)));
    let padded = (length.expect("a length") as usize).next_multiple_of(64);
    let (frame, _) = bytes.split_at_mut(padded);
    frame.iter_mut().skip(8).zip([2, 0]).for_each(|(byte, version)| *byte = version);
    frame.iter_mut().skip(16).take(4).for_each(|byte| *byte = 0);
    let checksum = crc32c::crc32c(frame).to_le_bytes();
    frame.iter_mut().skip(16).zip(checksum).for_each(|(byte, check)| *byte = check);
    fs::write(path, bytes).expect("a newer segment");
    let ran = world.push0(&["log", "cat"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains("newer push0 at byte 0"), "{}", ran.stderr);
}

#[test]
fn what_is_no_data_directory_is_told_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("UTF-8");
    let ran = push0(&["log", "cat", "--data", path]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("not a data directory") && ran.stderr.contains(path));
    let ran = push0(&["log", "cat", "--data", "/no/such/dir"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("no such directory (/no/such/dir)"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let mut world = World::new(PAIRS);
    world.submit(5..105);
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
    command.args(["log", "cat", "--data"]).arg(world.data());
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn a_result_that_cannot_be_written_exits_6() {
    let world = finished();
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
    command.args(["log", "cat", "--data"]).arg(world.data()).stdout(full);
    assert_eq!(command.status().expect("it starts").code(), Some(6));
}

/// Two blocks, all proved and released.
fn finished() -> World {
    let mut world = World::new(PAIRS);
    world.submit(5..7);
    world.end_source();
    world.work(|store, grant| proved(store, grant, true));
    world.close();
    world
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(parsed).collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn number(event: &Value, name: &str) -> Option<u64> {
    event.get(name).and_then(Value::as_u64)
}

fn field<'a>(event: &'a Value, name: &str) -> &'a str {
    event.get(name).and_then(Value::as_str).unwrap_or_default()
}
