//! `push0 status`.

use push0_core::FailureClass;
use serde_json::json;

use crate::world::{PAIRS, World, at, failed, proved};

#[test]
fn a_run_in_progress_is_shown() {
    let mut world = World::new(PAIRS);
    world.submit(5..9);
    let grant = world.grants().remove(0);
    let outcome = proved(&world.store, &grant, true);
    world.report(&grant, outcome);
    insta::assert_snapshot!(world.push0(&["status"]).shown(&world), @r"
    pipeline demo: not complete; an engine runs; last event 2025-10-09T08:53:20.010000Z
    blocks: 4 submitted, 0 released, 4 waiting, more may come

    stage  waiting  ready  running  accepted  parked
    leaf   0        0      3        1         0
    range  1        0      0        0         0

    attempts: 4 started, 3 running, 1 accepted

    head of the chain: block 5: its proof waits at stage range for the rest of its batch; leaf 6 is being proved: attempt 12 on local, since 2025-10-09T08:53:20.009000Z
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
    insta::assert_snapshot!(world.push0(&["status"]).shown(&world), @r"
    pipeline demo: not complete; no engine runs; last event 2025-10-09T08:53:20.014000Z
    blocks: 4 submitted, 0 released, 4 waiting

    stage  waiting  ready  running  accepted  parked
    leaf   0        0      0        3         1
    range  3        0      0        0         0

    attempts: 4 started, 3 accepted, 1 unprovable

    head of the chain: block 5: its proof waits at stage range for the rest of its batch; leaf 6 is parked: unprovable: attempt 1 of 1 that ended so: it says no and more

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
            "its proof waits at stage range for the rest of its batch; leaf 6 is being"
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
