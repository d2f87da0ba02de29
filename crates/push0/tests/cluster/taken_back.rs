//! An operator takes back what was accepted and released.

use std::fs;

use push0_core::{Event, ReleaseNumber};
use push0_testbed::until;

use crate::world::{BLOCKS, World};

#[test]
fn its_proof_is_set_aside_made_again_and_written() {
    let mut world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    assert!(world.run(&["proofs", "pipeline.toml", "--out", "out"]).success());
    ["d1", "d2"].into_iter().for_each(|id| assert!(world.stop(id).success()));
    let first = world.history().into_iter().flat_map(|turn| turn.events).find_map(|event| {
        if let Event::Released { tasks, .. } = event { tasks.first().copied() } else { None }
    });
    let task = first.expect("all were released").to_string();
    assert_eq!(world.run(&["retry", &task]).code(), Some(2), "it is not parked");
    assert!(!world.run(&["discard", &task]).success(), "it is to be said why");
    assert!(world.run(&["discard", &task, "--why", "a test", "--by", "nobody"]).success());
    world.wait_for("e1", "by=\"nobody\" tasks=1 released=1");
    let events: Vec<_> = world.history().into_iter().flat_map(|turn| turn.events).collect();
    let is_it = |event: &Event| matches!(event, Event::Discarded { released, .. } if *released == [ReleaseNumber(1)]);
    assert!(events.iter().any(is_it));
    world.follow_proofs();
    until("its file is not set aside", || {
        let mut files = fs::read_dir(world.path("out")).expect("it was made").flatten();
        files.find(|file| file.file_name().to_string_lossy().ends_with(".json.recalled"))
    });
    world.dispatch("d1");
    world.finish(BLOCKS);
}
