//! A run that follows real nodes.

use std::fs;
use std::time::Duration;

use push0_testbed::{Anvil, until};

use crate::support::{History, Process, World};

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

#[test]
fn a_chain_that_forks_is_followed_over_kills_and_what_goes_out_is_the_chain_that_is_left() {
    let node = Anvil::with_epochs(4, &["--block-time", "0.1"]);
    let world = World::new(&of_heads(&[&node.url()], "20ms"), "");
    let until_60 = &["--until", "60", "--slots", "4"];
    let mut run = world.start(until_60);
    for (round, depth) in [2, 1, 6, 3, 5, 4].into_iter().enumerate() {
        run.await_lines(" released ", 2);
        node.reorg(depth);
        if round % 2 == 1 {
            run.kill();
            world.await_no_process();
            run = world.start(until_60);
        }
    }
    drop(run);
    world.await_no_process();
    world.run(until_60).with(0);
    let events = events(&world);
    let released: Vec<_> = events.iter().filter(|event| event["event"] == "released").collect();
    let heights = released.iter().map(|it| it["key"]["first"].as_u64().expect("a height"));
    assert!(heights.eq(1..=60), "each height goes out once, in order");
    for event in &released {
        let height = event["key"]["last"].as_u64().expect("a height");
        assert_eq!(event["key"]["tip"], node.hash_of(height), "{event}");
    }
    let submitted = events.iter().filter(|event| event["event"] == "block_submitted").count();
    assert!(submitted > 60, "no block of another branch was ever taken");
}

#[test]
fn a_prover_of_a_block_that_left_the_chain_is_stopped_at_once() {
    let node = Anvil::with_epochs(32, &["--no-mining"]);
    node.mine(3);
    let world = World::new(&of_heads(&[&node.url()], "600s"), "");
    let run = world.start(&["--slots", "8"]);
    let provers = || {
        let provers = world.processes().into_iter().filter(Process::is_prover);
        provers.map(|it| it.pid).collect::<Vec<_>>()
    };
    until("three are not proved", || (provers().len() == 3).then_some(()));
    let before = provers();
    node.reorg(2);
    // Block 1 stays on the chain, and so does its prover; the others are others.
    until("no prover is stopped", || {
        let now = provers();
        (now.len() == 3 && now.iter().filter(|it| before.contains(it)).count() == 1).then_some(())
    });
    run.kill();
    world.await_no_process();
}

#[test]
fn nothing_goes_out_of_what_is_not_final_and_status_says_what_it_waits_for() {
    let node = Anvil::with_epochs(32, &["--no-mining"]);
    node.mine(2);
    let world = World::new(&of_heads(&[&node.url()], "5ms"), "");
    let checked = world.push0(&["check", "pipeline.toml"]).with(0).stdout;
    let says = "from 1 node, as they come; proofs go out once they are finalised";
    assert!(checked.contains(says), "{checked}");
    let run = world.start(&[]);
    run.await_lines(" accepted ", 2);
    let told = until("status does not say it", || {
        let told = world.push0(&["status", "--data", "data"]).with(0).stdout;
        told.contains("out once").then_some(told)
    });
    assert!(told.contains("are proved, and go out once they are final on the chain"), "{told}");
    let tip = node.hash_of(2);
    let ends = format!(
        "chain: ends in block 2 ({}), nothing is final yet",
        tip.get(..10).expect("it is long")
    );
    assert!(told.contains(&ends), "{told}");
    assert_eq!(events(&world).iter().filter(|event| event["event"] == "released").count(), 0);
    run.interrupt();
    run.end().with(130);
}

/// What the log has.
fn events(world: &World) -> Vec<serde_json::Value> {
    let cat = world.push0(&["log", "cat", "--data", "data", "--json"]).with(0).stdout;
    cat.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// Every block of the head's chain by itself.
fn of_heads(urls: &[&str], time: &str) -> String {
    let own = pipeline(urls).replace("5ms", time);
    own.replace("poll = \"100ms\"", "poll = \"50ms\", heads = true")
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
