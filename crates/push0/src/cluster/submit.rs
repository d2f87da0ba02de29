//! `push0 submit`: blocks from a file or from stdin into a cluster.
//!
//! Submitting a known block changes nothing, so a submission that was cut off is made again as it
//! was.

use std::fmt;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use push0_core::{Arrival, Block};
use push0_dispatch::{Access, Store};
use push0_source::{BlockFile, Rules, SourceBlock, SourceError};

use super::args::SubmitArgs;
use super::client::Client;
use super::error::{ClusterError, told};
use super::owned::silent;
use super::role::Role;
use super::serve::runtime;
use super::settings::Settings;
use super::submitter::Submitter;
use super::wire::{Answer, Ask, NotTaken};
use crate::exit::Exit;
use crate::tell::{self, counted};

/// Submits every block of a file.
pub(crate) fn submit(args: &SubmitArgs) -> Exit {
    let mut standing = Standing::default();
    let submitted = submit_all(args, &mut standing);
    // What was taken before an error is taken.
    if submitted.is_ok() || standing.all() > 0 {
        tell::info(&standing);
    }
    told(submitted.and_then(|()| standing.check()))
}

fn submit_all(args: &SubmitArgs, standing: &mut Standing) -> Result<(), ClusterError> {
    let loaded = push0_pipeline::load(&args.pipeline)?;
    // A file that is not there is told of before anybody is waited for.
    let blocks = BlockFile::named(&args.blocks, &Rules::of(&loaded.pipeline))?;
    let settings = args.asks.cluster.settings(Role::Client, "push0-submit")?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.asks.wait))?;
    let store = store(&settings, args.asks.wait)?;
    runtime.block_on(client.have(&Ask::Reads(Submitter::of(&loaded.pipeline))))?;
    let blocks = Incoming::of(blocks)?;
    while let Some(batch) = blocks.batch(&store)? {
        runtime.block_on(send(&client, batch, standing))?;
    }
    // What came before its parent may follow it by now.
    let ahead = std::mem::take(&mut standing.ahead);
    for batch in ahead.chunks(BATCH) {
        let mut again = Standing::default();
        runtime.block_on(send(&client, batch.to_vec(), &mut again))?;
        standing.new += again.new + again.known;
        standing.ahead.extend(again.ahead);
        standing.beside += again.beside;
        standing.first_beside = standing.first_beside.take().or(again.first_beside);
    }
    Ok(())
}

/// Blocks as they are read: whoever writes them to a pipe may take a pause, in which what has come
/// is submitted.
struct Incoming(Receiver<Result<SourceBlock, SourceError>>);

impl Incoming {
    fn of(blocks: BlockFile) -> Result<Self, ClusterError> {
        let (reader, read) = sync_channel(READ_MAX);
        let body = move || {
            for next in blocks {
                if reader.send(next).is_err() {
                    return; // nobody wants it any more
                }
            }
        };
        let thread = std::thread::Builder::new().name("blocks".to_owned()).spawn(body);
        thread.map(|_| Self(read)).map_err(ClusterError::Thread)
    }

    /// The next blocks, their payloads in the store; none once there are no more.
    fn batch(&self, store: &Store) -> Result<Option<Vec<Block>>, ClusterError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let next = match batch.is_empty() {
                true => self.0.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => self.0.recv_timeout(READ_PAUSE),
            };
            match next {
                Ok(next) => {
                    let next = next?;
                    store.put(&next.payload)?; // before anybody is told of it
                    batch.push(next.block);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }
}

/// Opens the store, which the first engine makes and ties to its log: that is waited for as long as
/// an engine is. What is put before would be in a store that is nobody's, and be taken for another
/// log's.
fn store(settings: &Settings, wait: Duration) -> Result<Store, ClusterError> {
    let give_up = Instant::now() + wait;
    loop {
        let is_late = Instant::now() >= give_up;
        match settings.store(Access::Write) {
            Err(ClusterError::Store(error))
                if error.source.kind() == ErrorKind::NotFound && !is_late => {}
            opened => match tied(opened?)? {
                Some(store) => return Ok(store),
                None if is_late => return Err(ClusterError::NoEngine(wait)),
                None => {}
            },
        }
        std::thread::sleep(STORE_PAUSE);
    }
}

fn tied(store: Store) -> Result<Option<Store>, ClusterError> {
    let owner = store.owner().map_err(silent(&store))?;
    Ok(owner.is_some().then_some(store))
}

/// Submits until all are taken, however long the engine is full.
async fn send(
    client: &Client,
    mut blocks: Vec<Block>,
    standing: &mut Standing,
) -> Result<(), ClusterError> {
    while !blocks.is_empty() {
        let answer = client.ask(&Ask::Add(blocks.clone())).await?;
        let Answer::Added { arrivals, left } = answer else {
            let reason = "the engine's answer is to another question".to_owned();
            return Err(ClusterError::NotDone(reason));
        };
        let taken = arrivals.len().min(blocks.len());
        for (block, arrival) in blocks.drain(..taken).zip(arrivals) {
            standing.add(block, arrival);
        }
        match (left, blocks.first()) {
            (Some(NotTaken::Full(reason)), Some(block)) => {
                let block = block.number.to_string();
                return Err(ClusterError::LogFull { block, reason });
            }
            (Some(NotTaken::Refused(reason)), Some(block)) => {
                let block = block.number.to_string();
                return Err(ClusterError::Refused { block, reason });
            }
            (Some(_) | None, Some(block)) => {
                if !std::mem::replace(&mut standing.is_told_to_wait, true) {
                    let number = block.number;
                    tell::info(format_args!(
                        "the engine has no room for block {number} yet: waits until proofs are released"
                    ));
                }
                tokio::time::sleep(FULL_PAUSE).await;
            }
            (Some(_) | None, None) => {}
        }
    }
    Ok(())
}

/// How submitted blocks stand to the chain.
#[derive(Debug, Default)]
struct Standing {
    new: usize,
    known: usize,
    ahead: Vec<Block>,
    beside: usize,
    first_beside: Option<String>,
    /// Whether a person knows that an engine is full.
    is_told_to_wait: bool,
}

impl Standing {
    fn add(&mut self, block: Block, arrival: Arrival) {
        match arrival {
            Arrival::New => self.new += 1,
            Arrival::Known => self.known += 1,
            Arrival::Ahead => self.ahead.push(block),
            Arrival::Beside => {
                let name = || format!("{} ({})", block.number, block.hash.short());
                self.beside += 1;
                self.first_beside.get_or_insert_with(name);
            }
        }
    }

    fn all(&self) -> usize {
        self.new + self.known + self.ahead.len() + self.beside
    }

    /// That all of them can be proved.
    fn check(&self) -> Result<(), ClusterError> {
        match &self.first_beside {
            None => Ok(()),
            Some(first) => Err(ClusterError::Beside { count: self.beside, first: first.clone() }),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { new, known, ahead, beside, .. } = self;
        let blocks = counted(self.all(), "block");
        write!(f, "{blocks} submitted: {new} new, {known} known")?;
        if let Some(first) = ahead.first() {
            let (count, number) = (ahead.len(), first.number);
            write!(f, ", {count} ahead of a block that has not come (before block {number})")?;
        }
        match beside {
            0 => Ok(()),
            count => write!(f, ", {count} beside the chain"),
        }
    }
}

/// Blocks in one message: far below what a server takes.
const BATCH: usize = 64;

/// Blocks that were read and not submitted: a payload may have 8 MiB.
const READ_MAX: usize = 2;

/// How long a batch that is not full waits for more.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// From one look for the store to the next.
const STORE_PAUSE: Duration = Duration::from_millis(200);

/// Before an engine that is full is asked again; it makes room as proofs are released.
const FULL_PAUSE: Duration = Duration::from_millis(200);
