//! Folds one event into the state. Reads no policy: the log means the same under every one.

use std::time::Duration;

use super::{Effect, Scheduler};
use crate::collect::Collector;
use crate::failure::Tally;
use crate::release::Release;
use crate::task::{IllegalEvent, Task, TaskResult, TaskState};
use crate::{
    Attempt, AttemptId, Block, ClosedBy, DispatcherId, Does, Event, FailureClass, Height, InputId,
    Key, ParkedBy, Pipeline, PipelineSpec, ReopenedBy, ResultRef, Seq, StageName, TaskId,
    Timestamp,
};

impl Scheduler {
    pub(super) fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), IllegalEvent> {
        let seq = self.last.next();
        if at < self.now {
            return Err(illegal(seq, "time went back"));
        }
        let before = std::mem::replace(&mut self.now, at);
        self.queue.promote(at);
        match event {
            Event::Configured { pipeline } => self.configured(seq, pipeline)?,
            Event::Claimed { epoch, ids_hold_it } if *epoch > self.epoch => {
                self.epoch = *epoch;
                self.ids_hold_epoch = *ids_hold_it;
                self.resume(at.since(before));
            }
            Event::Claimed { .. } => return Err(illegal(seq, "an epoch went back")),
            Event::BlockSubmitted { block } => self.block_submitted(at, seq, block)?,
            Event::HeadMoved { head, block } => self.head_moved(seq, at, *head, block)?,
            Event::Finalized { number, block } => self.finalized(seq, *number, block)?,
            Event::SourceEnded { last } => self.chain.end(*last),
            Event::SourceResumed { .. } => self.resumed(seq)?,
            Event::Resupplied { block, .. } | Event::PayloadLost { block } => {
                self.payload(seq, at, *block, event)?;
            }
            Event::BatchClosed { stage, key, items, why } => {
                self.batch_closed(seq, at, (stage, *items, *why), key)?;
            }
            Event::TaskOpened { task, stage, key, inputs, .. } => {
                self.task_opened(seq, at, event, *task, stage, key, inputs)?;
            }
            Event::Granted { task, .. }
            | Event::Surplus { task, .. }
            | Event::Remade { task, .. }
            | Event::Failed { task, .. }
            | Event::Rejected { task, .. }
            | Event::Lost { task, .. }
            | Event::Withdrawn { task, .. }
            | Event::Parked { task, .. }
            | Event::Reopened { task, .. } => self.transition(seq, at, *task, event)?,
            Event::Accepted { task, attempt, result, .. } => {
                self.accepted(seq, at, *task, *attempt, result, event)?;
            }
            Event::Pinned { .. }
            | Event::KeyNamed { .. }
            | Event::Unpinned { .. }
            | Event::SetAside { .. }
            | Event::Restored { .. }
            | Event::Cordoned { .. }
            | Event::Uncordoned { .. } => self.note(at, event),
            Event::Led {} => {}
            Event::Discarded { task, released, .. } => self.discarded(seq, at, *task, released)?,
            Event::Released { number, key, tasks } => {
                let release = Release { number: *number, key: *key, tasks: tasks.clone() };
                if !self.is_past {
                    self.effects.push_back((seq, Effect::Release(release.clone())));
                }
                if !self.release_next(release) {
                    return Err(illegal(seq, "a span was released out of order"));
                }
            }
        }
        self.totals.count(event);
        self.last = seq;
        Ok(())
    }

    fn batch_closed(
        &mut self,
        seq: Seq,
        at: Timestamp,
        (stage, items, why): (&StageName, u64, ClosedBy),
        key: &Key,
    ) -> Result<(), IllegalEvent> {
        self.has_closed_by_end |= why == ClosedBy::Boundary && self.chain.ended().is_some();
        let index = self.stage_index(seq, stage)?;
        if let Some(root) = self.close_batch(seq, index, key, items)? {
            self.flow_root(at, index, root);
        }
        Ok(())
    }

    /// An engine took over, and no fact was recorded for `gap`. Each deadline keeps the time that
    /// it had left at the last fact: nobody could be heard in between.
    fn resume(&mut self, gap: Duration) {
        self.ran.led(self.now);
        self.attempts.prolong(gap);
        let starved: Vec<_> = self.starved.ids().collect();
        starved.iter().for_each(|id| self.unindex(*id));
        self.chain.resume(gap);
        starved.iter().for_each(|id| self.index(*id));
    }

    fn configured(&mut self, seq: Seq, spec: &PipelineSpec) -> Result<(), IllegalEvent> {
        let pipeline = Pipeline::of_log(spec)
            .map_err(|faults| illegal(seq, &format!("a faulty pipeline runs: {faults:?}")))?;
        if !self.is_configured() {
            self.collectors = pipeline.stages.iter().map(Collector::of).collect();
            self.totals.stages.resize_with(pipeline.stages.len(), Default::default);
        } else if pipeline.digest() != self.pipeline.digest() {
            return Err(illegal(seq, "a pipeline that proves something else took over"));
        }
        self.chain.begin_at(pipeline.source.start);
        self.chain.settle_by(pipeline.source.canonical);
        self.pipeline = pipeline;
        Ok(())
    }

    fn block_submitted(
        &mut self,
        at: Timestamp,
        seq: Seq,
        block: &Block,
    ) -> Result<(), IllegalEvent> {
        if self.chain.block(&block.hash).is_some() {
            return Err(illegal(seq, "a known block was submitted"));
        }
        let names = self.pipeline.fields.iter();
        let fields = names.map(|name| block.fields.get(name).copied().unwrap_or_default());
        let fields = fields.collect();
        let connected = self.chain.add(at, seq, block, fields);
        self.flow_blocks(at, &connected);
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one event, taken apart by its match"
    )]
    fn task_opened(
        &mut self,
        seq: Seq,
        at: Timestamp,
        event: &Event,
        id: TaskId,
        stage: &StageName,
        key: &Key,
        inputs: &[InputId],
    ) -> Result<(), IllegalEvent> {
        let index = self.stage_index(seq, stage)?;
        let known = self.task(&id).map(|task| &task.state);
        let state = TaskState::after(known, seq, at, event)?;
        let collector = self.collectors.get_mut(index.0);
        if !collector.is_some_and(|collector| collector.open(id, key, inputs)) {
            return Err(illegal(seq, "a task was opened that nothing flowed into"));
        }
        if self.task(&id).is_some() {
            self.reinstate(seq, at, id, state);
            return Ok(());
        }
        let task = Task {
            stage: index,
            key: *key,
            inputs: inputs.into(),
            opened: seq,
            state,
            tally: Tally::default(),
            result: None,
            remakes: 0,
            parked: None,
            discarded: None,
            not_before: self.taken_back_below(inputs),
        };
        self.tasks.insert(id, Box::new(task));
        self.note_reversible(key, id);
        self.widest = self.widest.max(key.blocks());
        self.note_open(id, key.first, false, true);
        self.index(id);
        Ok(())
    }

    fn accepted(
        &mut self,
        seq: Seq,
        at: Timestamp,
        id: TaskId,
        attempt: AttemptId,
        result: &ResultRef,
        event: &Event,
    ) -> Result<(), IllegalEvent> {
        self.transition(seq, at, id, event)?;
        let Some(task) = self.tasks.get_mut(&id) else {
            return Err(illegal(seq, "an unknown task has a result"));
        };
        let flows = task.state != TaskState::Superseded;
        if !flows && task.result.is_some() {
            return Err(illegal(seq, "a superseded task has a second result"));
        }
        let is_first = !task.has_flowed();
        let before = task.result.as_ref().map(|before| before.overtaken_by_the_next());
        let before = before.unwrap_or_default();
        let (what, surplus) = (result.clone(), Box::default());
        let result_of = TaskResult { what, attempt, seq, surplus, before };
        task.result = Some(Box::new(result_of));
        let (stage, key) = (task.stage, task.key);
        if !flows {
            return Ok(());
        }
        if is_first {
            self.flow_result(at, id, stage, key, result);
        } else {
            self.requeue_users(InputId::Task(id), key.first);
        }
        Ok(())
    }

    /// Moves a task on, and everything that is kept about it.
    fn transition(
        &mut self,
        seq: Seq,
        at: Timestamp,
        id: TaskId,
        event: &Event,
    ) -> Result<(), IllegalEvent> {
        let Some(task) = self.tasks.get(&id) else {
            return Err(illegal(seq, &format!("{event:?} is about an unknown task")));
        };
        let holder = self.holder_of(seq, id, event)?;
        let state = TaskState::after(Some(&task.state), seq, at, event)?;
        let (was_open, first) = (task.is_open(), task.key.first);
        let was_there = task.state == TaskState::Accepted;
        let parked = task.parked.as_ref().map(|(class, _)| *class);
        let stage = task.stage;
        let failed_elsewhere =
            holder.as_ref().is_some_and(|(who, _)| task.tally.has_failed_elsewhere(who));
        let parks = matches!(event, Event::Parked { .. });
        let parked_under = self.attempts_at(id).next().filter(|_| parks);
        let parked_under = parked_under.map(|attempt| attempt.dispatcher.clone());
        self.end_attempts(seq, id, event, holder.as_ref().map(|(_, attempt)| *attempt));
        if let Event::Granted { dispatcher, until, .. } = event {
            let (attempt, dispatcher, does) =
                (self.attempt_at(seq), dispatcher.clone(), Does::Prove);
            let (since, until) = (at, *until);
            self.attempts.begin(Attempt {
                id: attempt,
                task: id,
                stage,
                dispatcher,
                does,
                since,
                until,
            });
        }
        self.unindex(id);
        let mut is_open = was_open;
        if let Some(task) = self.tasks.get_mut(&id) {
            task.state = state;
            task.note(at, event, holder.as_ref().map(|(who, _)| who.clone()).or(parked_under));
            is_open = task.is_open();
        }
        self.index(id);
        self.ran.count(at, stage, event, holder.as_ref().map(|(who, _)| who));
        self.note_record(at, stage, event, holder, failed_elsewhere);
        self.note_open(id, first, was_open, is_open);
        if let Event::Granted { dispatcher, .. } = event
            && !self.is_past
            && let Some(grant) = self.grant(self.attempt_at(seq))
        {
            self.grants.push_back((seq, Effect::Grant(dispatcher.clone(), Box::new(grant))));
        }
        if was_there && is_open {
            self.requeue_users(InputId::Task(id), first);
        }
        if let (
            Event::Reopened { why: ReopenedBy::Operator, .. },
            Some(ParkedBy::InputLost | ParkedBy::InvalidInput),
        ) = (event, parked)
        {
            self.forget_losses(id);
        }
        if let Event::Failed { class: FailureClass::InvalidInput, .. }
        | Event::Parked { class: ParkedBy::InputLost | ParkedBy::InvalidInput, .. } = event
        {
            self.doubt(id);
        }
        Ok(())
    }

    /// The attempt at a task that an event names, if it lives: whose it is, and which.
    fn holder_of(
        &self,
        seq: Seq,
        id: TaskId,
        event: &Event,
    ) -> Result<Option<(DispatcherId, AttemptId)>, IllegalEvent> {
        let (Event::Accepted { attempt, .. }
        | Event::Failed { attempt, .. }
        | Event::Rejected { attempt, .. }
        | Event::Lost { attempt, .. }
        | Event::Withdrawn { attempt, .. }) = event
        else {
            return Ok(None);
        };
        let is_any_taken = matches!(event, Event::Accepted { .. });
        let lives = self.attempt(*attempt).filter(|attempt| attempt.task == id);
        match lives {
            None if !is_any_taken => {
                Err(illegal(seq, &format!("{event:?} ends no attempt that lives")))
            }
            lives => Ok(lives.map(|attempt| (attempt.dispatcher.clone(), attempt.id))),
        }
    }

    /// Ends the attempts that an event about their task ends. Each dispatcher is told, but for the
    /// one whose own word it is.
    fn end_attempts(&mut self, seq: Seq, id: TaskId, event: &Event, own: Option<AttemptId>) {
        let is_result = matches!(event, Event::Accepted { .. });
        let is_own_word =
            is_result || matches!(event, Event::Failed { .. } | Event::Rejected { .. });
        self.totals.late += u64::from(is_result && own.is_none());
        let own_end = own.and_then(|own| self.attempts.end(own));
        let others = match is_result || matches!(event, Event::Parked { .. }) {
            true => self.attempts.end_all(id),
            false => Vec::new(),
        };
        for attempt in own_end.into_iter().chain(others) {
            let is_own = own == Some(attempt.id);
            self.totals.overtaken += u64::from(!is_own);
            if !(is_own && is_own_word) {
                self.effects.push_back((seq, Effect::Cancel(attempt.dispatcher, attempt.id)));
            }
        }
    }

    pub(super) fn note_open(&mut self, id: TaskId, first: Height, was_open: bool, is_open: bool) {
        let behind = usize::from(self.is_behind(first));
        if was_open && !is_open {
            self.totals.tasks_open -= 1;
            self.open_behind -= behind;
            self.open.remove(&(first, id));
        } else if is_open && !was_open {
            self.totals.tasks_open += 1;
            self.open_behind += behind;
            self.open.insert((first, id));
        }
    }

    /// Moves the feed on. What is open below it from here on holds nothing back. Answers whether it
    /// was the next.
    fn release_next(&mut self, release: Release) -> bool {
        let Some(next) = self.feed.next().filter(|next| *next <= release.key.last) else {
            return false;
        };
        let passed: Vec<_> = self.open_between(next, release.key.last).copied().collect();
        passed.iter().for_each(|id| self.unindex(*id));
        let is_next = self.feed.release(release);
        self.open_behind += passed.len();
        passed.iter().for_each(|id| self.index(*id));
        is_next
    }

    fn stage_index(&self, seq: Seq, name: &StageName) -> Result<crate::StageIndex, IllegalEvent> {
        let missing = || illegal(seq, &format!("the pipeline has no stage {name}"));
        self.pipeline.find(name).ok_or_else(missing)
    }
}

pub(super) fn illegal(seq: Seq, what: &str) -> IllegalEvent {
    IllegalEvent { seq, what: what.into() }
}
