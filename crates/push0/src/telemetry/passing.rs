//! What the state does not keep and the log's turns show in passing: when blocks were submitted,
//! when tasks were opened, and who proved them.
//!
//! It follows the log from its beginning, in an engine that stands by too, so an engine that takes
//! over knows how old the oldest block is. Histograms count only what was seen while it led.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use push0_core::{Event, Height, ProgramName, StageName, TaskId, Timestamp, Turn};

/// What was seen, and has not come to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passing {
    tasks: HashMap<TaskId, OpenTask>,
    /// The same by the last height that each is about: below what is released none is waited for.
    by_last: BTreeSet<(Height, TaskId)>,
    /// When the first block of each height came that is not released.
    blocks: BTreeMap<Height, Timestamp>,
    /// The last height that is.
    released: Option<Height>,
}

/// A task without an accepted result.
#[derive(Clone, Debug)]
struct OpenTask {
    stage: StageName,
    program: ProgramName,
    opened: Timestamp,
    last: Height,
    was_granted: bool,
}

/// Something that a histogram counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    /// A task was granted for the first time, so long after it was opened.
    Queued(StageName, Duration),
    /// A task was granted again.
    Retried,
    /// A prover of a program ran so long for a result that was accepted.
    Proved(StageName, ProgramName, Duration),
}

impl Passing {
    /// Follows a turn; answers what of it counts.
    pub(crate) fn follow(&mut self, turn: &Turn) -> Vec<Seen> {
        turn.events.iter().filter_map(|event| self.event(turn.at, event)).collect()
    }

    /// When the lowest block was submitted that is not released, of those up to the canonical
    /// `tip`: what is above it may never be of the chain.
    pub(super) fn oldest(&self, tip: Height) -> Option<Timestamp> {
        self.blocks.first_key_value().filter(|(height, _)| **height <= tip).map(|(_, at)| *at)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few events count")]
    fn event(&mut self, at: Timestamp, event: &Event) -> Option<Seen> {
        match event {
            Event::BlockSubmitted { block } => {
                // One that comes beside what is released waits for nothing.
                let is_late = self.released.is_some_and(|last| block.number <= last);
                if !is_late && self.blocks.len() < BLOCKS_MAX {
                    self.blocks.entry(block.number).or_insert(at);
                }
                None
            }
            Event::TaskOpened { task, stage, program, key, .. } => {
                if self.tasks.len() < TASKS_MAX {
                    let (stage, program) = (stage.clone(), program.clone());
                    let last = key.last;
                    let open = OpenTask { stage, program, opened: at, last, was_granted: false };
                    self.tasks.insert(*task, open);
                    self.by_last.insert((key.last, *task));
                }
                None
            }
            Event::Granted { task, .. } => {
                let open = self.tasks.get_mut(task)?;
                match std::mem::replace(&mut open.was_granted, true) {
                    true => Some(Seen::Retried),
                    false => Some(Seen::Queued(open.stage.clone(), at.since(open.opened))),
                }
            }
            Event::Accepted { task, ran_us, .. } => {
                let open = self.tasks.remove(task)?;
                self.by_last.remove(&(open.last, *task));
                let ran = Duration::from_micros(*ran_us);
                (*ran_us > 0).then_some(Seen::Proved(open.stage, open.program, ran))
            }
            Event::Released { key, .. } => {
                while self.blocks.first_key_value().is_some_and(|(height, _)| *height <= key.last) {
                    self.blocks.pop_first();
                }
                // What a reorg has left is never proved.
                let above = self.by_last.split_off(&(key.last.next(), TaskId([0; 32])));
                for (_, task) in std::mem::replace(&mut self.by_last, above) {
                    self.tasks.remove(&task);
                }
                self.released = self.released.max(Some(key.last));
                None
            }
            _ => None,
        }
    }
}

/// Blocks that are remembered: more than an engine has open by default (docs/sizing.md).
const BLOCKS_MAX: usize = 1 << 20;

/// Tasks that are remembered, likewise.
const TASKS_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use push0_core::{Block, BlockHash, ChainId, Digest, Epoch, Key, ReleaseNumber, Seq};

    use super::*;

    fn follow(passing: &mut Passing, second: u64, event: Event) {
        let (first, at) = (Seq(second), Timestamp(second));
        passing.follow(&Turn { epoch: Epoch(1), first, at, events: vec![event] });
    }

    fn block(number: u64) -> Event {
        let (hash, bytes, fields) = (BlockHash([1; 32]), 1, BTreeMap::new());
        let (number, payload) = (Height(number), Digest([0; 32]));
        Event::BlockSubmitted {
            block: Block { number, hash, parent: hash, payload, bytes, fields },
        }
    }

    #[test]
    fn a_block_beside_the_chain_or_far_above_it_never_looks_old() {
        let mut passing = Passing::default();
        follow(&mut passing, 1, block(5));
        follow(&mut passing, 2, block(900));
        assert_eq!(passing.oldest(Height(5)), Some(Timestamp(1)));
        let (last, tip) = (Height(5), BlockHash([1; 32]));
        let key = Key { chain: ChainId(1), first: last, last, part: None, tip };
        let released = Event::Released { number: ReleaseNumber(1), key, tasks: vec![] };
        follow(&mut passing, 3, released);
        follow(&mut passing, 4, block(5));
        assert_eq!(passing.oldest(Height(5)), None);
        follow(&mut passing, 6, block(6));
        assert_eq!(passing.oldest(Height(6)), Some(Timestamp(6)));
    }
}
