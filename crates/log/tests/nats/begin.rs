//! Turns that are begun while others are under way.

use std::time::Instant;

use push0_core::{Event, ParkedBy, Seq, TaskId, Turn};
use push0_log::{AppendError, Log as _};
use push0_testbed::{Nats, PATIENCE, Proxy, Wire};

use crate::world::{Admin, another, append, config, history, impatient, open, through, turn};

#[tokio::test]
async fn turns_begun_one_after_the_other_land_in_order_and_share_messages() {
    for nodes in [1, 3] {
        let nats = Nats::start(nodes);
        let config = config(&nats);
        let mut engine = open(&config).await;
        let turns: Vec<_> = (1..=100).map(|mark| turn(Seq(mark), mark)).collect();
        for turn in &turns {
            engine.begin(turn).await.expect("it follows");
        }
        let mut durable = engine.last();
        while durable < Seq(100) {
            // It gives more each time, so it ends.
            let landed = engine.landed().await.expect("the servers are there");
            assert!(landed > durable, "{landed} after {durable}");
            durable = landed;
        }
        assert_eq!(history(&config).await, turns);
        let messages = Admin::of(&nats).await.records(&config.stream).await;
        assert_eq!(messages, 3, "the first record, the first turn, and those that waited");
        for after in [0, 1, 2, 50, 99, 100] {
            let read = engine.read(Seq(after)).await.expect("the log is sound");
            assert!(
                read.iter().eq(turns.iter().filter(|turn| turn.last() > Seq(after))),
                "{after}"
            );
        }
    }
}

#[tokio::test]
async fn no_more_than_one_record_waits() {
    let nats = Nats::start(1);
    let config = config(&nats);
    let mut engine = open(&config).await;
    let mut turns = Vec::new();
    for first in 1..=10 {
        let large = large(Seq(first));
        engine.begin(&large).await.expect("it follows");
        turns.push(large);
        assert!(engine.last() >= Seq(first.saturating_sub(3)), "{} at {first}", engine.last());
    }
    // At most one is under way, and one waits.
    for _ in 0..2 {
        engine.landed().await.expect("the servers are there");
    }
    assert_eq!(engine.last(), Seq(10));
    assert_eq!(history(&config).await, turns);
}

#[tokio::test]
async fn whatever_was_begun_behind_a_fenced_turn_is_not_in_the_log() {
    let nats = Nats::start(1);
    let config = config(&nats);
    let mut engine = open(&config).await;
    let mut turns = append(&mut engine, [1]).await;
    let mut other = open(&config).await;
    turns.extend(append(&mut other, [9]).await);
    for position in 2..=5 {
        engine.begin(&turn(Seq(position), position)).await.expect("it follows what was begun");
    }
    let refused = engine.landed().await;
    assert!(matches!(refused, Err(AppendError::Fenced { .. })), "{refused:?}");
    assert_eq!(engine.last(), Seq(1));
    assert_eq!(engine.landed().await.expect("there is nothing under way"), Seq(1));
    assert_eq!(history(&config).await, turns);
}

#[tokio::test]
async fn turns_whose_fate_is_unknown_land_once_when_they_are_asked_for_again() {
    let nats = Nats::start(1);
    let config = config(&nats);
    let wire = Proxy::to(nats.port(0));
    let mut engine = open(&through(wire.url(), &impatient(&config))).await;
    let mut turns = append(&mut engine, [1]).await;
    wire.set(Wire::NoAnswers);
    for position in 2..=5 {
        let next = turn(Seq(position), position);
        engine.begin(&next).await.expect("it follows");
        turns.push(next);
    }
    let unknown = engine.landed().await;
    assert!(matches!(unknown, Err(AppendError::Unavailable(_))), "{unknown:?}");
    wire.cut(Wire::Whole);
    let start = Instant::now();
    while engine.last() < Seq(5) {
        assert!(start.elapsed() < PATIENCE, "{:?}", engine.last());
        match engine.landed().await {
            Ok(_) | Err(AppendError::Unavailable(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(history(&config).await, turns);
}

/// Why there is one message in flight and no more: of two, the second can land behind a record that
/// it does not follow, and no header that servers check on a cluster says which record that must be
/// while it is itself under way.
#[tokio::test]
async fn of_two_messages_in_flight_the_second_could_follow_another_engines() {
    for nodes in [1, 3] {
        let nats = Nats::start(nodes);
        let config = another(&config(&nats));
        drop(open(&config).await);
        let admin = Admin::of(&nats).await;
        let subject = |writer: &str| format!("{}.log.{writer}", config.subject);
        let expect = |last: &'static str| [("Nats-Expected-Last-Sequence", last)];
        let other = admin.publish(&subject("other"), &expect("1"), b"other's first").await;
        let first = admin.publish(&subject("this"), &expect("1"), b"this one's first").await;
        let second = admin.publish(&subject("this"), &expect("2"), b"this one's second").await;
        assert_eq!(other.pointer("/seq"), Some(&2.into()), "{other}");
        assert_eq!(first.pointer("/error/err_code"), Some(&10_071.into()), "{first}");
        assert_eq!(second.pointer("/seq"), Some(&3.into()), "{second}");
    }
}

/// A turn of 600 KiB: no two share a record.
fn large(first: Seq) -> Turn {
    let message = "x".repeat(600 << 10);
    let events = vec![Event::Parked { task: TaskId([7; 32]), class: ParkedBy::Lost, message }];
    Turn { events, ..turn(first, 0) }
}
