//! A chain whose head moves: who submits says where it ends, and what is final.

use std::fs;

use push0_testbed::until;
use serde_json::Value;

use crate::world::{BLOCKS, World, at, blocks};

/// Block 16525005 of Scroll with other extra data, and so with another hash. Made for this test.
const ORPHAN: &str = include_str!("orphan.jsonl");

#[test]
fn a_reorg_is_said_by_who_submits_and_outlives_its_leader_and_only_what_is_final_goes_out() {
    let world = World::new(1, "50ms");
    let own = fs::read_to_string(world.path("pipeline.toml")).expect("it is there");
    let heads = own.replace("chain = 534352", "chain = 534352, heads = true");
    fs::write(world.path("pipeline.toml"), heads).expect("a writable directory");
    fs::write(world.path("orphan.jsonl"), ORPHAN).expect("a writable directory");
    let mut world = world.peopled();
    let file = fs::read_to_string(blocks()).expect("it is there");
    let hashes: Vec<_> = file.lines().map(hash).collect();
    let of = |number: u64| {
        let index = usize::try_from(number - 16_525_000).expect("small");
        hashes.get(index).expect("there is one").as_str()
    };
    let accepted = |world: &World| at(&world.status(), "/attempts/accepted").as_u64();

    world.submit();
    assert_eq!(at(&world.status(), "/attempts/started"), 0, "no head was said");
    assert!(world.run(&["head", of(16_525_006)]).success());
    until("seven are not proved", || (accepted(&world) == Some(7)).then_some(()));
    assert!(world.run(&["submit", "pipeline.toml", "orphan.jsonl"]).success());
    assert!(world.run(&["head", &hash(ORPHAN)]).success());
    until("the other is not proved", || (accepted(&world) == Some(8)).then_some(()));
    assert!(world.run(&["head", of(16_525_004), "--final"]).success());
    until("what is final is not released", || {
        (at(&world.status(), "/blocks/released") == 5).then_some(())
    });
    // What is final stays: a head that leaves it is refused, and so is another final block.
    assert!(!world.run(&["head", of(16_525_003)]).success());
    assert!(!world.run(&["head", of(16_525_005), "--final"]).success(), "it left the chain");

    world.kill("e1");
    assert!(world.run(&["head", of(16_525_019)]).success());
    assert!(world.run(&["head", of(16_525_019), "--final"]).success());
    world.drain();
    world.follow_proofs();
    assert!(world.wait_end("proofs").success());
    let lines = fs::read_to_string(world.path("proofs.txt")).expect("it was written");
    assert_eq!(lines.lines().count(), BLOCKS);
    // Block 16525005 was proved before the reorg, and its proof was used.
    assert_eq!(accepted(&world), Some(21));
}

/// The hash of a block, as its line has it.
fn hash(line: &str) -> String {
    let block: Value = serde_json::from_str(line).expect("a block");
    at(&block, "/hash").as_str().expect("it has a hash").to_owned()
}
