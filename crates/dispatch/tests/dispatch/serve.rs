//! The serve contract: warm processes, and all that they can do wrong.

use std::collections::BTreeMap;

use push0_core::{FailureClass, Grant, Outcome, ToDispatcher, Vkey};
use push0_dispatch::ProgramConfig;

use crate::world::{AMPLE, SHORT, World, lives, name, server, until};

#[test]
fn one_process_serves_many_attempts() {
    let mut world = World::of_server(GOOD);
    for _ in 0..3 {
        let grant = world.new_grant();
        world.proved(&grant);
    }
    assert_eq!(world.written("started"), "started");
}

#[test]
fn what_is_said_out_of_turn_fails_the_attempt_and_ends_the_process() {
    let table = [
        ("ready; next; echo garbage; next", "not of the serve contract"),
        ("ready; next; echo '{\"done\":{\"attempt\":99}}'; next", "attempt 99"),
        ("ready; next; ready; next", "ready twice"),
        ("attempt=1; done_; next", "first line"),
        ("ready; next; done_; next", "wrote no output"),
        ("ready; next; head -c 2000000 /dev/zero; next", "longer than"),
        ("ready; next; printf '{\"done\"'; exit 0", "without an answer"),
        ("ready; next; exit 3", "exit 3"),
        ("exit 4", "exit 4"),
        ("ready; next; exec >&-; next", "closed its stdout"),
    ];
    for (script, word) in table {
        let mut world = World::of_server(&format!("echo $$ > $dir/pid; {script}"));
        let (class, message) = world.try_once();
        assert_eq!(class, FailureClass::Failed, "{script}: {message}");
        assert!(message.contains(word), "{script}: {message}");
    }
}

#[test]
fn the_class_that_a_prover_names_is_taken() {
    let table = [
        ("transient", FailureClass::Transient),
        ("resource", FailureClass::Resource),
        ("unprovable", FailureClass::Unprovable),
        ("invalid_input", FailureClass::InvalidInput),
    ];
    for (word, class) in table {
        let failed = format!(
            r#"ready; while next; do echo "{{\"failed\":{{\"attempt\":$attempt,\"class\":\"{word}\",\"message\":\"so it is\"}}}}"; done"#
        );
        let mut world = World::of_server(&failed);
        let (found, message) = world.try_once();
        assert_eq!(found, class);
        assert!(message.contains("so it is"), "{message}");
    }
}

#[test]
fn a_process_that_dies_is_replaced_for_the_next_attempt() {
    let dying = "[ -e $dir/second ] && { ready; while next; do echo 1 > $out; done_; done; }
        touch $dir/second; ready; next; kill -KILL $$";
    let mut world = World::of_server(dying);
    let (class, message) = world.try_once();
    assert_eq!(class, FailureClass::Failed, "{message}");
    let grant = world.new_grant();
    world.proved(&grant);
}

#[test]
fn a_process_that_failed_is_replaced_unless_the_fault_was_the_tasks() {
    let table = [
        ("failed", 2),
        ("transient", 2),
        ("resource", 2),
        ("timeout", 2),
        ("unprovable", 1),
        ("invalid_input", 1),
    ];
    for (class, processes) in table {
        let fault = format!(
            r#"echo started >> $dir/started; ready; next; [ -e $dir/second ] || {{ touch $dir/second
            echo "{{\"failed\":{{\"attempt\":$attempt,\"class\":\"{class}\",\"message\":\"CUDA error\"}}}}"; next; }}
            while :; do echo 1 > $out; done_; next; done"#
        );
        let mut world = World::of_server(&fault);
        let (_, message) = world.try_once();
        assert!(message.contains("CUDA error"), "{message}");
        let grant = world.new_grant();
        world.proved(&grant);
        assert_eq!(world.written("started").lines().count(), processes, "{class}");
    }
}

#[test]
fn a_process_whose_proof_was_rejected_is_replaced() {
    let mut world = judged("[ $(wc -l < $dir/started) -ge 2 ] || exit 196", STARTED);
    let grant = world.new_grant();
    assert!(matches!(world.outcome(&grant), Outcome::Rejected { .. }));
    let grant = world.new_grant();
    world.proved(&grant);
}

#[test]
fn a_proof_that_is_there_is_taken_though_no_answer_came() {
    for end in ["sleep 1000", "kill -SEGV $$", "exit 0", "echo garbage; next"] {
        let mut world = judged("exit 0", &format!("ready; next; echo '{{}}' > $out; {end}"));
        let grant = Grant { timeout: AMPLE, grace: SHORT, ..world.new_grant() };
        world.proved(&grant);
    }
}

#[test]
fn the_time_to_be_ready_is_the_programs_own() {
    let mut world = World::with(1, |dir| {
        let program = server(dir, "exec sleep 1000");
        BTreeMap::from([(name(), ProgramConfig { start: SHORT, ..program })])
    });
    let (class, message) = world.try_once();
    assert_eq!(class, FailureClass::Timeout, "{message}");
    assert!(message.contains("not ready within 100ms (`start`"), "{message}");
}

fn judged(verifier: &str, prover: &str) -> World {
    World::with(1, |dir| {
        let verifier = crate::world::mock(dir, verifier).argv;
        let program = ProgramConfig { verifier, is_mock: false, ..server(dir, prover) };
        BTreeMap::from([(name(), program)])
    })
}

const STARTED: &str =
    "echo started >> $dir/started; ready; while next; do echo '{}' > $out; done_; done";

#[test]
fn a_second_answer_costs_no_other_attempt() {
    let twice =
        "echo started >> $dir/started; ready; while next; do echo 1 > $out; done_; done_; done";
    let mut world = World::of_server(twice);
    for _ in 0..4 {
        let grant = world.new_grant();
        world.proved(&grant);
    }
    assert!(world.written("started").lines().count() > 1);
}

#[test]
fn one_that_heeds_a_cancel_stays_warm() {
    let heeding = r#"echo $$ > $dir/pid; ready; next; of=$attempt; echo go > $dir/going; next
        echo "{\"failed\":{\"attempt\":$of,\"class\":\"cancelled\",\"message\":\"\"}}"
        while next; do echo 1 > $out; done_; done"#;
    let mut world = World::of_server(heeding);
    let grant = world.new_grant();
    world.grant(&grant);
    let (pid, _) = (world.written("pid"), world.written("going"));
    world.send(ToDispatcher::Cancel(grant.attempt));
    assert_eq!(world.outcome_of(&grant), Outcome::Cancelled);
    let grant = world.new_grant();
    world.proved(&grant);
    assert_eq!(world.written("pid"), pid);
}

#[test]
fn one_that_does_not_is_killed() {
    let deaf = "trap '' TERM; echo $$ > $dir/pid; ready; next; while :; do sleep 0.01; done";
    let mut world = World::of_server(deaf);
    let grant = Grant { timeout: AMPLE, grace: SHORT, ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Timeout, "{message}");
    let pid = world.written("pid");
    assert!(!lives(&pid));
}

#[test]
fn silence_before_ready_ends_with_the_attempts_time() {
    let mut world = World::of_server("exec sleep 1000");
    let grant = Grant { timeout: SHORT, ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Timeout, "{message}");
}

#[test]
fn another_key_than_the_pinned_one_is_a_program_that_cannot_be_run() {
    let mut world = World::with(1, |dir| {
        let ready = format!(r#"echo '{{"ready":{{"vkey":"{}"}}}}'; next"#, Vkey([1; 32]));
        let vkey = Some(Vkey([2; 32]));
        BTreeMap::from([(name(), ProgramConfig { vkey, ..server(dir, &ready) })])
    });
    let grant = world.new_grant();
    let outcome = world.outcome(&grant);
    assert!(
        matches!(&outcome, Outcome::NotRun { message } if message.contains("pins")),
        "{outcome:?}"
    );
    world.beat_with(|beat| beat.capacity.programs.is_empty());
}

#[test]
fn an_idle_process_makes_room_for_another_program() {
    let other = || "other".parse().expect("a name");
    let mut world = World::with(1, |dir| {
        let first = server(dir, &format!("echo $$ > $dir/pid\n{GOOD}"));
        BTreeMap::from([(name(), first), (other(), server(dir, GOOD))])
    });
    let grant = world.new_grant();
    world.proved(&grant);
    let pid = world.written("pid");
    assert!(lives(&pid));
    let grant = Grant { program: other(), ..world.new_grant() };
    world.proved(&grant);
    assert!(!lives(&pid));
}

#[test]
fn an_idle_process_that_dies_is_reaped() {
    let mut world = World::of_server("echo $$ > $dir/pid; ready; next; echo 1 > $out; done_");
    let grant = world.new_grant();
    world.proved(&grant);
    let pid = world.written("pid");
    until(|| (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
}

const GOOD: &str = "echo started >> $dir/started; ready; while next; do echo 1 > $out; done_; done";
