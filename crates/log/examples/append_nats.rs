//! How long an append takes on JetStream here: `cargo run --release -p push0-log --example append_nats`.
//!
//! Starts real servers on loopback (`tools/nats-server` installs them), one alone and three with routes,
//! each with the `sync_interval` of `deploy/nats.conf` and with the default one. All three share this
//! machine and its disk, so what three cost on three machines is less of syncs and more of network.
//!
//! Not here: a benchmark to compare runs by.

use std::error::Error;
use std::time::{Duration, Instant};

use push0_core::{AttemptId, Digest, Epoch, Event, ResultRef, Seq, TaskId, Timestamp, Turn};
use push0_log::{Log as _, NatsConfig, NatsLog};
use push0_testbed::{Nats, Settings};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "what it is for")]
async fn main() -> Result<(), Box<dyn Error>> {
    for nodes in [1, 3] {
        for (lazy_sync, sync) in [(true, "2m (default)"), (false, "always")] {
            println!("{nodes} server(s), sync_interval: {sync}");
            let nats = Nats::start_with(&Settings { nodes, lazy_sync, ..Settings::default() });
            let config = NatsConfig {
                urls: nats.urls(),
                replicas: nodes,
                max_bytes: 256 << 20,
                ..NatsConfig::default()
            };
            appends(&config).await?;
            pipelined(&config).await?;
            replay(&config).await?;
        }
    }
    Ok(())
}

/// One after the other, as an engine that is idle between its turns.
#[expect(clippy::print_stdout, reason = "what it is for")]
async fn appends(config: &NatsConfig) -> Result<(), Box<dyn Error>> {
    let mut log = NatsLog::open(config).await?;
    let mut took = Vec::new();
    for _ in 0..APPENDS {
        let turn = turn(log.last().next(), 1);
        let start = Instant::now();
        log.append(&turn).await?;
        took.push(start.elapsed());
    }
    let bytes = serde_json::to_vec(&turn(Seq(1), 1))?.len();
    println!("  append of a turn of {bytes} bytes: {}", spread(took));
    Ok(())
}

/// As fast as they are taken: those that wait share a message.
#[expect(clippy::print_stdout, reason = "what it is for")]
async fn pipelined(config: &NatsConfig) -> Result<(), Box<dyn Error>> {
    let mut log = NatsLog::open(config).await?;
    let start = Instant::now();
    let mut next = log.last().next();
    for _ in 0..TURNS {
        let turn = turn(next, 1);
        log.begin(&turn).await?;
        next = turn.last().next();
    }
    while log.landed().await?.next() < next {}
    let rate = TURNS as f64 / start.elapsed().as_secs_f64();
    println!("  turns that are begun as fast as they are taken: {rate:.0}/s");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what it is for")]
async fn replay(config: &NatsConfig) -> Result<(), Box<dyn Error>> {
    let log = NatsLog::open(config).await?;
    let start = Instant::now();
    let turns = log.read(Seq(0)).await?.len();
    println!("  replay of {turns} turns: {:.2?}", start.elapsed());
    Ok(())
}

fn spread(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |per_mille| took.get(took.len() * per_mille / 1000).copied().unwrap_or_default();
    format!("p50 {:.0?}, p99 {:.0?}, p99.9 {:.0?}", at(500), at(990), at(999))
}

fn turn(first: Seq, events: u64) -> Turn {
    let accepted = |_| Event::Accepted {
        task: TaskId([0x5a; 32]),
        attempt: AttemptId(first.0),
        result: ResultRef {
            output: Digest([0xa5; 32]),
            bytes: 133_000,
            statement: Digest([0x77; 32]),
            vkey: None,
            mock: false,
            parts: Vec::new(),
        },
        ran_us: 1_300_000,
    };
    let events = (0..events).map(accepted).collect();
    Turn { epoch: Epoch(1), first, at: Timestamp(1_790_000_000_000_000), events }
}

const APPENDS: u64 = 5_000;
const TURNS: u64 = 50_000;
