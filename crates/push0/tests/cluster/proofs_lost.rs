//! The shared store loses every result before anybody has read the proofs.

use std::fs;

use crate::world::{BLOCKS, World};

#[test]
fn they_are_made_again_and_written() {
    let world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    lose_all(&world);
    world.finish(BLOCKS);
}

/// Provers read payloads, and those are lost too: only their source has them. A reader waits as
/// long as that takes.
#[test]
fn they_are_written_once_the_blocks_are_submitted_again() {
    let mut world = World::giving("20ms", "raw");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    world.submit();
    world.wait_accepted(BLOCKS);
    world.drain();
    lose_all(&world);
    world.follow_proofs();
    world.wait_for("e1", "is lost: submit it again");
    world.submit();
    world.finish(BLOCKS);
}

fn lose_all(world: &World) {
    for folder in fs::read_dir(world.path("store")).expect("a store").flatten() {
        if folder.path().is_dir() && folder.file_name() != "tmp" {
            fs::remove_dir_all(folder.path()).expect("it is ours");
        }
    }
}
