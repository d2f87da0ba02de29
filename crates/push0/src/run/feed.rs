//! The feeder: takes blocks from the source, stores each payload, submits each block, and delivers
//! again what the store has lost.
//!
//! Submitting a known block changes nothing, so a run that goes on reads its file from the start.
//! Of a node it asks for what is behind the log's last block.

mod nodes;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use push0_core::{Block, BlockHash, Digest, Height, Input, Pipeline, Rejection, Standing};
use push0_dispatch::{ReadError, Room, Store};
use push0_source::{BlockFile, Rules, SourceBlock};

use super::error::RunError;
use super::inspect::inspect;
use super::{Asked, News};
use crate::engine::{EngineGone, Handle};
use crate::tell::{self, Repeats};

/// Where a run's blocks come from.
pub(super) enum Feed {
    /// This file, to its end.
    File(PathBuf),
    /// The nodes of this pipeline, up to a height, or for ever.
    Nodes(Box<Pipeline>, Option<Height>),
}

/// The source has delivered all it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedEnd;

/// Starts the feeder, which ends with the engine; answers where it says what it waits for.
pub(super) fn start(
    from: Feed,
    rules: Rules,
    store: Store,
    handle: Handle,
    asked: Asked,
    teller: SyncSender<News>,
) -> Result<Arc<Waits>, RunError> {
    let waits = Arc::<Waits>::default();
    let feeder = Feeder {
        from,
        rules,
        store,
        handle,
        asked,
        waits: Arc::clone(&waits),
        teller: Some(teller.clone()),
    };
    super::spawn("feeder", move || feeder.run(&teller))?;
    Ok(waits)
}

/// Follows the nodes of a pipeline for as long as its engine leads. What keeps a block from coming
/// is told, and tried again.
pub(crate) fn follow(
    pipeline: Pipeline,
    store: Store,
    handle: Handle,
    asked: Asked,
) -> Result<(), RunError> {
    let (rules, waits) = (Rules::of(&pipeline), Arc::default());
    let from = Feed::Nodes(Box::new(pipeline), None);
    let mut feeder = Feeder { from, rules, store, handle, asked, waits, teller: None };
    super::spawn("follower", move || {
        let mut troubles = Repeats::default();
        while let Err(error) = feeder.take_of_nodes() {
            if matches!(error, RunError::Gone(_)) {
                return;
            }
            troubles.fails(&format!("{error}; the nodes are asked again"));
            if feeder.pause(AGAIN).is_err() {
                return;
            }
        }
        while let Some(block) = feeder.asked.blocking_recv() {
            if let Err(error) = feeder.resupply(block) {
                tell::warn(&error);
            }
        }
    })?;
    Ok(())
}

struct Feeder {
    from: Feed,
    rules: Rules,
    store: Store,
    handle: Handle,
    asked: Asked,
    waits: Arc<Waits>,
    /// Who is told what else a run wants to know.
    teller: Option<SyncSender<News>>,
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
        match &self.from {
            Feed::File(file) => {
                for next in BlockFile::open(file, &self.rules)? {
                    self.take(next?)?;
                }
            }
            Feed::Nodes(..) => self.take_of_nodes()?,
        }
        self.handle.ask(Input::EndSource)?.map_err(|refused| self.refused(refused))?;
        Ok(FeedEnd)
    }

    /// Waits so long, or until the engine has ended.
    fn pause(&self, time: Duration) -> Result<(), RunError> {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.handle.has_ended() {
                return Err(RunError::Gone(EngineGone));
            }
            std::thread::sleep(left.min(PAUSE_STEP));
        }
        Ok(())
    }

    /// Stores a block's payload and submits it.
    fn take(&mut self, next: SourceBlock) -> Result<(), RunError> {
        let (number, hash) = (next.block.number, next.block.hash);
        if !self.may_move() {
            self.check_branch(&next.block)?;
        }
        let stored = self.store.copy(next.block.payload, &mut io::sink());
        if let (Err(ReadError::Damaged { .. }), Some(teller)) = (&stored, &self.teller) {
            let _ = teller.send(News::Mended(number)); // the run may be over
        }
        // A block that is in the log was durable before: a sync of each would make going on slow.
        if stored.is_err() || !self.is_known(hash, next.block.payload)? {
            self.wait_for_disk()?;
            self.store.put(&next.payload)?;
        }
        self.submit(next.block)
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
                return Err(self.refused(refused));
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
            false => Err(RunError::OtherChain { from: self.name(), number, hash }),
        }
    }

    /// Delivers a payload again that the store has lost.
    fn resupply(&mut self, hash: BlockHash) -> Result<(), RunError> {
        let found = match &self.from {
            Feed::File(file) => {
                let mut blocks = BlockFile::open(file, &self.rules)?;
                let is_it = |next: &Result<SourceBlock, _>| {
                    next.as_ref().map_or(true, |next| next.block.hash == hash)
                };
                blocks.find(is_it).transpose()?
            }
            Feed::Nodes(..) => self.fetch_again(hash)?,
        };
        let found = match found {
            None if self.may_move() => return Ok(()), // the chain has left it
            None => return Err(RunError::NoSuchBlock { from: self.name(), hash }),
            Some(found) => found,
        };
        self.store.put(&found.payload)?;
        self.submit(found.block)
    }

    fn refused(&self, refused: Rejection) -> RunError {
        RunError::Submit { from: self.name(), refused }
    }

    /// Where blocks come from, as people know it.
    fn name(&self) -> String {
        match &self.from {
            Feed::File(file) => file.display().to_string(),
            Feed::Nodes(..) => "source.http".to_owned(),
        }
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

/// Before nodes are asked again of which none could be right, or an engine that had no room.
const AGAIN: Duration = Duration::from_secs(15);

/// How long a feeder goes on after its engine has ended.
const PAUSE_STEP: Duration = Duration::from_millis(50);
