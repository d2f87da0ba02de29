//! The chain: the tree of known blocks, and the branch that is canonical.
//!
//! Blocks may arrive in any order and more than once. The chain starts at the height that its
//! source has said, with the first block of that height; where the source has said none, with the
//! first block. A block is canonical when it follows the canonical tip, and the first to follow it
//! stays. Any other block is a stray: it is kept in the tree, as far as there is room, and changes
//! nothing.
//!
//! Where the source says heads, no block is canonical by its arrival: each is a stray until a head
//! is it or follows it (`heads`).
//!
//! Not here: which strays are taken, and what a reorg does to tasks (`scheduler`).

mod end;
mod heads;
mod standing;
mod strays;
mod weighed;

use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use self::heads::Branch;
pub use self::standing::{Arrival, Standing};
use self::strays::Strays;
pub(crate) use self::weighed::Weighed;
use crate::by_hash::ByHash;
use crate::{Block, BlockHash, Canonical, Digest, HeadNumber, Height, Seq, Timestamp};

/// Every known block, and the canonical branch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Chain {
    blocks: ByHash<BlockHash, Box<KnownBlock>>,
    /// The height at which it is to start, by its source's word.
    begins: Option<Height>,
    /// The first canonical height.
    start: Height,
    /// The canonical branch from there.
    canonical: Vec<Link>,
    strays: Strays,
    /// What makes a block canonical.
    by: Canonical,
    /// The last head that the source has said.
    head: HeadNumber,
    /// The last height that is final, by the source's word.
    finalized: Option<Height>,
    ended: Option<Height>,
    /// Blocks whose payload the store has lost, and since when.
    lost: BTreeMap<BlockHash, Timestamp>,
}

/// A block of the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownBlock {
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
    /// Whether a task could not be proved for this payload.
    pub is_doubted: bool,
    /// How often a payload was delivered again, since somebody last looked at it.
    pub resupplies: u32,
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
    /// A sum of `u64`s, which one of a `u64` could not hold: one heavy block would change all that
    /// follow.
    bytes: u128,
    /// Likewise.
    fields: Box<[u128]>,
}

impl Chain {
    /// Adds a block with its weighed fields; answers the blocks that became canonical by it, in
    /// order.
    pub(crate) fn add(
        &mut self,
        at: Timestamp,
        seq: Seq,
        block: &Block,
        fields: Box<[u64]>,
    ) -> Vec<BlockHash> {
        let known = KnownBlock {
            number: block.number,
            parent: block.parent,
            payload: block.payload,
            payload_lost: false,
            losses: 0,
            is_doubted: false,
            resupplies: 0,
            delivered: seq,
            bytes: block.bytes,
            fields,
        };
        self.blocks.insert(block.hash, Box::new(known));
        if self.by == Canonical::ByHead {
            self.strays.add(block.number, block.hash);
            return Vec::new();
        }
        let is_next = match self.canonical.is_empty() {
            true => self.begins.is_none_or(|begins| begins == block.number),
            false => self.follows_tip(block.hash),
        };
        let mut connected = Vec::new();
        if is_next {
            self.extend(block.hash);
            connected.push(block.hash);
            while let Some(next) = self.waiting_child() {
                self.extend(next);
                connected.push(next);
            }
        } else {
            self.strays.add(block.number, block.hash);
            if self.tip().is_none_or(|(tip, _)| block.number > tip) {
                self.strays.add_child(block.parent, block.hash, at);
            }
        }
        if !is_next || self.strays.has_children() {
            self.find_beside(block.hash);
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
        (known.delivered, known.is_doubted) = (seq, false);
        known.resupplies += 1;
        self.lost.remove(&hash);
        Some(known.number)
    }

    pub(crate) fn forget_losses(&mut self, hash: BlockHash) {
        if let Some(known) = self.blocks.get_mut(&hash) {
            (known.losses, known.resupplies) = (0, 0);
        }
    }

    /// A task could not be proved for a block's payload: another may help.
    pub(crate) fn doubt(&mut self, hash: BlockHash) {
        if let Some(known) = self.blocks.get_mut(&hash) {
            known.is_doubted = true;
        }
    }

    /// A known block.
    #[must_use]
    pub fn block(&self, hash: &BlockHash) -> Option<&KnownBlock> {
        self.blocks.get(hash).map(|known| &**known)
    }

    /// Every block of the tree, in the order of their hashes.
    pub(crate) fn all(&self) -> impl Iterator<Item = &KnownBlock> {
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
            _ if self.by == Canonical::ByHead => match self.ended {
                Some(_) => Standing::Beside, // no head comes any more
                None => Standing::Waiting,
            },
            Some(_) => Standing::Beside,
            // None is before the start: it would have been refused.
            None if self.leads_nowhere(known.number, known.parent) => Standing::Beside,
            None => Standing::Waiting,
        })
    }

    /// How a block stands that may not be known.
    #[must_use]
    pub fn arrival(&self, block: &Block) -> Arrival {
        match self.standing(&block.hash) {
            Some(Standing::Canonical) => return Arrival::Known,
            Some(Standing::Waiting) => return Arrival::Ahead,
            Some(Standing::Beside) => return Arrival::Beside,
            None => {}
        }
        if self.by == Canonical::ByHead {
            return self.arrival_by_head(block);
        }
        let Some((tip, tip_hash)) = self.tip() else {
            let is_first = self.begins.is_none_or(|begins| begins == block.number);
            return if is_first { Arrival::New } else { Arrival::Ahead };
        };
        if block.number == tip.next() && block.parent == tip_hash {
            Arrival::New
        } else if block.number <= tip || self.leads_nowhere(block.number, block.parent) {
            Arrival::Beside
        } else {
            Arrival::Ahead
        }
    }

    /// Whether what stands at `number` after `parent`, past the tip, never becomes canonical: it is
    /// past the end, a number is missing before it, or it follows what is canonical and is not its
    /// next, or what is beside. Only the parent is looked at: how it stands is known, however many
    /// blocks wait before it.
    fn leads_nowhere(&self, number: Height, parent: BlockHash) -> bool {
        if self.ended.is_some_and(|last| number > last) {
            return true;
        }
        let Some(before) = self.blocks.get(&parent) else { return false };
        let is_gap = before.number.next() != number;
        // Had it followed the canonical one, it would have been canonical itself.
        is_gap || self.hash_at(before.number).is_some() || self.strays.is_beside(&parent)
    }

    /// The canonical hash at a height.
    #[must_use]
    pub fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.link(height).map(|link| link.hash)
    }

    /// Where it starts, or is to start; none before that is known.
    #[must_use]
    pub fn begins(&self) -> Option<Height> {
        self.start().or(self.begins)
    }

    /// The source says where it is to start. What has started stays.
    pub(crate) const fn begin_at(&mut self, begins: Option<Height>) {
        self.begins = begins;
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

    /// Since when the first of the blocks has waited that wait for a parent which has not arrived.
    #[must_use]
    pub fn waiting_since(&self) -> Option<Timestamp> {
        self.strays.waiting_since()
    }

    /// How many blocks of `height` are not canonical.
    pub(crate) fn strays_at(&self, height: Height) -> usize {
        self.strays.of_height(height)
    }

    /// How many blocks from `height` on are not canonical.
    pub(crate) fn strays_from(&self, height: Height) -> usize {
        self.strays.from(height)
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

    /// How many known blocks never become canonical ([`Standing::Beside`]). It is a count that is
    /// kept: no block is looked at.
    #[must_use]
    pub fn beside(&self) -> usize {
        self.strays.beside()
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
        let bytes = before.map_or(0, |link| link.bytes) + u128::from(known.bytes);
        let fields = known.fields.iter().enumerate().map(|(index, value)| {
            let so_far = before.and_then(|link| link.fields.get(index)).copied();
            so_far.unwrap_or_default() + u128::from(*value)
        });
        let link = Link { hash, bytes, fields: fields.collect() };
        if self.canonical.is_empty() {
            self.start = known.number;
        }
        match self.by {
            Canonical::ByArrival => self.strays.remove(known.number, hash),
            Canonical::ByHead => self.strays.take(known.number, hash),
        }
        self.canonical.push(link);
    }

    fn waiting_child(&mut self) -> Option<BlockHash> {
        let (_, tip) = self.tip()?;
        let children = self.strays.take_children(tip);
        let next = children.iter().copied().find(|child| self.follows_tip(*child));
        let others = children.into_iter().filter(|child| Some(*child) != next);
        others.for_each(|other| self.strays.put_beside(other));
        next
    }

    /// Finds out which of a block that has just come and of those that waited for it are beside the
    /// chain.
    fn find_beside(&mut self, hash: BlockHash) {
        for hash in [vec![hash], self.strays.children(hash)].concat() {
            if self.standing(&hash) == Some(Standing::Beside) {
                self.strays.put_beside(hash);
            }
        }
    }
}
