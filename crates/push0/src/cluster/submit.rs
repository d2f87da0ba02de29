//! `push0 submit` and `push0 drain`: blocks from a file into a cluster, and the word that no more follow.
//!
//! Submitting a known block changes nothing, so a submission that was cut off is made again as it was.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use push0_core::Block;
use push0_dispatch::{Access, Store};

use super::client::Client;
use super::error::{ClusterError, told};
use super::role::Role;
use super::serve::runtime;
use super::settings::Settings;
use super::wire::{Answer, Ask};
use crate::cli::{DrainArgs, Exit, SubmitArgs};
use crate::pipeline_file;
use crate::run::say;
use crate::source::{BlockFile, Rules};

/// Submits every block of a file.
pub(crate) fn submit(args: &SubmitArgs) -> Exit {
    told(submit_all(args).map(|blocks| say(&format!("{blocks} blocks submitted"))))
}

/// Says that no block follows.
pub(crate) fn drain(args: &DrainArgs) -> Exit {
    told(drain_now(args))
}

fn submit_all(args: &SubmitArgs) -> Result<usize, ClusterError> {
    let loaded = pipeline_file::load(&args.pipeline)?;
    let settings = args.cluster.settings(Role::Client, "push0-submit")?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.wait))?;
    let store = store(&settings, args.wait)?;
    let mut blocks = BlockFile::open(&args.blocks, &Rules::of(&loaded.pipeline))?;
    let mut submitted = 0;
    loop {
        let mut batch = Vec::new();
        for next in blocks.by_ref().take(BATCH) {
            let next = next?;
            store.put(&next.payload)?; // before anybody is told of it
            batch.push(next.block);
        }
        if batch.is_empty() {
            return Ok(submitted);
        }
        submitted += batch.len();
        runtime.block_on(send(&client, batch))?;
    }
}

/// Opens the store, which the first engine makes: it is waited for as long as an engine is.
fn store(settings: &Settings, wait: Duration) -> Result<Store, ClusterError> {
    let give_up = Instant::now() + wait;
    loop {
        match settings.store(Access::Write) {
            Err(ClusterError::Store(error))
                if error.source.kind() == ErrorKind::NotFound && Instant::now() < give_up => {}
            opened => return opened,
        }
        std::thread::sleep(STORE_PAUSE);
    }
}

/// Submits until all are taken, however long the engine is full.
async fn send(client: &Client, mut blocks: Vec<Block>) -> Result<(), ClusterError> {
    loop {
        match client.ask(&Ask::Submit(blocks.clone())).await? {
            Answer::Done(_) | Answer::Status(_) => return Ok(()),
            Answer::Later { taken } => {
                blocks.drain(..taken.min(blocks.len()));
                tokio::time::sleep(FULL_PAUSE).await;
            }
            Answer::Refused { taken, reason } => {
                let block =
                    blocks.get(taken).map_or_else(String::new, |block| block.number.to_string());
                return Err(ClusterError::Refused { block, reason });
            }
        }
    }
}

fn drain_now(args: &DrainArgs) -> Result<(), ClusterError> {
    let settings = args.cluster.settings(Role::Client, "push0-drain")?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.wait))?;
    runtime.block_on(client.have(&Ask::Drain)).map(|_| ())
}

/// Blocks in one message: far below what a server takes.
const BATCH: usize = 64;

/// From one look for the store to the next.
const STORE_PAUSE: Duration = Duration::from_millis(200);

/// Before an engine that is full is asked again; it makes room as proofs are released.
const FULL_PAUSE: Duration = Duration::from_millis(200);
