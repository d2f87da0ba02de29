//! NATS servers are killed, and started again.

use push0_core::Event;

use crate::world::{BLOCKS, World, tell};

#[test]
fn the_only_one() {
    let mut world = World::usual(1, "200ms");
    world.submit();
    world.wait_accepted(4);
    world.nats.kill(0);
    std::thread::sleep(std::time::Duration::from_secs(1));
    world.nats.restart(0);
    world.nats.wait_ready();
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

#[test]
fn the_leader_of_three() {
    let mut world = World::usual(3, "200ms");
    world.submit();
    world.wait_accepted(4);
    let leader = world.nats.leader_of("push0");
    world.nats.kill(leader);
    #[expect(clippy::disallowed_methods, reason = "the log's time is the wall's")]
    let killed = std::time::SystemTime::now();
    let grants = |turn: &push0_core::Turn| {
        turn.events.iter().any(|event| matches!(event, Event::Granted { .. }))
    };
    tell("NATS leader of three killed", world.first_after(killed, "nobody grants", grants));
    world.nats.restart(leader);
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}
