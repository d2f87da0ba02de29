//! The chain: the tree of known blocks, and the branch that is canonical.
//!
//! Blocks may arrive in any order and more than once. The first block submitted is where the chain
//! starts; a block is canonical when it follows the canonical tip, and the first to follow it stays. Any
//! other block is kept in the tree and changes nothing.
//!
//! Not here: a source's word on what is canonical after the fact (reorgs).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::by_hash::ByHash;
use crate::{Block, BlockHash, Digest, Height, Seq, Timestamp, Weights};

/// Every known block, and the canonical branch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Chain {
    blocks: ByHash<BlockHash, Box<Known>>,
    /// The first canonical height.
    start: Height,
    /// The canonical branch from there.
    canonical: Vec<Link>,
    /// Children of blocks that are not canonical yet, in order of arrival.
    waiting: BTreeMap<BlockHash, Vec<BlockHash>>,
    ended: Option<Height>,
    /// Blocks whose payload the store has lost, and since when.
    lost: BTreeMap<BlockHash, Timestamp>,
}

/// A block of the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Known {
    /// Its number.
    pub number: Height,
    /// The hash of the block before.
    pub parent: BlockHash,
    /// The SHA-256 of its payload.
    pub payload: Digest,
    /// Whether the store has lost the payload, and the source was asked for it.
    pub payload_lost: bool,
    /// How often the payload was lost, since somebody last looked at it.
    pub losses: u32,
    /// The position of its latest delivery.
    pub delivered: Seq,
    /// The payload's size.
    pub bytes: u64,
    /// Its weighed fields, in the order of the pipeline's.
    pub fields: Box<[u64]>,
}

/// A canonical block, with the weight of the chain up to it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Link {
    hash: BlockHash,
    bytes: u64,
    fields: Box<[u64]>,
}

/// How a block stands to the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// On the canonical branch.
    Canonical,
    /// Ahead of its parent, which has not arrived.
    Waiting,
    /// Beside the canonical branch.
    Beside,
}

impl Chain {
    /// Adds a block with its weighed fields; answers the blocks that became canonical by it, in order.
    pub(crate) fn add(&mut self, seq: Seq, block: &Block, fields: Box<[u64]>) -> Vec<BlockHash> {
        let known = Known {
            number: block.number,
            parent: block.parent,
            payload: block.payload,
            payload_lost: false,
            losses: 0,
            delivered: seq,
            bytes: block.bytes,
            fields,
        };
        self.blocks.insert(block.hash, Box::new(known));
        let mut connected = Vec::new();
        if self.canonical.is_empty() || self.follows_tip(block.hash) {
            self.extend(block.hash);
            connected.push(block.hash);
            while let Some(next) = self.waiting_child() {
                self.extend(next);
                connected.push(next);
            }
        } else if self.tip().is_some_and(|(tip, _)| block.number > tip) {
            self.waiting.entry(block.parent).or_default().push(block.hash);
        }
        connected
    }

    pub(crate) fn lose_payload(&mut self, at: Timestamp, hash: BlockHash) -> Option<Height> {
        let known = self.blocks.get_mut(&hash)?;
        known.payload_lost = true;
        known.losses += 1;
        self.lost.insert(hash, at);
        Some(known.number)
    }

    /// No time passed for what is lost.
    pub(crate) fn resume(&mut self, gap: Duration) {
        self.lost.values_mut().for_each(|since| *since = *since + gap);
    }

    pub(crate) fn resupply(
        &mut self,
        seq: Seq,
        hash: BlockHash,
        payload: Digest,
        bytes: u64,
    ) -> Option<Height> {
        let known = self.blocks.get_mut(&hash)?;
        (known.payload_lost, known.payload, known.bytes) = (false, payload, bytes);
        known.delivered = seq;
        self.lost.remove(&hash);
        Some(known.number)
    }

    pub(crate) fn forget_losses(&mut self, hash: BlockHash) {
        if let Some(known) = self.blocks.get_mut(&hash) {
            known.losses = 0;
        }
    }

    pub(crate) fn end(&mut self, last: Height) {
        self.ended = Some(last);
    }

    /// A known block.
    #[must_use]
    pub fn block(&self, hash: &BlockHash) -> Option<&Known> {
        self.blocks.get(hash).map(|known| &**known)
    }

    /// Every block of the tree, in the order of their hashes.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Known> {
        self.blocks.iter().map(|(_, known)| &**known)
    }

    /// Since when a block's payload is lost.
    pub(crate) fn lost_since(&self, hash: &BlockHash) -> Option<Timestamp> {
        self.lost.get(hash).copied()
    }

    /// How a known block stands.
    #[must_use]
    pub fn standing(&self, hash: &BlockHash) -> Option<Standing> {
        let known = self.blocks.get(hash)?;
        Some(match self.hash_at(known.number) {
            Some(canonical) if canonical == *hash => Standing::Canonical,
            Some(_) => Standing::Beside,
            // None is before the start: it would have been refused.
            None => Standing::Waiting,
        })
    }

    /// The canonical hash at a height.
    #[must_use]
    pub fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.link(height).map(|link| link.hash)
    }

    /// The first canonical height.
    #[must_use]
    pub fn start(&self) -> Option<Height> {
        (!self.canonical.is_empty()).then_some(self.start)
    }

    /// The last canonical block.
    #[must_use]
    pub fn tip(&self) -> Option<(Height, BlockHash)> {
        let before = self.canonical.len() as u64;
        self.canonical.last().map(|link| (Height(self.start.0 + before - 1), link.hash))
    }

    /// The last height there will be, once the source has said so.
    #[must_use]
    pub const fn ended(&self) -> Option<Height> {
        self.ended
    }

    /// Whether a block past the tip waits for a parent that has not arrived.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        let absent = self.waiting.iter().filter(|(parent, _)| !self.blocks.contains_key(*parent));
        let mut children = absent.flat_map(|(_, children)| children);
        children.any(|child| self.standing(child) == Some(Standing::Waiting))
    }

    /// The blocks whose payload was asked for again and has not come.
    pub fn lost(&self) -> impl Iterator<Item = BlockHash> {
        self.lost.keys().copied()
    }

    /// How many canonical blocks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.canonical.len()
    }

    /// Whether no block is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.canonical.is_empty()
    }

    /// How many blocks are known, canonical or not.
    #[must_use]
    pub fn known(&self) -> usize {
        self.blocks.len()
    }

    /// How many blocks are known of a height at which another is canonical.
    #[must_use]
    pub fn beside(&self) -> usize {
        if self.blocks.len() == self.canonical.len() {
            return 0;
        }
        let standings = self.blocks.iter().filter_map(|(hash, _)| self.standing(hash));
        standings.filter(|standing| *standing == Standing::Beside).count()
    }

    /// How the weight of `items` items over the canonical blocks `first..=last` stands to `limits`.
    pub(crate) fn weigh(
        &self,
        items: u64,
        first: Height,
        last: Height,
        limits: &Weights,
    ) -> Weighed {
        let mut weighed = Weighed::default();
        let mut hold = |weight: u64, limit: Option<u64>| {
            if let Some(limit) = limit {
                weighed.is_over |= weight > limit;
                weighed.is_reached |= weight >= limit;
                weighed.is_under |= weight < limit;
            }
        };
        hold(items, limits.items);
        hold(last.0 - first.0 + 1, limits.blocks);
        hold(self.weight(first, last, |link| link.bytes), limits.bytes);
        for (index, limit) in &limits.fields {
            let field = |link: &Link| link.fields.get(*index).copied().unwrap_or_default();
            hold(self.weight(first, last, field), Some(*limit));
        }
        weighed
    }

    fn weight(&self, first: Height, last: Height, of: impl Fn(&Link) -> u64) -> u64 {
        let up_to = |height: Height| self.link(height).map_or(0, &of);
        up_to(last) - first.0.checked_sub(1).map_or(0, |before| up_to(Height(before)))
    }

    fn link(&self, height: Height) -> Option<&Link> {
        self.canonical.get(usize::try_from(height.0.checked_sub(self.start.0)?).ok()?)
    }

    fn follows_tip(&self, hash: BlockHash) -> bool {
        let (Some((tip, tip_hash)), Some(known)) = (self.tip(), self.blocks.get(&hash)) else {
            return false;
        };
        known.number == tip.next() && known.parent == tip_hash
    }

    fn extend(&mut self, hash: BlockHash) {
        let Some(known) = self.blocks.get(&hash) else { return };
        let before = self.canonical.last();
        let bytes = before.map_or(0, |link| link.bytes).saturating_add(known.bytes);
        let fields = known.fields.iter().enumerate().map(|(index, value)| {
            let so_far = before.and_then(|link| link.fields.get(index)).copied();
            so_far.unwrap_or_default().saturating_add(*value)
        });
        let link = Link { hash, bytes, fields: fields.collect() };
        if self.canonical.is_empty() {
            self.start = known.number;
        }
        self.canonical.push(link);
    }

    fn waiting_child(&mut self) -> Option<BlockHash> {
        let (_, tip) = self.tip()?;
        let children = self.waiting.remove(&tip)?;
        children.into_iter().find(|child| self.follows_tip(*child))
    }
}

/// How a weight stands to limits, of which there may be several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Weighed {
    /// It is over one of them.
    pub(crate) is_over: bool,
    /// It is at one of them, or over.
    pub(crate) is_reached: bool,
    /// It is under one of them.
    pub(crate) is_under: bool,
}
