//! The feeder: reads the source's file, stores each payload, submits each block, and delivers again what
//! the store has lost.
//!
//! Submitting a known block changes nothing, so a run that goes on reads its file from the start.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use push0_core::{BlockHash, Digest, Height, Input, Rejection, SourceKind, Standing};
use push0_dispatch::{ReadError, Store};

use super::error::RunError;
use super::{Asked, News};
use crate::engine::{Gone, Handle};
use crate::pipeline_file::LoadedPipeline;
use crate::source::BlockFile;

/// The source has delivered all it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedEnd;

/// Starts the feeder. It ends with the engine.
pub(super) fn start(
    loaded: &LoadedPipeline,
    store: Store,
    handle: Handle,
    asked: Asked,
    teller: SyncSender<News>,
) -> Result<(), RunError> {
    let SourceKind::File { path } = &loaded.pipeline.source.kind else {
        return Err(RunError::NotAFile);
    };
    let file = loaded.dir.join(path);
    let feeder = Feeder { file, fields: loaded.pipeline.fields.clone(), store, handle, asked };
    super::spawn("feeder", move || feeder.run(&teller)).map(drop)
}

struct Feeder {
    file: PathBuf,
    fields: Vec<String>,
    store: Store,
    handle: Handle,
    asked: Asked,
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
        for next in BlockFile::open(&self.file, &self.fields)? {
            let next = next?;
            let (number, hash) = (next.block.number, next.block.hash);
            let stored = self.store.copy(next.block.payload, &mut io::sink());
            if matches!(stored, Err(ReadError::Damaged { .. })) {
                let _ = teller.send(News::Mended(number)); // the run may be over
            }
            // A block that is in the log was durable before: a sync of each would make going on slow.
            if stored.is_err() || !self.is_known(hash, next.block.payload)? {
                self.store.put(&next.payload)?;
            }
            self.submit(next.block)?;
            self.check_branch(number, hash)?;
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

    /// Submits a block, and waits while the engine is full.
    fn submit(&self, block: push0_core::Block) -> Result<(), RunError> {
        let block = Box::new(block);
        loop {
            match self.handle.ask(Input::Submit(block.clone()))? {
                Ok(()) => return Ok(()),
                Err(Rejection::Full { .. }) => std::thread::sleep(FULL_WAIT),
                Err(refused) => return Err(RunError::Submit { file: self.file.clone(), refused }),
            }
        }
    }

    /// A file that goes on another branch than the log does is another file.
    fn check_branch(&self, number: Height, hash: BlockHash) -> Result<(), RunError> {
        let standing = self.handle.look(move |scheduler, _| scheduler.chain().standing(&hash))?;
        match standing {
            Some(Standing::Canonical) => Ok(()),
            Some(Standing::Waiting | Standing::Beside) | None => {
                Err(RunError::OtherChain { file: self.file.clone(), number, hash })
            }
        }
    }

    /// Delivers a payload again that the store has lost.
    fn resupply(&self, hash: BlockHash) -> Result<(), RunError> {
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
