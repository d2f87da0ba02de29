//! The ledger: the log as the simulator reads it, in its own way and words.
//!
//! It knows nothing of queues, collectors or effects. What it keeps is what the checks ask for: where each
//! task stands, who holds which lease, what was cut where, what was released.

mod taken_back;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{
    AttemptId, BlockHash, ClosedBy, Digest, DispatcherId, Epoch, Event, FailureClass, Height,
    InputId, Key, ParkedBy, Pipeline, Program, ProgramName, Seq, Stage, StageIndex, StageName,
    TaskId, Timestamp,
};

use self::trouble::Trouble;
use crate::check::{Check, Found, holds};

/// The log, read.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) last: Seq,
    pub(crate) epoch: Epoch,
    pub(crate) pipeline: Option<Pipeline>,
    /// How often a pipeline was configured.
    pub(crate) configured: u32,
    pub(crate) tasks: BTreeMap<TaskId, Entry>,
    /// Those that are ready, be it now or later.
    pub(crate) ready: BTreeSet<TaskId>,
    pub(crate) leases: BTreeMap<AttemptId, TaskId>,
    pub(crate) lost_payloads: BTreeSet<BlockHash>,
    /// Those that some task could not be proved from.
    pub(crate) doubted: BTreeSet<BlockHash>,
    pub(crate) released: Vec<(Key, Vec<TaskId>)>,
    pub(crate) cuts: BTreeMap<StageName, Vec<Cut>>,
    pub(crate) submitted: BTreeMap<BlockHash, Height>,
    pub(crate) ended: Option<Height>,
    pub(crate) trouble: Trouble,
    /// The canonical chain, as its source has it.
    chain: Vec<(Height, BlockHash)>,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) stage: StageIndex,
    pub(crate) key: Key,
    pub(crate) inputs: Vec<InputId>,
    pub(crate) opened: Seq,
    pub(crate) state: State,
    /// How its attempts ended since it was last opened.
    pub(crate) ends: BTreeMap<&'static str, u32>,
    pub(crate) failed_on: BTreeSet<DispatcherId>,
    /// Likewise, and those that are at no budget.
    pub(crate) tried_on: BTreeSet<DispatcherId>,
    /// Whether nobody else had tried it when it last ended so.
    pub(crate) was_alone: BTreeMap<&'static str, bool>,
    /// When it ended as transient first, and last.
    pub(crate) transient: Option<(Timestamp, Timestamp)>,
    /// The public values of its first result.
    pub(crate) values: Option<Digest>,
    /// The attempts whose results came, in any order; those of before are forgotten when it is taken back.
    pub(crate) made: BTreeSet<AttemptId>,
    /// Whether what it made has flowed on.
    pub(crate) has_flowed: bool,
    /// The position at which its result, or one that it read, was taken back last.
    pub(crate) discarded: Seq,
}

/// Where a task stands.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Ready(Timestamp),
    Leased { attempt: AttemptId, dispatcher: DispatcherId },
    Accepted,
    Parked,
}

/// A batch, as its closing says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) key: Key,
    pub(crate) items: u64,
    pub(crate) why: ClosedBy,
    /// Whether the source had ended.
    pub(crate) is_at_end: bool,
}

impl Entry {
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Accepted)
    }
}

impl Ledger {
    pub(crate) fn new(chain: Vec<(Height, BlockHash)>) -> Self {
        Self { chain, ..Self::default() }
    }

    /// The same with nothing read.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(self.chain.clone())
    }

    /// Reads one more event.
    pub(crate) fn read(&mut self, at: Timestamp, event: &Event) -> Result<(), Found> {
        self.last = self.last.next();
        if let Event::Failed { task, class: FailureClass::InvalidInput, .. }
        | Event::Parked { task, class: ParkedBy::InvalidInput | ParkedBy::InputLost, .. } = event
        {
            self.doubt(task);
        }
        match event {
            Event::Configured { pipeline } => {
                self.pipeline = Pipeline::check(pipeline).ok();
                self.configured += 1;
            }
            Event::BlockSubmitted { block } => {
                self.submitted.insert(block.hash, block.number);
            }
            Event::SourceEnded { last } => self.ended = Some(*last),
            Event::Resupplied { block, .. } => {
                self.lost_payloads.remove(block);
                self.doubted.remove(block);
            }
            Event::PayloadLost { block } => {
                self.lost_payloads.insert(*block);
            }
            Event::BatchClosed { stage, key, items, why } => {
                let is_at_end = self.ended.is_some();
                let cut = Cut { key: *key, items: *items, why: *why, is_at_end };
                self.cuts.entry(stage.clone()).or_default().push(cut);
            }
            Event::TaskOpened { task, stage, key, inputs, .. } => {
                self.opened(at, *task, stage, key, inputs)?;
            }
            Event::Granted { task, dispatcher, .. } => self.granted(at, task, dispatcher)?,
            Event::Accepted { task, attempt, result, .. } => {
                self.accepted(task, *attempt, result.statement)?;
            }
            Event::Failed { .. }
            | Event::Rejected { .. }
            | Event::Lost { .. }
            | Event::Withdrawn { .. }
            | Event::SetAside { .. }
            | Event::Restored { .. } => self.came_to_nothing(at, event)?,
            Event::Parked { task, .. } => self.moved(task, State::Parked)?,
            Event::Reopened { task, .. } => {
                self.moved(task, State::Ready(at))?;
                let entry = self.entry(task)?;
                entry.ends.clear();
                entry.failed_on.clear();
                entry.tried_on.clear();
                entry.transient = None;
            }
            Event::Released { number, key, tasks } => self.release(number.0, key, tasks)?,
            Event::Discarded { task, tasks, released, .. } => {
                self.discarded(at, *task, *tasks, released)?;
            }
            Event::Surplus { task, attempt, .. } => {
                self.entry(task)?.made.insert(*attempt);
            }
            Event::Claimed { epoch, .. } => self.epoch = *epoch,
            Event::Remade { .. }
            | Event::Pinned { .. }
            | Event::KeyNamed { .. }
            | Event::Unpinned { .. }
            | Event::Led {} => {}
        }
        Ok(())
    }

    fn doubt(&mut self, task: &TaskId) {
        let inputs = self.tasks.get(task).into_iter().flat_map(|entry| &entry.inputs);
        for input in inputs {
            if let InputId::Block(hash) = input {
                self.doubted.insert(*hash);
            }
        }
    }

    /// Whether everything a task reads is there, as far as the log tells.
    pub(crate) fn is_fed(&self, entry: &Entry) -> bool {
        entry.inputs.iter().all(|input| match input {
            InputId::Block(hash) => !self.lost_payloads.contains(hash),
            InputId::Task(maker) | InputId::Part(maker, _) => {
                self.tasks.get(maker).is_some_and(|maker| !maker.is_open())
            }
        })
    }

    /// The stage of a task.
    pub(crate) fn stage(&self, index: StageIndex) -> Option<&Stage> {
        self.pipeline.as_ref().map(|pipeline| pipeline.stage(index))
    }

    /// What proves a task.
    pub(crate) fn program(&self, entry: &Entry) -> Option<(&ProgramName, &Program)> {
        let pipeline = self.pipeline.as_ref()?;
        pipeline.programs.get_key_value(&pipeline.stage(entry.stage).program)
    }

    pub(crate) fn parked(&self) -> impl Iterator<Item = (&TaskId, &Entry)> {
        self.tasks.iter().filter(|(_, entry)| matches!(entry.state, State::Parked))
    }

    /// The height that is released next.
    pub(crate) fn next(&self) -> Option<Height> {
        match self.released.last() {
            Some((key, _)) => Some(key.last.next()),
            None => self.chain.first().map(|(height, _)| *height),
        }
    }

    fn opened(
        &mut self,
        at: Timestamp,
        task: TaskId,
        stage: &StageName,
        key: &Key,
        inputs: &[InputId],
    ) -> Result<(), Found> {
        let unknown = || (Check::Legal, format!("a task of a stage {stage} that is not there"));
        let pipeline = self.pipeline.as_ref().ok_or_else(unknown)?;
        let index = pipeline.find(stage).ok_or_else(unknown)?;
        let expected = id(pipeline, index, key, inputs);
        holds(Check::SameId, expected == Some(task), || {
            format!("{stage} {key} has the id {task}, and what is asked hashes to {expected:?}")
        })?;
        let entry = Entry {
            stage: index,
            key: *key,
            inputs: inputs.to_vec(),
            opened: self.last,
            state: State::Ready(at),
            ends: BTreeMap::new(),
            failed_on: BTreeSet::new(),
            tried_on: BTreeSet::new(),
            was_alone: BTreeMap::new(),
            transient: None,
            values: None,
            made: BTreeSet::new(),
            has_flowed: false,
            discarded: Seq(0),
        };
        let was = self.tasks.insert(task, entry);
        self.ready.insert(task);
        holds(Check::AcceptedOnce, was.is_none(), || format!("{stage} {key} was opened twice"))
    }

    fn granted(
        &mut self,
        at: Timestamp,
        task: &TaskId,
        dispatcher: &DispatcherId,
    ) -> Result<(), Found> {
        let attempt = AttemptId::of(self.epoch, self.last);
        let entry = self.entry(task)?;
        let is_ready = matches!(entry.state, State::Ready(ready) if ready <= at);
        let words = || format!("{attempt} was granted of a task that is {:?}", entry.state);
        holds(Check::AcceptedOnce, is_ready, words)?;
        entry.state = State::Leased { attempt, dispatcher: dispatcher.clone() };
        let stage = entry.stage;
        self.leases.insert(attempt, *task);
        self.ready.remove(task);
        if let Some(pipeline) = &self.pipeline {
            self.trouble.granted(&pipeline.stage(stage).program, dispatcher, attempt);
        }
        Ok(())
    }

    fn accepted(&mut self, task: &TaskId, attempt: AttemptId, values: Digest) -> Result<(), Found> {
        let entry = self.entry(task)?;
        holds(Check::AcceptedOnce, entry.is_open(), || {
            format!("{} was accepted a second time, of {attempt}", entry.key)
        })?;
        let is_same = entry.values.is_none_or(|before| before == values);
        holds(Check::SameValues, is_same, || format!("{} has other public values", entry.key))?;
        entry.values = Some(values);
        entry.made.insert(attempt);
        entry.has_flowed = true;
        let own = match &entry.state {
            State::Leased { attempt: own, dispatcher } if *own == attempt => {
                Some(dispatcher.clone())
            }
            State::Leased { .. } | State::Ready(_) | State::Accepted | State::Parked => None,
        };
        let stage = entry.stage;
        if let Some(pipeline) = &self.pipeline {
            self.trouble.proved(&pipeline.stage(stage).program, own.as_ref());
        }
        self.moved(task, State::Accepted)
    }

    fn ended(
        &mut self,
        task: &TaskId,
        attempt: AttemptId,
        retry_at: Timestamp,
        how: Option<&'static str>,
    ) -> Result<(), Found> {
        let entry = self.entry(task)?;
        let State::Leased { attempt: holder, dispatcher, .. } = &entry.state else {
            let what = format!("{attempt} ended, and its task is {:?}", entry.state);
            return Err((Check::OwnFailure, what));
        };
        holds(Check::OwnFailure, *holder == attempt, || {
            format!("{attempt} ended, and {holder} holds the lease")
        })?;
        if let Some(how) = how {
            *entry.ends.entry(how).or_default() += 1;
            if !matches!(how, "lost" | "transient" | "withdrawn") {
                entry.failed_on.insert(dispatcher.clone());
            }
        }
        self.moved(task, State::Ready(retry_at))
    }

    fn moved(&mut self, task: &TaskId, state: State) -> Result<(), Found> {
        match &state {
            State::Ready(_) => self.ready.insert(*task),
            State::Leased { .. } | State::Accepted | State::Parked => self.ready.remove(task),
        };
        let entry = self.entry(task)?;
        let was = std::mem::replace(&mut entry.state, state);
        if let State::Leased { attempt, .. } = was {
            self.leases.remove(&attempt);
        }
        Ok(())
    }

    fn release(&mut self, number: u64, key: &Key, tasks: &[TaskId]) -> Result<(), Found> {
        let expected = self.released.len() as u64 + 1;
        let is_next = number == expected && Some(key.first) == self.next();
        holds(Check::GaplessPrefix, is_next, || {
            format!("{key} was released as number {number}, and {:?} is next", self.next())
        })?;
        let tip = self.chain.iter().find(|(height, _)| *height == key.last);
        holds(Check::GaplessPrefix, tip.is_some_and(|(_, hash)| *hash == key.tip), || {
            format!("{key} was released, and is not canonical")
        })?;
        let has_values =
            |task: &TaskId| self.tasks.get(task).is_some_and(|entry| entry.values.is_some());
        holds(Check::GaplessPrefix, tasks.iter().all(has_values), || {
            format!("{key} was released, and not all of it was accepted")
        })?;
        self.released.push((*key, tasks.to_vec()));
        Ok(())
    }

    fn entry(&mut self, task: &TaskId) -> Result<&mut Entry, Found> {
        let unknown = || (Check::Legal, format!("nobody opened task {task}"));
        self.tasks.get_mut(task).ok_or_else(unknown)
    }
}

/// The name of a class of failure.
pub(crate) const fn class_word(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Resource => "resource",
        FailureClass::Timeout => "timeout",
        FailureClass::Failed => "failed",
        FailureClass::Unprovable => "unprovable",
        FailureClass::InvalidInput => "invalid_input",
        FailureClass::Unjudged => "unjudged",
    }
}

/// What is asked, hashed, from what is written about it.
fn id(pipeline: &Pipeline, index: StageIndex, key: &Key, inputs: &[InputId]) -> Option<TaskId> {
    let stage = pipeline.stage(index);
    let program = pipeline.programs.get(&stage.program)?;
    let name = stage.program.as_str();
    let mut text = b"push0.task/1".to_vec();
    text.extend(stage.digest.0);
    text.extend((name.len() as u64).to_be_bytes());
    text.extend(name.bytes());
    text.extend(program.vkey.map_or([0; 32], |vkey| vkey.0));
    text.extend([key.chain.0, key.first.0, key.last.0].map(u64::to_be_bytes).concat());
    text.extend(key.part.map_or(u64::MAX, u64::from).to_be_bytes());
    text.extend(key.tip.0);
    for input in inputs {
        let (kind, hash, part) = match input {
            InputId::Block(hash) => (0, hash.0, 0),
            InputId::Task(task) => (1, task.0, 0),
            InputId::Part(task, part) => (2, task.0, *part),
        };
        text.push(kind);
        text.extend(hash);
        text.extend(part.to_be_bytes());
    }
    Some(TaskId(Digest::of(&text).0))
}
