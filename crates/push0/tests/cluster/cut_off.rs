//! One process is cut off from all others, and comes back.

use push0_core::{Event, Turn};
use push0_testbed::{Proxy, Wire};

use crate::world::{BLOCKS, World, now, tell};

#[test]
fn a_dispatcher_proves_on_and_is_given_up_until_it_is_back() {
    let mut world = World::with_accounts("300ms");
    let wire = Proxy::to(world.nats.port(0));
    world.tell("d1", "PUSH0_NATS", wire.url());
    let mut world = world.peopled();
    world.submit();
    world.wait_accepted(2);
    wire.cut(Wire::Down);
    let cut = now();
    tell("dispatcher cut off", world.first_after(cut, "nobody gave it up", is_lost));
    world.wait_accepted(10);
    wire.set(Wire::Whole);
    let back = now();
    world.kill("d2"); // it leaves something to do
    let grants = |turn: &Turn| {
        turn.events.iter().any(
            |event| matches!(event, Event::Granted { dispatcher, .. } if dispatcher.as_str() == "d1"),
        )
    };
    tell("dispatcher back", world.first_after(back, "it is given nothing", grants));
    world.finish(BLOCKS);
}

#[test]
fn a_leader_is_followed_by_another_and_stands_by_when_it_is_back() {
    let mut world = World::new(1, "300ms");
    let wire = Proxy::to(world.nats.port(0));
    world.tell("e1", "PUSH0_NATS", wire.url());
    let world = world.peopled();
    world.submit();
    world.wait_accepted(2);
    wire.cut(Wire::Down);
    let cut = now();
    tell("leader cut off", world.first_after(cut, "nobody works", World::works));
    world.wait_for("e2", "leads in epoch-2");
    wire.set(Wire::Whole);
    world.wait_for("e1", "leads no more");
    world.finish(BLOCKS);
}

/// Nothing is closed, and nothing arrives: only time tells.
#[test]
fn a_leader_that_is_heard_and_hears_nothing_is_followed_by_another() {
    let mut world = World::new(1, "300ms");
    let wire = Proxy::to(world.nats.port(0));
    world.tell("e1", "PUSH0_NATS", wire.url());
    let world = world.peopled();
    world.submit();
    world.wait_accepted(2);
    wire.set(Wire::NoAnswers);
    world.wait_for("e2", "leads in epoch-2");
    wire.cut(Wire::Whole);
    world.wait_for("e1", "leads no more");
    world.finish(BLOCKS);
}

/// Its beats and its grants pass, its appends do not: it may not go on as if it led.
#[test]
fn a_leader_that_reaches_all_but_its_log_leaves_it_to_another() {
    let world = World::with_users("300ms");
    world.submit();
    world.wait_accepted(2);
    world.deny_log("e1");
    let cut = now();
    tell("leader cut off from its log", world.first_after(cut, "nobody works", World::works));
    world.wait_for("e2", "leads in epoch-2");
    world.wait_accepted(8);
    world.allow_all();
    world.wait_for("e1", "stands by");
    world.finish(BLOCKS);
}

fn is_lost(turn: &Turn) -> bool {
    turn.events.iter().any(|event| matches!(event, Event::Lost { .. }))
}
