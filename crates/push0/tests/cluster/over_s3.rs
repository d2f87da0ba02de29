//! Machines share a bucket, not a directory. A dispatcher is killed, and the bucket's server stops
//! and comes back.

use std::fs;

use push0_core::Event;
use push0_testbed::until;

use crate::world::{BLOCKS, World};

#[test]
fn a_dispatcher_is_killed_and_the_server_stops_for_a_while() {
    let mut world = World::over_s3("300ms", "bundle").peopled();
    world.submit();
    world.wait_accepted(2);
    world.kill("d1");
    world.wait_accepted(6);
    world.bucket().stop();
    // The one that is left has made something, or is to read something, and cannot.
    until("nobody misses the bucket", || {
        world.said("d2").contains("bucket artifacts").then_some(())
    });
    let at_the_outage = world.accepted();
    assert!(at_the_outage < BLOCKS);
    world.bucket().restart();
    world.dispatch("d1");
    world.wait_accepted(BLOCKS);
    let lost = |event: &&Event| matches!(event, Event::Reopened { .. } | Event::Parked { .. });
    let history = world.history();
    let lost: Vec<_> = history.iter().flat_map(|turn| &turn.events).filter(lost).collect();
    assert!(lost.is_empty(), "an outage is no loss: {lost:?}");
    assert!(!world.path("store").exists(), "nobody shares a directory");
    world.finish(BLOCKS);
}

#[test]
fn what_the_bucket_has_lost_is_made_again() {
    let mut world = World::over_s3("20ms", "number").peopled();
    world.submit();
    world.wait_accepted(BLOCKS);
    for folder in fs::read_dir(world.bucket().objects().join("cluster")).expect("a store").flatten()
    {
        if folder.path().is_dir() {
            fs::remove_dir_all(folder.path()).expect("it is ours");
        }
    }
    world.finish(BLOCKS);
}

#[test]
fn what_is_wrong_with_a_bucket_is_told_at_the_start() {
    let mut world = World::over_s3("20ms", "number");
    world.bucket().stop();
    for command in [&["serve", "pipeline.toml"][..], &["dispatch", "pipeline.toml", "--id", "d"]] {
        world.start("wrong", command);
        assert!(!world.wait_end("wrong").success());
    }
    let endpoint = world.bucket().endpoint();
    let said = world.said("wrong");
    let errors: Vec<_> = said.lines().filter(|line| line.contains(" ERROR ")).collect();
    assert_eq!(errors.len(), 2, "{said}");
    let is_told = |line: &&str| line.contains(&endpoint) && line.contains("bucket artifacts");
    assert!(errors.iter().all(is_told), "{said}");
}
