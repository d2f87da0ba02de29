//! Engines that all want to append, each behind a wire that breaks as it pleases.
//!
//! What is broken when comes from a seed; who wins a race does not, so no two runs are the same.
//! What must hold does in all of them: what an engine was told has landed is in the log, once, and
//! what it was told has not is not.

use std::collections::BTreeSet;
use std::time::Duration;

use push0_core::Turn;
use push0_log::{AppendError, Log as _, NatsConfig};
use push0_testbed::{Nats, Proxy, Wire};
use tokio::task::yield_now;

use crate::world::{config, history, impatient, open, settled, through, turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_to_racing_engines_is_what_the_log_holds() {
    for nodes in [1, 3] {
        let nats = Nats::start(nodes);
        let config = config(&nats);
        drop(open(&config).await);
        let engines: Vec<_> = (0..3)
            .map(|number| {
                let wire = Proxy::to(nats.port(number % nodes));
                tokio::spawn(race(number as u64, wire, config.clone()))
            })
            .collect();
        let mut told = Told::default();
        for engine in engines {
            let of_one = engine.await.expect("it does not panic");
            told.landed.extend(of_one.landed);
            told.fenced.extend(of_one.fenced);
        }
        let turns = history(&config).await;
        let held: BTreeSet<_> = turns.iter().map(mark).collect();
        assert_eq!(held.len(), turns.len(), "nothing is there twice");
        assert_eq!(held, told.landed);
        assert_ne!(told.landed, BTreeSet::new());
        assert!(held.is_disjoint(&told.fenced));
    }
}

/// The marks of turns that an engine was told about.
#[derive(Default)]
struct Told {
    landed: BTreeSet<u64>,
    fenced: BTreeSet<u64>,
}

async fn race(number: u64, wire: Proxy, config: NatsConfig) -> Told {
    let mut log = open(&through(wire.url(), &impatient(&config))).await;
    let mut follower = log.follow(log.start().clone());
    let mut chance = Chance(number + 1);
    let mut told = Told::default();
    for mark in (0..TURNS).map(|turn| number * TURNS + turn) {
        // An engine that is out of reach meanwhile goes on from where it was, and is fenced.
        for _ in 0..TURNS {
            if !follower.next(LOOK).await.is_ok_and(|turns| !turns.is_empty()) {
                break;
            }
        }
        log.go_on_from(follower.position());
        let next = turn(log.last().next(), mark);
        let (told_of, ()) = tokio::join!(settled(&mut log, &next), breakage(&wire, &mut chance));
        match told_of {
            Ok(()) => told.landed.insert(mark),
            Err(AppendError::Fenced { .. }) => told.fenced.insert(mark),
            Err(error) => panic!("{error:?}"),
        };
    }
    told
}

/// Breaks the wire, or not, at some moment of an append, and mends it.
async fn breakage(wire: &Proxy, chance: &mut Chance) {
    let lost = match chance.below(4) {
        0 => Wire::NoAnswers,
        1 => Wire::NoRequests,
        2 => Wire::Down,
        _ => return,
    };
    for _ in 0..chance.below(200) {
        yield_now().await;
    }
    wire.set(lost);
    for _ in 0..chance.below(2_000) {
        yield_now().await;
    }
    wire.cut(Wire::Whole);
}

fn mark(turn: &Turn) -> u64 {
    turn.at.0
}

/// Numbers that come from a seed (the generator of Knuth's MMIX).
struct Chance(u64);

impl Chance {
    const fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// That each engine tries to append.
const TURNS: u64 = 50;

/// How long an engine looks for what others appended.
const LOOK: Duration = Duration::from_millis(20);
