//! Servers that die and freeze while an engine appends: everything is there once, in order.

use push0_core::{Seq, Turn};
use push0_log::{Log as _, NatsConfig, NatsLog, nats_client};
use push0_testbed::Nats;
use tokio::sync::watch;
use tokio::task::{JoinHandle, block_in_place};

use crate::world::{append, config, history, open, turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_a_leader_loses_nothing_and_repeats_nothing() {
    let mut nats = Nats::start(3);
    let config = config(&nats);
    let mut engine = Engine::begin(&config).await;
    for _ in 0..3 {
        engine.appends(100).await;
        block_in_place(|| {
            let leader = nats.leader_of(&config.stream);
            nats.kill(leader);
            nats.restart(leader);
            nats.wait_ready();
        });
    }
    engine.appends(100).await;
    let turns = engine.end().await;
    assert_eq!(history(&config).await, turns);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_all_servers_loses_nothing_and_repeats_nothing() {
    for nodes in [1, 3] {
        let mut nats = Nats::start(nodes);
        let config = config(&nats);
        let mut engine = Engine::begin(&config).await;
        for _ in 0..2 {
            engine.appends(100).await;
            block_in_place(|| {
                (0..nodes).for_each(|node| nats.kill(node));
                (0..nodes).for_each(|node| nats.restart(node));
                nats.wait_ready();
            });
        }
        engine.appends(100).await;
        let turns = engine.end().await;
        assert_eq!(history(&config).await, turns);
    }
}

/// Its connections stay open, and nothing comes on them; the engine may be on one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_freezes_is_done_without() {
    let nats = Nats::start(3);
    let config = config(&nats);
    let mut turns = Vec::new();
    for _ in 0..2 {
        let mut engine = open(&config).await;
        turns.extend(append(&mut engine, 1..=5).await);
        let leader = block_in_place(|| nats.leader_of(&config.stream));
        nats.freeze(leader);
        turns.extend(append(&mut engine, 6..=10).await);
        nats.thaw(leader);
        turns.extend(append(&mut engine, 11..=15).await);
    }
    assert_eq!(history(&config).await, turns);
}

#[tokio::test]
async fn a_connection_is_to_the_first_server_that_answers() {
    let mut nats = Nats::start(3);
    let mut config = config(&nats);
    for first in 0..3 {
        assert_eq!(server(&config).await, nats.port(first));
        config.urls.rotate_left(1);
    }
    nats.kill(0);
    assert_eq!(server(&config).await, nats.port(1));
}

/// The port of the server that a connection is to.
async fn server(config: &NatsConfig) -> u16 {
    let (client, _) = nats_client(config).await.expect("one answers");
    client.server_info().port
}

/// An engine that appends turn after turn until it is told to end.
struct Engine {
    last: watch::Receiver<Seq>,
    end: watch::Sender<bool>,
    task: JoinHandle<Vec<Turn>>,
}

impl Engine {
    async fn begin(config: &NatsConfig) -> Self {
        let log = open(config).await;
        let (told, last) = watch::channel(log.last());
        let (end, is_ending) = watch::channel(false);
        Self { last, end, task: tokio::spawn(append_on(log, told, is_ending)) }
    }

    /// Waits until it has appended so many more.
    async fn appends(&mut self, count: u64) {
        let goal = Seq(self.last.borrow().0 + count);
        while *self.last.borrow_and_update() < goal {
            let came = tokio::time::timeout(push0_testbed::PATIENCE, self.last.changed()).await;
            came.expect("the next in time").expect("it appends");
        }
    }

    /// Everything that it appended.
    async fn end(self) -> Vec<Turn> {
        self.end.send(true).expect("it appends");
        self.task.await.expect("it appends")
    }
}

async fn append_on(
    mut log: NatsLog,
    told: watch::Sender<Seq>,
    is_ending: watch::Receiver<bool>,
) -> Vec<Turn> {
    let mut turns = Vec::new();
    while !*is_ending.borrow() {
        let next = turn(log.last().next(), turns.len() as u64);
        log.append(&next).await.expect("it follows");
        turns.push(next);
        told.send(log.last()).expect("someone listens");
    }
    turns
}
