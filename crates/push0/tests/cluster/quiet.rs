//! Nothing befalls it.

use crate::world::{BLOCKS, World};

#[test]
fn every_block_is_released_in_order() {
    let mut world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    let ended = ["d1", "d2", "e2", "e1"].map(|name| {
        if name == "e1" {
            world.drain(); // an engine is there to hear it
        }
        world.stop(name).code()
    });
    assert_eq!(ended, [Some(0); 4]);
    world.serve("e3");
    world.finish(BLOCKS);
}
