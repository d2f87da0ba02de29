//! Heads: what the chain's source says that its chain is, and what of it is final.
//!
//! ```text
//!            ┌── 4 ── 5     the branch of before: its blocks are strays again
//!   1 ── 2 ── 3
//!            └── 4'── 5'── 6'   the head
//! ```
//!
//! A head is a block that is known, and the chain is that block and all before it. It may be any
//! whose blocks lead to the canonical ones, above what is final. What is final stays, so the
//! strays up to there are forgotten.
//!
//! Not here: what becomes of tasks (`scheduler::heads`).

use super::Chain;
use crate::{Arrival, Block, BlockHash, Canonical, HeadNumber, Height};

/// What is canonical once a head is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Branch {
    /// The first height at which that is another block than before, or none.
    pub(crate) from: Height,
    /// The blocks from there on, lowest first.
    pub(crate) blocks: Vec<BlockHash>,
}

impl Chain {
    /// The branch that ends in `head`; none where the known blocks do not lead to it from the
    /// chain.
    pub(crate) fn branch(&self, head: &BlockHash) -> Option<Branch> {
        let (mut hash, mut blocks) = (*head, Vec::new());
        let from = loop {
            let known = self.blocks.get(&hash)?;
            if self.hash_at(known.number) == Some(hash) {
                break known.number.next();
            }
            blocks.push(hash);
            let parent = self.blocks.get(&known.parent);
            if parent.is_some_and(|parent| parent.number.next() != known.number) {
                return None;
            }
            let is_first = match self.begins() {
                Some(begins) => begins == known.number,
                None => parent.is_none(),
            };
            if is_first {
                break known.number;
            }
            hash = known.parent;
        };
        blocks.reverse();
        Some(Branch { from, blocks })
    }

    /// Makes a branch canonical. What was so from there on is no more; answers how many blocks.
    pub(crate) fn move_head(&mut self, number: HeadNumber, branch: &Branch) -> u64 {
        self.head = number;
        let kept = branch.from.0.saturating_sub(self.start.0);
        let kept = usize::try_from(kept).unwrap_or(usize::MAX).min(self.canonical.len());
        let left = self.canonical.split_off(kept);
        let count = left.len() as u64;
        for (height, link) in (branch.from.0..).zip(left) {
            self.strays.add(Height(height), link.hash);
        }
        branch.blocks.iter().for_each(|hash| self.extend(*hash));
        count
    }

    /// All up to `number` is final: no other block of these heights is ever canonical.
    pub(crate) fn finalize(&mut self, number: Height) {
        self.finalized = Some(number);
        for hash in self.strays.take_up_to(number) {
            self.blocks.remove(&hash);
            self.lost.remove(&hash);
        }
    }

    /// What makes a block canonical from here on.
    pub(crate) const fn settle_by(&mut self, by: Canonical) {
        self.by = by;
    }

    /// How a block stands that is not known, where the source says heads.
    pub(super) fn arrival_by_head(&self, block: &Block) -> Arrival {
        let is_over = self.finalized.is_some_and(|last| block.number <= last);
        if is_over || self.ended.is_some() {
            return Arrival::Beside;
        }
        let is_first = match self.begins() {
            Some(begins) => begins == block.number,
            None => self.blocks.len() == 0,
        };
        match is_first || self.blocks.get(&block.parent).is_some() {
            true => Arrival::New,
            false => Arrival::Ahead,
        }
    }

    /// The last head that the source has said; 0 before the first.
    #[must_use]
    pub const fn head(&self) -> HeadNumber {
        self.head
    }

    /// The last height that is final, by the source's word.
    #[must_use]
    pub const fn finalized(&self) -> Option<Height> {
        self.finalized
    }
}
