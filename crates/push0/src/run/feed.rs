//! The feeder: reads the source's file, stores each payload, submits each block, and delivers again
//! what the store has lost.
//!
//! Submitting a known block changes nothing, so a run that goes on reads its file from the start.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use push0_core::{Block, BlockHash, Digest, Input, Rejection, Standing};
use push0_dispatch::{ReadError, Room, Store};
use push0_source::{BlockFile, Rules};

use super::error::RunError;
use super::inspect::inspect;
use super::{Asked, News};
use crate::engine::{EngineGone, Handle};

/// The source has delivered all it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedEnd;

/// Starts the feeder, which ends with the engine; answers where it says what it waits for.
pub(super) fn start(
    file: PathBuf,
    rules: Rules,
    store: Store,
    handle: Handle,
    asked: Asked,
    teller: SyncSender<News>,
) -> Result<Arc<Waits>, RunError> {
    let waits = Arc::<Waits>::default();
    let feeder = Feeder { file, rules, store, handle, asked, waits: Arc::clone(&waits) };
    super::spawn("feeder", move || feeder.run(&teller))?;
    Ok(waits)
}

struct Feeder {
    file: PathBuf,
    rules: Rules,
    store: Store,
    handle: Handle,
    asked: Asked,
    waits: Arc<Waits>,
}

/// What the feeder waits for at the moment.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Room in the engine, which comes as proofs are released.
    engine: AtomicBool,
    /// Room on disk, which a person makes.
    disk: AtomicBool,
}

impl Waits {
    pub(super) fn for_engine(&self) -> bool {
        self.engine.load(Ordering::Relaxed)
    }

    pub(super) fn for_disk(&self) -> bool {
        self.disk.load(Ordering::Relaxed)
    }
}

impl Feeder {
    fn run(mut self, teller: &SyncSender<News>) {
        let fed = self.feed(teller);
        let has_failed = fed.is_err();
        if teller.send(News::Fed(fed)).is_err() || has_failed {
            return;
        }
        while let Some(block) = self.asked.blocking_recv() {
            if let Err(error) = self.resupply(block) {
                let _ = teller.send(News::Fed(Err(error))); // the run may be over
                return;
            }
        }
    }

    fn feed(&mut self, teller: &SyncSender<News>) -> Result<FeedEnd, RunError> {
        inspect(&self.handle, &self.store, teller)?;
        for next in BlockFile::open(&self.file, &self.rules)? {
            let next = next?;
            let (number, hash) = (next.block.number, next.block.hash);
            self.check_branch(&next.block)?;
            let stored = self.store.copy(next.block.payload, &mut io::sink());
            if matches!(stored, Err(ReadError::Damaged { .. })) {
                let _ = teller.send(News::Mended(number)); // the run may be over
            }
            // A block that is in the log was durable before: a sync of each would make going on
            // slow.
            if stored.is_err() || !self.is_known(hash, next.block.payload)? {
                self.wait_for_disk()?;
                self.store.put(&next.payload)?;
            }
            self.submit(next.block)?;
        }
        match self.handle.ask(Input::EndSource)? {
            Ok(()) => Ok(FeedEnd),
            Err(refused) => Err(RunError::Submit { file: self.file.clone(), refused }),
        }
    }

    fn is_known(&self, hash: BlockHash, payload: Digest) -> Result<bool, EngineGone> {
        self.handle.look(move |scheduler, _| {
            scheduler.chain().block(&hash).is_some_and(|known| known.payload == payload)
        })
    }

    /// Waits while a disk is short. What it tells a person, the dispatcher says: it looks at the
    /// same disk.
    fn wait_for_disk(&self) -> Result<(), RunError> {
        let Some(dir) = self.store.dir() else { return Ok(()) };
        let is_short = || Room::look(dir).is_ok_and(|room| room.is_short());
        while is_short() {
            self.waits.disk.store(true, Ordering::Relaxed);
            if self.handle.has_ended() {
                return Err(RunError::Gone(EngineGone));
            }
            std::thread::sleep(DISK_WAIT);
        }
        self.waits.disk.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Submits a block, and waits while the engine is full; what the store has lost is delivered
    /// meanwhile.
    fn submit(&mut self, block: Block) -> Result<(), RunError> {
        let block = Box::new(block);
        while let Err(refused) = self.handle.ask(Input::Submit(block.clone()))? {
            if !matches!(refused, Rejection::Full { .. }) {
                return Err(RunError::Submit { file: self.file.clone(), refused });
            }
            self.waits.engine.store(true, Ordering::Relaxed);
            if let Ok(lost) = self.asked.try_recv() {
                self.resupply(lost)?;
            }
            std::thread::sleep(FULL_WAIT);
        }
        self.waits.engine.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// A file that goes on another branch than the log does is another file: none of it is
    /// recorded.
    fn check_branch(&self, block: &Block) -> Result<(), RunError> {
        let (number, hash, parent) = (block.number, block.hash, block.parent);
        let follows = self.handle.look(move |scheduler, _| {
            let chain = scheduler.chain();
            match chain.standing(&hash) {
                Some(standing) => standing == Standing::Canonical,
                None => chain.tip().is_none_or(|(_, tip)| tip == parent),
            }
        })?;
        match follows {
            true => Ok(()),
            false => Err(RunError::OtherChain { file: self.file.clone(), number, hash }),
        }
    }

    /// Delivers a payload again that the store has lost.
    fn resupply(&mut self, hash: BlockHash) -> Result<(), RunError> {
        for next in BlockFile::open(&self.file, &self.rules)? {
            let next = next?;
            if next.block.hash == hash {
                self.store.put(&next.payload)?;
                return self.submit(next.block);
            }
        }
        Err(RunError::NoSuchBlock { file: self.file.clone(), hash })
    }
}

impl From<EngineGone> for RunError {
    fn from(gone: EngineGone) -> Self {
        Self::Gone(gone)
    }
}

/// Between two tries to submit to an engine that is full; it makes room as proofs are released.
const FULL_WAIT: Duration = Duration::from_millis(20);

/// Between two looks at a disk that is short.
const DISK_WAIT: Duration = Duration::from_millis(100);
