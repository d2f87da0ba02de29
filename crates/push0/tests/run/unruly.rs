//! Provers that misbehave: what they fail at is tried again, and what they leave behind is ended.

use crate::support::{World, blocks, head};

#[test]
fn a_task_that_fails_at_first_is_tried_again() {
    let world = unruly(r#"program = "warm", args = ["--fail-first", "2", "--state", "STATE"]"#);
    let run = world.run(&["--json"]).with(0).json();
    assert_eq!(run["attempts"]["failed"]["transient"], 4);
    world.history().complete();
}

#[test]
fn a_prover_that_hangs_is_ended_at_its_timeout_though_it_is_deaf() {
    let deaf = r#"program = "deaf", args = ["--hang"], timeout = "200ms", grace = "100ms""#;
    let world = unruly(deaf);
    let ended = world.run(&["--json", "--patience", "0s"]).with(1);
    assert!(ended.stderr.contains("program deaf is held"), "{}", ended.stderr);
    assert!(ended.json()["attempts"]["failed"]["timeout"].as_u64() >= Some(3));
    world.await_no_process();
}

#[test]
fn what_a_prover_leaves_behind_is_ended_with_its_attempt() {
    for behind in ["--leak", "--daemon"] {
        let world = unruly(&format!(r#"program = "cold", args = ["{behind}"]"#));
        world.run(&[]).with(0);
        world.await_no_process();
    }
}

#[test]
fn what_has_left_its_provers_session_is_ended_with_its_control_group_or_by_the_next_run() {
    let world = unruly(r#"program = "cold", args = ["--daemon", "--for", "1s"]"#);
    let run = world.start(&["--slots", "1"]);
    world.await_process(|process| process.words.contains("linger") && process.leads_a_session());
    run.kill();
    let status = world.push0(&["status", "--json", "--data", "data"]).with(0).json();
    let has_group = status["dispatcher"]["memory_limit"]["cgroup"].is_object();
    if has_group {
        world.await_no_process();
    }
    let ended = world.run(&[]).with(0);
    let left = usize::from(!has_group);
    assert_eq!(ended.said("left over from before").len(), left, "{}", ended.stderr);
    world.await_no_process();
}

#[test]
fn a_prover_that_crashes_does_not_take_its_run_with_it() {
    for crash in ["--panic", "--no-output", "--garbage"] {
        let first = format!(r#""{crash}", "--fail-first", "1", "--state", "STATE""#);
        let world = unruly(&format!(r#"program = "cold", args = [{first}]"#));
        let run = world.run(&["--json"]).with(0).json();
        assert_eq!(run["attempts"]["failed"]["failed"], 2, "{crash}: {run}");
    }
}

/// Two blocks, each proved by a stage of this kind.
fn unruly(stage: &str) -> World {
    let world = World::new("", &blocks(1, 2));
    let stage = stage.replace("STATE", world.path("state").to_str().expect("UTF-8"));
    world.write("pipeline.toml", &format!("{}{DEAF}{stage} }}\n{RELEASE}", head()));
    world
}

const DEAF: &str = r#"
deaf = { command = ["push0-prover-mock", "--ignore-term"], contract = "file", memory = "64MiB", mock = true }
[stages]
prove = { inputs = ["blocks"], "#;

const RELEASE: &str = r#"
[release]
inputs = ["prove"]
"#;
