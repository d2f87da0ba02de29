//! How long an append takes on JetStream here: `cargo run --release -p push0-log --example
//! append_nats`.
//!
//! Starts real servers on loopback (`tools/nats-server` installs them), one alone and three with
//! routes, each with the `sync_interval` of `deploy/nats.conf` and with the default one. All three
//! share this machine and its disk, so what three cost on three machines is less of syncs and more
//! of network.
//!
//! Not here: a benchmark to compare runs by.

mod shared;

use std::error::Error;
use std::time::Instant;

use push0_core::Seq;
use push0_log::{Log as _, NatsConfig, NatsLog};
use push0_testbed::{Nats, Settings};

use self::shared::{spread, turn};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "what it is for")]
async fn main() -> Result<(), Box<dyn Error>> {
    for nodes in [1, 3] {
        for (lazy_sync, sync) in [(true, "2m (default)"), (false, "always")] {
            println!("{nodes} server(s), sync_interval: {sync}");
            let nats = Nats::start_with(&Settings { nodes, lazy_sync, ..Settings::default() });
            let config = NatsConfig {
                urls: nats.urls().into_iter().map(Into::into).collect(),
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

const APPENDS: u64 = 5_000;
const TURNS: u64 = 50_000;
