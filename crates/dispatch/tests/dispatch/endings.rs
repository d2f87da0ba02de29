//! Every ending in the table of `docs/formats.md`, and its class.

use push0_core::{FailureClass, Outcome, ToDispatcher};

use crate::world::{AMPLE, RETRY, SHORT, World, config, lives, written};

#[test]
fn each_exit_has_its_class() {
    let table = [
        ("exit 75", FailureClass::Transient, "exit 75"),
        ("exit 77", FailureClass::Unprovable, "exit 77"),
        ("exit 137", FailureClass::Resource, "out of memory"),
        ("exit 3", FailureClass::Failed, "exit 3"),
        ("kill -SEGV $$", FailureClass::Failed, "SIGSEGV"),
        ("kill -KILL $$", FailureClass::Failed, "SIGKILL"),
        ("exit 0", FailureClass::Failed, "wrote no output"),
        (": > $out", FailureClass::Failed, "is empty"),
        ("echo garbage > $out", FailureClass::Failed, "not JSON"),
        ("mkdir $out", FailureClass::Failed, "not a file"),
        ("mkfifo $out", FailureClass::Failed, "not a file"),
        ("truncate -s 1G $out", FailureClass::Failed, "larger than 256 MiB"),
        ("ln -s /dev/zero $out", FailureClass::Failed, "not a file"),
        (r#"echo '{"format":"push0.result/1"}' > $out"#, FailureClass::Failed, "push0.result/1"),
    ];
    for (script, class, word) in table {
        let mut world = World::of_mock(script);
        let (found, message) = world.try_once();
        assert_eq!(found, class, "{script}: {message}");
        assert!(message.contains(word), "{script}: {message}");
        world.await_no_leftovers();
    }
}

#[test]
fn a_failure_carries_the_end_of_the_output_made_harmless() {
    let mut world =
        World::of_mock(r"printf 'to stdout\n'; printf '\033[31mred \377\007\n' >&2; exit 1");
    let (_, message) = world.try_once();
    // Two pipes: which is read first, nobody promises.
    assert!(message.contains("to stdout"), "{message}");
    assert!(message.contains("red \u{fffd}"), "{message}");
    assert!(!message.contains('\x1b'), "{message}");
}

#[test]
fn a_hanging_prover_is_told_to_stop_and_times_out() {
    let mut world =
        World::of_mock("trap 'echo got term; exit 9' TERM; while :; do sleep 0.01; done");
    let grant = push0_core::Grant { timeout: AMPLE, ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Timeout, "{message}");
    assert!(message.contains("exit 9") && message.contains("got term"), "{message}");
}

#[test]
fn one_that_ignores_the_signal_is_killed_after_its_grace() {
    let mut world =
        World::of_mock("trap '' TERM; echo $$ > $dir/pid; while :; do sleep 0.01; done");
    let grant = push0_core::Grant { timeout: AMPLE, grace: SHORT, ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Timeout, "{message}");
    assert!(message.contains("SIGKILL"), "{message}");
}

#[test]
fn a_cancelled_attempt_ends_and_says_so() {
    let mut world = World::of_mock("echo $$ > $dir/pid; exec sleep 1000");
    let grant = world.new_grant();
    world.grant(&grant);
    let pid = world.written("pid");
    world.send(ToDispatcher::Cancel(grant.attempt));
    assert_eq!(world.outcome_of(&grant), Outcome::Cancelled);
    assert!(!lives(&pid));
}

#[test]
fn a_flood_of_output_neither_blocks_nor_grows() {
    let flood =
        "head -c 100000000 /dev/zero; head -c 100000000 /dev/zero >&2; echo last words; exit 1";
    let mut world = World::of_mock(flood);
    let (_, message) = world.try_once();
    assert!(message.ends_with("last words") && message.len() < 10_000, "{}", message.len());
    let logs = push0_dispatch::attempt_logs(&world.dir.path().join("dispatch"), "0707");
    let logs = logs.expect("logs");
    let log = std::fs::read_to_string(&logs.first().expect("a log").path).expect("a log");
    assert!(log.contains("attempt 1") && log.contains("last words"));
    assert!(log.len() < 300_000, "{}", log.len());
}

#[test]
fn nothing_that_a_prover_started_outlives_its_attempt() {
    let mut world = World::of_mock(
        "sleep 1000 & echo $! > $dir/child
         setsid sh -c 'echo $$ > '$dir'/daemon; exec sleep 1000' &
         setsid env -i sh -c 'echo $$ > '$dir'/hidden; exec sleep 1000' &
         setsid sh -c 'setsid sh -c \"sleep 1000 & echo \\$! > '$dir'/deep; exit\"' &
         until [ -s $dir/daemon ] && [ -s $dir/hidden ] && [ -s $dir/deep ]; do sleep 0.01; done
         echo 1 > $out",
    );
    let grant = world.new_grant();
    world.proved(&grant);
    for name in ["child", "daemon", "hidden", "deep"] {
        let pid = world.written(name);
        assert!(!lives(&pid), "{name}");
    }
}

#[test]
fn orphans_are_reaped() {
    let mut world =
        World::of_mock("(setsid true & echo $! > $dir/orphan) & wait; sleep 0.05; echo 1 > $out");
    let grant = world.new_grant();
    world.proved(&grant);
    let pid = world.written("orphan");
    crate::world::until(|| (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
}

#[test]
fn over_its_memory_is_out_of_memory_whoever_sees_to_it() {
    for uses_cgroups in [true, false] {
        let mut world = World::of(RETRY, |dir| {
            // It keeps what it will not write yet.
            let program = crate::world::mock(dir, "cat /dev/zero | tail -c 1000000000");
            let program = push0_dispatch::ProgramConfig { memory_bytes: 32 << 20, ..program };
            let programs = std::collections::BTreeMap::from([(crate::world::name(), program)]);
            push0_dispatch::Config { uses_cgroups, ..config(dir, 1, programs) }
        });
        let (class, message) = world.try_once();
        assert_eq!(class, FailureClass::Resource, "{message}");
        assert!(message.contains("declares 32 MiB"), "{message}");
        // Its group, if it had one, is clean for the next.
        let (class, _) = world.try_once();
        assert_eq!(class, FailureClass::Resource);
    }
}

#[test]
fn a_missing_or_damaged_input_is_lost_and_not_a_failure() {
    let mut world = World::of_mock("echo 1 > $out");
    for damage in [true, false] {
        let bound = world.put(1, b"block");
        let path = world.store.path(bound.artifact);
        match damage {
            true => std::fs::write(path, b"black").expect("damage"),
            false => std::fs::remove_file(path).expect("removed"),
        }
        let artifact = bound.artifact;
        let grant = push0_core::Grant { inputs: vec![bound], ..world.new_grant() };
        assert_eq!(world.outcome(&grant), Outcome::InputLost { artifact });
    }
}

#[test]
fn a_store_that_answers_errors_is_transient() {
    let mut world = World::of_mock("echo 1 > $out");
    let bound = world.put(1, b"block");
    let path = world.store.path(bound.artifact);
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("a directory in its place");
    let grant = push0_core::Grant { inputs: vec![bound], ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Transient, "{message}");
}

#[test]
fn a_shutdown_leaves_no_process_and_no_directory() {
    let mut world = World::of_mock("trap '' TERM; sleep 1000 & echo $! > $dir/pid; wait; wait");
    let grant = world.new_grant();
    world.grant(&grant);
    let pid = world.written("pid");
    let World { dispatcher, dir, .. } = world;
    dispatcher.shutdown(SHORT);
    assert!(!lives(&pid));
    assert!(!dir.path().join("dispatch/work").exists());
    let processes = written(&dir.path().join("dispatch/processes"));
    assert_eq!(processes.lines().count(), 1, "the boot id alone: {processes}");
}
