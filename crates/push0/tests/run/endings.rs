//! How a run ends when it cannot end well: the exit code, and what is said.

use std::fs::{self, File};

use serde_json::Value;

use crate::support::{World, blocks, chain, header_hash, leaf_and_tree, lines};

#[test]
fn a_faulty_pipeline_is_told_all_its_faults_at_once() {
    let faulty = leaf_and_tree("1ms").replace("arity = 2", "arity = 1").replace("64MiB", "much");
    let ended = World::new(&faulty, "").run(&[]).with(2);
    for key in ["programs.warm.memory", "programs.cold.memory", "stages.range.arity"] {
        let told = ended.said(key);
        assert!(matches!(told.as_slice(), [one] if one.contains(" ERROR ")), "{}", ended.stderr);
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let pipeline = leaf_and_tree("1ms").replace("push0-prover-mock", "no-such-prover");
    let ended = World::new(&pipeline, &blocks(1, 2)).run(&[]).with(2);
    assert!(ended.error().contains("no-such-prover"), "{}", ended.stderr);
}

#[test]
fn a_flag_that_makes_no_sense_is_refused() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 2));
    for words in [["--slots", "0"], ["--slots", "many"], ["--memory", "0"], ["--no-such", "flag"]] {
        let ended = world.run(&words).with(2);
        assert!(ended.stderr.contains(words[0]), "{}", ended.stderr);
    }
    assert!(!world.path("data").exists());
}

#[test]
fn a_line_that_was_cut_short_is_named() {
    let whole = blocks(500, 3);
    let cut = whole.get(..whole.len() - 100).expect("it is long");
    assert_source_is_refused(cut, &["blocks.jsonl:3"]);
}

#[test]
fn a_block_that_does_not_hash_to_its_hash_is_named() {
    let [first, mut second, _] = three();
    second["gasUsed"] = "0x1".into();
    let text = lines(&[first, second]);
    assert_source_is_refused(&text, &["blocks.jsonl:2", "hash"]);
}

#[test]
fn a_gap_between_blocks_is_named() {
    let [first, _, third] = three();
    let text = lines(&[first, third]);
    assert_source_is_refused(&text, &["blocks.jsonl:2", "number", "1 missing"]);
}

#[test]
fn a_block_of_another_branch_is_named() {
    let [first, mut second, _] = three();
    second["parentHash"] = first["parentHash"].clone();
    second["hash"] = header_hash(&second).into();
    let text = lines(&[first, second]);
    assert_source_is_refused(&text, &["blocks.jsonl:2", "parentHash"]);
}

#[test]
fn a_state_root_that_the_parent_did_not_leave_is_named() {
    let [first, mut second, _] = three();
    second["preStateRoot"] = second["stateRoot"].clone();
    let text = lines(&[first, second]);
    assert_source_is_refused(&text, &["blocks.jsonl:2", "preStateRoot"]);
}

#[test]
fn a_source_that_is_not_there_is_named() {
    let world = World::new(&leaf_and_tree("1ms"), "");
    fs::remove_file(world.path("blocks.jsonl")).expect("it is there");
    let ended = world.run(&[]).with(3);
    assert!(ended.error().contains("blocks.jsonl"), "{}", ended.stderr);
}

#[test]
fn another_pipeline_is_not_let_into_the_data_directory() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 3));
    world.run(&[]).with(0);
    world.write("pipeline.toml", &leaf_and_tree("1ms").replace("arity = 2", "arity = 3"));
    for words in [&[][..], &["--apply"]] {
        let ended = world.run(words).with(4);
        assert!(ended.error().contains("stages.range.arity: was 2, is 3"), "{}", ended.stderr);
    }
}

#[test]
fn another_policy_is_shown_and_goes_on_when_it_is_applied() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 3));
    world.run(&[]).with(0);
    let policy = leaf_and_tree("1ms").replace("allow_mock", "window = 99\nallow_mock");
    world.write("pipeline.toml", &policy);
    let ended = world.run(&[]).with(4);
    assert!(ended.error().contains("window: was absent, is 99"), "{}", ended.stderr);
    assert!(ended.error().contains("--apply"), "{}", ended.stderr);
    world.run(&["--apply"]).with(0);
    world.run(&[]).with(0);
}

#[test]
fn a_second_run_on_the_same_data_directory_is_refused() {
    let world = World::new(&leaf_and_tree("1m"), &blocks(1, 4));
    let first = world.start(&[]);
    first.await_line(" granted ");
    let second = world.run(&[]).with(5);
    assert!(second.error().contains("data"), "{}", second.stderr);
    first.kill();
    assert_eq!(world.history().count("claimed"), 1);
}

#[test]
fn a_data_directory_that_cannot_be_made_is_out_of_reach() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 2));
    // Not even a superuser makes a directory there.
    let ended = world.push0(&["run", "pipeline.toml", "--data", "/sys/push0"]).with(6);
    assert!(ended.error().contains("/sys/push0"), "{}", ended.stderr);
}

#[test]
fn a_result_that_cannot_be_told_is_not_taken_for_done() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 2));
    let full = File::create("/dev/full").expect("every Linux has one");
    let mut command = world.command(&["run", "pipeline.toml", "--data", "data"]);
    let output = command.stdout(full).output().expect("it starts");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(6) && said.contains("stdout"), "{said}");
    world.run(&[]).with(0);
}

#[test]
fn proofs_are_written_where_they_are_wanted() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 2));
    let run = world.run(&["--out", "elsewhere/proofs", "--json"]).with(0).json();
    let path = run["proofs"][0]["path"].as_str().expect("a path");
    assert!(path.contains("elsewhere/proofs/1-2-") && world.path(path).is_file(), "{path}");
    assert!(!world.path("data/proofs").exists());
}

#[test]
fn blocks_past_the_end_of_a_source_that_has_ended_are_refused() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 5));
    world.run(&[]).with(0);
    world.write("blocks.jsonl", &blocks(1, 9));
    let ended = world.run(&[]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
}

/// Blocks 500 to 502.
fn three() -> [Value; 3] {
    let mut blocks = chain(500);
    std::array::from_fn(|_| blocks.next().expect("there is no end of them"))
}

#[test]
fn blocks_of_another_branch_than_the_logs_are_refused_and_spoil_nothing() {
    let world = World::new(&leaf_and_tree("1ms"), &lines(&three()));
    world.run(&[]).with(0);
    let [first, second, mut third] = three();
    third["stateRoot"] = first["stateRoot"].clone();
    third["hash"] = header_hash(&third).into();
    world.write("blocks.jsonl", &lines(&[first, second, third]));
    let ended = world.run(&[]).with(4);
    assert!(ended.error().contains("another branch"), "{}", ended.stderr);
    world.write("blocks.jsonl", &lines(&three()));
    world.run(&[]).with(0);
}

fn assert_source_is_refused(text: &str, words: &[&str]) {
    let ended = World::new(&leaf_and_tree("1ms"), text).run(&[]).with(3);
    for word in words {
        assert!(ended.error().contains(word), "no {word:?} in:\n{}", ended.stderr);
    }
}
