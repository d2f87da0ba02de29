//! A dispatcher is killed.

use push0_core::Event;

use crate::world::{BLOCKS, World, tell};

#[test]
fn its_work_is_given_to_the_other() {
    let mut world = World::usual(1, "300ms");
    world.submit();
    world.wait_accepted(2);
    let killed = world.kill("d1");
    let is_lost = |turn: &push0_core::Turn| {
        turn.events.iter().any(|event| matches!(event, Event::Lost { .. }))
    };
    tell("dispatcher killed", world.first_after(killed, "nobody gave it up", is_lost));
    world.finish(BLOCKS);
}

#[test]
fn one_that_is_started_again_takes_work_at_once() {
    let mut world = World::usual(1, "300ms");
    world.kill("d2");
    world.submit();
    world.wait_accepted(2);
    let killed = world.kill("d1");
    world.dispatch("d1");
    let is_lost = |turn: &push0_core::Turn| {
        turn.events.iter().any(|event| matches!(event, Event::Lost { .. }))
    };
    tell("dispatcher killed and started", world.first_after(killed, "nobody knows", is_lost));
    world.finish(BLOCKS);
}
