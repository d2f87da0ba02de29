//! The feeder: takes blocks from the source, stores each payload, submits each block, and delivers
//! again what the store has lost.
//!
//! Submitting a known block changes nothing, so a run that goes on reads its file from the start.
//! Of a node it asks for what is behind the log's last block.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use push0_core::{
    Block, BlockHash, Canonical, Digest, Height, Input, Pipeline, Rejection, Scheduler, Standing,
};
use push0_dispatch::{ReadError, Room, Store};
use push0_source::{BlockFile, Given, HeadStep, NodeBlocks, NodeHeads, Rules, SourceBlock, Step};

use super::error::RunError;
use super::inspect::inspect;
use super::{Asked, News};
use crate::engine::{EngineGone, Handle};
use crate::tell::Repeats;

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
    let feeder = Feeder { from, rules, store, handle, asked, waits: Arc::clone(&waits) };
    super::spawn("feeder", move || feeder.run(&teller))?;
    Ok(waits)
}

struct Feeder {
    from: Feed,
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
        match &self.from {
            Feed::File(file) => {
                for next in BlockFile::open(file, &self.rules)? {
                    self.take(next?, teller)?;
                }
            }
            Feed::Nodes(pipeline, _) if pipeline.source.canonical == Canonical::ByHead => {
                self.follow_heads(teller)?;
            }
            Feed::Nodes(..) => self.follow(teller)?,
        }
        self.handle.ask(Input::EndSource)?.map_err(|refused| self.refused(refused))?;
        Ok(FeedEnd)
    }

    /// Takes what nodes have, up to the last that is wanted. What the store loses meanwhile is
    /// fetched again.
    fn follow(&mut self, teller: &SyncSender<News>) -> Result<(), RunError> {
        let (after, has_ended) = self.handle.look(|scheduler, _| {
            let chain = scheduler.chain();
            (chain.tip(), chain.ended().is_some())
        })?;
        if has_ended {
            return Ok(()); // a run before had its last block
        }
        let Some(mut nodes) = self.nodes(after)? else { return Ok(()) };
        let mut troubles = Repeats::default();
        loop {
            while let Ok(lost) = self.asked.try_recv() {
                self.resupply(lost)?;
            }
            let step = nodes.step()?;
            if let Some(warning) = nodes.warning() {
                troubles.fails(warning);
            } else if !matches!(step, Step::Wait { why: Some(_), .. }) {
                troubles.works("the nodes answer again, and agree");
            }
            match step {
                Step::Block(next) => self.take(*next, teller)?,
                Step::Wait { time, why } => {
                    why.iter().for_each(|why| troubles.fails(&format!("{why}: it is tried again")));
                    self.pause(time)?;
                }
                Step::End => return Ok(()),
            }
        }
    }

    /// Takes what nodes have as they have it, says which of it the chain ends in, and what is
    /// final, up to the last that is wanted.
    fn follow_heads(&mut self, teller: &SyncSender<News>) -> Result<(), RunError> {
        let Feed::Nodes(pipeline, until) = &self.from else { return Ok(()) };
        let (given, has_ended) = self
            .handle
            .look(|scheduler, _| (given(scheduler), scheduler.chain().ended().is_some()))?;
        if has_ended {
            return Ok(()); // a run before had its last block
        }
        let mut nodes = NodeHeads::open((&pipeline.source, self.rules.clone()), given, *until)?;
        let mut troubles = Repeats::default();
        loop {
            while let Ok(lost) = self.asked.try_recv() {
                self.resupply(lost)?;
            }
            let step = nodes.step()?;
            if let Some(warning) = nodes.warning() {
                troubles.fails(warning);
            } else if !matches!(step, HeadStep::Wait(Step::Wait { why: Some(_), .. })) {
                troubles.works("the nodes answer again, and agree");
            }
            match step {
                HeadStep::Block(next) => self.take(*next, teller)?,
                HeadStep::Head(block) => self.say(Input::Head { head: None, block })?,
                HeadStep::Final(number, block) => self.say(Input::Finalize { number, block })?,
                HeadStep::Wait(Step::Wait { time, why }) => {
                    why.iter().for_each(|why| troubles.fails(&format!("{why}: it is tried again")));
                    self.pause(time)?;
                }
                HeadStep::End | HeadStep::Wait(Step::Block(_) | Step::End) => return Ok(()),
            }
        }
    }

    fn say(&self, input: Input) -> Result<(), RunError> {
        self.handle.ask(input)?.map_err(|refused| self.refused(refused))
    }

    fn may_move(&self) -> bool {
        match &self.from {
            Feed::File(_) => false,
            Feed::Nodes(pipeline, _) => pipeline.source.canonical == Canonical::ByHead,
        }
    }

    /// The nodes, behind a block; none where blocks are of a file.
    fn nodes(&self, after: Option<(Height, BlockHash)>) -> Result<Option<NodeBlocks>, RunError> {
        let Feed::Nodes(pipeline, until) = &self.from else { return Ok(None) };
        let source = (&pipeline.source, self.rules.clone());
        Ok(Some(NodeBlocks::open(source, after, *until)?))
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
    fn take(&mut self, next: SourceBlock, teller: &SyncSender<News>) -> Result<(), RunError> {
        let (number, hash) = (next.block.number, next.block.hash);
        if !self.may_move() {
            self.check_branch(&next.block)?;
        }
        let stored = self.store.copy(next.block.payload, &mut io::sink());
        if matches!(stored, Err(ReadError::Damaged { .. })) {
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

    /// A block that was fetched before, from the nodes; none where the log does not know it.
    fn fetch_again(&self, hash: BlockHash) -> Result<Option<SourceBlock>, RunError> {
        let known = move |block: &push0_core::KnownBlock| block.number;
        let height =
            self.handle.look(move |scheduler, _| scheduler.chain().block(&hash).map(known))?;
        let Some((mut nodes, height)) = self.nodes(None)?.zip(height) else { return Ok(None) };
        let mut troubles = Repeats::default();
        loop {
            match nodes.again(height, hash)? {
                Step::Block(found) => return Ok(Some(*found)),
                Step::Wait { time, why } => {
                    why.iter().for_each(|why| troubles.fails(&format!("{why}: it is tried again")));
                    self.pause(time)?;
                }
                Step::End => return Ok(None),
            }
        }
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

/// What the log knows of a chain whose head moves.
fn given(scheduler: &Scheduler) -> Given {
    let chain = scheduler.chain();
    let (Some(start), Some((tip, _))) = (chain.start(), chain.tip()) else {
        return Given::default();
    };
    let is_final = chain.finalized();
    let first = is_final.unwrap_or(start).max(start);
    let heights = (first.0..=tip.0).map(Height);
    let blocks = heights.filter_map(|height| Some((height, chain.hash_at(height)?))).collect();
    Given { blocks, is_final }
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

/// How long a feeder goes on after its engine has ended.
const PAUSE_STEP: Duration = Duration::from_millis(50);
