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
fn where_the_servers_tell_of_lost_connections_it_is_given_at_once() {
    let mut world = World::with_accounts("300ms").peopled();
    world.submit();
    world.wait_accepted(2);
    let killed = world.kill("d1");
    let is_lost = |turn: &push0_core::Turn| {
        let lost = |event: &Event| matches!(event, Event::Lost { message, .. } if message.contains("connection"));
        turn.events.iter().any(lost)
    };
    tell("dispatcher killed, disconnect seen", world.first_after(killed, "nobody saw it", is_lost));
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
