//! A run that follows real nodes.

use std::fs;
use std::time::Duration;

use push0_testbed::{Anvil, until};

use crate::support::{History, World};

#[test]
fn a_chain_is_followed_to_a_block_over_kills_and_each_height_is_released_once() {
    let node = Anvil::start();
    let world = World::new(&pipeline(&[&node.url()]), "");
    let until_30 = &["--until", "30", "--slots", "4"];
    for blocks in [6, 14] {
        let run = world.start(until_30);
        run.await_lines(" released ", blocks);
        run.kill();
        world.await_no_process();
    }
    world.run(until_30).with(0);
    let history: History = world.history().complete();
    assert_eq!(history.count("released"), 30);
    assert_eq!(history.count("block_submitted"), 30);
    // It has its end: the same command does nothing more.
    world.run(until_30).with(0);
    assert_eq!(world.history().count("block_submitted"), 30);
}

#[test]
fn a_node_that_is_frozen_or_gone_stops_nothing_while_another_answers() {
    let (gone, node) = (Anvil::with(&["--no-mining"]), Anvil::start());
    let urls = [gone.url(), node.url()];
    drop(gone);
    let world = World::new(&pipeline(&[&urls[0], &urls[1]]), "");
    let run = world.start(&[]);
    run.await_line("it is tried again");
    run.await_lines(" released ", 3);
    run.await_line("on the word of");
    node.freeze();
    std::thread::sleep(Duration::from_millis(300));
    node.thaw();
    run.await_lines(" released ", 8);
    run.interrupt();
    run.end().with(130);
}

#[test]
fn nodes_that_disagree_raise_an_alarm_and_nothing_is_proved_of_what_they_disagree_about() {
    let node = Anvil::start();
    let other = Anvil::with(&["--block-time", "0.1", "--gas-limit", "29999999"]);
    let world = World::new(&pipeline(&[&node.url(), &other.url()]), "");
    let run = world.start(&[]);
    run.await_line("nodes disagree about block");
    run.interrupt();
    run.end().with(130);
    assert_eq!(world.history().count("block_submitted"), 0);
}

#[test]
fn a_node_of_another_chain_is_refused_by_name() {
    let node = Anvil::start();
    let world = World::new(&pipeline(&[&node.url()]).replace("chain = 31337", "chain = 5"), "");
    let ended = world.run(&[]).with(3);
    assert!(
        ended.stderr.contains("it is of chain 31337, and the pipeline of chain 5"),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_address_is_taken_from_the_environment_and_never_shown() {
    let node = Anvil::start();
    let world = World::new(&pipeline(&["$A_NODE"]), "");
    let missing = world.run(&[]).with(3);
    assert!(missing.stderr.contains("A_NODE is not set in the environment"), "{}", missing.stderr);
    let mut command = world.command(&["run", "pipeline.toml", "--data", "data", "--until", "3"]);
    let url = node.url().replace("http://", "http://user:S3cret@");
    let output = command.env("A_NODE", url).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !told.contains("S3cret"), "{told}");
    let held = fs::read(world.path("data/log").join("0000000000000000.log")).unwrap_or_default();
    assert!(!held.windows(6).any(|word| word == b"S3cret"));
}

#[test]
fn what_is_fetched_into_a_file_is_proved_from_it_and_a_file_is_gone_on_with() {
    let node = Anvil::start();
    let world = World::new(&pipeline(&["http://unused.invalid"]), "");
    let url = node.url();
    let fetch = |to: &str| {
        let words = [
            "fetch", "--http", &url, "--chain", "31337", "--from", "1", "--to", to, "--out",
            "b.jsonl",
        ];
        world.push0(&words).with(0)
    };
    fetch("4");
    // What a kill has cut short is fetched anew.
    let four = fs::read(world.path("b.jsonl")).expect("it was written");
    fs::write(world.path("b.jsonl"), four.get(..four.len() - 9).expect("it is long"))
        .expect("room");
    fetch("9");
    let text = fs::read_to_string(world.path("b.jsonl")).expect("it was written");
    assert_eq!(text.lines().count(), 9);
    let of_file = r#"source = { kind = "file", path = "b.jsonl", chain = 31337 }"#;
    let own = pipeline(&["http://unused.invalid"]);
    let source = own.lines().find(|line| line.starts_with("source")).expect("a source");
    world.write("pipeline.toml", &own.replace(source, of_file));
    world.run(&[]).with(0);
    assert_eq!(world.history().complete().count("released"), 9);
    let other = ["fetch", "--http", &url, "--chain", "31337", "--from", "2", "--out", "b.jsonl"];
    assert!(world.push0(&other).with(2).stderr.contains("begins with block 1, and --from says 2"));
}

#[test]
fn a_run_that_follows_waits_for_blocks_that_are_not_there_yet() {
    let node = Anvil::with(&["--block-time", "1"]);
    let world = World::new(&pipeline(&[&node.url()]), "");
    let run = world.start(&[]);
    run.await_lines(" released ", 2);
    assert!(!run.ends_within(Duration::from_millis(500)), "a chain has no end");
    until("it does not go on", || (world.history().count("released") >= 4).then_some(()));
    run.interrupt();
    run.end().with(130);
}

/// Every final block by itself.
fn pipeline(urls: &[&str]) -> String {
    let urls: Vec<_> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    let urls = urls.join(", ");
    format!(
        r#"
push0      = 1
name       = "live"
allow_mock = true
source = {{ kind = "node", chain = 31337, http = [{urls}], from = 1, poll = "100ms" }}
[programs]
mock = {{ command = ["push0-prover-mock"], give = "number", memory = "64MiB", mock = true }}
[stages]
prove = {{ inputs = ["blocks"], program = "mock", args = ["--for", "5ms"] }}
[release]
inputs = ["prove"]
"#
    )
}
