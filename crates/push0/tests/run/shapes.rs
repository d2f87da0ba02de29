//! Pipelines of every shape, and the limits within which they run.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{History, World, blocks, head};

#[test]
fn a_sequence_closes_at_its_max_and_at_the_end_of_the_source() {
    let world = world(SEQUENCE, 10);
    assert_eq!(spans(&world), [(1, 4), (5, 8), (9, 10)]);
    assert_eq!(closings(&world.history(), "batch"), ["max", "max", "boundary"]);
}

#[test]
fn a_sequence_closes_by_weight_before_the_weight_is_passed() {
    // Block n uses 21,000 gas n mod 7 times.
    let world = world(&SEQUENCE.replace("blocks = 4", "gasUsed = 200_000"), 12);
    assert_eq!(spans(&world), [(1, 3), (4, 5), (6, 9), (10, 11), (12, 12)]);
}

#[test]
fn a_sequence_closes_at_its_age_once_it_has_its_min() {
    let aged = SEQUENCE.replace("max = { blocks = 4 }", r#"min = { blocks = 2 }, age = "100ms""#);
    let world = world(&aged.replace("1ms", "150ms"), 7);
    world.run(&["--slots", "1"]).with(0);
    let history = world.history().complete();
    let closings = closings(&history, "batch");
    assert!(closings.contains(&"age".to_owned()), "{closings:?}");
    let closed = history.all("batch_closed").rev().skip(1);
    assert!(closed.into_iter().all(|event| event["items"].as_u64() >= Some(2)), "{closings:?}");
}

#[test]
fn a_sequence_of_sequences_covers_every_block_once() {
    let world = world(&SEQUENCE.replace(RELEASE, OVER), 23);
    assert_eq!(spans(&world), [(1, 8), (9, 16), (17, 23)]);
}

#[test]
fn a_tree_with_a_max_turns_a_thousand_blocks_into_ten_proofs() {
    let world = world(TREE, 1_000);
    let expected: Vec<_> = (0..10).map(|group| (group * 100 + 1, group * 100 + 100)).collect();
    assert_eq!(spans(&world), expected);
}

#[test]
fn the_parts_of_a_block_are_proved_one_by_one_and_joined() {
    let world = world(PARTS, 4);
    assert_eq!(spans(&world), [(1, 1), (2, 2), (3, 3), (4, 4)]);
    let history = world.history();
    let opened = |stage| history.all("task_opened").filter(|event| event["stage"] == stage).count();
    assert_eq!((opened("split"), opened("join")), (4, 4));
    assert!((8..=20).contains(&opened("step")), "two to five steps a block");
}

#[test]
fn several_final_stages_share_a_file() {
    let world = world(SEVERAL, 3);
    let run = world.run(&["--json"]).with(0).json();
    let proofs = run["proofs"].as_array().expect("a list");
    assert_eq!(proofs.len(), 6);
    let file = proofs.first().and_then(|proof| proof["path"].as_str()).expect("a path");
    let file = fs::read_to_string(world.path(file)).expect("a proof file");
    let file: Value = serde_json::from_str(&file).expect("JSON");
    let stages = file["proofs"].as_array().expect("a list").iter().map(|proof| &proof["stage"]);
    assert_eq!(stages.collect::<Vec<_>>(), ["zisk", "sp1"]);
    let files: Vec<_> = run["proofs"].as_array().into_iter().flatten().collect();
    let stages = files.iter().take(2).map(|proof| &proof["stage"]).collect::<Vec<_>>();
    assert_eq!(stages, ["zisk", "sp1"]);
    let table = world.run(&[]).with(0).stdout;
    let told: Vec<_> = table.lines().filter(|line| line.starts_with("  proof ")).collect();
    assert_eq!(told.len(), 3, "each file once: {table}");
    assert!(told.iter().all(|line| line.contains(".proof.json, of zisk, sp1, a mock")), "{table}");
}

#[test]
fn no_task_is_opened_past_the_window() {
    let world = World::new(&format!("window = 4\n{}{ALONE}", head()), &blocks(1, 20));
    world.run(&["--slots", "2"]).with(0);
    let history = world.history().complete();
    let mut open = BTreeMap::new();
    for event in history.events() {
        let task = event["task"].as_str().unwrap_or_default();
        match event["event"].as_str() {
            Some("task_opened") => {
                let first = event["key"]["first"].as_u64().expect("a height");
                open.insert(task, first);
                let lowest = *open.values().min().expect("this one");
                assert!(first < lowest + 4, "{first} opened while {lowest} is open");
            }
            Some("accepted") => drop(open.remove(task)),
            _ => {}
        }
    }
}

#[test]
fn as_many_attempts_run_at_once_as_there_are_slots() {
    for (slots, most) in [("1", 1), ("4", 4)] {
        let world = World::gated(&format!("{}{ALONE}", head()), &blocks(1, 12));
        world.run_once_granted(most, &["--slots", slots]);
        assert_eq!(world.history().complete().most(|_| 1), most as u64);
    }
}

#[test]
fn no_more_memory_is_reserved_at_once_than_there_is() {
    let world = World::gated(&format!("{}{MEMORY}", head()), &blocks(1, 12));
    world.run_once_granted(2, &["--slots", "4", "--memory", "500MiB"]);
    let mebibytes = |stage: &str| if stage == "large" { 300 } else { 150 };
    let most = world.history().complete().most(mebibytes);
    assert!((301..=500).contains(&most), "{most} MiB at once");
}

#[test]
fn a_program_that_needs_more_memory_than_there_is_is_refused() {
    let ended = world(MEMORY, 1).run(&["--memory", "200MiB"]).with(2);
    assert!(ended.error().contains("large") && ended.error().contains("--memory"));
}

/// A world with these stages, which begins with block 1.
fn world(stages: &str, count: usize) -> World {
    World::new(&format!("{}{stages}", head()), &blocks(1, count))
}

/// What each proof of a run to the end covers, in the order of the feed.
fn spans(world: &World) -> Vec<(u64, u64)> {
    world.run(&["--slots", "4"]).with(0);
    let history = world.history().complete();
    let released = history.all("released").map(|event| {
        let height = |name: &str| event["key"][name].as_u64().expect("a height");
        (height("first"), height("last"))
    });
    released.collect()
}

/// Why each batch of a stage closed.
fn closings(history: &History, stage: &str) -> Vec<String> {
    let of = history.all("batch_closed").filter(|event| event["stage"] == stage);
    of.map(|event| event["why"].as_str().expect("a word").to_owned()).collect()
}

const RELEASE: &str = r#"[release]
inputs = ["batch"]
"#;

const SEQUENCE: &str = r#"
[stages]
leaf  = { inputs = ["blocks"], program = "warm", args = ["--for", "1ms"] }
batch = { inputs = ["leaf"], collect = "sequence", max = { blocks = 4 }, program = "warm" }
[release]
inputs = ["batch"]
"#;

const OVER: &str = r#"over = { inputs = ["batch"], collect = "sequence", max = { items = 2 }, program = "warm" }
[release]
inputs = ["over"]
"#;

const TREE: &str = r#"
[stages]
leaf  = { inputs = ["blocks"], program = "warm" }
range = { inputs = ["leaf"], collect = "tree", arity = 4, max = { blocks = 100 }, program = "warm" }
[release]
inputs = ["range"]
"#;

const PARTS: &str = r#"
merge = { command = ["push0-prover-mock"], contract = "file", give = "raw", memory = "64MiB", mock = true }
[stages]
split = { inputs = ["blocks"], program = "merge", args = ["split"], output = "parts" }
step  = { inputs = ["split"], program = "merge", args = ["step"] }
join  = { inputs = ["step"], collect = "parts", program = "merge", args = ["join"] }
[release]
inputs = ["join"]
"#;

const SEVERAL: &str = r#"
[stages]
sp1  = { inputs = ["blocks"], program = "warm", args = ["--for", "20ms"] }
zisk = { inputs = ["blocks"], program = "cold" }
[release]
inputs = ["zisk", "sp1"]
"#;

const ALONE: &str = r#"
[stages]
prove = { inputs = ["blocks"], program = "warm", args = ["--for", "50ms"] }
[release]
inputs = ["prove"]
"#;

const MEMORY: &str = r#"
large = { command = ["push0-prover-mock"], contract = "serve", memory = "300MiB", mock = true }
small = { command = ["push0-prover-mock"], contract = "file", give = "number", memory = "150MiB", mock = true }
[stages]
large = { inputs = ["blocks"], program = "large", args = ["--for", "40ms"] }
small = { inputs = ["blocks"], program = "small", args = ["--for", "40ms"] }
[release]
inputs = ["large", "small"]
"#;
