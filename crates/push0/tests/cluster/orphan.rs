//! A second block arrives for a height that has one.

use crate::world::{BLOCKS, World, at};

/// Block 16525005 of Scroll with other extra data, and so with another hash. Made for this test.
const ORPHAN: &str = include_str!("orphan.jsonl");

#[test]
fn it_is_kept_and_told_and_changes_nothing() {
    let world = World::usual(1, "50ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    std::fs::write(world.path("orphan.jsonl"), ORPHAN).expect("a writable directory");
    for _ in 0..2 {
        assert!(world.run(&["submit", "pipeline.toml", "orphan.jsonl"]).success());
    }
    world.wait_for("e1", "number=16525005 hash=");
    world.wait_for("e1", "standing=beside");
    let status = world.status();
    assert_eq!(at(&status, "/blocks/beside"), 1, "{status}");
    assert_eq!(at(&status, "/blocks/submitted"), BLOCKS + 1, "{status}");
    world.finish(BLOCKS);
}
