//! Whether a process lives is seen from outside.

use crate::world::World;

const ALL: [&str; 4] = ["e1", "e2", "d1", "d2"];

#[test]
fn one_that_is_frozen_or_cut_off_is_not_alive() {
    let mut world = World::usual(1, "20ms");
    ALL.iter().for_each(|name| world.wait_alive(name, true));
    for (name, other) in [("e2", "e1"), ("d2", "d1")] {
        world.freeze(name);
        world.wait_alive(name, false);
        world.wait_alive(other, true);
        world.thaw(name);
        world.wait_alive(name, true);
    }
    world.nats.kill(0);
    ALL.iter().for_each(|name| world.wait_alive(name, false));
    world.nats.restart(0);
    ALL.iter().for_each(|name| world.wait_alive(name, true));
    world.submit();
    world.finish(crate::world::BLOCKS);
}

#[test]
fn a_dispatcher_without_engines_is_alive() {
    let mut world = World::new(1, "20ms");
    world.dispatch("d1");
    world.wait_for("d1", "waits for an engine");
    world.wait_alive("d1", true);
}
