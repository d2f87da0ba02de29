//! The shared store loses every result before anybody has read the proofs.

use std::fs;

use crate::world::{BLOCKS, World};

#[test]
fn they_are_made_again_and_written() {
    let world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    for folder in fs::read_dir(world.path("store")).expect("a store").flatten() {
        if folder.path().is_dir() && folder.file_name() != "tmp" {
            fs::remove_dir_all(folder.path()).expect("it is ours");
        }
    }
    world.finish(BLOCKS);
}
