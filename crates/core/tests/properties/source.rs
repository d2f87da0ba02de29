//! The source of a world: its blocks, again if they are lost; and, where it says heads, the branch
//! that it is on.

use push0_core::{Block, Height, Input};

use crate::universe::{self, BLOCKS, START};
use crate::world::World;

impl World<'_> {
    /// The block `index` places after the first of the source's chain.
    pub(crate) fn block(&self, index: u64) -> Block {
        universe::along(self.branch.as_deref().unwrap_or_default(), index)
    }

    /// Where the source says heads: the first place at which its chain is not the canonical one.
    pub(crate) fn parts_at(&self) -> u64 {
        let is_there = |index: &u64| {
            let canonical = self.scheduler.chain().hash_at(Height(START + index));
            canonical == Some(self.block(*index).hash)
        };
        (0..BLOCKS).find(|index| !is_there(index)).unwrap_or(BLOCKS)
    }

    /// The source goes over to another branch, or is on a shorter one.
    pub(crate) fn reorg(&mut self, back: u8, salt: u8, blocks: u8) {
        let next = self.next_block();
        let from = next.saturating_sub(u64::from(back));
        let is_final = |height: Height| height.0 + 1 > START + from;
        let Some(branch) = &mut self.branch else { return };
        if self.scheduler.chain().finalized().is_some_and(is_final)
            || self.scheduler.chain().ended().is_some()
        {
            return;
        }
        let last = branch.last().copied().unwrap_or_default();
        branch.resize(usize::try_from(from).expect("small"), last);
        branch.push(salt);
        let mut head = from.checked_sub(1).map(|before| self.block(before).hash);
        for index in (from..BLOCKS).take(usize::from(blocks)) {
            let block = self.block(index);
            head = Some(block.hash);
            self.ask(&Input::Submit(Box::new(block)));
        }
        if let Some(block) = head {
            self.ask(&Input::Head { head: None, block });
        }
    }

    /// What the source's chain and the canonical one have in common is final, but for the last.
    pub(crate) fn finalize(&mut self, but: u64) {
        if self.branch.is_some()
            && let Some(index) = self.parts_at().checked_sub(1 + but)
        {
            let (number, block) = (Height(START + index), self.block(index).hash);
            self.ask(&Input::Finalize { number, block });
        }
    }

    pub(crate) fn resupply(&mut self) {
        for hash in std::mem::take(&mut self.asked) {
            let Some(known) = self.scheduler.chain().block(&hash) else { continue };
            let Height(number) = known.number;
            let again = (0..4).map(|salt| universe::block(number, known.parent, salt));
            for block in again.filter(|block| block.hash == hash).collect::<Vec<_>>() {
                self.ask(&Input::Submit(Box::new(block)));
            }
        }
    }
}
