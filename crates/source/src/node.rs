//! Blocks of Ethereum nodes, once they are final, in the order of their heights; without end.
//!
//! ```text
//!   how far is it final? ──▶ the next heights, some at once ──▶ each hash computed again, each the
//!   (poll)                   child of the one before ──▶ the last one compared with a second node
//! ```
//!
//! A final block never un-happens, so nothing that was given out is taken back. What a node says is
//! believed as far as it can be checked: a block that is not what it claims to be, that does not
//! follow, or that a second node has otherwise, is not given out, and another node is asked. That
//! all nodes contradict what was given out as final is a fault that ends the source.
//!
//! Whoever asks for blocks waits by himself: each [`step`](NodeBlocks::step) does one thing.
//!
//! Not here: blocks that are not final yet and may un-happen, and how people are told (`push0`).

mod address;
mod client;
mod heads;
mod window;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use push0_core::{
    BlockHash, Canonical, ChainId, Height, NodePayload, NodeSource, Source, SourceKind,
};

use self::address::Address;
use self::client::Node;
pub use self::heads::{Given, HeadStep, NodeHeads};
use super::file::{Rules, block_of};
use super::header::Header;
use super::{SourceBlock, SourceError};

/// The final blocks of a chain, in order.
pub struct NodeBlocks {
    runtime: tokio::runtime::Runtime,
    nodes: Vec<Node>,
    /// The node that answered last.
    first: usize,
    settings: NodeSource,
    /// Whether blocks are given out that are not final.
    may_move: bool,
    chain: ChainId,
    rules: Rules,
    /// The height of the next; none before it is known where the chain begins.
    next: Option<Height>,
    before: Option<Header>,
    ready: VecDeque<SourceBlock>,
    until: Option<Height>,
    /// Blocks come on the word of one node alone: why.
    alone: Option<String>,
    /// Since when a second node is waited for, which is behind the first.
    behind: Option<Instant>,
    /// Nodes in a row that contradict what was given out.
    contradicting: usize,
    pause: Duration,
    /// Since when nothing new is final, by the node that is asked.
    idle: Option<Instant>,
}

/// What came of asking for the next block.
#[derive(Debug)]
pub enum Step {
    /// The next one.
    Block(Box<SourceBlock>),
    /// None yet: ask again after this time. Why, where something keeps it from coming, for people.
    Wait {
        /// How long.
        time: Duration,
        /// What keeps it; none where it is not final yet.
        why: Option<String>,
    },
    /// The last one was given out.
    End,
}

/// A block that is not to be had at the moment, and why, for people.
#[derive(Debug)]
enum Trouble {
    /// Another try, or another node, may do.
    Passing(String),
    /// A second node is behind the first, and answers: it is waited for.
    Behind,
    /// No try does.
    Final(SourceError),
}

impl NodeBlocks {
    /// The blocks that the nodes of a source have, behind the one that was given out last, or from
    /// where the source says; up to `until`, if there is an end.
    ///
    /// # Errors
    ///
    /// [`SourceError::Node`]: the source names no nodes, or a variable that is not set.
    pub fn open(
        (source, rules): (&Source, Rules),
        after: Option<(Height, BlockHash)>,
        until: Option<Height>,
    ) -> Result<Self, SourceError> {
        let SourceKind::Node(settings) = &source.kind else {
            let what = "the source is no node".to_owned();
            return Err(fault("source.kind", what, "write kind = \"node\""));
        };
        let addresses = settings.http.iter().map(|named| Address::named(named));
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        let nodes = addresses.into_iter().map(Node::new).collect::<Result<Vec<_>, _>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            fault("source.http", format!("no runtime to be had ({error})"), "try again")
        })?;
        let before = after.map(|(height, hash)| Header {
            number: height.0,
            hash,
            parent: BlockHash([0; 32]),
            state_root: None,
        });
        Ok(Self {
            runtime,
            nodes,
            first: 0,
            settings: settings.clone(),
            may_move: source.canonical == Canonical::ByHead,
            chain: source.chain,
            rules,
            next: after.map(|(height, _)| Height(height.0 + 1)).or(source.start),
            before,
            ready: VecDeque::new(),
            until,
            alone: None,
            behind: None,
            contradicting: 0,
            pause: PAUSE_MIN,
            idle: None,
        })
    }

    /// The next final block, if it is to be had now. Takes as long as a node takes to answer.
    ///
    /// # Errors
    ///
    /// [`SourceError::Node`]: no node can be right, or one is of another chain. Nothing follows.
    pub fn step(&mut self) -> Result<Step, SourceError> {
        if let Some(ready) = self.ready.pop_front() {
            return Ok(Step::Block(Box::new(ready)));
        }
        if self.until.zip(self.next).is_some_and(|(until, next)| next > until) {
            return Ok(Step::End);
        }
        match self.more() {
            Ok(blocks) => {
                self.pause = PAUSE_MIN;
                self.ready.extend(blocks);
                Ok(match self.ready.pop_front() {
                    Some(ready) => {
                        self.idle = None;
                        Step::Block(Box::new(ready))
                    }
                    None => {
                        self.idles();
                        Step::Wait { time: self.settings.poll, why: None }
                    }
                })
            }
            Err(trouble) => self.wait_after(trouble),
        }
    }

    /// Fetches a block again that was given out, where its payload is lost. It is the end, where
    /// the chain has another by now.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn again(&mut self, height: Height, hash: BlockHash) -> Result<Step, SourceError> {
        let found = self.of_height(height, self.settings.payload);
        let found = found.and_then(|found| match found.block.hash == hash {
            true => Ok(Some(found)),
            false if self.may_move => Ok(None),
            false => Err(self.contradicted(height, hash, found.block.hash)),
        });
        match found {
            Ok(None) => Ok(Step::End),
            Ok(Some(found)) => {
                self.pause = PAUSE_MIN;
                Ok(Step::Block(Box::new(found)))
            }
            Err(trouble) => self.wait_after(trouble),
        }
    }

    /// Why blocks come on the word of one node alone, though several are named; until another has
    /// the same again.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.alone.as_deref()
    }

    fn of_height(&mut self, height: Height, payload: NodePayload) -> Result<SourceBlock, Trouble> {
        let Self { runtime, nodes, first, chain, .. } = self;
        let node = nodes.get_mut(*first).ok_or_else(no_nodes)?;
        let payload = runtime.block_on(async {
            node.be_of(*chain).await?;
            node.block(height, payload).await
        })?;
        let payload = payload.ok_or_else(|| {
            Trouble::Passing(format!("{} does not have block {height}", node.name()))
        })?;
        self.read(payload, height, None)
    }

    /// The next blocks, all of them checked; none where no more are final yet.
    fn more(&mut self) -> Result<Vec<SourceBlock>, Trouble> {
        let Self { runtime, nodes, first, settings, chain, next, .. } = self;
        let node = nodes.get_mut(*first).ok_or_else(no_nodes)?;
        let chain = *chain;
        let last = runtime.block_on(async {
            node.be_of(chain).await?;
            node.final_height(settings.finality).await
        })?;
        let from = *next.get_or_insert(last);
        let last = self.until.map_or(last, |until| last.min(until));
        if from > last {
            return Ok(Vec::new());
        }
        let last = Height(last.0.min(from.0 + WINDOW - 1));
        let payloads = runtime.block_on(window::fetch(node, from..=last, settings.payload))?;
        let mut blocks = Vec::new();
        let mut before = self.before;
        for (height, payload) in (from.0..).map(Height).zip(payloads) {
            let found = self.read(payload, height, before)?;
            before = Some(Header {
                number: found.block.number.0,
                hash: found.block.hash,
                parent: found.block.parent,
                state_root: None,
            });
            blocks.push(found);
        }
        if let (Some(before), Some(first)) = (self.before, blocks.first())
            && first.block.parent != before.hash
        {
            let (height, given, other) = (Height(before.number), before.hash, first.block.parent);
            return Err(self.contradicted(height, given, other));
        }
        if let Some(last) = blocks.last() {
            let (height, hash) = (last.block.number, last.block.hash);
            self.compare(height, hash)?;
        }
        self.contradicting = 0;
        (self.before, self.next) = (before, Some(Height(last.0 + 1)));
        Ok(blocks)
    }

    /// Reads the block of a height as one of a file is read: its hash is computed again, and it
    /// follows `before`, if that is of the same answer.
    fn read(
        &self,
        payload: Vec<u8>,
        height: Height,
        before: Option<Header>,
    ) -> Result<SourceBlock, Trouble> {
        let wrong = |why: String| {
            let name = self.name();
            Trouble::Passing(format!("{name} gives a block {height} that is not right: {why}"))
        };
        // What was given out is compared by itself, so that it is told as what it is.
        let before = before.filter(|before| self.before != Some(*before));
        let found = block_of(payload, &self.rules, before).map_err(wrong)?;
        match found.block.number == height {
            true => Ok(found),
            false => Err(wrong(format!("it is block {}", found.block.number))),
        }
    }

    /// A node has another block where one was given out. Once all have, none is believed.
    fn contradicted(&mut self, height: Height, given: BlockHash, other: BlockHash) -> Trouble {
        self.contradicting += 1;
        let node = self.name();
        let what = format!(
            "it has {other} at height {height}, where {given} was final, and is in the log"
        );
        if self.contradicting < self.nodes.len() {
            return Trouble::Passing(format!("{node} contradicts itself or others: {what}"));
        }
        let remedy = "see which is right; if the log is wrong, begin with another data directory";
        Trouble::Final(SourceError::Node { node, what, remedy: remedy.to_owned() })
    }

    /// Asks a second node, where there is one, whether it has the same block: as every block names
    /// the one before, it has all before it too.
    fn compare(&mut self, height: Height, hash: BlockHash) -> Result<(), Trouble> {
        let Self { runtime, nodes, first, chain, .. } = self;
        let name = nodes.get(*first).map(|node| node.name().to_owned()).unwrap_or_default();
        let (mut silent, mut is_behind) = (Vec::new(), false);
        let others = nodes.iter_mut().enumerate().filter(|(index, _)| index != first);
        for (_, node) in others {
            let asked = runtime.block_on(async {
                node.be_of(*chain).await?;
                node.hash_at(height).await
            });
            match asked {
                Ok(Some(other)) if other == hash => {
                    (self.behind, self.alone) = (None, None);
                    return Ok(());
                }
                Ok(Some(other)) => {
                    return Err(Trouble::Passing(format!(
                        "nodes disagree about block {height}, which is final: {name} has {hash}, and {} has {other}: neither is \
                         followed before they agree",
                        node.name()
                    )));
                }
                Ok(None) => {
                    is_behind = true;
                    silent.push(format!("{} does not have block {height} yet", node.name()));
                }
                Err(Trouble::Passing(words)) => silent.push(words),
                Err(error @ (Trouble::Behind | Trouble::Final(_))) => return Err(error),
            }
        }
        if is_behind && self.behind.get_or_insert_with(Instant::now).elapsed() < BEHIND_MAX {
            return Err(Trouble::Behind);
        }
        if !silent.is_empty() {
            let why = silent.join("; ");
            self.alone = Some(format!("final blocks are taken on the word of {name} alone: {why}"));
        }
        Ok(())
    }

    fn name(&self) -> String {
        self.nodes.get(self.first).map(|node| node.name().to_owned()).unwrap_or_default()
    }

    /// Nothing new is final. It may be that only this node has not heard of it: after a while
    /// another is asked.
    fn idles(&mut self) {
        let since = *self.idle.get_or_insert_with(Instant::now);
        if since.elapsed() >= IDLE_MAX {
            self.idle = None;
            self.first = (self.first + 1) % self.nodes.len().max(1);
        }
    }

    /// Has the next node asked, after a while that is longer each time.
    fn wait_after(&mut self, trouble: Trouble) -> Result<Step, SourceError> {
        let why = match trouble {
            Trouble::Passing(why) => Some(why),
            Trouble::Behind => None,
            Trouble::Final(error) => return Err(error),
        };
        self.first = (self.first + 1) % self.nodes.len().max(1);
        if why.is_none() {
            return Ok(Step::Wait { time: self.settings.poll, why });
        }
        let time = self.pause;
        self.pause = (time * 2).min(PAUSE_MAX);
        Ok(Step::Wait { time, why })
    }
}

fn no_nodes() -> Trouble {
    Trouble::Passing("no node is named".to_owned()) // check saw that one is
}

/// What is wrong with a node's settings, by their key.
fn fault(field: &str, what: String, remedy: &str) -> SourceError {
    SourceError::Node { node: field.to_owned(), what, remedy: remedy.to_owned() }
}

/// Heights that are fetched before they are given out. Unit: blocks.
const WINDOW: u64 = 16;

/// How long one node is asked that has nothing new: blocks come every 12 s, and are final some
/// minutes later, 32 at a time.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// How long a node that answers may be behind another before that one is believed alone: some
/// blocks of any chain.
const BEHIND_MAX: Duration = Duration::from_secs(30);

/// Before the first try after a failure, and the longest before a later one.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
