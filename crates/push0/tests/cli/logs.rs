//! `push0 logs`.

use std::fs;

use push0_core::{FailureClass, Grant, Outcome};

use crate::world::{PAIRS, World};

#[test]
fn the_output_of_each_attempt_is_shown_and_no_terminal_obeys_it() {
    let world = with_logs();
    insta::assert_snapshot!(world.push0(&["logs", "abab"]).shown(&world), @r"
    == attempt 17, task abababab ==
    -- DIR/data/dispatch/logs/17.log
    first \u{1b}[2J

    == attempt 18, task abababab ==
    -- DIR/data/dispatch/logs/18.log
    second
    --- stderr
    --- exit 0
    ");
}

#[test]
fn an_attempt_can_be_named_alone() {
    let world = with_logs();
    for name in ["18", "attempt-18"] {
        let ran = world.push0(&["logs", name]);
        assert!(ran.stdout.contains("second") && !ran.stdout.contains("first"), "{}", ran.stdout);
    }
}

#[test]
fn a_name_of_nothing_exits_2() {
    let world = with_logs();
    let ran = world.push0(&["logs", "ffff"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with("error: there is no task or attempt ffff"), "{}", ran.stderr);
}

#[test]
fn the_whole_reason_is_shown_and_no_terminal_obeys_it() {
    let mut world = World::new(PAIRS);
    world.submit(5..6);
    let grant = world.grants().remove(0);
    let message = "exit code 1; the end of its output:\nfirst\n\u{1b}[2Jlast".to_owned();
    world.report(&grant, Outcome::Failed { class: FailureClass::InvalidInput, message });
    insta::assert_snapshot!(world.push0(&["logs", &grant.task.short()]).shown(&world), @r"
    == attempt 5, leaf 5, task 78443ef2: failed (invalid_input) at 2025-10-09T08:53:20.007000Z ==
    exit code 1; the end of its output:
    first
    \u{1b}[2Jlast
    its output is not kept: that of the last 4096 attempts is
    --- stderr
    --- exit 0
    ");
    let why = world.push0(&["status"]).stdout;
    assert!(why.contains("exit code 1; the end of its output: … \\u{1b}[2Jlast"), "{why}");
}

#[test]
fn what_its_output_ends_with_is_shown_once() {
    let mut world = World::new(PAIRS);
    world.submit(5..6);
    let grant = world.grants().remove(0);
    let message = "exit code 1; the end of its output:\nlast".to_owned();
    world.report(&grant, Outcome::Failed { class: FailureClass::Failed, message });
    keep(&world, &grant, "progress 0.5\nfirst\nlast\n");
    let shown = world.push0(&["logs", &grant.task.short()]).stdout;
    assert_eq!(shown.matches("last").count(), 1, "{shown}");
    assert!(shown.contains("task 78443ef2: failed at "), "{shown}");
    assert!(shown.contains(" ==\nexit code 1\n-- ") && shown.contains("\nfirst\nlast"), "{shown}");
    assert!(!shown.contains("progress"), "that is for `push0 status`: {shown}");
}

#[test]
fn what_a_verifier_printed_is_shown_though_it_is_not_in_the_output_of_the_prover() {
    for (class, printed, shown) in [
        (FailureClass::Unjudged, "loading keys\nno such file\n", "loading keys\nno such file\n"),
        (FailureClass::Unjudged, "", "its prover printed nothing\n"),
        (FailureClass::Failed, "loading keys\n", "loading keys\n"),
    ] {
        let mut world = World::new(PAIRS);
        world.submit(5..6);
        let grant = world.grants().remove(0);
        let message = "no verdict; the end of its output:\nno such file".to_owned();
        world.report(&grant, Outcome::Failed { class, message });
        keep(&world, &grant, printed);
        let ran = world.push0(&["logs", &grant.task.short()]).stdout;
        let said = " ==\nno verdict; the end of its output:\nno such file\n-- ";
        assert!(ran.contains(said) && ran.ends_with(&format!(".log\n{shown}")), "{ran}");
    }
}

#[test]
fn that_nothing_was_printed_is_said_of_whom_it_is_true() {
    for (class, printed, is_said) in [
        (FailureClass::Failed, "", false), // of the output that follows
        (FailureClass::Failed, "loading keys\n", true),
        (FailureClass::Unjudged, "loading keys\n", true),
    ] {
        let mut world = World::new(PAIRS);
        world.submit(5..6);
        let grant = world.grants().remove(0);
        let message = "exit code 1; it printed nothing".to_owned();
        world.report(&grant, Outcome::Failed { class, message });
        keep(&world, &grant, printed);
        let ran = world.push0(&["logs", &grant.task.short()]).stdout;
        assert_eq!(ran.contains("exit code 1; it printed nothing\n"), is_said, "{ran}");
        assert!(ran.contains("exit code 1"), "{ran}");
    }
}

#[test]
fn what_an_attempt_prints_is_not_to_be_had_where_nobody_answers() {
    let mut world = World::new(PAIRS);
    world.submit(5..6);
    let grant = world.grants().remove(0);
    insta::assert_snapshot!(world.push0(&["logs", &grant.task.short()]).shown(&world), @r"
    == attempt 5, leaf 5, task 78443ef2 ==
    attempt 5 is running, since 2025-10-09T08:53:20.006000Z
    what it prints is not to be had: the run does not answer: No such file or directory (os error 2)
    --- stderr
    --- exit 0
    ");
}

#[test]
fn the_output_of_an_attempt_that_a_kill_ended_is_gone() {
    let mut world = World::new(PAIRS);
    world.submit(5..6);
    let grant = world.grants().remove(0);
    world.kill();
    let number = grant.attempt.0.to_string(); // its whole id, as `log cat --json` has it
    insta::assert_snapshot!(world.push0(&["logs", &number]).shown(&world), @r"
    == attempt 5, leaf 5, task 78443ef2 ==
    attempt 5 ran (since 2025-10-09T08:53:20.006000Z) when push0 was killed; its output went with it
    --- stderr
    --- exit 0
    ");
}

#[test]
fn a_task_that_was_not_tried_says_so() {
    let mut world = World::new(PAIRS);
    world.submit(5..11);
    let granted: Vec<_> = world.grants().into_iter().map(|grant| grant.task).collect();
    let mut tasks = world.scheduler.tasks().map(|(id, _)| *id);
    let waiting = tasks.find(|id| !granted.contains(id)).expect("more tasks than slots");
    let ran = world.push0(&["logs", &waiting.to_string()]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("was not tried yet"), "{}", ran.stderr);
}

#[test]
fn the_attempts_at_a_block_are_named_by_its_height_or_their_tasks_by_their_key() {
    let mut world = World::new(PAIRS);
    world.submit(5..7);
    for grant in world.grants() {
        let message = format!("of {}", grant.key);
        world.report(&grant, Outcome::Failed { class: FailureClass::Unprovable, message });
    }
    for named in [&["--block", "6"][..], &["6"]] {
        let ran = world.push0(&[&["logs"], named].concat());
        assert!(ran.stdout.contains("\nof 6\n") && !ran.stdout.contains("of 5"), "{}", ran.stdout);
    }
    let ran = world.push0(&["logs", "--block", "9"]);
    assert!(ran.stderr.starts_with("error: there is no task about block 9"), "{}", ran.stderr);
    assert_eq!(ran.code, Some(2));
    // Nothing follows of a task that is parked.
    let ran = world.push0(&["logs", "-f", "6"]);
    assert_eq!((ran.code, ran.stdout.matches("of 6").count()), (Some(0), 1), "{}", ran.stdout);
}

/// Has a dispatcher's log of an attempt.
fn keep(world: &World, grant: &Grant, printed: &str) {
    let folder = world.data().join("dispatch/logs");
    fs::create_dir_all(&folder).expect("a folder");
    let log = format!("task {}\nended failed\n\n{printed}", grant.task);
    fs::write(folder.join(format!("{}.log", grant.attempt.0)), log).expect("a log");
}

fn with_logs() -> World {
    let world = World::new(PAIRS);
    let folder = world.data().join("dispatch/logs");
    fs::create_dir_all(&folder).expect("a folder");
    for (attempt, said) in [(17, "first \u{1b}[2J"), (18, "second")] {
        let task = "ab".repeat(32);
        let log = format!("task {task}\nattempt {attempt}\nstage leaf\nended failed\n\n{said}\n");
        fs::write(folder.join(format!("{attempt}.log")), log).expect("a log");
    }
    world
}
