//! The head of the chain: the lowest block that is not released, and what holds it.
//!
//! Not here: any decision; the scheduler has made them.

use push0_core::{Height, InputId, Scheduler, StageIndex, Task, TaskId, TaskState};
use serde::{Deserialize, Serialize};

use super::named;
use crate::cli::gist;
use crate::lines::{self, word};

/// The lowest block that is not released.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Head {
    /// Its number.
    pub(super) block: u64,
    /// What holds it, in words.
    pub(super) why: String,
    /// The task that does, if it is one.
    task: Option<String>,
}

impl Head {
    /// None where no block is known, or all are released.
    pub(super) fn of(scheduler: &Scheduler) -> Option<Self> {
        let released = scheduler.releases(push0_core::ReleaseNumber(0)).last();
        let next = released.map(|release| release.key.last.next());
        let next = next.or_else(|| scheduler.chain().start())?;
        if scheduler.is_complete() {
            return None;
        }
        let (why, task) = held(scheduler, next);
        Some(Self { block: next.0, why, task: task.map(|task| task.to_string()) })
    }
}

fn held(scheduler: &Scheduler, next: Height) -> (String, Option<TaskId>) {
    if scheduler.chain().hash_at(next).is_none() {
        return ("the source has not delivered it".to_owned(), None);
    }
    let spans = |task: &Task| (task.key.first..=task.key.last).contains(&next);
    let own = scheduler.tasks().filter(|(_, task)| task.is_open() && spans(task));
    if let Some((id, task)) = own.min_by_key(|(_, task)| (!is_parked(task), task.stage)) {
        return (words(scheduler, task), Some(*id));
    }
    let made = scheduler.tasks().filter(|(_, task)| spans(task)).map(|(_, task)| task.stage).max();
    let waits = match made.and_then(|stage| waits_at(scheduler, stage)) {
        Some(stage) => format!("its proof waits at stage {stage} for the rest of its batch"),
        None => "it waits for the rest of its batch".to_owned(),
    };
    let others = scheduler.tasks().filter(|(_, task)| task.is_open());
    let lowest = others.min_by_key(|(_, task)| (!is_parked(task), task.key.first, task.stage));
    match lowest {
        Some((id, task)) => (format!("{waits}; {}", words(scheduler, task)), Some(*id)),
        None => (waits, None),
    }
}

/// The stage that what `stage` made flows into.
fn waits_at(scheduler: &Scheduler, stage: StageIndex) -> Option<String> {
    let pipeline = scheduler.pipeline();
    let made_by = pipeline.stage(stage);
    let is_tree = matches!(made_by.collect, push0_core::Collect::Tree(..));
    let next = made_by.feeds.first().copied().or_else(|| is_tree.then_some(stage))?;
    Some(pipeline.stage(next).name.to_string())
}

fn words(scheduler: &Scheduler, task: &Task) -> String {
    let what = format!("{} {}", scheduler.pipeline().stage(task.stage).name, task.key);
    match &task.state {
        TaskState::Parked => {
            let why = task.parked.as_ref();
            let why = why.map(|(class, message)| format!("{}: {}", word(class), gist(message)));
            format!("{what} is parked: {}", why.unwrap_or_default())
        }
        TaskState::Leased(lease) => {
            let (attempt, since) = (named(lease.attempt), lines::time(lease.since));
            format!("{what} is being proved: {attempt} on {}, since {since}", lease.dispatcher)
        }
        TaskState::Ready { .. } if !has_inputs(scheduler, task) => {
            format!("{what} waits for an input that is made again")
        }
        TaskState::Ready { at } if *at > scheduler.now() => {
            let (failures, at) = (task.tally.total(), lines::time(*at));
            format!("{what} is tried again at {at}, after {failures} failures")
        }
        TaskState::Ready { .. } => format!("{what} waits for a free slot"),
        TaskState::Accepted => format!("{what} is proved"),
    }
}

fn has_inputs(scheduler: &Scheduler, task: &Task) -> bool {
    task.inputs.iter().all(|input| match input {
        InputId::Block(hash) => {
            scheduler.chain().block(hash).is_some_and(|block| !block.payload_lost)
        }
        InputId::Task(maker) | InputId::Part(maker, _) => {
            scheduler.task(maker).is_some_and(|maker| !maker.is_open())
        }
    })
}

const fn is_parked(task: &Task) -> bool {
    matches!(task.state, TaskState::Parked)
}
