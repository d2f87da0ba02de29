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
    let mut world = World::with_accounts("1s");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    for id in ["d1", "d2"] {
        // There is always a free slot: what is measured is not the wait for one.
        world.dispatch_with(id, BLOCKS);
        world.wait_for(id, "takes work");
    }
    world.submit();
    let works = |turn: &push0_core::Turn| {
        let granted = |event: &Event| matches!(event, Event::Granted { dispatcher, .. } if dispatcher.as_str() == "d1");
        turn.events.iter().any(granted)
    };
    world.first_after(std::time::UNIX_EPOCH, "it is given nothing", works);
    let killed = world.kill("d1");
    tell("dispatcher killed, disconnect seen", world.given_out_again(killed));
    let is_seen = |turn: &push0_core::Turn| {
        let lost = |event: &Event| matches!(event, Event::Lost { message, .. } if message.contains("connection"));
        turn.events.iter().any(lost)
    };
    world.first_after(killed, "nobody saw it", is_seen);
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
