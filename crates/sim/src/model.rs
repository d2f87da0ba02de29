//! The reference model: what comes out in the end, from the blocks and the pipeline alone.
//!
//! It knows no time, no order, no dispatcher and no failure. It takes whole lists of items through
//! the stages and says which tasks there are and which spans are released, with which public
//! values. Where time or an operator had a say in where batches are cut, it takes the cuts from the
//! log, if they are gapless.

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{
    Block, Bounds, ClosedBy, Collect, Digest, Height, Inflow, Key, Limits, Output, Pipeline, Stage,
    Weights,
};

use crate::check::{Check, Found, holds};
use crate::ledger::Ledger;
use crate::truth;

/// Something that flows: a span or a part of one, and the public values of what stands for it.
#[derive(Clone, Copy, Debug)]
struct Item {
    key: Key,
    values: Digest,
}

/// A task, by what is asked.
type Asked = (String, u64, u64, Option<u32>);

/// Whether a whole run came out as it must.
pub(crate) fn check(ledger: &Ledger, blocks: &[Block], limits: &Limits) -> Result<(), Found> {
    let Some(pipeline) = &ledger.pipeline else { return Ok(()) };
    let model =
        Model { ledger, pipeline, blocks, limits, is_timeless: is_timeless(ledger, pipeline) };
    let (tasks, flows) = model.run()?;
    let asked = |key: &Key| (key.first.0, key.last.0, key.part);
    let there: BTreeSet<Asked> = ledger
        .tasks
        .values()
        .map(|entry| {
            let (first, last, part) = asked(&entry.key);
            (pipeline.stage(entry.stage).name.to_string(), first, last, part)
        })
        .collect();
    let (missing, more): (Vec<_>, Vec<_>) =
        (tasks.difference(&there).collect(), there.difference(&tasks).collect());
    holds(Check::Model, missing.is_empty() && more.is_empty(), || {
        format!("these tasks are missing: {missing:?}, and these are too many: {more:?}")
    })?;
    let expected: Vec<_> = (0..)
        .map_while(|index| {
            let items = pipeline.release.iter().map(|stage| flows.get(stage.0)?.get(index));
            let items: Option<Vec<_>> = items.collect();
            let key = items.as_ref()?.first()?.key;
            Some((key.first, key.last, items?.iter().map(|item| item.values).collect::<Vec<_>>()))
        })
        .collect();
    let released: Vec<_> = ledger
        .released
        .iter()
        .map(|(key, tasks)| {
            let values = tasks
                .iter()
                .filter_map(|task| Some(ledger.tasks.get(task)?.result.as_ref()?.statement));
            (key.first, key.last, values.collect::<Vec<_>>())
        })
        .collect();
    holds(Check::Model, expected == released, || {
        let spans = |all: &[(Height, Height, Vec<Digest>)]| {
            all.iter()
                .map(|(first, last, _)| format!("{first}-{last}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        format!("released are {}, expected {}", spans(&released), spans(&expected))
    })
}

/// Whether the cuts depend on the blocks alone.
fn is_timeless(ledger: &Ledger, pipeline: &Pipeline) -> bool {
    let has_age = pipeline.stages.iter().any(|stage| match &stage.collect {
        Collect::Sequence(bounds) | Collect::Tree(_, bounds) => bounds.age.is_some(),
        Collect::Each | Collect::Parts => false,
    });
    // Where nothing else could come before something is released, a batch is cut early.
    let mut cuts = ledger.cuts.values().flatten();
    let is_choked = cuts.any(|cut| cut.why == ClosedBy::Boundary && !cut.is_at_end);
    !has_age && !is_choked && ledger.configured == 1
}

struct Model<'a> {
    ledger: &'a Ledger,
    pipeline: &'a Pipeline,
    blocks: &'a [Block],
    limits: &'a Limits,
    is_timeless: bool,
}

impl Model<'_> {
    /// All tasks, and what flows out of each stage.
    fn run(&self) -> Result<(BTreeSet<Asked>, Vec<Vec<Item>>), Found> {
        let mut tasks = BTreeSet::new();
        let mut flows: Vec<Vec<Item>> = Vec::new();
        let blocks = self.blocks.iter().map(|block| {
            let (first, last) = (block.number, block.number);
            let key =
                Key { chain: self.pipeline.source.chain, first, last, part: None, tip: block.hash };
            Item { key, values: block.payload }
        });
        let blocks: Vec<_> = blocks.collect();
        for stage in &self.pipeline.stages {
            let items = match stage.input {
                Inflow::Blocks => &blocks,
                Inflow::Stage(index) => flows.get(index.0).unwrap_or(&blocks),
            };
            let mut out = Vec::new();
            match &stage.collect {
                Collect::Each => items.iter().for_each(|item| {
                    out.extend(prove(stage, item.key, &mut tasks));
                }),
                Collect::Parts => {
                    let wholes: BTreeMap<_, _> =
                        items.iter().map(|item| (item.key.first, item.key.whole())).collect();
                    out.extend(wholes.into_values().flat_map(|key| prove(stage, key, &mut tasks)));
                }
                Collect::Sequence(bounds) => {
                    for batch in self.cut(stage, items, bounds, self.limits.inputs_max)? {
                        out.extend(prove(stage, span(&batch), &mut tasks));
                    }
                }
                Collect::Tree(arity, bounds) => {
                    let arity = usize::try_from(arity.get()).unwrap_or(usize::MAX);
                    for group in self.cut(stage, items, bounds, usize::MAX)? {
                        out.extend(join(stage, arity, group, &mut tasks));
                    }
                }
            }
            flows.push(out);
        }
        Ok((tasks, flows))
    }

    /// The items in batches.
    fn cut(
        &self,
        stage: &Stage,
        items: &[Item],
        bounds: &Bounds,
        items_max: usize,
    ) -> Result<Vec<Vec<Item>>, Found> {
        let known = self.ledger.cuts.get(&stage.name).map(Vec::as_slice).unwrap_or_default();
        let mut rest = items;
        let mut batches = Vec::new();
        for index in 0.. {
            if rest.is_empty() {
                break;
            }
            let logged = known.get(index).map(|cut| cut.key.last);
            let count = match self.is_timeless {
                true => self.reach(rest, bounds, items_max),
                false => rest.iter().take_while(|item| Some(item.key.last) <= logged).count(),
            };
            let (batch, after) = rest.split_at(count.min(rest.len()));
            let is_cut_so = batch.last().map(|item| item.key.last) == logged && !batch.is_empty();
            let is_counted = known.get(index).is_some_and(|cut| cut.items == batch.len() as u64);
            holds(Check::Model, is_cut_so && is_counted, || {
                format!("batch {index} of {} ends at {logged:?}, not after {batch:?}", stage.name)
            })?;
            batches.push(batch.to_vec());
            rest = after;
        }
        Ok(batches)
    }

    /// How many of the first items make a batch: the fewest that reach a maximum, or one less if
    /// they pass it.
    fn reach(&self, items: &[Item], bounds: &Bounds, items_max: usize) -> usize {
        let most = items.len().min(items_max);
        let reached =
            (1..=most).find(|count| self.compare(items, *count, &bounds.max, |a, b| a >= b));
        match reached {
            None => most,
            Some(count) if count > 1 && self.compare(items, count, &bounds.max, |a, b| a > b) => {
                count - 1
            }
            Some(count) => count,
        }
    }

    fn compare(
        &self,
        items: &[Item],
        count: usize,
        limits: &Weights,
        is_past: impl Fn(u64, u64) -> bool,
    ) -> bool {
        let batch = items.get(..count).unwrap_or_default();
        let beneath = self.blocks.iter().filter(|block| {
            batch.iter().any(|item| (item.key.first..=item.key.last).contains(&block.number))
        });
        let beneath: Vec<_> = beneath.collect();
        let field = |index: usize| {
            let name = self.pipeline.fields.get(index);
            let values = beneath.iter().filter_map(|block| block.fields.get(name?));
            values.sum::<u64>()
        };
        let bytes = beneath.iter().map(|block| block.bytes).sum();
        let counted = [
            (limits.items, batch.len() as u64),
            (limits.blocks, beneath.len() as u64),
            (limits.bytes, bytes),
        ];
        counted.iter().any(|(limit, weight)| limit.is_some_and(|limit| is_past(*weight, limit)))
            || limits.fields.iter().any(|(index, limit)| is_past(field(*index), *limit))
    }
}

/// What a task makes: itself, or parts.
fn prove(stage: &Stage, key: Key, tasks: &mut BTreeSet<Asked>) -> Vec<Item> {
    tasks.insert((stage.name.to_string(), key.first.0, key.last.0, key.part));
    let item = |key| Item { key, values: truth::values(stage.name.as_str(), &key) };
    match stage.output {
        Output::Proof => vec![item(key)],
        Output::Parts => (0..truth::parts(stage, &key)).map(|part| item(key.part(part))).collect(),
    }
}

/// What is left of a group once its neighbours are joined, again and again.
fn join(
    stage: &Stage,
    arity: usize,
    mut nodes: Vec<Item>,
    tasks: &mut BTreeSet<Asked>,
) -> Vec<Item> {
    while nodes.len() > 1 {
        let whole = nodes.len() / arity * arity;
        let whole = if whole == 0 { nodes.len() } else { whole };
        let left_over = nodes.split_off(whole);
        let sets = nodes.chunks(arity);
        nodes = sets.flat_map(|set| prove(stage, span(set), tasks)).chain(left_over).collect();
    }
    nodes
}

fn span(items: &[Item]) -> Key {
    let (first, last) = (items.first(), items.last());
    let ends = first.zip(last).expect("a batch has items");
    Key { first: ends.0.key.first, part: None, ..ends.1.key }
}
