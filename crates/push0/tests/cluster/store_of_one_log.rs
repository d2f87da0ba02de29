//! A store is one log's: another pipeline is refused, and a machine that does not see the store
//! writes nothing.

use std::fs;

use crate::world::{BLOCKS, World};

#[test]
fn another_pipeline_is_refused_and_removes_nothing() {
    let mut world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    let other = "[nats]\nstream = \"other\"\nprefix = \"other\"\nmax_bytes = \"16MiB\"\n";
    fs::write(world.path("other.toml"), other).expect("a writable directory");
    let serve = ["serve", "pipeline.toml", "--config", "other.toml", "--name"];
    world.start("e9", &[&serve[..], &["e9"]].concat());
    assert_eq!(world.wait_end("e9").code(), Some(2), "{}", world.said("e9"));
    let said = world.said("e9");
    assert!(said.contains("belongs to another log") && said.contains("--store"), "{said}");
    world.drain();
    world.finish(BLOCKS);
}

/// The place of a mount that is missing is an empty directory.
#[test]
fn a_dispatcher_that_sees_no_store_makes_none() {
    let mut world = World::usual(1, "20ms");
    fs::create_dir(world.path("mount")).expect("a directory");
    let dispatch = ["dispatch", "pipeline.toml", "--id", "d9", "--dir", "d9", "--store", "mount"];
    world.start("d9", &dispatch);
    assert_eq!(world.wait_end("d9").code(), Some(6), "{}", world.said("d9"));
    assert!(world.said("d9").contains("there is no store in it"), "{}", world.said("d9"));
    assert_eq!(fs::read_dir(world.path("mount")).expect("a directory").count(), 0);
    world.submit();
    world.drain();
    world.finish(BLOCKS);
}

/// Nor does an engine, whose log's artifacts were in a store.
#[test]
fn an_engine_whose_store_is_away_takes_no_other_unless_it_is_lost_for_good() {
    let mut world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    for name in ["e1", "e2", "d1", "d2"] {
        world.kill(name);
    }
    let (mount, away) = (world.path("store"), world.path("away"));
    fs::rename(&mount, &away).expect("it is the test's");
    fs::create_dir(&mount).expect("a directory");
    world.serve("e3");
    assert_eq!(world.wait_end("e3").code(), Some(2), "{}", world.said("e3"));
    let said = world.said("e3");
    assert!(said.contains("is empty, and this log's artifacts were in one: mount it"), "{said}");
    world.start("e4", &["serve", "pipeline.toml", "--name", "e4", "--store-lost"]);
    world.wait_for("e4", "leads in");
    world.serve("e5");
    world.wait_for("e5", "stands by");
    for name in ["e4", "e5"] {
        world.stop(name);
    }
    fs::remove_dir_all(&mount).expect("it is the test's");
    fs::rename(&away, &mount).expect("it is the test's");
    world.serve("e6");
    world.wait_for("e6", "leads in");
    world.dispatch("d3");
    world.drain();
    world.finish(BLOCKS);
}

/// A directory in use is not taken for a dispatcher's, nor for one of proofs.
#[test]
fn a_directory_of_something_else_is_refused_and_left_as_it_is() {
    let mut world = World::usual(1, "20ms");
    fs::create_dir_all(world.path("home/work/thesis")).expect("a directory");
    fs::write(world.path("home/identity"), "me").expect("a writable directory");
    for (name, words) in [
        ("d9", &["dispatch", "pipeline.toml", "--id", "d9", "--dir", "home"][..]),
        ("p9", &["proofs", "pipeline.toml", "--out", "home"]),
        ("e9", &["serve", "pipeline.toml", "--name", "e9", "--store", "home"]),
    ] {
        world.start(name, words);
        assert_eq!(world.wait_end(name).code(), Some(2), "{}", world.said(name));
        assert!(world.said(name).contains("holds what is not push0's"), "{}", world.said(name));
    }
    assert!(world.path("home/work/thesis").is_dir());
    assert_eq!(fs::read_dir(world.path("home")).expect("a directory").count(), 2);
}
