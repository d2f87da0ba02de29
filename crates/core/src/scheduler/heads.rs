//! Heads: what becomes of tasks and of what waits when the chain's source says that its chain is
//! another one, and what is final.
//!
//! A head is one fact, however much follows from it. Tasks about a block that is not canonical any
//! more are superseded: what runs is cancelled, and a proof that is there stays under its key.
//! Collectors give back what batches had of before. Then the blocks of the new branch flow as
//! blocks always do. Where a task is opened that is there, it is reinstated; with its proof, if it
//! has one. So a chain that comes back costs no proof.
//!
//! Only what is final is released, so nothing that was handed out is ever undone. What is final is
//! never another, so what is superseded up to there is forgotten.
//!
//! Not here: which blocks lead to a head (`chain::heads`).

use super::Scheduler;
use super::apply::illegal;
use crate::chain::Branch;
use crate::collect::{Beneath, Collector, Item, Span};
use crate::input::Rejection;
use crate::task::{IllegalEvent, TaskState};
use crate::{
    BlockHash, Canonical, Event, HeadNumber, Height, Inflow, InputId, Key, Seq, StageIndex, TaskId,
    Timestamp,
};

impl Scheduler {
    pub(super) fn head(
        &self,
        head: Option<HeadNumber>,
        block: &BlockHash,
    ) -> Result<Vec<Event>, Rejection> {
        self.says_heads()?;
        let head = head.unwrap_or_else(|| self.chain.head().next());
        if head <= self.chain.head() {
            return Ok(Vec::new()); // it is old, or told again
        }
        let not_connected = Rejection::NotConnected(*block);
        let Branch { from, blocks } = self.chain.branch(block).ok_or(not_connected)?;
        let tip = self.chain.tip().map(|(tip, _)| tip);
        if blocks.is_empty() && tip.is_some_and(|tip| tip < from) {
            return Ok(Vec::new()); // it is the tip
        }
        if let Some(last) = self.settled().filter(|last| from <= *last) {
            return Err(Rejection::ContradictsFinal { number: from, last });
        }
        if let (Some(last), Some(number)) = (self.chain.ended(), tip) {
            return Err(Rejection::PastEnd { number: number.next(), last });
        }
        Ok(vec![Event::HeadMoved { head, block: *block }])
    }

    pub(super) fn finalize(
        &self,
        number: Height,
        block: &BlockHash,
    ) -> Result<Vec<Event>, Rejection> {
        self.says_heads()?;
        let is_before = self.chain.start().is_some_and(|start| number < start);
        let canonical = self.chain.hash_at(number);
        let last = self.chain.finalized().filter(|last| number <= *last);
        match (last, canonical) {
            _ if is_before => Ok(Vec::new()),
            (Some(_), Some(canonical)) if canonical == *block => Ok(Vec::new()),
            (Some(last), _) => Err(Rejection::ContradictsFinal { number, last }),
            (None, Some(canonical)) if canonical == *block => {
                Ok(vec![Event::Finalized { number, block: *block }])
            }
            (None, _) => Err(Rejection::NotCanonical { number, block: *block }),
        }
    }

    /// Whether the block at a height, and all before it, are never others.
    pub(super) fn is_final(&self, height: Height) -> bool {
        match self.pipeline.source.canonical {
            Canonical::ByArrival => true,
            Canonical::ByHead => self.chain.finalized().is_some_and(|last| height <= last),
        }
    }

    /// The last height that no head changes.
    fn settled(&self) -> Option<Height> {
        let released = self.feed.next().and_then(|next| next.0.checked_sub(1)).map(Height);
        let start = self.chain.start();
        let released = released.filter(|last| start.is_some_and(|start| start <= *last));
        self.chain.finalized().max(released)
    }

    fn says_heads(&self) -> Result<(), Rejection> {
        match self.pipeline.source.canonical {
            Canonical::ByHead => Ok(()),
            Canonical::ByArrival => Err(Rejection::NoHeads),
        }
    }

    pub(super) fn head_moved(
        &mut self,
        seq: Seq,
        at: Timestamp,
        head: HeadNumber,
        block: &BlockHash,
    ) -> Result<(), IllegalEvent> {
        let branch = self.chain.branch(block).filter(|_| head > self.chain.head());
        let is_free = |branch: &Branch| self.settled().is_none_or(|last| last < branch.from);
        let Some(branch) = branch.filter(is_free) else {
            return Err(illegal(
                seq,
                "a head came that nothing leads to, or against what is final",
            ));
        };
        let from = (branch.from, TaskId([0; 32]));
        let gone: Vec<_> = self.reversible.range(from..).map(|(_, id)| *id).collect();
        let is_alive =
            |id: &TaskId| self.task(id).is_some_and(|it| it.state != TaskState::Superseded);
        let gone: Vec<_> = gone.into_iter().filter(is_alive).collect();
        gone.iter().for_each(|id| self.supersede(seq, *id));
        self.totals.blocks_superseded += self.chain.move_head(head, &branch);
        self.feed.rewind(branch.from);
        for index in (0..self.collectors.len()).map(StageIndex) {
            self.rewind(seq, at, index, branch.from, &gone);
        }
        self.flow_blocks(at, &branch.blocks);
        Ok(())
    }

    pub(super) fn finalized(
        &mut self,
        seq: Seq,
        number: Height,
        block: &BlockHash,
    ) -> Result<(), IllegalEvent> {
        let is_later = self.chain.finalized().is_none_or(|last| last < number);
        if self.chain.hash_at(number) != Some(*block) || !is_later {
            return Err(illegal(seq, "a block is final that is not on the chain, or was final"));
        }
        self.chain.finalize(number);
        let above = self.reversible.split_off(&(number.next(), TaskId([0; 32])));
        for (_, id) in std::mem::replace(&mut self.reversible, above) {
            if self.task(&id).is_some_and(|task| task.state == TaskState::Superseded) {
                self.unindex(id);
                self.tasks.remove(&id);
            }
        }
        Ok(())
    }

    /// A task that is opened may have to be taken out again, unless all that it is about is final.
    pub(super) fn note_reversible(&mut self, key: &Key, id: TaskId) {
        if !self.is_final(key.last) {
            self.reversible.insert((key.last, id));
        }
    }

    /// A superseded task is opened again, with the result that it has.
    pub(super) fn reinstate(&mut self, seq: Seq, at: Timestamp, id: TaskId, ready: TaskState) {
        self.unindex(id);
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let result = task.result.as_ref().map(|result| result.what.clone());
        task.state = if result.is_some() { TaskState::Accepted } else { ready };
        task.opened = seq;
        let (stage, key, is_open) = (task.stage, task.key, task.is_open());
        self.note_open(id, key.first, false, is_open);
        self.index(id);
        if let Some(result) = result {
            self.flow_result(at, id, stage, key, &result);
        }
    }

    /// Nobody waits for a task any more: its attempts end, and what it has is kept.
    fn supersede(&mut self, seq: Seq, id: TaskId) {
        self.unindex(id);
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let (first, was_open) = (task.key.first, task.is_open());
        task.state = TaskState::Superseded;
        self.totals.tasks_superseded += 1;
        task.tally.begin_anew();
        (task.parked, task.remakes) = (None, 0);
        if let Some(discarded) = &mut task.discarded {
            (discarded.has_flowed, discarded.parts) = (false, None);
        }
        self.cancel_all(seq, id);
        self.note_open(id, first, was_open, false);
        self.index(id);
    }

    /// What waits in a stage is of another chain from `from` on, and `gone` are the tasks that were
    /// superseded by it.
    fn rewind(
        &mut self,
        seq: Seq,
        at: Timestamp,
        index: StageIndex,
        from: Height,
        gone: &[TaskId],
    ) {
        let Some(collector) = self.collectors.get_mut(index.0) else { return };
        let mut collector = std::mem::replace(collector, Collector::EachBlock { next: None });
        match &mut collector {
            Collector::EachBlock { next } => *next = next.map(|next| next.min(from)),
            Collector::Each(ripe) => ripe.retain(|key, _| key.last < from),
            Collector::Parts(parts) => parts.rewind(from),
            Collector::Sequence(sequence) => sequence.rewind(from, |batch, ripe| {
                let inputs = match ripe {
                    Some(inputs) => inputs.to_vec(),
                    None => self.inputs_of(index, batch, gone),
                };
                self.items(at, &inputs)
            }),
            Collector::Tree(tree) => {
                let spans = match self.inflow_spans(index) {
                    Inflow::Blocks => {
                        self.chain.start().map_or(0, |start| from.0.saturating_sub(start.0))
                    }
                    Inflow::Stage(of) => {
                        self.spans(Inflow::Stage(of)).map_or(0, |spans| spans.len() as u64)
                    }
                };
                let spans = usize::try_from(spans).unwrap_or(usize::MAX);
                let is_join = |id: &&TaskId| self.task(id).is_some_and(|it| it.stage == index);
                let joins = gone.iter().filter(is_join).copied();
                let beneath = Around { scheduler: self, index, at };
                let superseded = tree.rewind(from, spans, at, joins, &beneath);
                superseded.into_iter().for_each(|id| self.supersede(seq, id));
            }
        }
        if let Some(place) = self.collectors.get_mut(index.0) {
            *place = collector;
        }
    }

    /// What the task of a closed batch reads, which is one of those that are gone.
    fn inputs_of(&self, index: StageIndex, batch: Span, gone: &[TaskId]) -> Vec<InputId> {
        let tasks = gone.iter().filter_map(|id| self.task(id));
        let mut tasks = tasks.filter(|task| task.stage == index && task.key.first == batch.first);
        tasks.next().map(|task| task.inputs.to_vec()).unwrap_or_default()
    }

    /// These inputs as they flow again.
    fn items(&self, at: Timestamp, inputs: &[InputId]) -> Vec<Item> {
        let key = |input: &InputId| match input {
            InputId::Block(hash) => self.block_key(hash),
            InputId::Task(id) => self.task(id).map(|task| task.key),
            InputId::Part(id, part) => self.task(id).map(|task| task.key.part(*part)),
        };
        let item = |input: &InputId| Some(Item { input: *input, key: key(input)?, at });
        inputs.iter().filter_map(item).collect()
    }
}

/// What is around a tree.
struct Around<'a> {
    scheduler: &'a Scheduler,
    index: StageIndex,
    at: Timestamp,
}

impl Beneath for Around<'_> {
    fn index(&self, height: Height) -> Option<usize> {
        let scheduler = self.scheduler;
        match scheduler.inflow_spans(self.index) {
            Inflow::Blocks => {
                usize::try_from(height.0.checked_sub(scheduler.chain.start()?.0)?).ok()
            }
            of @ Inflow::Stage(_) => scheduler.spans(of)?.containing(height),
        }
    }

    fn joined(&self, task: TaskId) -> Vec<Item> {
        let inputs = self.scheduler.task(&task).map(|task| task.inputs.to_vec());
        self.scheduler.items(self.at, &inputs.unwrap_or_default())
    }
}
