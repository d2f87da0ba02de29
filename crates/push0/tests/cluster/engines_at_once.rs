//! Two engines are started at the same instant.

use crate::world::{BLOCKS, World};

#[test]
fn one_leads_and_one_stands_by() {
    let mut world = World::new(1, "50ms");
    ["e1", "e2"].iter().for_each(|name| world.serve(name));
    world.dispatch("d1");
    world.submit();
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}
