//! The release feed: final proofs in chain order, numbered, without gaps.
//!
//! A span is released once each of the release's stages has proved it and every span before it was
//! released. What was released stays so, under its number; where its proof was taken back it is
//! recalled, and made again.

use std::collections::BTreeMap;

use crate::collect::Item;
use crate::{Height, Key, ReleaseNumber, Seq, StageIndex, TaskId};

/// One released span.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release {
    /// Its place in the feed.
    pub number: ReleaseNumber,
    /// What is proved.
    pub key: Key,
    /// By which tasks, in the order of the pipeline's release.
    pub tasks: Vec<TaskId>,
}

/// What waits to be released, and what was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Feed {
    /// By the height that they begin at. One map, not one for each height: those would cost 1.2 kB
    /// each.
    proved: BTreeMap<(Height, StageIndex), (Key, TaskId)>,
    released: Vec<Release>,
    /// Those that were recalled, with the position of the last time.
    recalled: BTreeMap<ReleaseNumber, Seq>,
    next: Option<Height>,
}

impl Feed {
    pub(crate) fn start(&mut self, at: Height) {
        self.next = self.next.or(Some(at));
    }

    pub(crate) fn add(&mut self, stage: StageIndex, item: &Item) {
        if let Some(task) = item.input.maker() {
            self.proved.insert((item.key.first, stage), (item.key, task));
        }
    }

    /// What may be released next, where these stages have proved it.
    pub(crate) fn ready(&self, stages: &[StageIndex]) -> Option<Release> {
        let next = self.next?;
        let (_, (key, _)) = self.proved_at(next).next()?;
        let proof = |stage: &StageIndex| Some(self.proved.get(&(next, *stage))?.1);
        Some(Release {
            number: ReleaseNumber(self.released.len() as u64 + 1),
            key: *key,
            tasks: stages.iter().map(proof).collect::<Option<_>>()?,
        })
    }

    /// Whether all of these stages have proved what `height` is in, and it waits for what is
    /// before.
    pub(crate) fn has_proved(&self, height: Height, stages: &[StageIndex]) -> bool {
        let last = (height, StageIndex(usize::MAX));
        let before = self.proved.range(..=last).next_back().map(|((first, _), _)| *first);
        before.is_some_and(|first| {
            let reaches = |(key, _): &(Key, TaskId)| key.last >= height;
            stages.iter().all(|stage| self.proved.get(&(first, *stage)).is_some_and(reaches))
        })
    }

    /// Moves on past `release`. Answers whether it was the next.
    pub(crate) fn release(&mut self, release: Release) -> bool {
        let proved: Vec<_> = self.proved_at(release.key.first).map(|(place, _)| *place).collect();
        let is_next = self.next == Some(release.key.first)
            && release.number.0 == self.released.len() as u64 + 1
            && !proved.is_empty();
        if is_next {
            for place in proved {
                self.proved.remove(&place);
            }
        }
        self.next = Some(release.key.last.next());
        self.released.push(release);
        is_next
    }

    /// What was proved of the span that begins there, in the order of the stages.
    fn proved_at(
        &self,
        first: Height,
    ) -> impl Iterator<Item = (&(Height, StageIndex), &(Key, TaskId))> {
        let from = (first, StageIndex(0));
        self.proved.range(from..).take_while(move |((height, _), _)| *height == first)
    }

    /// The chain is another one from `from` on, above all that was released: what was proved of
    /// it is of the one before.
    pub(crate) fn rewind(&mut self, from: Height) {
        self.proved.retain(|_, (key, _)| key.last < from);
    }

    /// What was handed out under a number is made again.
    pub(crate) fn recall(&mut self, number: ReleaseNumber, at: Seq) {
        self.recalled.insert(number, at);
    }

    pub(crate) const fn recalled(&self) -> &BTreeMap<ReleaseNumber, Seq> {
        &self.recalled
    }

    /// The height that goes next.
    pub(crate) const fn next(&self) -> Option<Height> {
        self.next
    }

    pub(crate) fn released(&self) -> &[Release] {
        &self.released
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlockHash, ChainId, InputId, Timestamp};

    #[test]
    fn only_what_is_proved_and_comes_next_by_height_and_number_is_released() {
        let release = |number, height| Release {
            number: ReleaseNumber(number),
            key: key(height),
            tasks: vec![TaskId([0; 32])],
        };
        for (number, height, is_next) in
            [(1, 5, true), (2, 5, false), (1, 6, false), (1, 7, false), (2, 6, false)]
        {
            let mut feed = Feed::default();
            feed.start(Height(5));
            (5..7).for_each(|height| feed.add(StageIndex(0), &item(height)));
            assert_eq!(feed.release(release(number, height)), is_next, "{number} at {height}");
        }
        let mut feed = Feed::default();
        feed.start(Height(5));
        assert!(!feed.release(release(1, 5)), "nothing proved it");
    }

    fn item(height: u64) -> Item {
        Item { input: InputId::Task(TaskId([0; 32])), key: key(height), at: Timestamp(0) }
    }

    fn key(height: u64) -> Key {
        let height = Height(height);
        Key { chain: ChainId(1), first: height, last: height, part: None, tip: BlockHash([0; 32]) }
    }
}
