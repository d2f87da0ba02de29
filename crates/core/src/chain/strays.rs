//! Strays: known blocks that are not canonical. Each waits for blocks before it, or is beside the
//! chain for good.
//!
//! ```text
//!   waits ──its parent becomes the tip──▶ canonical
//!     └────another is canonical at its height, or it follows one that is beside──▶ beside
//! ```
//!
//! A block that is beside stays so, and each is found out once. So how many are is a count, and
//! nobody who asks has to walk the tree.
//!
//! Not here: how a single block stands (`chain`).

use std::collections::{BTreeMap, BTreeSet};

use crate::{BlockHash, Height, Timestamp};

/// The blocks that are not canonical.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Strays {
    /// By height, in order of arrival; no list is empty.
    at: BTreeMap<Height, Vec<BlockHash>>,
    /// Children of blocks that are not canonical yet, in order of arrival, each with its time.
    children: BTreeMap<BlockHash, Vec<(BlockHash, Timestamp)>>,
    /// Those that never become canonical.
    beside: BTreeSet<BlockHash>,
}

impl Strays {
    pub(super) fn add(&mut self, height: Height, hash: BlockHash) {
        self.at.entry(height).or_default().push(hash);
    }

    /// It came before its parent could be canonical.
    pub(super) fn add_child(&mut self, parent: BlockHash, child: BlockHash, at: Timestamp) {
        self.children.entry(parent).or_default().push((child, at));
    }

    /// It is canonical from here on: all others of its height never are.
    pub(super) fn remove(&mut self, height: Height, hash: BlockHash) {
        let Some(at) = self.at.get_mut(&height) else { return };
        at.retain(|stray| *stray != hash);
        let others = at.clone();
        if others.is_empty() {
            self.at.remove(&height);
        }
        others.into_iter().for_each(|other| self.put_beside(other));
    }

    /// It is canonical for now, which says nothing of the others of its height.
    pub(super) fn take(&mut self, height: Height, hash: BlockHash) {
        let Some(at) = self.at.get_mut(&height) else { return };
        at.retain(|stray| *stray != hash);
        if at.is_empty() {
            self.at.remove(&height);
        }
    }

    /// Forgets those of all heights up to `height`, and answers them.
    pub(super) fn take_up_to(&mut self, height: Height) -> impl Iterator<Item = BlockHash> {
        let above = self.at.split_off(&height.next());
        std::mem::replace(&mut self.at, above).into_values().flatten()
    }

    /// The children of the tip, which are asked for once: one is the next, and no other ever is.
    pub(super) fn take_children(&mut self, of: BlockHash) -> Vec<BlockHash> {
        let children = self.children.remove(&of).unwrap_or_default();
        children.into_iter().map(|(child, _)| child).collect()
    }

    /// The children of a block that came before it.
    pub(super) fn children(&self, of: BlockHash) -> Vec<BlockHash> {
        let children = self.children.get(&of).into_iter().flatten();
        children.map(|(child, _)| *child).collect()
    }

    /// It never becomes canonical, nor does any that follows it.
    pub(super) fn put_beside(&mut self, hash: BlockHash) {
        let mut next = vec![hash];
        while let Some(hash) = next.pop() {
            if self.beside.insert(hash) {
                next.extend(self.children(hash));
            }
        }
    }

    /// None of those past `last` becomes canonical.
    pub(super) fn put_beside_past(&mut self, last: Height) {
        let past: Vec<_> = self.at.range(last.next()..).flat_map(|(_, at)| at.clone()).collect();
        past.into_iter().for_each(|hash| self.put_beside(hash));
    }

    /// Those past `last`, lowest first: each may become canonical after all, for what is known
    /// here.
    pub(super) fn take_from_beside_past(&mut self, last: Height) -> Vec<BlockHash> {
        let past: Vec<_> = self.at.range(last.next()..).flat_map(|(_, at)| at.clone()).collect();
        for hash in &past {
            self.beside.remove(hash);
        }
        past
    }

    /// Whether any came before its parent, and waits for it or did.
    pub(super) fn has_children(&self) -> bool {
        !self.children.is_empty()
    }

    pub(super) fn is_beside(&self, hash: &BlockHash) -> bool {
        self.beside.contains(hash)
    }

    pub(super) fn beside(&self) -> usize {
        self.beside.len()
    }

    /// Since when the first of those has waited that may become canonical.
    pub(super) fn waiting_since(&self) -> Option<Timestamp> {
        let children = self.children.values().flatten();
        let waiting = children.filter(|(child, _)| !self.beside.contains(child));
        waiting.map(|(_, since)| *since).min()
    }

    pub(super) fn of_height(&self, height: Height) -> usize {
        self.at.get(&height).map_or(0, Vec::len)
    }

    /// How many there are from `height` on.
    pub(super) fn from(&self, height: Height) -> usize {
        self.at.range(height..).map(|(_, at)| at.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::chain::{Chain, Standing};
    use crate::{Block, BlockHash, Digest, Height, Seq, Timestamp};

    proptest! {
        /// Forks, gaps, blocks before their parents and blocks with a number that does not follow,
        /// in any order, and an end.
        #[test]
        fn how_each_stands_agrees_with_a_walk(
            blocks in proptest::collection::vec((0_u8..24, 0_u64..6, any::<bool>()), 1..40),
            order in any::<prop::sample::Index>(),
            ends_after in any::<prop::sample::Index>(),
            resumes_after in any::<prop::sample::Index>(),
        ) {
            let mut tree: Vec<Block> = vec![block(0, 10, BlockHash([255; 32]))];
            for (number, (parent, skips, is_strange)) in (1_u8..).zip(blocks) {
                let parent = tree.get(usize::from(parent)).or_else(|| tree.last()).expect("the first");
                let height = parent.number.0 + if is_strange { skips } else { 1 };
                let made = block(number, height.max(10), parent.hash);
                tree.push(made);
            }
            let first = tree.remove(0);
            let at = order.index(tree.len());
            tree.rotate_left(at);
            let ends_after = ends_after.index(2 * tree.len());
            let resumes_after = resumes_after.index(2 * tree.len());
            let mut chain = Chain::default();
            for (came, block) in std::iter::once(first).chain(tree).enumerate() {
                if chain.ended().is_some_and(|last| block.number > last) {
                    continue; // the scheduler refuses it
                }
                chain.add(Timestamp(came as u64), Seq(came as u64 + 1), &block, Box::default());
                if let (true, Some((tip, _))) = (came == ends_after, chain.tip()) {
                    chain.end(tip);
                }
                if came == resumes_after {
                    chain.resume_source();
                }
                for (hash, _) in chain.blocks.iter() {
                    prop_assert_eq!(chain.standing(hash), Some(walk(&chain, hash)));
                }
                prop_assert_eq!(chain.beside(), walked(&chain, Standing::Beside));
                let strays = walked(&chain, Standing::Beside) + walked(&chain, Standing::Waiting);
                prop_assert_eq!(chain.strays_from(Height(0)), strays);
            }
        }
    }

    fn walked(chain: &Chain, standing: Standing) -> usize {
        chain.blocks.iter().filter(|(hash, _)| walk(chain, hash) == standing).count()
    }

    /// How a known block stands, by every block before it.
    fn walk(chain: &Chain, hash: &BlockHash) -> Standing {
        let (mut hash, mut is_first) = (*hash, true);
        while let Some(known) = chain.blocks.get(&hash) {
            match chain.hash_at(known.number) {
                Some(canonical) if canonical == hash && is_first => return Standing::Canonical,
                Some(_) => return Standing::Beside,
                None => {}
            }
            let is_past = chain.ended().is_some_and(|last| known.number > last);
            let before = chain.blocks.get(&known.parent);
            if is_past || before.is_some_and(|before| before.number.next() != known.number) {
                return Standing::Beside;
            }
            (hash, is_first) = (known.parent, false);
        }
        Standing::Waiting
    }

    fn block(number: u8, height: u64, parent: BlockHash) -> Block {
        Block {
            number: Height(height),
            hash: BlockHash([number; 32]),
            parent,
            payload: Digest([number; 32]),
            bytes: 1,
            fields: std::collections::BTreeMap::new(),
        }
    }
}
