//! A dispatcher stands still until it is given up, and brings its results then.

use push0_core::Event;

use crate::world::{BLOCKS, World, tell};

#[test]
fn its_late_results_are_taken_or_known() {
    let world = World::usual(1, "300ms");
    world.submit();
    world.wait_accepted(2);
    let frozen = world.freeze("d1");
    let is_lost = |turn: &push0_core::Turn| {
        turn.events.iter().any(|event| matches!(event, Event::Lost { .. }))
    };
    tell("dispatcher frozen", world.first_after(frozen, "nobody gave it up", is_lost));
    world.thaw("d1");
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}
