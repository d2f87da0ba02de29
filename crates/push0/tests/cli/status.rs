//! `push0 status`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use push0_core::FailureClass;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::tell::help;
use crate::world::{PAIRS, World, at, failed, proved};

/// What is printed, but for what disks make of it.
fn shown(world: &World) -> String {
    let shown = world.push0(&["status"]).shown(world);
    let steady = |line: &str| match line.starts_with("the log takes ") {
        true => "the log takes …".to_owned(),
        false => line.to_owned(),
    };
    shown.lines().map(steady).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_in_progress_is_shown() {
    let mut world = World::new(PAIRS);
    world.submit(5..9);
    let grant = world.grants().remove(0);
    let outcome = proved(&world.store, &grant, true);
    world.report(&grant, outcome);
    insta::assert_snapshot!(shown(&world), @r"
    pipeline demo: not complete; an engine runs; last event 2025-10-09T08:53:20.010000Z
    blocks: 4 submitted, 0 released, 4 waiting, more may come

    stage  waiting  ready  running  accepted  parked  usually
    leaf   0        0      3        1         0       1s
    range  1        0      0        0         0

    attempts: 4 started, 3 running, 1 accepted

    head of the chain: block 5: its proof waits at stage range for the rest of the batch; leaf 6 is being proved: attempt 12 on local, since 2025-10-09T08:53:20.009000Z, usually 1s
      block 6: likewise: leaf 6
      block 7: leaf 7 is being proved: attempt 13 on local, since 2025-10-09T08:53:20.009000Z, usually 1s
      block 8: leaf 8 is being proved: attempt 14 on local, since 2025-10-09T08:53:20.009000Z, usually 1s

    runs    attempt  dispatcher  doing  for  usual
    leaf 6  12       local                   1s
    leaf 7  13       local                   1s
    leaf 8  14       local                   1s

    the log takes …
    --- stderr
    --- exit 0
    ");
}

#[test]
fn a_parked_task_is_shown_with_what_to_do() {
    let mut world = World::new(PAIRS);
    world.submit(5..9);
    world.end_source();
    world.work(|store, grant| match grant.key.first.0 {
        6 => failed(FailureClass::Unprovable),
        _ => proved(store, grant, true),
    });
    world.close();
    insta::assert_snapshot!(shown(&world), @r"
    pipeline demo: not complete; no engine runs; last event 2025-10-09T08:53:20.014000Z
    blocks: 4 submitted, 0 released, 4 waiting

    stage  waiting  ready  running  accepted  parked  usually
    leaf   0        0      0        3         1       1s
    range  3        0      0        0         0

    attempts: 4 started, 3 accepted, 1 unprovable

    head of the chain: block 5: its proof waits at stage range for the rest of the batch; leaf 6 is parked: unprovable: attempt 1 of 1 that ended so: it says no and more
      to try it again: push0 run PIPELINE --data DIR/data --retry-parked
      block 6: likewise: leaf 6
      blocks 7-8: their proofs wait at stage range for the rest of the batch, held behind leaf 6

    the log takes …

    parked, they wait for you: 1
      4c5a33a0  leaf 6  unprovable: attempt 1 of 1 that ended so: it says no and more
                push0 logs 4c5a33a0 --data DIR/data
    to try them again: push0 run PIPELINE --data DIR/data --retry-parked
    --- stderr
    --- exit 0
    ");
}

#[test]
fn a_finished_run_is_complete() {
    let mut world = World::new(PAIRS);
    world.submit(5..9);
    world.end_source();
    world.work(|store, grant| proved(store, grant, true));
    world.close();
    let ran = world.push0(&["status", "--json"]);
    let blocks = json!({"submitted": 4, "released": 4, "waiting": 0, "beside": 0, "ahead": 0, "ended": true});
    for (pointer, expected) in [
        ("/blocks", blocks),
        ("/complete", json!(true)),
        ("/running", json!(false)),
        ("/head", json!(null)),
        ("/parked", json!([])),
    ] {
        assert_eq!(at(&ran.stdout, pointer), expected, "{pointer}");
    }
}

#[test]
fn the_head_may_wait_for_another_block_of_its_batch() {
    let mut world = World::new(PAIRS);
    world.submit(5..7);
    for grant in world.grants() {
        if grant.key.first.0 == 5 {
            let outcome = proved(&world.store, &grant, true);
            world.report(&grant, outcome);
        }
    }
    let ran = world.push0(&["status", "--json"]);
    let why = at(&ran.stdout, "/head/why");
    let why = why.as_str().expect("words");
    assert!(
        why.starts_with(
            "its proof waits at stage range for the rest of the batch; leaf 6 is being"
        ),
        "{why}"
    );
}

#[test]
fn a_directory_where_nothing_ran_yet_says_so() {
    let world = World::new(PAIRS);
    std::fs::remove_dir_all(world.data().join("log")).expect("remove");
    std::fs::create_dir(world.data().join("log")).expect("an empty log");
    insta::assert_snapshot!(world.push0(&["status"]).shown(&world), @r"
    nothing has run here yet; no engine runs
    --- stderr
    --- exit 0
    ");
}

#[test]
fn a_run_whose_engine_was_killed_runs_nothing() {
    let mut world = World::new(PAIRS);
    world.submit(5..9);
    assert_eq!(world.grants().len(), 4);
    world.close();
    let ran = world.push0(&["status", "--json"]);
    for (pointer, expected) in [
        ("/running", json!(false)),
        ("/stages/0/running", json!(0)),
        ("/stages/0/ready", json!(4)),
        ("/attempts/running", json!(0)),
        ("/attempts/interrupted", json!(4)),
        ("/runs", json!([])),
        ("/head/reason/kind", json!("no_engine")),
    ] {
        assert_eq!(at(&ran.stdout, pointer), expected, "{pointer}");
    }
    let text = world.push0(&["status"]).stdout;
    assert!(!text.contains("being proved"), "{text}");
    assert!(text.contains("attempts: 4 started, 4 interrupted"), "{text}");
}

#[test]
fn as_many_blocks_are_told_of_as_were_asked_for() {
    let mut world = World::new(PAIRS);
    world.submit(5..9);
    assert_eq!(world.grants().len(), 4);
    let text = world.push0(&["status", "--blocks", "2"]).stdout;
    assert!(text.contains("\n  block 6: ") && !text.contains("\n  block 7: "), "{text}");
    assert!(text.contains("\n  and 2 more blocks\n"), "{text}");
    assert_eq!(world.push0(&["status", "--blocks", "0"]).code, Some(2));
}

/// Begins to watch what `world` has.
fn watch(world: &World, words: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
    command.args(["status", "--watch", "1", "--data"]).arg(world.data()).args(words);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    (child, stdout)
}

#[test]
fn a_watch_looks_again_until_it_is_interrupted() {
    let mut world = World::new(PAIRS);
    world.submit(5..9);
    let (mut child, stdout) = watch(&world, &["--json"]);
    let mut lines = stdout.lines().map(|line| line.expect("text"));
    let submitted = |line: &str| at(line, "/blocks/submitted");
    let first = lines.next().expect("it looks");
    assert_eq!(submitted(&first), 4);
    world.submit(9..11);
    let later = lines.by_ref().take(20).find(|line| submitted(line) == 6);
    assert!(later.is_some(), "what has come since is not seen");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is ours");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(lines.all(|line| serde_json::from_str::<Value>(&line).is_ok()), "a line is cut short");
}

#[test]
fn a_watch_that_nobody_reads_ends() {
    let mut world = World::new(PAIRS);
    world.submit(5..9);
    let (mut child, mut stdout) = watch(&world, &[]);
    let mut first = String::new();
    stdout.read_line(&mut first).expect("it looks");
    assert!(first.contains("every 1s, Ctrl-C ends it"), "{first}");
    drop(stdout);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let wrong = ["status", "--watch", "--data", "no-such-directory"];
    assert_eq!(crate::world::push0(&wrong).code, Some(2));
}

#[test]
fn status_is_explained() {
    insta::assert_snapshot!(help(&["status", "--help"]), @r"
    Shows how far a run or a cluster is

    Stages, attempts, what runs and how far it is, what is parked, and why each of the first blocks is
    not released. Of a run, reads the log without its lock, so it works beside a running engine and
    after it. Of a cluster, asks the engine that leads, and which engines and dispatchers are there;
    where none leads, reads the log. Changes nothing. Exits with 6 where the log has so little room that
    no block is taken.

    Usage: push0 status [OPTIONS]

    Options:
          --data <DIR>
              The data directory of a run; a cluster without it

          --config <FILE>
              The machine's settings: [nats], [store], [dispatch], [telemetry]
              
              [env: PUSH0_CONFIG]

          --nats <URLS>
              The NATS servers, with commas between [default: nats://127.0.0.1:4222]
              
              [env: PUSH0_NATS]

          --store <PLACE>
              The directory or bucket (s3://BUCKET/PREFIX) that all machines share, where artifacts are
              
              [env: PUSH0_STORE]

          --watch [<SECONDS>]
              Refresh every SECONDS until Ctrl-C

          --blocks <N>
              How many unreleased blocks, or rows of them, to explain; a cluster explains 32 at most
              
              [default: 10]

          --json
              Print one JSON object instead of tables

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      push0 status --data scroll.push0
      push0 status --nats nats://a:4222,nats://b:4222
    ");
}
