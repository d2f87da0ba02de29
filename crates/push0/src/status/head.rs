//! The head of the chain: the lowest block that is not released, and what holds it.
//!
//! Not here: any decision; the scheduler has made them.

use push0_core::{Fleet, Height, InputId, ProgramName, Scheduler, Task, TaskId, TaskState};
use serde::{Deserialize, Serialize};

use super::named;
use super::trouble::is_held;
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
    pub(super) fn of(scheduler: &Scheduler, fleet: Option<&Fleet>) -> Option<Self> {
        let released = scheduler.releases(push0_core::ReleaseNumber(0)).last();
        let next = released.map(|release| release.key.last.next());
        let next = next.or_else(|| scheduler.chain().start())?;
        if scheduler.is_complete() {
            return None;
        }
        let (why, task) = held(scheduler, fleet, next);
        Some(Self { block: next.0, why, task: task.map(|task| task.to_string()) })
    }
}

fn held(scheduler: &Scheduler, fleet: Option<&Fleet>, next: Height) -> (String, Option<TaskId>) {
    if scheduler.chain().hash_at(next).is_none() {
        return ("the source has not delivered it".to_owned(), None);
    }
    let own = scheduler.open_up_to(next).filter(|(_, task)| task.key.last >= next);
    if let Some((id, task)) = own.min_by_key(|(_, task)| (!is_parked(task), task.stage)) {
        return (words(scheduler, fleet, (*id, task)), Some(*id));
    }
    let waits = match scheduler.waits_at(next) {
        Some(stage) => {
            let stage = &scheduler.pipeline().stage(stage).name;
            format!("its proof waits at stage {stage} for the rest of its batch")
        }
        None => "it waits for the rest of its batch".to_owned(),
    };
    let parked = scheduler.parked().take(PARKED_MAX);
    let parked = parked.min_by_key(|(_, task)| (task.key.first, task.stage));
    let lowest = parked.or_else(|| scheduler.open_up_to(Height(u64::MAX)).next());
    match lowest {
        Some((id, task)) => {
            (format!("{waits}; {}", words(scheduler, fleet, (*id, task))), Some(*id))
        }
        None => (waits, None),
    }
}

fn words(scheduler: &Scheduler, fleet: Option<&Fleet>, (id, task): (TaskId, &Task)) -> String {
    let what = format!("{} {}", scheduler.pipeline().stage(task.stage).name, task.key);
    match &task.state {
        TaskState::Parked => {
            let why = task.parked.as_ref();
            let why = why.map(|(class, message)| format!("{}: {}", word(class), gist(message)));
            format!("{what} is parked: {}", why.unwrap_or_default())
        }
        TaskState::Leased { .. } => {
            let runs = scheduler.attempts_at(id).map(|attempt| {
                let (named, since) = (named(attempt.id), lines::time(attempt.since));
                format!("{named} on {}, since {since}", attempt.dispatcher)
            });
            format!("{what} is being proved: {}", runs.collect::<Vec<_>>().join("; "))
        }
        TaskState::Ready { .. } if !has_inputs(scheduler, task) => {
            format!("{what} waits for an input that is made again")
        }
        TaskState::Ready { .. } if !is_offered(scheduler, fleet, task) => {
            let program = program(scheduler, task);
            format!("{what} waits: no dispatcher runs its program, {program}")
        }
        TaskState::Ready { .. } if is_held(scheduler, fleet, program(scheduler, task)) => {
            let program = program(scheduler, task);
            format!("{what} waits: all dispatchers of its program, {program}, are set aside")
        }
        TaskState::Ready { at } if *at > scheduler.now() => {
            let (failures, at) = (task.tally.total(), lines::time(*at));
            format!("{what} is tried again at {at}, after {failures} failures")
        }
        TaskState::Ready { .. } => format!("{what} waits for a free slot"),
        TaskState::Accepted => format!("{what} is proved"),
    }
}

fn program<'a>(scheduler: &'a Scheduler, task: &Task) -> &'a ProgramName {
    &scheduler.pipeline().stage(task.stage).program
}

/// Whether somebody offers its program; that is not known where nobody leads.
fn is_offered(scheduler: &Scheduler, fleet: Option<&Fleet>, task: &Task) -> bool {
    let program = program(scheduler, task);
    fleet.is_none_or(|fleet| fleet.programs().contains(program))
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

/// Parked tasks that are looked at for the lowest.
const PARKED_MAX: usize = 1_000;
