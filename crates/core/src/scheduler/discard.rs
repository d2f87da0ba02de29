//! Taking back: an accepted result that should not have been, and all that was made from it.
//!
//! What is accepted is a dispatcher's word on its verifier's. Where that was a lie, or the verifier
//! was wrong, an operator discards the result. The task is open again, and forgets what it said; so
//! is every task that read it, directly or not, since what it says was made from what is not so.
//! Ids are of what is asked and never of bytes, so the same tasks are made again, and whatever was
//! cut and joined stays as it is.
//!
//! Results of attempts that were granted before are not taken any more: they were made from what
//! was discarded, or are the same lie told again.
//!
//! What was released keeps its number, key and tasks, and is made again; that it was handed out is
//! told by number ([`Scheduler::recalled`]), for whoever settled on it.
//!
//! The parts of a split that is discarded flow anew, so that there may be more or fewer of them;
//! unless what joined them has flowed on: then there must be as many as before.
//!
//! Not here: who may ask for it (the shell).

use std::collections::BTreeSet;

use super::{Effect, Scheduler};
use crate::input::Rejection;
use crate::task::{Discarded, IllegalEvent, Task, TaskState};
use crate::{AttemptId, Event, InputId, Output, ReleaseNumber, Seq, TaskId, Timestamp};

impl Scheduler {
    pub(super) fn discard(
        &self,
        id: &TaskId,
        by: &str,
        why: &str,
    ) -> Result<Vec<Event>, Rejection> {
        self.task(id).filter(|task| task.result.is_some()).ok_or(Rejection::NotDiscarded(*id))?;
        let all = self.made_from(*id);
        let is_of = |tasks: &[TaskId]| tasks.iter().any(|task| all.contains(task));
        let released = self.feed.released().iter().filter(|release| is_of(&release.tasks));
        let released = released.map(|release| release.number).take(self.limits.decision_max);
        Ok(vec![Event::Discarded {
            task: *id,
            by: self.bounded(by),
            why: self.bounded(why),
            tasks: all.len() as u64,
            released: released.collect(),
        }])
    }

    /// Of these tasks, those that were taken back after `seen`: an operator who looked then, and
    /// says it again, has been heard.
    pub fn discarded_since<'a>(
        &'a self,
        tasks: &'a [TaskId],
        seen: Seq,
    ) -> impl Iterator<Item = (TaskId, Seq)> + 'a {
        let at = |id: &TaskId| Some((*id, self.task(id)?.discarded.as_ref()?.at));
        tasks.iter().filter_map(at).filter(move |(_, at)| *at > seen)
    }

    /// What was taken back by the words at these positions: how many tasks, and which releases are
    /// recalled; without what was taken back once more since.
    #[must_use]
    pub fn discarded_at(&self, positions: &BTreeSet<Seq>) -> (u64, Vec<ReleaseNumber>) {
        let discarded = self.tasks().filter_map(|(_, task)| Some(task.discarded.as_ref()?.at));
        let tasks = discarded.filter(|at| positions.contains(at)).count() as u64;
        let released = self.recalled().filter(|(_, at)| positions.contains(at));
        (tasks, released.map(|(number, _)| number).collect())
    }

    /// The releases that were handed out and are made again since, each with the position of what
    /// recalled it last.
    pub fn recalled(&self) -> impl Iterator<Item = (ReleaseNumber, Seq)> {
        self.feed.recalled().iter().map(|(number, at)| (*number, *at))
    }

    pub(super) fn discarded(
        &mut self,
        seq: Seq,
        at: Timestamp,
        id: TaskId,
        released: &[ReleaseNumber],
    ) -> Result<(), IllegalEvent> {
        if self.task(&id).is_none_or(|task| task.result.is_none()) {
            let what = format!("task {id} has no result, and it was discarded").into();
            return Err(IllegalEvent { seq, what });
        }
        let all = self.made_from(id);
        let (splits, superseded) = self.parts_that_flow_anew(&all);
        self.unname_all(&all);
        all.iter().for_each(|id| self.unindex(*id)); // what is ready again depends on all of them
        for id in &superseded {
            self.remove(seq, *id);
        }
        let kept: Vec<_> = all.difference(&superseded).copied().collect();
        for id in &kept {
            self.reset(seq, at, *id, splits.contains(id));
        }
        let gone = &splits | &superseded;
        self.collectors.iter_mut().for_each(|collector| collector.forget(&gone));
        kept.iter().for_each(|id| self.index(*id));
        released.iter().for_each(|number| self.feed.recall(*number, seq));
        Ok(())
    }

    /// When something was last taken back that a task with these inputs reads. A task of its id may
    /// have been then, and attempts at that read what is gone.
    pub(super) fn taken_back_below(&self, inputs: &[InputId]) -> AttemptId {
        let makers = inputs.iter().filter_map(|input| self.task(&input.maker()?));
        makers.map(Task::taken_back).max().unwrap_or_default()
    }

    /// A task, and all that were made from it.
    fn made_from(&self, id: TaskId) -> BTreeSet<TaskId> {
        let mut found = BTreeSet::from([id]);
        let Some(key) = self.task(&id).map(|task| task.key) else { return found };
        // Whatever reads it is about all that it is about, and maybe more.
        let spans_it = |task: &Task| task.key.first <= key.first && key.last <= task.key.last;
        let candidates = self.tasks.iter().filter(|(_, task)| spans_it(task));
        let mut candidates: Vec<_> = candidates.map(|(id, task)| (*id, task)).collect();
        loop {
            let before = found.len();
            candidates.retain(|(id, task)| {
                let reads = |input: &InputId| input.maker().is_some_and(|of| found.contains(&of));
                let is_reader = task.inputs.iter().any(reads);
                if is_reader {
                    found.insert(*id);
                }
                !is_reader
            });
            if found.len() == before {
                return found;
            }
        }
    }

    /// The splits among `all` whose parts flow anew, and what was made from the parts they had.
    fn parts_that_flow_anew(&self, all: &BTreeSet<TaskId>) -> (BTreeSet<TaskId>, BTreeSet<TaskId>) {
        let (mut splits, mut superseded) = (BTreeSet::new(), BTreeSet::new());
        let is_split = |task: &&Task| self.pipeline.stage(task.stage).output == Output::Parts;
        for id in all {
            if self.task(id).filter(is_split).is_none_or(|split| !split.has_flowed()) {
                continue;
            }
            let mut readers = self.made_from(*id);
            readers.remove(id);
            let has_joined = |task: &Task| task.key.part.is_none() && task.has_flowed();
            if !readers.iter().filter_map(|id| self.task(id)).any(has_joined) {
                splits.insert(*id);
                superseded.extend(readers);
            }
        }
        (splits, superseded)
    }

    /// What was named of keys with the results of these tasks goes with them.
    fn unname_all(&mut self, tasks: &BTreeSet<TaskId>) {
        let results = tasks.iter().filter_map(|id| self.task(id));
        let results = results.filter_map(|task| Some((task.stage, &task.result.as_ref()?.what)));
        let named = results.filter(|(_, result)| !result.mock).filter_map(|(stage, result)| {
            Some((self.pipeline.stage(stage).program.clone(), result.vkey?))
        });
        for (program, vkey) in named.collect::<BTreeSet<_>>() {
            self.unname(&program, vkey, tasks);
        }
    }

    /// A task that is in no index is as it was when it was opened, but for what has flowed on.
    fn reset(&mut self, seq: Seq, at: Timestamp, id: TaskId, flows_anew: bool) {
        let since = self.attempt_at(seq);
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let (was_open, first) = (task.is_open(), task.key.first);
        // What the chain has left flows anew, if ever.
        let is_left = task.state == TaskState::Superseded;
        let has_flowed = task.has_flowed() && !flows_anew && !is_left;
        let parts = task.result.as_ref().map(|result| result.what.parts.len());
        let parts = parts.or_else(|| task.discarded.as_ref()?.parts).filter(|_| has_flowed);
        task.state = match task.state {
            TaskState::Ready { at } => TaskState::Ready { at },
            TaskState::Leased { .. } | TaskState::Accepted | TaskState::Parked => {
                TaskState::Ready { at }
            }
            TaskState::Superseded => TaskState::Superseded,
        };
        let is_open = task.is_open();
        task.tally.begin_anew();
        (task.parked, task.remakes) = (None, 0);
        task.result = None;
        task.discarded = Some(Box::new(Discarded { at: seq, since, has_flowed, parts }));
        self.cancel_all(seq, id);
        self.note_open(id, first, was_open, is_open);
    }

    /// A task that is in no index is no more: what it was of may never come again.
    fn remove(&mut self, seq: Seq, id: TaskId) {
        let Some(task) = self.tasks.remove(&id) else { return };
        self.reversible.remove(&(task.key.last, id));
        self.cancel_all(seq, id);
        self.note_open(id, task.key.first, task.is_open(), false);
    }

    pub(super) fn cancel_all(&mut self, seq: Seq, id: TaskId) {
        for attempt in self.attempts.end_all(id) {
            self.effects.push_back((seq, Effect::Cancel(attempt.dispatcher, attempt.id)));
            self.totals.overtaken += 1;
        }
    }
}
