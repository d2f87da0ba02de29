//! The leading engine stands still until another leads, and goes on then.

use crate::world::{BLOCKS, World};

#[test]
fn it_finds_its_append_refused_and_stands_by() {
    let mut world = World::usual(1, "200ms");
    world.submit();
    world.wait_accepted(2);
    world.freeze("e1");
    world.wait_for("e2", "leads in epoch-2");
    world.wait_accepted(8);
    world.thaw("e1");
    world.wait_for("e1", "leads no more");
    // It stands by in earnest: it leads again when the other is gone.
    world.kill("e2");
    world.wait_for("e1", "leads in epoch-3");
    world.finish(BLOCKS);
}
