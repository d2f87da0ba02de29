//! The leading engine is killed.

use push0_core::{Epoch, Event};

use crate::world::{BLOCKS, World, tell};

#[test]
fn the_other_leads_and_grants() {
    let mut world = World::usual(1, "200ms");
    world.submit();
    world.wait_accepted(4);
    let killed = world.kill("e1");
    let grants = |turn: &push0_core::Turn| {
        turn.epoch == Epoch(2)
            && turn.events.iter().any(|event| matches!(event, Event::Granted { .. }))
    };
    tell("leading engine killed", world.first_after(killed, "nobody grants", grants));
    world.finish(BLOCKS);
}
