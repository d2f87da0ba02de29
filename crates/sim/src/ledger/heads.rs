//! What the ledger makes of a head, and of what is final.
//!
//! Said of the facts alone: a task is left where it is about a block that is not on the chain, or
//! where it joins what no open group joins; a batch is none any more where its last block has gone.

use std::collections::BTreeMap;

use push0_core::{BlockHash, Collect, Height, Inflow, Key, StageIndex, TaskId, Timestamp};

use super::{Ledger, State};
use crate::check::{Check, Found, holds};

impl Ledger {
    /// Of a chain whose source says heads.
    pub(crate) fn by_head() -> Self {
        Self { is_by_head: true, ..Self::default() }
    }

    /// Whether its source says heads: of each height some blocks are known then, whatever waits.
    pub(crate) const fn says_heads(&self) -> bool {
        self.is_by_head
    }

    /// The chain ends in this block now.
    pub(super) fn head_moved(&mut self, at: Timestamp, block: BlockHash) -> Result<(), Found> {
        let mut branch = Vec::new();
        let (mut hash, first) = (block, self.chain.first().map(|(height, _)| *height));
        let from = loop {
            let known = self.submitted.get(&hash);
            let unknown = || (Check::Legal, format!("{hash} is the head, and is not known"));
            let number = known.ok_or_else(unknown)?.number;
            if self.chain.contains(&(number, hash)) {
                break number.next();
            }
            branch.push((number, hash));
            let parent =
                known.map(|block| block.parent).filter(|it| self.submitted.contains_key(it));
            match parent {
                Some(parent) if Some(number) != first => hash = parent,
                Some(_) | None => break number,
            }
        };
        holds(Check::OnlyFinal, self.is_final.is_none_or(|last| last < from), || {
            format!("{from} is another block, and {:?} is final", self.is_final)
        })?;
        self.chain.retain(|(height, _)| *height < from);
        self.chain.extend(branch.into_iter().rev());
        self.leave(at, from)?;
        self.connect(at);
        Ok(())
    }

    /// All up to this block is final.
    pub(super) fn finalized(&mut self, number: Height, block: BlockHash) -> Result<(), Found> {
        holds(Check::OnlyFinal, self.chain.contains(&(number, block)), || {
            format!("{block} is final, and not on the chain")
        })?;
        self.is_final = Some(number);
        let chain: BTreeMap<_, _> = self.chain.iter().copied().collect();
        self.tasks.retain(|_, entry| {
            entry.key.last > number || !matches!(entry.state, State::Superseded)
        });
        self.submitted
            .retain(|hash, block| block.number > number || chain.get(&block.number) == Some(hash));
        let submitted = &self.submitted;
        self.lost_payloads.retain(|hash, _| submitted.contains_key(hash));
        Ok(())
    }

    /// The chain is another one from a height on.
    fn leave(&mut self, at: Timestamp, from: Height) -> Result<(), Found> {
        let left = |key: &Key| key.last >= from;
        let gone: Vec<_> =
            self.tasks.iter().filter(|(_, entry)| left(&entry.key)).map(|(id, _)| *id).collect();
        gone.into_iter().try_for_each(|id| self.supersede(id))?;
        self.arrivals.leave(from);
        let mut begun_again = Vec::new();
        for index in self.batching().collect::<Vec<_>>() {
            let Some(stage) = self.stage(index).cloned() else { continue };
            let cuts = self.cuts.entry(stage.name.clone()).or_default();
            let broken = cuts.iter().find(|cut| cut.key.last >= from).map(|cut| cut.key.first);
            cuts.retain(|cut| cut.key.last < from);
            if let Some(first) = broken.filter(|first| *first < from) {
                begun_again.push((index, first));
            }
            self.arrivals.unjoin(index);
            if let Collect::Tree(arity, _) = stage.collect {
                self.leave_joins(index, u64::from(arity.get()), from)?;
            }
        }
        for (index, first) in begun_again {
            self.arrivals.give_back(index, first..from, at);
        }
        Ok(())
    }

    /// Of the joins of a tree's open group those of full sets stay.
    fn leave_joins(&mut self, index: StageIndex, arity: u64, from: Height) -> Result<(), Found> {
        let Some(pipeline) = &self.pipeline else { return Ok(()) };
        let stage = pipeline.stage(index);
        let cuts = self.cuts.get(&stage.name).and_then(|cuts| cuts.last());
        let first = self.chain.first().map(|(height, _)| *height);
        let Some(start) = cuts.map(|cut| cut.key.last.next()).or(first) else { return Ok(()) };
        let of = match stage.input {
            Inflow::Blocks => Inflow::Blocks,
            Inflow::Stage(input) => pipeline.stage(input).spans,
        };
        // Blocks of the new branch have not arrived yet; those of before have.
        let spans = self.spans_before(pipeline, of, start, from);
        let is_full = |key: &Key| {
            let place = |height: Height, end: fn(&(Height, Height)) -> Height| {
                spans.iter().position(|span| end(span) == height)
            };
            let ends = place(key.first, |span| span.0).zip(place(key.last, |span| span.1));
            ends.is_some_and(|(first, last)| {
                let (first, size) = (first as u64, (last + 1).saturating_sub(first) as u64);
                let mut full = arity;
                while full < size {
                    full *= arity;
                }
                full == size && first % size == 0
            })
        };
        let joins = self.tasks.iter().filter(|(_, entry)| {
            entry.stage == index
                && entry.key.first >= start
                && !matches!(entry.state, State::Superseded)
        });
        let (full, other): (Vec<_>, Vec<_>) = joins.partition(|(_, entry)| is_full(&entry.key));
        let full: Vec<Key> = full.into_iter().map(|(_, entry)| entry.key).collect();
        let other: Vec<TaskId> = other.into_iter().map(|(id, _)| *id).collect();
        full.iter().for_each(|key| self.arrivals.join(index, key));
        other.into_iter().try_for_each(|id| self.supersede(id))
    }

    fn supersede(&mut self, id: TaskId) -> Result<(), Found> {
        if matches!(self.entry(&id)?.state, State::Superseded) {
            return Ok(());
        }
        self.moved(&id, State::Superseded)?;
        let entry = self.entry(&id)?;
        entry.has_flowed = entry.result.is_some();
        entry.joined_parts = None;
        entry.begins_anew();
        Ok(())
    }

    /// The chain has come back to what a task is about.
    pub(super) fn reinstated(&mut self, at: Timestamp, id: TaskId) -> Result<(), Found> {
        let position = self.last;
        let entry = self.entry(&id)?;
        entry.opened = position;
        let (stage, key, has_result) = (entry.stage, entry.key, entry.result.is_some());
        if !has_result {
            return self.moved(&id, State::Ready(at));
        }
        self.arrivals.prove(at, stage, &key);
        self.moved(&id, State::Accepted)
    }
}
