//! Where a block is that no open task is about.
//!
//! Not here: why a task waits (the shell's `status`).

use super::Scheduler;
use crate::collect::Collector;
use crate::{Height, StageIndex};

/// Where a block is that no open task is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whereabouts {
    /// It has all its final proofs, and waits for what is before it.
    Proved,
    /// It has all its final proofs, and is not final on its chain.
    NotFinal,
    /// It waits in a stage for others of its batch.
    Collected(StageIndex),
    /// This stage has not begun with it: it is too far ahead of the lowest that is being proved.
    PastWindow(StageIndex),
    /// Its next task is about to be opened.
    Unopened,
}

impl Scheduler {
    /// Where a block is that is not released, and that no open task is about.
    #[must_use]
    pub fn whereabouts(&self, height: Height) -> Whereabouts {
        if self.feed.has_proved(height, &self.pipeline.release) {
            return match self.is_final(height) {
                true => Whereabouts::Proved,
                false => Whereabouts::NotFinal,
            };
        }
        if let Some(stage) = self.waits_at(height) {
            return Whereabouts::Collected(stage);
        }
        let mut fed = self.pipeline.block_stages();
        let unopened = |index: &StageIndex| match self.collectors.get(index.0) {
            Some(Collector::EachBlock { next }) => {
                next.or_else(|| self.chain.start()).is_some_and(|next| next <= height)
            }
            Some(
                Collector::Each(_)
                | Collector::Parts(_)
                | Collector::Sequence(_)
                | Collector::Tree(_),
            )
            | None => false,
        };
        if let Some(stage) = fed.find(unopened) {
            return match height > self.horizon() {
                true => Whereabouts::PastWindow(stage),
                false => Whereabouts::Unopened,
            };
        }
        let batching = |index: &StageIndex| {
            let run = match self.collectors.get(index.0)? {
                Collector::Sequence(sequence) => sequence.run(),
                Collector::EachBlock { .. }
                | Collector::Each(_)
                | Collector::Parts(_)
                | Collector::Tree(_) => return None,
            };
            run.front().filter(|first| first.key.first <= height).map(|_| *index)
        };
        let batch = self.pipeline.block_stages().find_map(|index| batching(&index));
        batch.map_or(Whereabouts::Unopened, Whereabouts::Collected)
    }
}
