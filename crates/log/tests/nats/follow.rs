//! Standby engines: following a log as it grows, and taking over.

use std::time::{Duration, Instant};

use push0_core::{Event, ParkedBy, Seq, TaskId, Turn};
use push0_log::{AppendError, Log as _, ReadError};
use push0_testbed::{Nats, PATIENCE};

use crate::world::{Admin, append, config, history, open, through, turn};

#[tokio::test]
async fn a_follower_sees_each_turn_as_it_is_appended_and_then_nothing() {
    for nodes in [1, 3] {
        let nats = Nats::start(nodes);
        let config = config(&nats);
        let mut engine = open(&config).await;
        let standby = open(&config).await;
        let mut follower = standby.follow(standby.position().clone());
        for mark in 1..=10 {
            let appended = append(&mut engine, [mark]).await;
            let ends = standby.ends_at(follower.position()).await;
            assert!(matches!(ends, Ok(false)), "one more was appended: {ends:?}");
            assert_eq!(follower.next(PATIENCE).await.expect("the log is sound"), appended);
        }
        let more = follower.next(Duration::from_millis(1)).await.expect("the log is sound");
        assert_eq!(more, []);
        assert_eq!(follower.position(), engine.position());
        assert!(matches!(standby.ends_at(follower.position()).await, Ok(true)));
    }
}

#[tokio::test]
async fn a_follower_goes_on_when_servers_die_under_it() {
    let mut nats = Nats::start(3);
    let config = config(&nats);
    let mut engine = open(&config).await;
    let mut turns = append(&mut engine, 1..=5).await;
    let standby = open(&config).await;
    let mut follower = standby.follow(standby.start().clone());
    let mut seen = follower.next(PATIENCE).await.expect("the log is sound");
    for node in 0..3 {
        nats.kill(node);
        let mark = node as u64 * 10 + 10;
        turns.extend(append(&mut engine, mark..mark + 5).await);
        nats.restart(node);
        nats.wait_ready();
    }
    while seen.len() < turns.len() {
        let more = follower.next(PATIENCE).await.expect("the log is sound");
        assert_ne!(more, [], "{} of {}", seen.len(), turns.len());
        seen.extend(more);
    }
    assert_eq!(seen, turns);
}

/// The server that has its consumer dies, and its connection is to another: nothing tells it, and
/// it waits for moments only, as a reader does that looks after other things too.
#[tokio::test]
async fn a_follower_that_waits_for_moments_goes_on_when_its_consumer_dies_unheard() {
    let mut nats = Nats::start(3);
    let config = config(&nats);
    let mut engine = open(&config).await;
    let standby = open(&through(format!("nats://127.0.0.1:{}", nats.port(0)), &config)).await;
    let admin = Admin::of(&nats).await;
    let (mut follower, server) = loop {
        let mut follower = standby.follow(standby.start().clone());
        let before = admin.consumers(&config.stream).await;
        let asked = Instant::now();
        assert_eq!(follower.next(MOMENT).await.expect("the log is sound"), []);
        let mut made = Vec::new();
        while made.is_empty() {
            assert!(asked.elapsed() < PATIENCE, "it made none");
            made = admin.consumers(&config.stream).await;
            made.retain(|name| !before.contains(name));
        }
        let [name] = &made[..] else {
            let late = asked.elapsed() >= config.answer_max;
            assert!(late, "only one that is answered too late is made again: {made:?}");
            continue;
        };
        let server = admin.consumer_at(&config.stream, name).await;
        if server != 0 {
            break (follower, server);
        }
    };
    nats.kill(server);
    let appended = append(&mut engine, [1]).await;
    let start = Instant::now();
    let mut seen = Vec::new();
    while seen != appended {
        assert!(start.elapsed() < PATIENCE, "it never came");
        match follower.next(MOMENT).await {
            Ok(turns) => seen.extend(turns),
            Err(ReadError::Unavailable(_)) => {} // they elect
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_long_history_comes_in_batches_of_bounded_size() {
    let nats = Nats::start(1);
    let config = config(&nats);
    let mut engine = open(&config).await;
    for _ in 0..30 {
        engine.append(&large(engine.last().next())).await.expect("it follows");
    }
    let mut follower = engine.follow(engine.start().clone());
    let mut seen = 0;
    while follower.position() != engine.position() {
        let batch = follower.next(PATIENCE).await.expect("the log is sound");
        assert!((1..=9).contains(&batch.len()), "{} turns of half a megabyte", batch.len());
        seen += batch.len();
    }
    assert_eq!(seen, 30);
    assert_eq!(history(&config).await.len(), 30);
}

#[tokio::test]
async fn a_standby_takes_over_where_it_is_and_the_other_is_fenced() {
    let nats = Nats::start(1);
    let config = config(&nats);
    let mut engine = open(&config).await;
    let mut standby = open(&config).await;
    let mut turns = append(&mut engine, 1..=5).await;

    let behind = standby.append(&turn(standby.last().next(), 9)).await;
    assert!(matches!(behind, Err(AppendError::Fenced { .. })), "{behind:?}");

    let mut follower = standby.follow(standby.position().clone());
    assert_eq!(follower.next(PATIENCE).await.expect("the log is sound"), turns);
    standby.go_on_from(follower.position());
    turns.extend(append(&mut standby, 6..=7).await);

    let deposed = engine.append(&turn(engine.last().next(), 8)).await;
    assert!(matches!(deposed, Err(AppendError::Fenced { .. })), "{deposed:?}");
    assert_eq!(history(&config).await, turns);
}

/// A turn of half a megabyte.
fn large(first: Seq) -> Turn {
    let message = "x".repeat(512 << 10);
    let events = vec![Event::Parked { task: TaskId([7; 32]), class: ParkedBy::Lost, message }];
    Turn { events, ..turn(first, 0) }
}

const MOMENT: Duration = Duration::from_millis(50);
