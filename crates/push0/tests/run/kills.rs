//! `kill -9`, of push0 and of its provers, at any moment.

use crate::support::{Chance, World, blocks, kills, leaf_and_tree, mock};

#[test]
fn a_run_that_is_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let trial = || World::new(&leaf_and_tree("10ms..40ms"), &blocks(9_000_000, 67));
    let expected = trial().public_values(FOUR);
    let (mut world, mut chance) = (trial(), Chance::new());
    for _ in 0..kills(50) {
        let run = world.start(FOUR);
        if run.ends_within(chance.millis(300)) {
            run.end().with(0);
            let done = std::mem::replace(&mut world, trial());
            assert_eq!(done.public_values(FOUR), expected);
            done.history().complete();
        } else {
            run.kill();
            world.await_no_process();
        }
    }
    assert_eq!(world.public_values(FOUR), expected);
    world.history().complete();
}

#[test]
fn what_killed_provers_had_begun_is_begun_again() {
    let world = World::new(&leaf_and_tree("20ms..60ms"), &blocks(9_000_000, 67));
    let (mut chance, mut left) = (Chance::new(), 12);
    let run = world.start(FOUR);
    run.await_line(" accepted stage=leaf");
    while left > 0 && !run.ends_within(chance.millis(60)) {
        let provers: Vec<_> =
            world.processes().into_iter().filter(|found| found.is_prover()).collect();
        if let Some(prover) = provers.get(chance.below(provers.len().max(1))) {
            prover.kill();
            left -= 1;
        }
    }
    run.end().with(0);
    let history = world.history().complete();
    assert!(history.count("failed") > 0, "no attempt was hit");
}

#[test]
fn nothing_that_a_prover_has_started_outlives_push0_by_long() {
    let pipeline = leaf_and_tree("1m").replace("push0-prover-mock", "./stubborn");
    let world = World::new(&pipeline, &blocks(9_000_000, 2));
    let mock = mock().display().to_string();
    // A shell with children of their own, all of them deaf to SIGTERM.
    let body = format!("trap '' TERM\nsleep 61 &\n{mock} --ignore-term \"$@\"");
    world.write_program("stubborn", &body);
    let run = world.start(&[]);
    world.await_process(|process| process.words.starts_with(&mock));
    run.kill();
    world.await_no_process();
}

const FOUR: &[&str] = &["--slots", "4"];
