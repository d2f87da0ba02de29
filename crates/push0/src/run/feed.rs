//! The feeder: reads the source's file, stores each payload, submits each block, and delivers again what
//! the store has lost.
//!
//! Submitting a known block changes nothing, so a run that goes on reads its file from the start.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use push0_core::{Block, BlockHash, Digest, Input, Rejection, Standing};
use push0_dispatch::{ReadError, Store};

use super::error::RunError;
use super::inspect::inspect;
use super::{Asked, News};
use crate::engine::{Gone, Handle};
use crate::source::BlockFile;

/// The source has delivered all it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedEnd;

/// Starts the feeder, which ends with the engine; answers where it says that it waits for room.
pub(super) fn start(
    file: PathBuf,
    fields: Vec<String>,
    store: Store,
    handle: Handle,
    asked: Asked,
    teller: SyncSender<News>,
) -> Result<Arc<AtomicBool>, RunError> {
    let is_waiting = Arc::new(AtomicBool::new(false));
    let feeder = Feeder { file, fields, store, handle, asked, is_waiting: Arc::clone(&is_waiting) };
    super::spawn("feeder", move || feeder.run(&teller))?;
    Ok(is_waiting)
}

struct Feeder {
    file: PathBuf,
    fields: Vec<String>,
    store: Store,
    handle: Handle,
    asked: Asked,
    is_waiting: Arc<AtomicBool>,
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
        for next in BlockFile::open(&self.file, &self.fields)? {
            let next = next?;
            let (number, hash) = (next.block.number, next.block.hash);
            self.check_branch(&next.block)?;
            let stored = self.store.copy(next.block.payload, &mut io::sink());
            if matches!(stored, Err(ReadError::Damaged { .. })) {
                let _ = teller.send(News::Mended(number)); // the run may be over
            }
            // A block that is in the log was durable before: a sync of each would make going on slow.
            if stored.is_err() || !self.is_known(hash, next.block.payload)? {
                self.store.put(&next.payload)?;
            }
            self.submit(next.block)?;
        }
        match self.handle.ask(Input::EndSource)? {
            Ok(()) => Ok(FeedEnd),
            Err(refused) => Err(RunError::Submit { file: self.file.clone(), refused }),
        }
    }

    fn is_known(&self, hash: BlockHash, payload: Digest) -> Result<bool, Gone> {
        self.handle.look(move |scheduler, _| {
            scheduler.chain().block(&hash).is_some_and(|known| known.payload == payload)
        })
    }

    /// Submits a block, and waits while the engine is full; what the store has lost is delivered meanwhile.
    fn submit(&mut self, block: Block) -> Result<(), RunError> {
        let block = Box::new(block);
        while let Err(refused) = self.handle.ask(Input::Submit(block.clone()))? {
            if !matches!(refused, Rejection::Full { .. }) {
                return Err(RunError::Submit { file: self.file.clone(), refused });
            }
            self.is_waiting.store(true, Ordering::Relaxed);
            if let Ok(lost) = self.asked.try_recv() {
                self.resupply(lost)?;
            }
            std::thread::sleep(FULL_WAIT);
        }
        self.is_waiting.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// A file that goes on another branch than the log does is another file: none of it is recorded.
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
        for next in BlockFile::open(&self.file, &self.fields)? {
            let next = next?;
            if next.block.hash == hash {
                self.store.put(&next.payload)?;
                return self.submit(next.block);
            }
        }
        Err(RunError::NoSuchBlock { file: self.file.clone(), hash })
    }
}

impl From<Gone> for RunError {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

/// Between two tries to submit to an engine that is full; it makes room as proofs are released.
const FULL_WAIT: Duration = Duration::from_millis(20);
