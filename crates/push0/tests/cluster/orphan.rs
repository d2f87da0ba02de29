//! A second block arrives for a height that has one.

use crate::world::{BLOCKS, World, at};

/// Block 16525005 of Scroll with other extra data, and so with another hash. Made for this test.
const ORPHAN: &str = include_str!("orphan.jsonl");

#[test]
fn whoever_submits_it_is_told_and_nothing_is_changed() {
    let world = World::usual(1, "50ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    std::fs::write(world.path("orphan.jsonl"), ORPHAN).expect("a writable directory");
    for _ in 0..2 {
        assert_eq!(world.run(&["submit", "pipeline.toml", "orphan.jsonl"]).code(), Some(1));
    }
    let status = world.status();
    assert_eq!(at(&status, "/blocks/submitted"), BLOCKS, "{status}");
    world.finish(BLOCKS);
}
