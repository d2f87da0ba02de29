//! The source of a chain that moves: it says which block its chain ends in and which are final,
//! goes over to other branches, and comes back.
//!
//! It knows how far its log is when it starts, as who follows a node does. What it has called final
//! stays.

use push0_core::{Block, BlockHash, Height, Input};

use super::World;
use super::source::Asks;
use crate::engine::{Asker, Engine};
use crate::fault::Fault;
use crate::scenario::{self, START};

/// What it has said.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// How many blocks of its branch are beneath the last head that it said.
    pub(super) said: usize,
    /// How many it has called final.
    pub(super) is_final: usize,
    /// Whether the engine had no room: what may be final is called so.
    pub(super) is_pressed: bool,
    /// The branches that it has left.
    pub(super) former: Vec<Vec<Block>>,
    /// How many it has been on.
    branches: u64,
}

/// So that a block beside the chain has a hash of its own after each parent.
pub(super) const fn beside(parent: &BlockHash) -> u64 {
    let [a, b, c, ..] = parent.0;
    (1 << 27) | (a as u64) << 19 | (b as u64) << 11 | (c as u64) << 3
}

impl World {
    /// Where the source goes on from, by what the log knows.
    pub(super) fn source_goes_on(&mut self) {
        if !self.scenario.says_heads {
            return;
        }
        let Some(chain) = self.engine.as_ref().map(|engine| engine.scheduler().chain()) else {
            return;
        };
        let is_there = |block: &&Block| chain.hash_at(block.number) == Some(block.hash);
        let next = self.scenario.blocks.iter().take_while(is_there).count();
        let is_final = chain.finalized().map_or(0, |Height(last)| last + 1 - START);
        let heads = &mut self.source.heads;
        heads.is_final = usize::try_from(is_final).unwrap_or(usize::MAX);
        (heads.said, heads.is_pressed) = (next, false);
        self.source.next = next;
    }

    /// Says something of heads, if there is anything to say before the next block.
    pub(super) fn says_of_heads(&mut self) -> bool {
        let now = self.agenda.now();
        let (next, blocks) = (self.source.next, self.scenario.blocks.len());
        let Heads { said, is_final, is_pressed, .. } = self.source.heads;
        let is_over = next == blocks || is_pressed;
        // No block is taken that is farther than so from the chain.
        let is_far = (next - said) as u64 >= self.scenario.limits.reorder_max;
        if said != next && (is_over || is_far || self.chance.permille(600)) {
            let head = next.checked_sub(1).and_then(|last| self.scenario.blocks.get(last));
            if let Some(block) = head.map(|block| block.hash) {
                self.source_asks(Asks::Head, Input::Head { head: None, block });
                return true;
            }
        }
        self.an_old_head(is_final);
        if said == next && self.faults.strikes(now, Fault::Reorged) {
            self.reorg();
        }
        let (next, Heads { said, is_final: before, .. }) = (self.source.next, &self.source.heads);
        debug_assert_eq!(*before, is_final, "a reorg finalises nothing");
        let count = match is_over {
            true => *said,
            false => is_final + usize::try_from(self.chance.below(3)).unwrap_or_default(),
        };
        let count = count.min(*said).min(next);
        self.source.heads.is_pressed = false;
        if count > is_final
            && (is_over || self.chance.permille(400))
            && let Some(last) = self.scenario.blocks.get(count - 1)
        {
            let (number, block) = (last.number, last.hash);
            self.source_asks(Asks::Final(count), Input::Finalize { number, block });
            return true;
        }
        false
    }

    /// A client says a head of long ago again, which leaves what is final since.
    fn an_old_head(&mut self, is_final: usize) {
        let now = self.agenda.now();
        if is_final < 2 || !self.faults.strikes(now, Fault::Repeated) {
            return;
        }
        let below = self.scenario.blocks.get(..is_final - 1).unwrap_or_default();
        if let Some(block) = self.faults.chance(Fault::Repeated).pick(below).map(|it| it.hash) {
            self.ask(Asker::Aside, vec![Input::Head { head: None, block }]);
        }
    }

    /// The chain is another one from a block on that is not final; or it is a former one again.
    fn reorg(&mut self) {
        let is_final = self.source.heads.is_final;
        let chance = self.faults.chance(Fault::Reorged);
        let back = 1 + usize::try_from(chance.below(6)).unwrap_or_default();
        let comes_back = chance.permille(300);
        let from = self.source.next.saturating_sub(back).max(is_final);
        let kept = self.scenario.blocks.get(..is_final).unwrap_or_default();
        let may_be = |branch: &&Vec<Block>| branch.get(..is_final) == Some(kept);
        let former = self.source.heads.former.iter().rev().find(may_be).cloned();
        let branch = match former.filter(|_| comes_back) {
            Some(former) => former,
            None => {
                self.source.heads.branches += 1;
                let salt = 8 * self.source.heads.branches;
                let mut branch = self.scenario.blocks.clone();
                let mut before =
                    from.checked_sub(1).and_then(|before| branch.get(before)).map(|it| it.hash);
                for block in branch.iter_mut().skip(from) {
                    *block = scenario::block(block.number.0, before.unwrap_or(block.parent), salt);
                    before = Some(block.hash);
                }
                branch
            }
        };
        self.say(|| format!("the chain is another one, from about block {from} on"));
        let was = std::mem::replace(&mut self.scenario.blocks, branch);
        self.source.heads.former.push(was);
        // As who follows a node: it goes on behind what the two have in common.
        let is_known = |engine: &Engine, block: &Block| {
            engine.scheduler().chain().hash_at(block.number) == Some(block.hash)
        };
        let engine = self.engine.as_ref();
        let common = self.scenario.blocks.iter();
        let common =
            common.take_while(|block| engine.is_some_and(|it| is_known(it, block))).count();
        self.source.next = common.min(self.source.next);
        self.source.heads.said = self.source.next;
    }
}
