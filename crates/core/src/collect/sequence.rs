//! `sequence`: a task for a gapless run of items.
//!
//! Items wait wherever they land; the run is what has arrived without a gap from where the last batch
//! ended. A closing takes the front of the run.

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
            self.run.push_back(item);
        }
    }

    /// Closes the batch that `key` spans. Answers whether these are the first `items` of the run.
    pub(crate) fn close(&mut self, key: &Key, items: usize) -> bool {
        if items == 0 || items > self.run.len() {
            return false;
        }
        let batch: Vec<_> = self.run.drain(..items).collect();
        let spans_it = batch.first().is_some_and(|item| item.key.first == key.first)
            && batch
                .last()
                .is_some_and(|item| (item.key.last, item.key.tip) == (key.last, key.tip));
        self.ripe.insert(*key, batch.iter().map(|item| item.input).collect());
        spans_it && self.spans.push(Span { first: key.first, last: key.last, tip: key.tip })
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
        self.run.iter().map(|item| item.at).min()
    }

    pub(crate) const fn ripe(&self) -> &Ripe {
        &self.ripe
    }

    pub(crate) const fn spans(&self) -> &Spans {
        &self.spans
    }

    pub(crate) fn waiting(&self) -> usize {
        self.ahead.len() + self.run.len() + self.ripe.values().map(Vec::len).sum::<usize>()
    }
}
