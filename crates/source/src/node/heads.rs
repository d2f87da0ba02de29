//! The blocks of a chain whose head moves: each new one, which of them the chain ends in, and what
//! is final.
//!
//! ```text
//!   poll ──▶ the head is another ──▶ back to a block that was given out ──▶ up again: blocks, head
//! ```
//!
//! A node's head below what was given out, on the same branch, is that of a node which is behind:
//! nothing is taken back for it. What is final is compared with a second node.
//!
//! Not here: what a reorg does to proofs (`push0_core`).

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use push0_core::{BlockHash, Height, NodePayload, Source};

use super::{NodeBlocks, Step, Trouble, WINDOW, no_nodes, window};
use crate::{Rules, SourceBlock, SourceError};

/// What is known of a chain already.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Its canonical blocks, from the last final one or the first, to the tip.
    pub blocks: Vec<(Height, BlockHash)>,
    /// The last height that is final.
    pub is_final: Option<Height>,
}

/// The blocks of a chain, its heads, and what is final.
pub struct NodeHeads {
    nodes: NodeBlocks,
    /// The branch that was given out, from what is final.
    branch: BTreeMap<Height, BlockHash>,
    is_final: Option<Height>,
    ready: VecDeque<HeadStep>,
}

/// What came of asking what is new.
#[derive(Debug)]
pub enum HeadStep {
    /// A block, behind one that was given out.
    Block(Box<SourceBlock>),
    /// The chain ends in this block now, which was given out.
    Head(BlockHash),
    /// This block is final, and all before it.
    Final(Height, BlockHash),
    /// Nothing is new, or something keeps it from coming.
    Wait(Step),
    /// The last block that is wanted is final.
    End,
}

impl NodeHeads {
    /// What the nodes of a source have, behind what is known; up to `until`, if there is an end.
    ///
    /// # Errors
    ///
    /// [`SourceError::Node`]: the source names no nodes, or a variable that is not set.
    pub fn open(
        (source, rules): (&Source, Rules),
        given: Given,
        until: Option<Height>,
    ) -> Result<Self, SourceError> {
        let nodes = NodeBlocks::open((source, rules), None, until)?;
        let (branch, is_final) = (given.blocks.into_iter().collect(), given.is_final);
        Ok(Self { nodes, branch, is_final, ready: VecDeque::new() })
    }

    /// What is new, if anything is. Takes as long as a node takes to answer.
    ///
    /// # Errors
    ///
    /// [`SourceError::Node`]: no node can be right, or one is of another chain. Nothing follows.
    pub fn step(&mut self) -> Result<HeadStep, SourceError> {
        if let Some(ready) = self.ready.pop_front() {
            return Ok(ready);
        }
        if self.nodes.until.is_some_and(|until| self.is_final >= Some(until)) {
            return Ok(HeadStep::End);
        }
        match self.more() {
            Ok(()) => {
                self.nodes.pause = super::PAUSE_MIN;
                self.nodes.contradicting = 0;
                if let Some(ready) = self.ready.pop_front() {
                    self.nodes.idle = None;
                    return Ok(ready);
                }
                self.nodes.idles();
                Ok(HeadStep::Wait(Step::Wait { time: self.nodes.settings.poll, why: None }))
            }
            Err(trouble) => self.nodes.wait_after(trouble).map(HeadStep::Wait),
        }
    }

    /// As [`NodeBlocks::warning`].
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.nodes.warning()
    }

    fn more(&mut self) -> Result<(), Trouble> {
        let NodeBlocks { runtime, nodes, first, chain, until, settings, .. } = &mut self.nodes;
        let node = nodes.get_mut(*first).ok_or_else(no_nodes)?;
        let (head, is_final) = runtime.block_on(async {
            node.be_of(*chain).await?;
            let (mut height, mut hash) = node.head().await?;
            if let Some(until) = until.filter(|until| *until < height) {
                let there = node.hash_at(until).await?;
                let gone = || Trouble::Passing(format!("{} lacks block {until}", node.name()));
                (height, hash) = (until, there.ok_or_else(gone)?);
            }
            let is_final = node.final_height(settings.finality).await;
            Ok::<_, Trouble>(((height, hash), is_final))
        })?;
        let (height, hash) = head;
        if self.branch.get(&height) != Some(&hash) {
            let begins = match (self.nodes.next, self.nodes.settings.begins_at_head, &is_final) {
                (Some(start), ..) => start,
                (None, true, _) => height,
                (None, false, Ok(is_final)) => *is_final,
                (None, false, Err(_)) => return is_final.map(drop),
            };
            self.follow(begins, height)?;
        }
        // A young chain has nothing that is final yet.
        is_final.map_or(Ok(()), |is_final| self.finalize(is_final))
    }

    /// Goes back to a block that was given out, and gives out what follows it, up to `height` or as
    /// far as is fetched at once.
    fn follow(&mut self, begins: Height, height: Height) -> Result<(), Trouble> {
        let tip = self.branch.last_key_value().map(|(tip, _)| *tip);
        let mut from = tip.map_or(begins, |tip| height.min(tip.next()));
        while let Some(before) = self.before(from) {
            let found = self.nodes.of_height(from, NodePayload::Header)?;
            if found.block.parent == before {
                break;
            }
            let below = Height(from.0 - 1); // there is one before it
            if self.is_final.is_some_and(|last| below <= last) {
                return Err(self.nodes.contradicted(below, before, found.block.parent));
            }
            from = below;
        }
        if from > height {
            return Ok(());
        }
        let last = Height(height.0.min(from.0 + WINDOW - 1));
        let NodeBlocks { runtime, nodes, first, settings, .. } = &mut self.nodes;
        let node = nodes.get_mut(*first).ok_or_else(no_nodes)?;
        let payloads = runtime.block_on(window::fetch(node, from..=last, settings.payload))?;
        let mut before = self.before(from);
        let mut blocks = Vec::new();
        for (height, payload) in (from.0..).map(Height).zip(payloads) {
            let found = self.nodes.read(payload, height, None)?;
            if before.is_some_and(|before| found.block.parent != before) {
                return Ok(()); // the chain has moved meanwhile: it is asked again
            }
            before = Some(found.block.hash);
            blocks.push(found);
        }
        self.branch.split_off(&from);
        self.branch.extend(blocks.iter().map(|found| (found.block.number, found.block.hash)));
        let head = blocks.last().map(|found| HeadStep::Head(found.block.hash));
        self.ready.extend(blocks.into_iter().map(|found| HeadStep::Block(Box::new(found))));
        self.ready.extend(head);
        Ok(())
    }

    /// The block that was given out before a height.
    fn before(&self, height: Height) -> Option<BlockHash> {
        let below = self.branch.range((Bound::Unbounded, Bound::Excluded(height))).next_back()?;
        (below.0.next() == height).then_some(*below.1)
    }

    /// Says what is final of what was given out, once the nodes agree.
    fn finalize(&mut self, height: Height) -> Result<(), Trouble> {
        let Some((tip, _)) = self.branch.last_key_value() else { return Ok(()) };
        let height = height.min(*tip);
        let Some(hash) = self.branch.get(&height).copied() else { return Ok(()) };
        if self.is_final.is_some_and(|last| height <= last) {
            return Ok(());
        }
        let NodeBlocks { runtime, nodes, first, .. } = &mut self.nodes;
        let node = nodes.get_mut(*first).ok_or_else(no_nodes)?;
        if runtime.block_on(node.hash_at(height))? != Some(hash) {
            return Ok(()); // its head is on another branch, which is followed first
        }
        self.nodes.compare(height, hash)?;
        self.is_final = Some(height);
        self.branch = self.branch.split_off(&height);
        self.ready.push_back(HeadStep::Final(height, hash));
        Ok(())
    }
}
