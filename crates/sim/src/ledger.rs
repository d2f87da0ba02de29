//! The ledger: the log as the simulator reads it, in its own way and words.
//!
//! It knows nothing of queues, collectors or effects. What it keeps is what the checks ask for:
//! where each task stands, who holds which lease, what was cut where, what was released.

mod batches;
mod due;
mod entry;
mod heads;
mod id;
mod keys;
mod taken_back;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{
    AttemptId, Block, BlockHash, Collect, DispatcherId, Epoch, Event, FailureClass, Height,
    InputId, Key, ParkedBy, Pipeline, Program, ProgramName, ResultRef, Seq, Stage, StageIndex,
    StageName, TaskId, Timestamp,
};

use self::batches::Arrivals;
pub(crate) use self::batches::Closing;
pub(crate) use self::entry::{Cut, Entry, How, State};
use self::id::id;
use self::keys::Keys;
pub(crate) use self::keys::Naming;
pub(crate) use self::trouble::End;
use self::trouble::Trouble;
use crate::check::{Check, Found, holds};
use crate::truth;

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
    /// Those that the store has lost, and since when the source is asked.
    pub(crate) lost_payloads: BTreeMap<BlockHash, Timestamp>,
    /// Where each block was delivered last.
    delivered: BTreeMap<BlockHash, Seq>,
    /// Those that some task could not be proved from.
    pub(crate) doubted: BTreeSet<BlockHash>,
    pub(crate) released: Vec<(Key, Vec<TaskId>)>,
    pub(crate) cuts: BTreeMap<StageName, Vec<Cut>>,
    pub(crate) submitted: BTreeMap<BlockHash, Block>,
    pub(crate) ended: Option<Height>,
    pub(crate) trouble: Trouble,
    cordoned: BTreeSet<DispatcherId>,
    /// The time of the last fact.
    pub(crate) at: Timestamp,
    keys: BTreeMap<ProgramName, Keys>,
    /// Tasks that are no more, for what they read was taken back, and which attempts were granted
    /// before that: those below.
    superseded: BTreeMap<TaskId, AttemptId>,
    arrivals: Arrivals,
    /// The canonical chain: as its source has it, or as far as the source has said by heads.
    chain: Vec<(Height, BlockHash)>,
    /// Whether it says heads.
    is_by_head: bool,
    /// The last height that is final, by its word.
    pub(crate) is_final: Option<Height>,
}

impl Ledger {
    pub(crate) fn new(chain: Vec<(Height, BlockHash)>) -> Self {
        Self { chain, ..Self::default() }
    }

    /// The same with nothing read.
    pub(crate) fn emptied(&self) -> Self {
        match self.is_by_head {
            true => Self::by_head(),
            false => Self::new(self.chain.clone()),
        }
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
            Event::BlockSubmitted { block } => self.submitted(at, block),
            Event::HeadMoved { block, .. } => self.head_moved(at, *block)?,
            Event::Finalized { number, block } => self.finalized(*number, *block)?,
            Event::SourceEnded { last } => self.ended = Some(*last),
            Event::Resupplied { block, .. } => {
                self.lost_payloads.remove(block);
                self.doubted.remove(block);
                self.delivered.insert(*block, self.last);
            }
            Event::PayloadLost { block } => self.payload_lost(at, *block),
            Event::BatchClosed { stage, key, items, why } => {
                let is_at_end = self.ended.is_some();
                let cut = Cut { key: *key, items: *items, why: *why, at, is_at_end };
                self.cuts.entry(stage.clone()).or_default().push(cut);
            }
            Event::TaskOpened { task, stage, key, inputs, .. } => {
                self.opened(at, *task, stage, key, inputs)?;
            }
            Event::Granted { task, dispatcher, until } => {
                self.granted(at, task, dispatcher, *until)?;
            }
            Event::Accepted { task, attempt, result, .. } => {
                self.accepted(at, task, *attempt, result)?;
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
                self.entry(task)?.begins_anew();
            }
            Event::Released { number, key, tasks } => self.release(number.0, key, tasks)?,
            Event::Discarded { task, tasks, released, .. } => {
                self.discarded(at, *task, *tasks, released)?;
            }
            Event::Surplus { task, attempt, .. } => {
                self.entry(task)?.made.insert(*attempt);
            }
            Event::Claimed { epoch, .. } => {
                self.epoch = *epoch;
                self.resumed(at);
            }
            Event::Pinned { .. }
            | Event::KeyNamed { .. }
            | Event::Unpinned { .. }
            | Event::Cordoned { .. }
            | Event::Uncordoned { .. } => self.note(event),
            Event::SourceResumed { .. } => self.ended = None,
            Event::Remade { .. } | Event::Led {} => {}
        }
        self.at = at;
        Ok(())
    }

    /// What is known of keys, and of who is to get nothing.
    fn note(&mut self, event: &Event) {
        if let Event::Pinned { program, vkey } = event {
            self.keys.entry(program.clone()).or_default().pinned = Some(*vkey);
        } else if let Event::KeyNamed { program, vkey, dispatcher, task } = event {
            self.names(program, dispatcher, (*vkey, *task));
        } else if let Event::Unpinned { program, .. } = event {
            self.keys.remove(program);
        } else if let Event::Cordoned { dispatcher, .. } = event {
            self.cordoned.insert(dispatcher.clone());
        } else if let Event::Uncordoned { dispatcher, .. } = event {
            self.cordoned.remove(dispatcher);
        }
    }

    fn submitted(&mut self, at: Timestamp, block: &Block) {
        self.delivered.insert(block.hash, self.last);
        self.submitted.insert(block.hash, block.clone());
        if !self.is_by_head {
            self.connect(at);
        }
    }

    /// What of the canonical chain is known arrives.
    fn connect(&mut self, at: Timestamp) {
        let (chain, submitted) = (&self.chain, &self.submitted);
        let known = |place: usize| submitted.get(&chain.get(place)?.1);
        if let Some(pipeline) = &self.pipeline {
            self.arrivals.connect(at, pipeline, known);
        }
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
            InputId::Block(hash) => !self.lost_payloads.contains_key(hash),
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
        if matches!(pipeline.stage(index).collect, Collect::Tree(..)) {
            self.arrivals.join(index, key);
        }
        if self.tasks.get(&task).is_some_and(|it| matches!(it.state, State::Superseded)) {
            return self.reinstated(at, task);
        }
        let mut entry = Entry::new(index, *key, inputs.to_vec(), self.last, at);
        // A ghost may have been granted it before, on what was taken back since.
        let makers = inputs.iter().filter_map(|input| self.tasks.get(&input.maker()?));
        let makers = makers.map(|maker| maker.discarded.max(maker.superseded));
        entry.superseded =
            self.superseded.get(&task).copied().into_iter().chain(makers).max().unwrap_or_default();
        let was = self.tasks.insert(task, entry);
        self.ready.insert(task);
        holds(Check::AcceptedOnce, was.is_none(), || format!("{stage} {key} was opened twice"))
    }

    fn granted(
        &mut self,
        at: Timestamp,
        task: &TaskId,
        dispatcher: &DispatcherId,
        until: Timestamp,
    ) -> Result<(), Found> {
        let attempt = AttemptId::of(self.epoch, self.last);
        holds(Check::Cordoned, !self.cordoned.contains(dispatcher), || {
            format!("{attempt} is granted to {dispatcher}, which gets nothing new")
        })?;
        let entry = self.entry(task)?;
        let is_ready = matches!(entry.state, State::Ready(ready) if ready <= at);
        let words = || format!("{attempt} was granted of a task that is {:?}", entry.state);
        holds(Check::AcceptedOnce, is_ready, words)?;
        entry.state = State::Leased { attempt, dispatcher: dispatcher.clone(), until };
        let stage = entry.stage;
        self.leases.insert(attempt, *task);
        self.ready.remove(task);
        if let Some(pipeline) = &self.pipeline {
            self.trouble.granted(&pipeline.stage(stage).program, dispatcher, attempt);
        }
        Ok(())
    }

    fn accepted(
        &mut self,
        at: Timestamp,
        task: &TaskId,
        attempt: AttemptId,
        result: &ResultRef,
    ) -> Result<(), Found> {
        let position = self.last;
        let entry = self.entry(task)?;
        let is_left = matches!(entry.state, State::Superseded);
        holds(Check::AcceptedOnce, entry.is_open() || is_left && entry.result.is_none(), || {
            format!("{} was accepted a second time, of {attempt}", entry.key)
        })?;
        let is_same = entry.result.as_ref().is_none_or(|before| {
            (before.statement, &before.parts) == (result.statement, &result.parts)
        });
        holds(Check::SameValues, is_same, || {
            format!("{} has other public values, or other parts", entry.key)
        })?;
        let (stage, key) = (entry.stage, entry.key);
        (entry.result, entry.accepted) = (Some(result.clone()), position);
        entry.made.insert(attempt);
        entry.has_flowed = true;
        let own = entry.holder().filter(|(own, _)| *own == attempt).map(|(_, who)| who.clone());
        if !is_left {
            self.arrivals.prove(at, stage, &key);
        }
        if let Some(pipeline) = &self.pipeline {
            let stage = pipeline.stage(stage);
            self.trouble.proved(at, &stage.program, own.as_ref());
            let is_lie = !truth::is_fit(stage, &key, result);
            self.tasks.get_mut(task).into_iter().for_each(|entry| entry.is_lie = is_lie);
        }
        if is_left { Ok(()) } else { self.moved(task, State::Accepted) }
    }

    fn ended(
        &mut self,
        task: &TaskId,
        attempt: AttemptId,
        retry_at: Timestamp,
        how: Option<How>,
    ) -> Result<(), Found> {
        let entry = self.entry(task)?;
        let Some((holder, dispatcher)) = entry.holder() else {
            let what = format!("{attempt} ended, and its task is {:?}", entry.state);
            return Err((Check::OwnFailure, what));
        };
        holds(Check::OwnFailure, holder == attempt, || {
            format!("{attempt} ended, and {holder} holds the lease")
        })?;
        let dispatcher = dispatcher.clone();
        if let Some(how) = how {
            *entry.ends.entry(how).or_default() += 1;
            entry.failed_on.extend(how.is_of_the_task().then_some(dispatcher));
        }
        self.moved(task, State::Ready(retry_at))
    }

    fn moved(&mut self, task: &TaskId, state: State) -> Result<(), Found> {
        match &state {
            State::Ready(_) => self.ready.insert(*task),
            State::Leased { .. } | State::Accepted | State::Parked | State::Superseded => {
                self.ready.remove(task)
            }
        };
        let entry = self.entry(task)?;
        let parks = matches!(state, State::Parked);
        let was = std::mem::replace(&mut entry.state, state);
        if let State::Leased { attempt, dispatcher, .. } = was {
            if parks {
                entry.last_on = Some(dispatcher);
            }
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
        let is_final = !self.is_by_head || self.is_final.is_some_and(|last| key.last <= last);
        holds(Check::OnlyFinal, is_final, || format!("{key} was released, and is not final"))?;
        let has_values =
            |task: &TaskId| self.tasks.get(task).is_some_and(|entry| entry.result.is_some());
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
