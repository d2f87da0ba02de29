//! Ctrl-C: once, what runs may finish; twice, it is stopped.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{World, blocks, head, leaf_and_tree};

#[test]
fn ctrl_c_lets_running_provers_finish_and_starts_no_other() {
    let world = World::gated(&leaf_and_tree("1ms"), &blocks(1, 6));
    let run = world.start(TWO);
    run.await_lines(" granted ", 2);
    run.interrupt();
    run.await_line("draining");
    world.open_gate();
    let ended = run.end().with(130);
    assert_eq!(ended.said("draining").len(), 1, "{}", ended.stderr);
    world.await_no_process();
    let history = world.history();
    assert_eq!((history.count("granted"), history.count("accepted")), (2, 2));
}

#[test]
fn the_same_command_goes_on_after_ctrl_c() {
    let world = World::new(&leaf_and_tree("50ms"), &blocks(1, 6));
    let run = world.start(TWO);
    run.await_lines(" accepted ", 3);
    run.interrupt();
    run.end().with(130);
    let resumed = world.run(&["--json"]).with(0).json();
    assert_eq!((&resumed["resumed"], &resumed["attempts"]["started"]), (&true.into(), &11.into()));
    world.history().complete();
}

#[test]
fn the_machine_going_down_is_an_interrupt_too() {
    let world = World::gated(&leaf_and_tree("1ms"), &blocks(1, 6));
    let run = world.start(TWO);
    run.await_lines(" granted ", 2);
    run.terminate();
    run.await_line("draining");
    world.open_gate();
    let ended = run.end().with(130);
    assert!(ended.stderr.ends_with("interrupted: the same command goes on from here\n"));
    assert_eq!(world.history().count("accepted"), 2);
}

#[test]
fn a_terminal_that_goes_is_an_interrupt_too_and_hurries_nobody() {
    let world = World::gated(&leaf_and_tree("1ms"), &blocks(1, 6));
    let run = world.start_hearing_hangups(TWO);
    run.await_lines(" granted ", 2);
    run.hang_up();
    run.await_line("draining");
    run.hang_up();
    world.open_gate();
    let ended = run.end().with(130);
    assert!(ended.stderr.ends_with("interrupted: the same command goes on from here\n"));
    assert_eq!(world.history().count("accepted"), 2);
}

#[test]
fn a_second_ctrl_c_stops_provers_that_would_take_a_minute() {
    let world = World::new(&leaf_and_tree("1m"), &blocks(1, 6));
    let run = world.start(TWO);
    run.await_lines(" granted ", 2);
    run.interrupt();
    run.await_line("draining");
    let since = Instant::now();
    run.interrupt();
    run.end().with(130);
    assert!(since.elapsed() < Duration::from_secs(40), "{:?}", since.elapsed());
    world.await_no_process();
}

#[test]
fn an_interrupted_run_counts_what_it_started_and_lists_what_it_wrote() {
    let stages = r#"
[stages]
prove = { inputs = ["blocks"], program = "cold", args = ["--for", "30ms"] }
[release]
inputs = ["prove"]
"#;
    let world = World::new(&(head() + stages), &blocks(1, 60));
    let run = world.start(&["--slots", "2", "--json"]);
    run.await_lines(" released ", 3);
    run.interrupt();
    run.interrupt(); // what runs is stopped, and is counted
    let run = run.end().with(130).json();
    let attempts = &run["attempts"];
    let count = |name: &str| attempts[name].as_u64().expect("a count");
    let failed = attempts["failed"].as_object().expect("classes").values();
    let failed: u64 = failed.filter_map(serde_json::Value::as_u64).sum();
    let ends = ["accepted", "surplus", "lost", "withdrawn"].map(count).iter().sum::<u64>();
    assert_eq!(count("started"), ends + failed, "{attempts}");
    let history = world.history();
    assert_eq!(count("started"), history.count("granted") as u64, "{attempts}");
    let listed = run["proofs"].as_array().expect("a list").len();
    let there = fs::read_dir(world.path("data/proofs")).expect("a directory").flatten();
    let is_proof = |name: &str| name.ends_with(".proof.json");
    let there = there.filter(|file| file.file_name().to_str().is_some_and(is_proof));
    assert_eq!(listed, there.count());
}

const TWO: &[&str] = &["--slots", "2"];
