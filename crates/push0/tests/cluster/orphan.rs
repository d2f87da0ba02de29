//! Blocks that cannot be proved: a second one of a height, and those that were read by other rules.

use std::process::Stdio;

use crate::world::{BLOCKS, World, at, blocks};

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

#[test]
fn whoever_reads_blocks_by_other_rules_than_the_log_submits_none() {
    let mut world = World::new(1, "50ms");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    let own = std::fs::read_to_string(world.path("pipeline.toml")).expect("it is there");
    let others = [
        ("chain = 534352", "chain = 534352, hash = \"trusted\"", "(source.hash)"),
        ("chain = 534352", "chain = 1", "(source.chain)"),
        ("name = \"cluster\"", "name = \"other\"", "(name)"),
    ];
    for (was, is, said) in others {
        let other = own.replace(was, is);
        std::fs::write(world.path("other.toml"), other).expect("a writable directory");
        let mut submit = world.command(&["submit", "other.toml", &blocks()]);
        let ended = submit.stderr(Stdio::piped()).output().expect("it starts");
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && error.contains(said), "{error}");
    }
    assert_eq!(at(&world.status(), "/blocks/submitted"), 0);
}
