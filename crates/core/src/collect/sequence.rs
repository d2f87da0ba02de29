//! `sequence`: a task for a gapless run of items.
//!
//! Items wait wherever they land; the run is what has arrived without a gap from where the last
//! batch ended. A closing takes the front of the run.

use std::collections::{BTreeMap, VecDeque};

use super::{Item, Ripe, Span, Spans};
use crate::{Height, InputId, Key, Timestamp};

/// Items that wait for their batch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sequence {
    /// Arrived ahead of a gap.
    ahead: BTreeMap<Height, Item>,
    /// Arrived without a gap since the last batch.
    run: VecDeque<Item>,
    /// How many items the batches before the run had.
    closed: usize,
    /// The items of the run that arrived before every later one of it, by their place since the
    /// start; the first of them arrived first of all.
    oldest: VecDeque<(usize, Timestamp)>,
    /// Where the run goes on; absent until the chain starts.
    next: Option<Height>,
    ripe: Ripe,
    spans: Spans,
}

impl Sequence {
    pub(crate) fn start(&mut self, at: Height) {
        self.next = self.next.or(Some(at));
    }

    pub(crate) fn add(&mut self, item: Item) {
        self.ahead.insert(item.key.first, item);
        while let Some(item) = self.next.and_then(|next| self.ahead.remove(&next)) {
            self.next = Some(item.key.last.next());
            while self.oldest.back().is_some_and(|(_, at)| *at >= item.at) {
                self.oldest.pop_back();
            }
            self.oldest.push_back((self.closed + self.run.len(), item.at));
            self.run.push_back(item);
        }
    }

    /// Closes the batch that `key` spans. Answers whether these are the first `items` of the run.
    pub(crate) fn close(&mut self, key: &Key, items: usize) -> bool {
        if items == 0 || items > self.run.len() {
            return false;
        }
        let batch: Vec<_> = self.run.drain(..items).collect();
        self.closed += items;
        while self.oldest.front().is_some_and(|(place, _)| *place < self.closed) {
            self.oldest.pop_front();
        }
        let spans_it = batch.first().is_some_and(|item| item.key.first == key.first)
            && batch
                .last()
                .is_some_and(|item| (item.key.last, item.key.tip) == (key.last, key.tip));
        self.ripe.insert(*key, batch.iter().map(|item| item.input).collect());
        spans_it && self.spans.push(Span { first: key.first, last: key.last, tip: key.tip })
    }

    /// The chain is another one from `from` on. A batch that reaches past there is none any more,
    /// and its items from before are in the run again: `given_back` says which they are.
    pub(crate) fn rewind(
        &mut self,
        from: Height,
        given_back: impl FnOnce(Span, Option<&[InputId]>) -> Vec<Item>,
    ) {
        if let Some(batch) = self.spans.cut(from) {
            let key = self.ripe.keys().find(|key| key.first == batch.first);
            let inputs = key.and_then(|key| self.ripe.get(key)).map(Vec::as_slice);
            let is_begun = batch.first < from;
            self.run = if is_begun { given_back(batch, inputs).into() } else { VecDeque::new() };
            self.next = Some(batch.first);
        } else if let Some(gone) = self.run.iter().find(|item| item.key.last >= from) {
            self.next = Some(gone.key.first);
        }
        self.ripe.retain(|key, _| key.last < from);
        self.ahead.retain(|_, item| item.key.last < from);
        self.run.retain(|item| item.key.last < from);
        self.next = self.run.back().map_or(self.next, |item| Some(item.key.last.next()));
        self.oldest.clear();
        for (place, item) in (self.closed..).zip(&self.run) {
            while self.oldest.back().is_some_and(|(_, at)| *at >= item.at) {
                self.oldest.pop_back();
            }
            self.oldest.push_back((place, item.at));
        }
    }

    pub(crate) fn open(&mut self, key: &Key) -> Option<Vec<InputId>> {
        self.ripe.remove(key)
    }

    /// The run, oldest block first.
    pub(crate) const fn run(&self) -> &VecDeque<Item> {
        &self.run
    }

    /// When the item that arrived first in the run did so.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.oldest.front().map(|(_, at)| *at)
    }

    pub(crate) const fn ripe(&self) -> &Ripe {
        &self.ripe
    }

    pub(crate) const fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Whether a result of `height` waits in it.
    pub(crate) fn holds(&self, height: Height) -> bool {
        let place = self.run.partition_point(|item| item.key.last < height);
        let ahead = self.ahead.range(..=height).next_back().map(|(_, item)| item);
        self.run.get(place).into_iter().chain(ahead).any(|item| item.is_made_of(height))
    }

    pub(crate) fn waiting(&self) -> usize {
        self.ahead.len() + self.run.len() + self.ripe.values().map(Vec::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlockHash, ChainId, TaskId};

    #[test]
    fn where_the_chain_is_another_the_run_goes_on_from_what_is_left_of_it() {
        let mut sequence = Sequence::default();
        sequence.start(Height(0));
        (0..8).for_each(|height| sequence.add(item(height, height)));
        for (first, last) in [(0, 1), (2, 4)] {
            let key = Key { last: Height(last), ..item(first, 0).key };
            assert!(sequence.close(&key, usize::try_from(last - first + 1).expect("few")));
        }
        let run = |sequence: &Sequence| {
            sequence.run().iter().map(|item| item.key.first.0).collect::<Vec<_>>()
        };
        sequence.rewind(Height(7), |_, _| unreachable!("no batch reaches so far"));
        assert_eq!((run(&sequence), sequence.oldest()), (vec![5, 6], Some(Timestamp(5))));
        sequence.add(item(7, 9));
        assert_eq!(run(&sequence), [5, 6, 7]);
        sequence.rewind(Height(4), |batch, ripe| {
            assert_eq!((batch.first, ripe.map(<[_]>::len)), (Height(2), Some(3)));
            vec![item(2, 11), item(3, 11)]
        });
        sequence.add(item(4, 12));
        assert_eq!((run(&sequence), sequence.spans().len()), (vec![2, 3, 4], 1));
        assert_eq!((sequence.oldest(), sequence.ripe().len()), (Some(Timestamp(11)), 1));
        sequence.rewind(Height(0), |_, _| Vec::new());
        sequence.add(item(0, 13));
        assert_eq!(run(&sequence), [0]);
    }

    #[test]
    fn a_run_is_as_old_as_the_item_of_it_that_arrived_first() {
        let mut sequence = Sequence::default();
        sequence.start(Height(0));
        for (height, at) in [(0, 9), (2, 3), (1, 5), (3, 7), (5, 1)] {
            sequence.add(item(height, at));
        }
        let ages = [1, 1, 1, 1].map(|items| {
            let oldest = sequence.oldest();
            let first = sequence.run().front().expect("it has items").key;
            assert!(sequence.close(&first, items));
            oldest
        });
        assert_eq!(ages, [3, 3, 3, 7].map(|at| Some(Timestamp(at))));
        assert_eq!((sequence.oldest(), sequence.waiting()), (None, 5));
    }

    #[test]
    fn a_batch_is_of_what_has_arrived_and_not_of_nothing() {
        let mut sequence = Sequence::default();
        sequence.start(Height(0));
        (0..2).for_each(|height| sequence.add(item(height, 1)));
        let key = Key { last: Height(1), ..item(0, 1).key };
        assert_eq!([0, 3, 2].map(|items| sequence.close(&key, items)), [false, false, true]);
    }

    #[test]
    fn a_key_that_fits_at_one_end_alone_is_not_that_of_the_batch() {
        let closes = |first, last| {
            let mut sequence = Sequence::default();
            sequence.start(Height(0));
            (0..2).for_each(|height| sequence.add(item(height, 1)));
            sequence.close(&Key { first: Height(first), last: Height(last), ..item(0, 1).key }, 2)
        };
        assert_eq!([closes(0, 1), closes(0, 2), closes(1, 1)], [true, false, false]);
    }

    fn item(height: u64, at: u64) -> Item {
        let height = Height(height);
        let tip = BlockHash([0; 32]);
        let key = Key { chain: ChainId(1), first: height, last: height, part: None, tip };
        Item { input: InputId::Task(TaskId([0; 32])), key, at: Timestamp(at) }
    }
}
