//! The leading engine is killed.

use push0_core::{Epoch, Event};

use crate::world::{BLOCKS, World, tell};

#[test]
fn the_other_leads_and_grants() {
    for nodes in [1, 3] {
        kill(nodes);
    }
}

fn kill(nodes: usize) {
    let mut world = World::usual(nodes, "200ms");
    world.submit();
    world.wait_accepted(4);
    let killed = world.kill("e1");
    let grants = |turn: &push0_core::Turn| {
        turn.epoch == Epoch(2)
            && turn.events.iter().any(|event| matches!(event, Event::Granted { .. }))
    };
    let what = format!("leading engine killed, log on {nodes}");
    tell(&what, world.first_after(killed, "nobody grants", grants));
    world.finish(BLOCKS);
}
