//! A cluster that follows nodes: whoever leads does.

use std::fs;

use push0_core::Event;
use push0_testbed::{Anvil, until};

use crate::world::{World, at, blocks};

#[test]
fn who_takes_over_goes_on_with_the_chain_and_a_reorg_between_costs_no_height() {
    let node = Anvil::with_epochs(4, &["--block-time", "0.1"]);
    let world = following(&node).peopled();
    let released = |world: &World| at(&world.status(), "/blocks/released").as_u64().unwrap_or(0);
    until("nothing is released", || (released(&world) >= 5).then_some(()));
    node.reorg(3);
    until("it does not go on", || (released(&world) >= 15).then_some(()));
    world.freeze("e1");
    node.reorg(5);
    until("nobody goes on", || {
        let told = world.status_now()?;
        (at(&told, "/blocks/released").as_u64()? >= 30).then_some(())
    });
    world.thaw("e1");
    node.reorg(2);
    until("it does not go on", || (released(&world) >= 45).then_some(()));
    let mut next = 1;
    let history = world.history();
    for event in history.iter().flat_map(|turn| &turn.events) {
        if let Event::Released { key, .. } = event {
            assert_eq!((key.first.0, key.tip.to_string()), (next, node.hash_of(next)));
            next += 1;
        }
    }
    assert!(next > 45, "{next}");
}

#[test]
fn nobody_else_gives_a_block_or_a_head_to_a_chain_of_nodes() {
    let node = Anvil::with_epochs(4, &["--block-time", "0.1"]);
    let mut world = following(&node);
    world.serve("e1");
    world.wait_for("e1", "leads in");
    until("no block comes", || {
        (at(&world.status(), "/blocks/submitted").as_u64()? > 3).then_some(())
    });
    assert!(!world.run(&["submit", "pipeline.toml", &blocks()]).success());
    assert!(!world.run(&["head", &node.hash_of(1)]).success());
    assert!(!world.run(&["head", &node.hash_of(1), "--final"]).success());
}

/// A cluster that is to follow a node.
fn following(node: &Anvil) -> World {
    let world = World::new(1, "10ms");
    let own = fs::read_to_string(world.path("pipeline.toml")).expect("it is there");
    let (was, url) = (r#"kind = "submit", chain = 534352"#, node.url());
    let is = format!(
        r#"kind = "node", chain = 31337, http = ["{url}"], from = 1, poll = "50ms", heads = true"#
    );
    fs::write(world.path("pipeline.toml"), own.replace(was, &is)).expect("a writable directory");
    world
}
