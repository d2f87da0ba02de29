//! A stream that is not the log any more: every engine stops, and nothing is appended to it.
//!
//! Measured before there was such a check: a stream that was deleted and made again took the next
//! append of the engine that wrote the one before, for the sequence happened to match.

use std::fs;
use std::path::Path;
use std::time::Instant;

use push0_core::Seq;
use push0_log::{AppendError, Log as _, NatsLog, ReadError};
use push0_testbed::{Nats, PATIENCE};

use crate::world::{Admin, another, append, config, history, impatient, open, settled, turn};

#[tokio::test]
async fn a_stream_made_again_takes_no_append_of_the_engine_before() {
    for nodes in [1, 3] {
        let nats = Nats::start(nodes);
        let admin = Admin::of(&nats).await;
        for other_turns in [0, 2, 3, 4] {
            let config = another(&config(&nats));
            let mut engine = open(&impatient(&config)).await;
            append(&mut engine, 1..=3).await;
            // It has read what it would follow, and has not appended yet.
            let mut standby = open(&impatient(&config)).await;
            admin.delete(&config.stream).await;
            let turns = append(&mut open(&config).await, 11..11 + other_turns).await;

            stops(&mut engine).await;
            stops(&mut standby).await;
            assert_eq!(history(&config).await, turns, "after {other_turns} turns of another log");
            let start = Instant::now();
            let read = loop {
                match engine.read(Seq(0)).await {
                    // No answer in the little time that it has.
                    Err(ReadError::Unavailable(_)) if start.elapsed() < PATIENCE => {}
                    read => break read,
                }
            };
            let is_told =
                matches!(read, Err(ReadError::Replaced { .. } | ReadError::DamagedRecord { .. }));
            assert!(is_told, "{read:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_gone_or_empty_stops_its_engine() {
    let nats = Nats::start(1);
    let admin = Admin::of(&nats).await;
    for is_made_again in [false, true] {
        let config = another(&config(&nats));
        let mut engine = open(&impatient(&config)).await;
        append(&mut engine, 1..=3).await;
        let settings = admin.settings(&config.stream).await;
        admin.delete(&config.stream).await;
        if is_made_again {
            admin.set("CREATE", &settings).await;
        }
        stops(&mut engine).await;
    }
}

/// Someone restores an old copy, another engine goes on from it, and comes as far as the first had.
#[tokio::test]
async fn a_log_set_back_and_gone_on_with_takes_no_append_of_the_engine_before() {
    let mut nats = Nats::start(1);
    let config = config(&nats);
    let mut engine = open(&config).await;
    let mut turns = append(&mut engine, 1..=2).await;
    nats.kill(0);
    let copy = tempfile::TempDir::new().expect("a temporary directory");
    duplicate(&nats.store(0), copy.path());
    nats.restart(0);
    append(&mut engine, 3..=5).await;

    nats.kill(0);
    fs::remove_dir_all(nats.store(0)).expect("it is ours");
    duplicate(copy.path(), &nats.store(0));
    nats.restart(0);
    nats.wait_ready();
    let mut other = open(&config).await;
    turns.extend(append(&mut other, 13..=15).await);

    stops(&mut engine).await;
    turns.extend(append(&mut other, [16]).await);
    assert_eq!(history(&config).await, turns);
    let read = engine.read(Seq(0)).await;
    assert!(matches!(read, Err(ReadError::Replaced { .. })), "{read:?}");
}

#[tokio::test]
async fn a_follower_of_a_stream_made_again_stops() {
    let nats = Nats::start(1);
    let admin = Admin::of(&nats).await;
    let config = config(&nats);
    let mut engine = open(&config).await;
    let turns = append(&mut engine, 1..=3).await;
    let mut follower = engine.follow(engine.start().clone());
    assert_eq!(follower.next(PATIENCE).await.expect("the log is sound"), turns);

    admin.delete(&config.stream).await;
    append(&mut open(&config).await, 11..=14).await;
    let start = Instant::now();
    let stopped = loop {
        assert!(start.elapsed() < PATIENCE, "it goes on");
        match follower.next(PATIENCE).await {
            Ok(turns) => assert_eq!(turns, [], "nothing of the other log"),
            Err(error) => break error,
        }
    };
    assert!(matches!(stopped, ReadError::Replaced { .. }), "{stopped:?}");
}

/// Whether the engine appends nothing, now and from then on.
async fn stops(engine: &mut NatsLog) {
    for mark in 4..=5 {
        let next = turn(engine.last().next(), mark);
        let refused = settled(engine, &next).await;
        assert!(matches!(refused, Err(AppendError::Replaced { .. })), "{refused:?}");
    }
}

fn duplicate(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("there is room");
    for entry in fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("it can be read").is_dir() {
            true => duplicate(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).expect("there is room");
            }
        }
    }
}
