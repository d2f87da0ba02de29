//! How items flow from stage to stage, and how far a batch could reach.
//!
//! Not here: when a batch closes (`advance`), what a collector does with an item (`collect`).

use std::collections::VecDeque;

use super::Scheduler;
use crate::chain::Weighed;
use crate::collect::{Collector, Item, Span};
use crate::task::IllegalEvent;
use crate::{
    BlockHash, Collect, Height, Inflow, InputId, Key, Output, ResultRef, Seq, StageIndex, TaskId,
    Timestamp, Weights,
};

/// What the open batch of a stage could hold.
pub(super) struct Extent<'a> {
    items: Items<'a>,
    /// How many items are known to follow one another.
    pub(super) known: usize,
    /// How many of them have arrived.
    pub(super) whole: usize,
    /// How many of the first can only be closed together: tasks over them were opened.
    pub(super) joined: usize,
    /// Whether one task could read no more.
    pub(super) is_full: bool,
    /// Whether nothing can follow the known ones.
    pub(super) is_last: bool,
    /// When the first of those that have arrived did.
    pub(super) oldest: Option<Timestamp>,
}

enum Items<'a> {
    Run(&'a VecDeque<Item>),
    Spans { of: Inflow, from: usize },
}

impl Scheduler {
    /// Hands the blocks that became canonical to the stages they feed.
    pub(super) fn flow_blocks(&mut self, at: Timestamp, connected: &[BlockHash]) {
        let Some(start) = self.chain.start() else { return };
        self.feed.start(start);
        for collector in &mut self.collectors {
            if let Collector::Sequence(sequence) = collector {
                sequence.start(start);
            }
        }
        for hash in connected {
            if let Some(key) = self.block_key(hash) {
                self.flow(Inflow::Blocks, Item { input: InputId::Block(*hash), key, at });
            }
        }
    }

    /// Hands an accepted result to the stages it feeds.
    pub(super) fn flow_result(
        &mut self,
        at: Timestamp,
        id: TaskId,
        index: StageIndex,
        key: Key,
        result: &ResultRef,
    ) {
        let item = Item { input: InputId::Task(id), key, at };
        if self.pipeline.stage(index).output == Output::Parts {
            self.flow_parts(index, item, result.parts.len());
        } else if let Some(Collector::Tree(tree)) = self.collectors.get_mut(index.0) {
            if let Some(root) = tree.add_result(item) {
                self.flow(Inflow::Stage(index), root);
            }
        } else {
            self.flow(Inflow::Stage(index), item);
        }
    }

    /// Hands the root of a group, which its closing made, to the stages it feeds.
    pub(super) fn flow_root(&mut self, at: Timestamp, index: StageIndex, root: Item) {
        self.flow(Inflow::Stage(index), Item { at, ..root });
    }

    fn flow_parts(&mut self, index: StageIndex, item: Item, parts: usize) {
        for (collector, stage) in self.collectors.iter_mut().zip(&self.pipeline.stages) {
            if let (Collector::Parts(gather), Some(split)) = (collector, stage.split)
                && split == index
            {
                gather.expect(item.key, parts);
            }
        }
        if let InputId::Task(task) = item.input {
            for part in (0..).take(parts) {
                let (input, key) = (InputId::Part(task, part), item.key.part(part));
                self.flow(Inflow::Stage(index), Item { input, key, ..item });
            }
        }
    }

    fn flow(&mut self, from: Inflow, item: Item) {
        if let Inflow::Stage(index) = from
            && self.pipeline.release.contains(&index)
        {
            self.feed.add(index, &item);
        }
        let mut roots = Vec::new();
        let fed: Vec<_> = match from {
            Inflow::Blocks => self.pipeline.block_stages().collect(),
            Inflow::Stage(index) => self.pipeline.stage(index).feeds.clone(),
        };
        for index in fed {
            let position = self.span_index(from, item.key.first);
            match self.collectors.get_mut(index.0) {
                Some(Collector::Each(ripe)) => {
                    ripe.insert(item.key, vec![item.input]);
                }
                Some(Collector::Parts(parts)) => {
                    parts.add(item);
                }
                Some(Collector::Sequence(sequence)) => sequence.add(item),
                Some(Collector::Tree(tree)) => {
                    let root = position.and_then(|position| tree.add(position, item));
                    roots.extend(root.map(|root| (index, root)));
                }
                Some(Collector::EachBlock { .. }) | None => {}
            }
        }
        for (index, root) in roots {
            self.flow(Inflow::Stage(index), root);
        }
    }

    /// Applies a closing. Answers the root, where that makes it.
    pub(super) fn close_batch(
        &mut self,
        seq: Seq,
        index: StageIndex,
        key: &Key,
        items: u64,
    ) -> Result<Option<Item>, IllegalEvent> {
        let illegal = || IllegalEvent { seq, what: "a batch that is not there was closed".into() };
        let items = usize::try_from(items).map_err(|_| illegal())?;
        match self.collectors.get_mut(index.0) {
            Some(Collector::Sequence(sequence)) => match sequence.close(key, items) {
                true => Ok(None),
                false => Err(illegal()),
            },
            Some(Collector::Tree(tree)) => tree.close(key, items).map_err(|_| illegal()),
            Some(Collector::EachBlock { .. } | Collector::Each(_) | Collector::Parts(_)) | None => {
                Err(illegal())
            }
        }
    }

    /// What the open batch of a stage could hold, where no block follows `end`; `None` for a stage
    /// that has no batches.
    pub(super) fn extent(&self, index: StageIndex, end: Option<Height>) -> Option<Extent<'_>> {
        match self.collectors.get(index.0)? {
            Collector::Sequence(sequence) => {
                let run = sequence.run();
                let last = run.back().map(|item| item.key.last);
                let items = run.len().min(self.limits.inputs_max);
                Some(Extent {
                    items: Items::Run(run),
                    known: items,
                    whole: items,
                    joined: 0,
                    is_full: items == self.limits.inputs_max,
                    is_last: last.is_some() && last == end,
                    oldest: sequence.oldest(),
                })
            }
            Collector::Tree(tree) => {
                let of = self.inflow_spans(index);
                let from = tree.open_group();
                let known = self.span_count(of).saturating_sub(from);
                let last = self.span(of, from + known.checked_sub(1)?).map(|span| span.last);
                let arrived = tree.arrived();
                Some(Extent {
                    items: Items::Spans { of, from },
                    known,
                    whole: arrived.map_or(0, |(prefix, _)| prefix),
                    joined: tree.joined(),
                    is_full: false,
                    is_last: last.is_some() && last == end,
                    oldest: arrived.map(|(_, oldest)| oldest),
                })
            }
            Collector::EachBlock { .. } | Collector::Each(_) | Collector::Parts(_) => None,
        }
    }

    pub(super) fn extent_span(&self, extent: &Extent<'_>, index: usize) -> Option<Span> {
        match extent.items {
            Items::Run(run) => run.get(index).map(|item| Span {
                first: item.key.first,
                last: item.key.last,
                tip: item.key.tip,
            }),
            Items::Spans { of, from } => self.span(of, from + index),
        }
    }

    /// How the first `items` of an extent stand to limits.
    pub(super) fn weigh(&self, extent: &Extent<'_>, items: usize, limits: &Weights) -> Weighed {
        let ends = items.checked_sub(1).and_then(|last| {
            Some((self.extent_span(extent, 0)?.first, self.extent_span(extent, last)?.last))
        });
        let weighed = ends.map(|(first, last)| self.chain.weigh(items as u64, first, last, limits));
        weighed.unwrap_or_default()
    }

    /// The key of a canonical block.
    pub(super) fn height_key(&self, height: Height) -> Option<Key> {
        let tip = self.chain.hash_at(height)?;
        let chain = self.pipeline.source.chain;
        Some(Key { chain, first: height, last: height, part: None, tip })
    }

    /// The key of a known block.
    pub(super) fn block_key(&self, hash: &BlockHash) -> Option<Key> {
        let number = self.chain.block(hash)?.number;
        let chain = self.pipeline.source.chain;
        Some(Key { chain, first: number, last: number, part: None, tip: *hash })
    }

    /// Whose spans the items have that flow into a stage.
    pub(super) fn inflow_spans(&self, index: StageIndex) -> Inflow {
        match self.pipeline.stage(index).input {
            Inflow::Blocks => Inflow::Blocks,
            Inflow::Stage(input) => self.pipeline.stage(input).spans,
        }
    }

    fn span_index(&self, from: Inflow, first: Height) -> Option<usize> {
        let of = match from {
            Inflow::Blocks => Inflow::Blocks,
            Inflow::Stage(index) => self.pipeline.stage(index).spans,
        };
        match of {
            Inflow::Blocks => usize::try_from(first.0.checked_sub(self.chain.start()?.0)?).ok(),
            Inflow::Stage(_) => self.spans(of)?.index_of(first),
        }
    }

    fn span_count(&self, of: Inflow) -> usize {
        match of {
            Inflow::Blocks => self.chain.len(),
            Inflow::Stage(_) => self.spans(of).map_or(0, crate::collect::Spans::len),
        }
    }

    fn span(&self, of: Inflow, index: usize) -> Option<Span> {
        match of {
            Inflow::Blocks => {
                let height = Height(self.chain.start()?.0 + index as u64);
                let tip = self.chain.hash_at(height)?;
                Some(Span { first: height, last: height, tip })
            }
            Inflow::Stage(_) => self.spans(of)?.get(index),
        }
    }

    pub(super) fn spans(&self, of: Inflow) -> Option<&crate::collect::Spans> {
        let Inflow::Stage(index) = of else { return None };
        debug_assert!(
            !matches!(self.pipeline.stage(index).collect, Collect::Each | Collect::Parts),
            "spans are of stages that cut the chain"
        );
        match self.collectors.get(index.0)? {
            Collector::Sequence(sequence) => Some(sequence.spans()),
            Collector::Tree(tree) => Some(tree.spans()),
            Collector::EachBlock { .. } | Collector::Each(_) | Collector::Parts(_) => None,
        }
    }
}
