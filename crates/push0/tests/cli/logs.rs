//! `push0 logs`.

use std::fs;

use crate::world::{PAIRS, World};

#[test]
fn the_output_of_each_attempt_is_shown_and_no_terminal_obeys_it() {
    let world = with_logs();
    insta::assert_snapshot!(world.push0(&["logs", "abab"]).shown(&world), @r"
    == DIR/data/dispatch/logs/17.log ==
    task abababababababababababababababababababababababababababababababab
    attempt 17
    stage leaf
    ended failed

    first [2J

    == DIR/data/dispatch/logs/18.log ==
    task abababababababababababababababababababababababababababababababab
    attempt 18
    stage leaf
    ended failed

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
    assert!(ran.stderr.starts_with("error: no output is kept"), "{}", ran.stderr);
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
