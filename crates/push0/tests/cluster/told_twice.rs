//! A client submits everything twice, and says twice that it has ended.

use crate::world::{BLOCKS, World};

#[test]
fn it_counts_once() {
    let world = World::usual(1, "20ms");
    world.submit();
    world.submit();
    world.drain();
    world.finish(BLOCKS);
}
