//! The indexes that are kept beside the tasks: where each is found by where it stands.

use super::Scheduler;
use crate::by_hash::ByHash;
use crate::queue::Rank;
use crate::{Chain, Height, InputId, Pipeline, ProgramName, Task, TaskId, TaskState};

impl Scheduler {
    /// Puts a task where its state says it belongs.
    pub(super) fn index(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        if let Some(count) = self.totals.count_of(task.stage, &task.state) {
            *count += 1;
        }
        match &task.state {
            TaskState::Ready { at } => {
                if is_fed(&self.tasks, &self.chain, task) {
                    let is_behind = self.is_behind(task.key.first);
                    let (program, rank) = place(&self.pipeline, id, task, is_behind);
                    self.queue.put(program, rank, *at, self.now);
                } else {
                    let asked = task.inputs.iter().filter_map(|input| match input {
                        InputId::Block(hash) => self.chain.lost_since(hash),
                        InputId::Task(_) | InputId::Part(..) => None,
                    });
                    self.starved.insert(id, asked.min());
                }
            }
            TaskState::Parked => {
                self.parked.insert(id);
            }
            TaskState::Leased { .. } | TaskState::Accepted | TaskState::Superseded => {}
        }
    }

    /// Takes a task from where its state says it is.
    pub(super) fn unindex(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        if let Some(count) = self.totals.count_of(task.stage, &task.state) {
            *count -= 1;
        }
        match &task.state {
            TaskState::Ready { at } => {
                self.starved.remove(&id);
                let is_behind = self.is_behind(task.key.first);
                let (program, rank) = place(&self.pipeline, id, task, is_behind);
                self.queue.take(program, &rank, *at);
            }
            TaskState::Parked => {
                self.parked.remove(&id);
            }
            TaskState::Leased { .. } | TaskState::Accepted | TaskState::Superseded => {}
        }
    }

    /// The open tasks that may be about what begins at `first`.
    pub(super) fn open_around(&self, first: Height) -> impl Iterator<Item = TaskId> {
        let lowest = Height(first.0.saturating_sub(self.widest - 1));
        self.open_between(lowest, first).copied()
    }

    /// Looks again whether the tasks that read `input` may be tried. What it is about begins at
    /// `first`, and so no reader begins later.
    pub(super) fn requeue_users(&mut self, input: InputId, first: Height) {
        let reads = |task: &Task| {
            task.inputs.iter().any(|read| {
                *read == input || (read.maker().is_some() && read.maker() == input.maker())
            })
        };
        let is_user = |task: &Task| matches!(task.state, TaskState::Ready { .. }) && reads(task);
        let users = self.open_around(first).filter(|id| self.task(id).is_some_and(is_user));
        for id in users.collect::<Vec<_>>() {
            self.unindex(id);
            self.index(id);
        }
    }
}

/// Whether everything a task reads is there, as far as anyone knows.
fn is_fed(tasks: &ByHash<TaskId, Box<Task>>, chain: &Chain, task: &Task) -> bool {
    task.inputs.iter().all(|input| match input {
        InputId::Block(hash) => chain.block(hash).is_some_and(|block| !block.payload_lost),
        InputId::Task(maker) | InputId::Part(maker, _) => {
            tasks.get(maker).is_some_and(|maker| maker.state == TaskState::Accepted)
        }
    })
}

/// Where a task waits to be tried.
fn place<'a>(
    pipeline: &'a Pipeline,
    id: TaskId,
    task: &Task,
    is_behind: bool,
) -> (&'a ProgramName, Rank) {
    let stage = pipeline.stage(task.stage);
    let (first, from_end, opened) = (task.key.first, stage.from_end, task.opened);
    (&stage.program, Rank { is_behind, first, from_end, opened, task: id })
}
