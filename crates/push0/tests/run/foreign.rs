//! Data directories that are not this pipeline's, or not this push0's: refused, and left as they
//! are.

use std::fs;

use crate::support::{World, blocks, leaf_and_tree};

#[test]
fn one_of_another_pipeline_is_refused_by_what_differs_and_left_as_it_is() {
    let world = finished();
    let before = log(&world);
    let pipeline = leaf_and_tree("1ms");
    for (from, to, told) in [
        ("\"trial\"", "\"other\"", "name: was \"trial\", is \"other\""),
        ("534352", "1", "source.chain: was 534352, is 1"),
        ("leaf", "leaves", "stages.leaf"),
        (
            "program = \"warm\"",
            "program = \"cold\"",
            "stages.leaf.program: was \"warm\", is \"cold\"",
        ),
    ] {
        world.write("pipeline.toml", &pipeline.replace(from, to));
        let ended = world.run(&["--apply"]).with(4);
        assert!(ended.error().contains(told), "no {told:?} in {}", ended.stderr);
        assert!(ended.error().contains("use another --data"), "{}", ended.stderr);
    }
    assert_eq!(log(&world), before);
    world.write("pipeline.toml", &pipeline);
    world.run(&[]).with(0);
}

#[test]
fn one_of_a_newer_push0_is_refused_with_its_place_and_left_as_it_is() {
    let world = finished();
    let path = world.path("data/log/00000001.seg");
    let mut bytes = fs::read(&path).expect("a segment");
    // Its first frame says version 2, and is whole: crates/log/src/frame.rs has the table.
    let length = <[u8; 4]>::try_from(&bytes[12..16]).expect("four bytes");
    let frame = &mut bytes[..(u32::from_le_bytes(length) as usize).next_multiple_of(64)];
    frame[8] = 2;
    frame[16..20].fill(0);
    let checksum = crc32c::crc32c(frame).to_le_bytes();
    frame[16..20].copy_from_slice(&checksum);
    fs::write(&path, &bytes).expect("room on the disk");
    let ended = world.run(&[]).with(4);
    for word in ["00000001.seg", "newer push0 at byte 0", "use the push0 that wrote it"] {
        assert!(ended.error().contains(word), "no {word:?} in {}", ended.stderr);
    }
    assert_eq!(fs::read(&path).expect("a segment"), bytes);
}

#[test]
fn one_whose_log_is_gone_is_refused_and_left_as_it_is() {
    for gone in ["data/log", "data/log/00000001.seg"] {
        let world = finished();
        let path = world.path(gone);
        match path.is_dir() {
            true => fs::remove_dir_all(path).expect("removed"),
            false => fs::remove_file(path).expect("removed"),
        }
        let ended = world.run(&[]).with(4);
        assert!(ended.error().contains("the log is gone"), "{}", ended.stderr);
        assert!(!world.path("data/log/00000001.seg").exists());
    }
}

#[test]
fn a_directory_of_something_else_is_not_written_to() {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 1));
    fs::create_dir(world.path("data")).expect("a directory");
    world.write("data/notes.txt", "not push0's");
    let ended = world.run(&[]).with(2);
    for word in ["notes.txt", "name a directory that is empty or not there"] {
        assert!(ended.error().contains(word), "no {word:?} in {}", ended.stderr);
    }
    let entries = fs::read_dir(world.path("data")).expect("a directory");
    assert_eq!(entries.count(), 1, "something was added");
    // Nor is one that has files of such names.
    fs::create_dir_all(world.path("data/store/tmp")).expect("a directory");
    world.write("data/store/identity", "mine");
    world.run(&[]).with(2);
    let entries = fs::read_dir(world.path("data")).expect("a directory");
    assert_eq!(entries.count(), 2, "something was added");
}

fn finished() -> World {
    let world = World::new(&leaf_and_tree("1ms"), &blocks(1, 3));
    world.run(&[]).with(0);
    world
}

/// All that the log says.
fn log(world: &World) -> String {
    world.push0(&["log", "cat", "--json", "--data", "data"]).with(0).stdout
}
