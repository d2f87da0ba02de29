//! An operator's word that something accepted is not so, told to a data directory that no run is using.
//!
//! Not here: what is taken back with it (`push0_core`), and the same in a cluster (`cluster`).

use std::path::Path;

use push0_core::{Epoch, Event, Input, ReleaseNumber, Scheduler, TaskId, Turn};
use push0_log::Log as _;

use super::error::RunError;
use super::open;
use crate::clock::Clock;
use crate::data::Layout;

/// What was taken back: how many tasks are open again, and which releases are recalled.
pub(crate) type TakenBack = (u64, Vec<ReleaseNumber>);

/// The tasks with a result that are meant by the first digits of their ids.
///
/// # Errors
///
/// Which name means none or several, for a person.
pub(crate) fn results_named(
    scheduler: &Scheduler,
    named: &[String],
) -> Result<Vec<TaskId>, String> {
    let find = |name: &String| {
        let tasks = scheduler.tasks().filter(|(_, task)| task.result.is_some());
        let is_it = |id: &TaskId| name.len() >= NAME_MIN && id.to_string().starts_with(name);
        let mut found = tasks.map(|(id, _)| *id).filter(is_it);
        match (found.next(), found.next()) {
            (Some(task), None) => Ok(task),
            (Some(_), Some(_)) => Err(format!("more than one task begins with {name}")),
            (None, _) => {
                Err(format!("no task with a result begins with {name} (of 4 digits at least)"))
            }
        }
    };
    named.iter().map(find).collect()
}

/// What deciding `input` takes back.
pub(crate) fn consequences(scheduler: &Scheduler, input: &Input) -> TakenBack {
    let decided = scheduler.decide(scheduler.now(), input).unwrap_or_default();
    let taken_back = decided.into_iter().find_map(|event| {
        if let Event::Discarded { tasks, released, .. } = event {
            Some((tasks, released))
        } else {
            None
        }
    });
    taken_back.unwrap_or_default()
}

/// Takes back the results of these tasks in a data directory.
pub(crate) fn discard(
    data: &Path,
    named: &[String],
    by: &str,
    why: &str,
) -> Result<TakenBack, RunError> {
    let what = |scheduler: &Scheduler| {
        let tasks = results_named(scheduler, named)?.into_iter();
        let inputs = tasks.map(|task| Input::Discard { task, by: by.into(), why: why.into() });
        Ok(inputs.collect())
    };
    record(data, what)
}

/// Has the directory's log know these inputs; what another of them has done already is left out.
pub(crate) fn record(
    data: &Path,
    inputs: impl FnOnce(&Scheduler) -> Result<Vec<Input>, String>,
) -> Result<TakenBack, RunError> {
    let layout = Layout::new(data);
    layout.look()?;
    let (mut log, recorded) = open::replay(&layout)?;
    let mut scheduler = recorded.scheduler;
    let inputs = inputs(&scheduler).map_err(RunError::NotDone)?;
    let (now, first) = (Clock::start(scheduler.now()).now(), scheduler.last().next());
    let claim = Input::Claim(Epoch(scheduler.epoch().0 + 1));
    let (mut events, mut taken_back) = (Vec::new(), TakenBack::default());
    let mut refused = None;
    for input in std::iter::once(claim).chain(inputs) {
        let (tasks, released) = consequences(&scheduler, &input);
        match scheduler.decide(now, &input) {
            Ok(decided) => {
                scheduler.apply_all(now, &decided)?;
                events.extend(decided);
                taken_back.0 += tasks;
                taken_back.1.extend(released);
            }
            Err(rejection) => refused = Some(rejection),
        }
    }
    if let (Some(rejection), 1) = (refused, events.len()) {
        return Err(RunError::NotDone(rejection.to_string()));
    }
    let turn = Turn { epoch: scheduler.epoch(), first, at: now, events };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let appended = runtime.map_err(RunError::Thread)?.block_on(async {
        log.append(&turn).await?;
        log.close().await
    });
    appended.map_err(|error| RunError::Engine(error.into()))?;
    taken_back.1.sort_unstable();
    taken_back.1.dedup();
    Ok(taken_back)
}

/// Digits that name a task.
const NAME_MIN: usize = 4;
