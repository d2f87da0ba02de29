//! Everything is started anew, one after the other, under load.

use crate::world::{BLOCKS, World};

#[test]
fn a_dispatcher_that_waits_for_an_engine_stops_when_it_is_told_to() {
    let mut world = World::new(1, "20ms");
    world.dispatch("d1");
    world.wait_for("d1", "waits for an engine");
    assert!(world.stop("d1").success(), "{}", world.said("d1"));
}

#[test]
fn nothing_is_lost() {
    let mut world = World::usual(1, "200ms");
    world.submit();
    world.wait_accepted(2);
    for name in ["d1", "d2"] {
        assert!(world.stop(name).success());
        world.dispatch(name);
    }
    for name in ["e1", "e2"] {
        assert!(world.stop(name).success());
        world.serve(name);
        world.wait_accepted((world.accepted() + 1).min(BLOCKS));
    }
    world.finish(BLOCKS);
}
