//! NATS servers are killed, and started again.

use crate::world::{BLOCKS, World, now, tell};

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
    let killed = now();
    let _elected = world.nats.leader_of("push0"); // another one, since that is dead
    tell(
        "NATS leader of three killed: its servers agree on another",
        now().duration_since(killed).unwrap_or_default(),
    );
    tell("NATS leader of three killed", world.read_after(killed, "nobody works", World::works));
    world.nats.restart(leader);
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

#[test]
fn all_three_under_load() {
    let mut world = World::usual(3, "200ms");
    world.submit();
    world.wait_accepted(4);
    (0..3).for_each(|node| world.nats.kill(node));
    let killed = now();
    std::thread::sleep(std::time::Duration::from_secs(1));
    (0..3).for_each(|node| world.nats.restart(node));
    world.nats.wait_ready();
    tell("all NATS servers killed", world.read_after(killed, "nobody works", World::works));
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}
