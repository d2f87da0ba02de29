//! The examples that need no real prover: each runs as it is, but in less time, and does what it
//! says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{History, World};

#[test]
fn several_provers_prove_every_block() {
    let (world, history) = ran("several", "3");
    assert_eq!(opened(&history), [("risc0", 5), ("sp1", 5), ("zisk", 5)]);
    for (block, file) in (FIRST..).zip(proof_files(&world)) {
        assert_eq!(stages_of(&file), ["sp1", "risc0", "zisk"]);
        assert_eq!(file["key"]["first"], block);
    }
}

#[test]
fn three_workers_share_one_provers_work() {
    let (world, history) = ran("workers", "3");
    assert_eq!(opened(&history), [("prove", 5)]);
    assert_eq!(history.most(|_| 1), 3);
    assert_eq!(proof_files(&world).len(), 5);
}

#[test]
fn a_single_prover_takes_one_block_after_the_other() {
    let (world, history) = ran("single", "1");
    assert_eq!(history.most(|_| 1), 1);
    let granted = history.all("granted").map(|event| event["task"].as_str().expect("a task"));
    let in_order: Vec<_> = (FIRST..FIRST + 5).map(|block| history.task("prove", block)).collect();
    assert_eq!(granted.collect::<Vec<_>>(), in_order);
    let file = proof_files(&world).remove(0);
    assert_eq!((&file["mock"], &file["pipeline"]), (&true.into(), &"demo-single".into()));
}

#[test]
fn the_splitter_decides_how_many_parts_are_proved_and_joined() {
    let (world, history) = ran("parts", "4");
    let parts = parts_of(&history);
    assert!(parts.values().all(|count| (2..=5).contains(count)), "{parts:?}");
    assert!(parts.values().any(|count| Some(count) != parts.values().next()), "{parts:?}");
    assert_joined(&history, &parts);
    assert_eq!(proof_files(&world).len(), 5);
}

#[test]
fn parts_and_whole_blocks_are_released_together() {
    let (world, history) = ran("mixed", "4");
    assert_joined(&history, &parts_of(&history));
    assert_eq!(opened(&history).last(), Some(&("zisk", 5)));
    for file in proof_files(&world) {
        assert_eq!(stages_of(&file), ["join", "zisk"]);
    }
}

/// The example, run to its end by so many at once, with tenths of seconds for seconds.
fn ran(name: &str, slots: &str) -> (World, History) {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let read = |file: &str| fs::read_to_string(examples.join(file)).expect("an example");
    let pipeline = read(&format!("demo-{name}.toml"));
    let usage = format!("push0 run examples/demo-{name}.toml");
    assert!(pipeline.contains(&usage), "it does not say how it is run");
    let world = World::new(&hurried(&pipeline), &read("blocks.jsonl"));
    let check = world.push0(&["check", "pipeline.toml"]).with(0);
    assert_eq!(check.stderr, "", "a warning of an example");
    let run = world.run(&["--slots", slots, "--json"]).with(0).json();
    assert_eq!((&run["complete"], &run["blocks"]["released"]), (&true.into(), &5.into()), "{run}");
    let history = world.history().complete();
    (world, history)
}

/// The pipeline with a tenth of its times.
fn hurried(pipeline: &str) -> String {
    let mut text = pipeline.replace("\"500ms\"", "\"50ms\"");
    for second in 1..=4 {
        for (before, after) in [("\"", "\""), ("\"", ".."), ("..", "\"")] {
            let [from, to] = ["s", "00ms"].map(|unit| format!("{before}{second}{unit}{after}"));
            text = text.replace(&from, &to);
        }
    }
    text
}

/// How many tasks of each stage there were.
fn opened(history: &History) -> Vec<(&str, usize)> {
    let mut opened = BTreeMap::new();
    for event in history.all("task_opened") {
        *opened.entry(event["stage"].as_str().expect("a stage")).or_default() += 1;
    }
    opened.into_iter().collect()
}

/// How many parts the splitter made of each block.
fn parts_of(history: &History) -> BTreeMap<u64, usize> {
    let parts = (FIRST..FIRST + 5).map(|block| {
        let split = history.task("split", block);
        let accepted = history.all("accepted").find(|event| event["task"] == split);
        let parts = accepted.and_then(|event| event["result"]["parts"].as_array());
        (block, parts.expect("a list of parts").len())
    });
    parts.collect()
}

/// Each part was proved once, and each block's proofs were joined, all of them.
fn assert_joined(history: &History, parts: &BTreeMap<u64, usize>) {
    let mut steps = BTreeMap::new();
    for event in history.all("task_opened").filter(|event| event["stage"] == "step") {
        *steps.entry(event["key"]["first"].as_u64().expect("a height")).or_default() += 1;
    }
    assert_eq!(steps, *parts);
    for (block, count) in parts {
        let join = history.task("join", *block);
        let opened = history.all("task_opened").find(|event| event["task"] == join);
        let inputs = opened.and_then(|event| event["inputs"].as_array()).expect("inputs");
        assert_eq!(inputs.len(), *count, "block {block}");
    }
}

/// The files of final proofs, in order.
fn proof_files(world: &World) -> Vec<Value> {
    let entries = fs::read_dir(world.path("data/proofs")).expect("a directory");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.to_str().is_some_and(|path| path.ends_with(".proof.json")));
    paths.sort();
    let read = |path| fs::read(path).expect("a proof file");
    paths.iter().map(|path| serde_json::from_slice(&read(path)).expect("JSON")).collect()
}

fn stages_of(file: &Value) -> Vec<&str> {
    let proofs = file["proofs"].as_array().expect("several proofs");
    proofs.iter().map(|proof| proof["stage"].as_str().expect("a stage")).collect()
}

/// The number of the first block in `examples/blocks.jsonl`.
const FIRST: u64 = 16_525_000;
