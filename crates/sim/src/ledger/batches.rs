//! When a batch closes, said as a rule about what has arrived: not how it is kept.
//!
//! The shortest run of items that reaches a `max` closes, less its last if that passes it; else all
//! that one task can read; else what there is, if nothing follows; else what has arrived, once its
//! oldest item is of age and it is not under its `min`.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{
    Block, Bounds, ClosedBy, Collect, Height, Inflow, Key, Limits, Pipeline, StageIndex, Timestamp,
    Weights,
};

use super::{Cut, Ledger};

/// What has arrived where.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// The canonical blocks from the first, as far as they are known, and the weight of the chain
    /// up to each.
    blocks: Vec<(Timestamp, Weight)>,
    /// The height of the first of them.
    start: Option<Height>,
    /// When each span was first proved, by the stage, its first height and its last.
    proved: BTreeMap<(StageIndex, Height, Height), Timestamp>,
    /// How far the tasks reach that a tree has opened.
    joined: BTreeMap<StageIndex, Height>,
    /// What a stage has again, since a batch with it is none any more: up to which height, since
    /// when, by the first.
    given_back: BTreeMap<(StageIndex, Height), (Height, Timestamp)>,
}

#[derive(Clone, Debug, Default)]
struct Weight {
    bytes: u64,
    fields: Vec<u64>,
}

/// What the open batch of a stage could hold.
struct Open<'a> {
    bounds: &'a Bounds,
    /// The spans of its items, known in advance in a tree.
    known: Vec<(Height, Height)>,
    /// How many of them have arrived.
    whole: usize,
    joined: usize,
    oldest: Option<Timestamp>,
    items_max: usize,
}

/// What a batch that is open waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Closing {
    /// It is to be closed now, with so many items.
    Due(usize, ClosedBy),
    /// It is old enough then.
    At(Timestamp),
    /// Something that is to arrive.
    Nothing,
}

impl Arrivals {
    /// A block joined the tree, whose canonical branch is `chain` as far as it is known.
    pub(super) fn connect<'a>(
        &mut self,
        at: Timestamp,
        pipeline: &Pipeline,
        known: impl Fn(usize) -> Option<&'a Block>,
    ) {
        while let Some(block) = known(self.blocks.len()) {
            let before = self.blocks.last().map(|(_, weight)| weight.clone()).unwrap_or_default();
            let names = pipeline.fields.iter().enumerate();
            let fields = names.map(|(index, name)| {
                before.fields.get(index).copied().unwrap_or_default()
                    + block.fields.get(name).copied().unwrap_or_default()
            });
            let weight = Weight { fields: fields.collect(), bytes: before.bytes + block.bytes };
            self.start = self.start.or(Some(block.number));
            self.blocks.push((at, weight));
        }
    }

    pub(super) fn prove(&mut self, at: Timestamp, stage: StageIndex, key: &Key) {
        if key.part.is_none() {
            self.proved.entry((stage, key.first, key.last)).or_insert(at);
        }
    }

    pub(super) fn join(&mut self, stage: StageIndex, key: &Key) {
        let last = self.joined.entry(stage).or_insert(key.last);
        *last = key.last.max(*last);
    }

    /// The chain is another one from a height on.
    pub(super) fn leave(&mut self, from: Height) {
        let start = self.start;
        let kept = start.map_or(0, |start| from.0.saturating_sub(start.0));
        self.blocks.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        self.proved.retain(|(.., last), _| *last < from);
    }

    pub(super) fn unjoin(&mut self, stage: StageIndex) {
        self.joined.remove(&stage);
    }

    pub(super) fn give_back(
        &mut self,
        stage: StageIndex,
        heights: std::ops::Range<Height>,
        at: Timestamp,
    ) {
        self.given_back.insert((stage, heights.start), (heights.end, at));
    }

    /// When what begins at a height came to a stage that had it again since.
    fn again(&self, stage: StageIndex, first: Height) -> Option<Timestamp> {
        let all = (stage, Height(0))..=(stage, first);
        let back = self.given_back.range(all).filter(|(_, (end, _))| first < *end);
        back.map(|(_, (_, at))| *at).max()
    }

    pub(super) const fn len(&self) -> usize {
        self.blocks.len()
    }
}

impl Ledger {
    /// The stages that close batches.
    pub(crate) fn batching(&self) -> impl Iterator<Item = StageIndex> {
        let stages = self.pipeline.iter().flat_map(|pipeline| &pipeline.stages);
        let is_batching = |collect: &Collect| match collect {
            Collect::Sequence(_) | Collect::Tree(..) => true,
            Collect::Each | Collect::Parts => false,
        };
        let stages = stages.enumerate().filter(move |(_, stage)| is_batching(&stage.collect));
        stages.map(|(index, _)| StageIndex(index))
    }

    /// What the open batch of a stage waits for at `now`, where no block follows `end`.
    pub(crate) fn closing(
        &self,
        index: StageIndex,
        now: Timestamp,
        end: Option<Height>,
        limits: &Limits,
    ) -> Closing {
        let Some(open) = self.open_batch(index, limits) else { return Closing::Nothing };
        let known = open.known.len();
        let is_past = |items: usize, limits: &Weights, past: fn(u64, u64) -> bool| {
            self.is_any(&open, items, limits, past)
        };
        let most = known.min(open.items_max);
        if let Some(count) =
            (1..=most).find(|items| is_past(*items, &open.bounds.max, |a, b| a >= b))
        {
            let is_over = is_past(count, &open.bounds.max, |a, b| a > b);
            let count = if is_over { (count - 1).max(1) } else { count };
            return Closing::Due(count.max(open.joined), ClosedBy::Max);
        }
        if known >= open.items_max {
            return Closing::Due(open.items_max, ClosedBy::Max);
        }
        if open.known.last().is_some_and(|(_, last)| Some(*last) == end) {
            return Closing::Due(known, ClosedBy::Boundary);
        }
        let is_under = is_past(open.whole, &open.bounds.min, |a, b| a < b);
        match open.oldest.zip(open.bounds.age).map(|(oldest, age)| oldest + age) {
            Some(at) if at <= now && !is_under => {
                Closing::Due(open.whole.max(open.joined), ClosedBy::Age)
            }
            Some(at) if !is_under => Closing::At(at),
            Some(_) | None => Closing::Nothing,
        }
    }

    /// Whether no block is taken before one is released, and none will be.
    pub(crate) fn is_choked(&self, limits: &Limits) -> bool {
        let next = self.next().unwrap_or_default();
        let released: u64 = self.released.iter().map(|(key, _)| key.blocks()).sum();
        let unreleased = (self.arrivals.len() as u64).saturating_sub(released);
        let mut open = self.tasks.values().filter(|entry| entry.is_open());
        let is_final = !self.is_by_head || self.is_final.is_some_and(|last| next <= last);
        is_final
            && unreleased >= limits.blocks_max as u64
            && !open.any(|entry| entry.key.first >= next)
    }

    /// The last canonical block that is known.
    pub(crate) fn tip(&self) -> Option<Height> {
        let (height, _) = self.chain.get(self.arrivals.len().checked_sub(1)?)?;
        Some(*height)
    }

    fn open_batch(&self, index: StageIndex, limits: &Limits) -> Option<Open<'_>> {
        let pipeline = self.pipeline.as_ref()?;
        let stage = pipeline.stage(index);
        let start = self.chain.first().map(|(height, _)| *height)?;
        let last = self.cuts.get(&stage.name).and_then(|cuts| cuts.last());
        let from = last.map_or(start, |cut| cut.key.last.next());
        let arrived = |first: Height| self.arrived(pipeline, stage.input, first);
        let (bounds, known, items_max) = match &stage.collect {
            Collect::Sequence(bounds) => {
                let mut next = from;
                let run = std::iter::from_fn(|| {
                    let (last, _) = arrived(next)?;
                    let first = std::mem::replace(&mut next, last.next());
                    Some((first, last))
                });
                (bounds, run.collect(), limits.inputs_max)
            }
            Collect::Tree(_, bounds) => {
                let of = match stage.input {
                    Inflow::Blocks => Inflow::Blocks,
                    Inflow::Stage(input) => pipeline.stage(input).spans,
                };
                (bounds, self.spans_from(pipeline, of, from), usize::MAX)
            }
            Collect::Each | Collect::Parts => return None,
        };
        let known: Vec<(Height, Height)> = known;
        let came = |first: Height| {
            let (_, at) = arrived(first)?;
            Some(self.arrivals.again(index, first).map_or(at, |again| again.max(at)))
        };
        let ready = known.iter().map_while(|(first, _)| came(*first));
        let ready: Vec<_> = ready.collect();
        let joined = match (&stage.collect, self.arrivals.joined.get(&index)) {
            (Collect::Tree(..), Some(last)) => known.iter().filter(|(_, end)| end <= last).count(),
            (Collect::Each | Collect::Parts | Collect::Sequence(_) | Collect::Tree(..), _) => 0,
        };
        let (whole, oldest) = (ready.len().min(items_max), ready.iter().min().copied());
        Some(Open { bounds, known, whole, joined, oldest, items_max })
    }

    /// What the stage that cuts them has cut of the chain, from a height on.
    fn spans_from(&self, pipeline: &Pipeline, of: Inflow, from: Height) -> Vec<(Height, Height)> {
        match of {
            Inflow::Blocks => {
                let known = self.chain.iter().take(self.arrivals.len());
                known.map(|(height, _)| (*height, *height)).filter(|(it, _)| *it >= from).collect()
            }
            Inflow::Stage(cutter) => {
                let cuts = self.cuts.get(&pipeline.stage(cutter).name);
                let spans = cuts.into_iter().flatten().map(|cut| (cut.key.first, cut.key.last));
                spans.filter(|(first, _)| *first >= from).collect()
            }
        }
    }

    /// The same up to a height, where the chain is another one.
    pub(super) fn spans_before(
        &self,
        pipeline: &Pipeline,
        of: Inflow,
        from: Height,
        end: Height,
    ) -> Vec<(Height, Height)> {
        let all = self.spans_from(pipeline, of, from);
        all.into_iter().filter(|(_, last)| *last < end).collect()
    }

    /// The item from `of` that begins at a height: where it ends, and when it came.
    fn arrived(
        &self,
        pipeline: &Pipeline,
        of: Inflow,
        first: Height,
    ) -> Option<(Height, Timestamp)> {
        let Inflow::Stage(index) = of else {
            let start = self.chain.first()?.0;
            let place = usize::try_from(first.0.checked_sub(start.0)?).ok()?;
            return self.arrivals.blocks.get(place).map(|(at, _)| (first, *at));
        };
        let stage = pipeline.stage(index);
        if !matches!(stage.collect, Collect::Tree(..)) {
            let all = (index, first, Height(0))..=(index, first, Height(u64::MAX));
            let ((.., last), at) = self.arrivals.proved.range(all).next()?;
            return Some((*last, *at));
        }
        // A tree gives one item for each group, once that has closed.
        let cut = |cut: &&Cut| cut.key.first == first;
        let cut = self.cuts.get(&stage.name)?.iter().rev().find(cut)?;
        let made = match cut.items {
            1 => self.arrived(pipeline, stage.input, first)?.1,
            _ => *self.arrivals.proved.get(&(index, first, cut.key.last))?,
        };
        Some((cut.key.last, made.max(cut.at)))
    }

    /// Whether the first items stand so to one of these limits.
    fn is_any(
        &self,
        open: &Open<'_>,
        items: usize,
        limits: &Weights,
        stands_so: fn(u64, u64) -> bool,
    ) -> bool {
        let ends = open.known.first().zip(items.checked_sub(1).and_then(|it| open.known.get(it)));
        let (Some(((first, _), (_, last))), Some((start, _))) = (ends, self.chain.first()) else {
            return false;
        };
        let up_to = |height: u64, of: &dyn Fn(&Weight) -> u64| {
            let place = height.checked_sub(start.0).and_then(|place| usize::try_from(place).ok());
            let there = place.and_then(|place| self.arrivals.blocks.get(place));
            there.map_or(0, |(_, weight)| of(weight))
        };
        let weight = |of: &dyn Fn(&Weight) -> u64| {
            up_to(last.0, of) - first.0.checked_sub(1).map_or(0, |before| up_to(before, of))
        };
        let field =
            |index: usize| weight(&|weight| weight.fields.get(index).copied().unwrap_or_default());
        let is_so = |limit: Option<u64>, of: u64| limit.is_some_and(|limit| stands_so(of, limit));
        is_so(limits.items, items as u64)
            || is_so(limits.blocks, last.0 - first.0 + 1)
            || (limits.bytes.is_some() && is_so(limits.bytes, weight(&|weight| weight.bytes)))
            || limits.fields.iter().any(|(index, limit)| stands_so(field(*index), *limit))
    }
}

/// An engine records that it leads as often, while something runs out.
pub(super) const LED_EVERY: Duration = Duration::from_secs(30);
