//! A disk that hangs: whoever asks it waits, and nobody else does.
//!
//! The disk of an artifact hangs as one does that gives a file which has no end in any test's time:
//! a terabyte of nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use push0_core::{Bound, Grant, Outcome, ToDispatcher};

use crate::world::{World, until};

#[test]
fn an_attempt_whose_input_hangs_is_cancelled_and_others_run() {
    let mut world = World::with(2, |dir| {
        [(crate::world::name(), crate::world::mock(dir, "echo 1 > $out"))].into()
    });
    let bound = world.put(1, b"input of a disk that hangs");
    let file = hang(world.dir.path(), &bound);
    let stuck = Grant { inputs: vec![bound], ..world.new_grant() };
    world.grant(&stuck);
    let other = world.new_grant();
    world.proved(&other);
    world.send(ToDispatcher::Cancel(stuck.attempt));
    assert_eq!(world.outcome_of(&stuck), Outcome::Cancelled);
    let_go(&file);
}

#[test]
fn a_dispatcher_ends_though_a_disk_hangs() {
    let mut world = World::of_mock("echo 1 > $out");
    let bound = world.put(1, b"input of a disk that hangs");
    let file = hang(world.dir.path(), &bound);
    let stuck = Grant { inputs: vec![bound], ..world.new_grant() };
    world.grant(&stuck);
    let view = world.dispatcher.view();
    until(|| (!view.running().is_empty()).then_some(()));
    world.dispatcher.begin_shutdown(Duration::ZERO);
    assert!(matches!(world.outcome_of(&stuck), Outcome::NotRun { .. }));
    // Ends the dispatcher, which waits for nothing that hangs.
    let dir = world.end();
    let_go(&file);
    drop(dir);
}

/// Puts a file that nobody reads to its end where the artifact is.
fn hang(dir: &Path, bound: &Bound) -> PathBuf {
    let name = bound.artifact.to_string();
    let path = find(&dir.join("store"), &|path| {
        let own =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        own.len() > 20 && name.ends_with(&own)
    });
    let path = path.expect("it was put");
    fs::File::create(&path).expect("its own").set_len(1 << 40).expect("it takes no room");
    path
}

/// Lets whoever reads it come to an end: that ends with the test.
fn let_go(file: &Path) {
    fs::File::create(file).expect("its own");
}

fn find(dir: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).find_map(|path| {
        match path.is_dir() {
            true => find(&path, is_wanted),
            false => is_wanted(&path).then_some(path),
        }
    })
}
