//! Blocks of nodes: what they have is taken, and what the store has lost is fetched again.
//!
//! Not here: how a node is asked, and which is believed (`push0_source`).

use push0_core::{BlockHash, Canonical, Height, Input, KnownBlock, Scheduler};
use push0_source::{Given, HeadStep, NodeBlocks, NodeHeads, SourceBlock, Step};

use super::{Feed, Feeder};
use crate::run::error::RunError;
use crate::tell::Repeats;

impl Feeder {
    /// Takes what nodes have, as the pipeline says: what is final, or each block and the heads.
    pub(super) fn take_of_nodes(&mut self) -> Result<(), RunError> {
        match self.may_move() {
            true => self.follow_heads(),
            false => self.follow_final(),
        }
    }

    /// Takes what nodes have, up to the last that is wanted. What the store loses meanwhile is
    /// fetched again.
    fn follow_final(&mut self) -> Result<(), RunError> {
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
            let is_hindered = matches!(step, Step::Wait { why: Some(_), .. });
            troubles.goes_on(nodes.warning(), is_hindered, AGREE);
            match step {
                Step::Block(next) => self.take(*next)?,
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
    fn follow_heads(&mut self) -> Result<(), RunError> {
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
            let is_hindered = matches!(step, HeadStep::Wait(Step::Wait { why: Some(_), .. }));
            troubles.goes_on(nodes.warning(), is_hindered, AGREE);
            match step {
                HeadStep::Block(next) => self.take(*next)?,
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

    pub(super) fn may_move(&self) -> bool {
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

    /// A block that was fetched before, from the nodes; none where the log does not know it.
    pub(super) fn fetch_again(&self, hash: BlockHash) -> Result<Option<SourceBlock>, RunError> {
        let known = move |block: &KnownBlock| block.number;
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

/// What is told once nodes are well again.
const AGREE: &str = "the nodes answer again, and agree";
