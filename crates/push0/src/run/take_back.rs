//! An operator's word that something accepted is not so, told to a data directory that no run is
//! using.
//!
//! Not here: what is taken back with it (`push0_core`), and the same in a cluster (`cluster`).

use std::cell::OnceCell;
use std::path::Path;

use push0_core::{Epoch, Event, Input, ReleaseNumber, Scheduler, Seq, Task, TaskId, Turn};
use push0_log::Log as _;

use super::error::RunError;
use super::open;
use crate::clock::Clock;
use crate::data::Layout;
use crate::tell::counted;

/// What was taken back: how many tasks are open again, and which releases are recalled.
pub(crate) type TakenBack = (u64, Vec<ReleaseNumber>);

/// What became of it, for a person.
pub(crate) fn words((tasks, released): &TakenBack) -> String {
    let numbers: Vec<_> = released.iter().map(|number| number.0.to_string()).collect();
    let recalled = match numbers.as_slice() {
        [] => String::new(),
        [one] => format!(", and release {one} is recalled: its proof is made again"),
        [..] => {
            format!(
                ", and releases {} are recalled: their proofs are made again",
                numbers.join(", ")
            )
        }
    };
    let are = if *tasks == 1 { "is" } else { "are" };
    format!("{} {are} proved again{recalled}", counted(tasks, "task"))
}

/// The tasks with a result that are meant by the first digits of their ids; where it was asked
/// before, at `seen`, also those whose result was taken back since.
///
/// # Errors
///
/// Which name means none or several, for a person. Where another was taken back since it was asked,
/// one that means none was taken with it.
pub(crate) fn results_named(
    scheduler: &Scheduler,
    named: &[String],
    seen: Option<Seq>,
) -> Result<Vec<TaskId>, String> {
    let is_since = |task: &Task| {
        let at = task.discarded.as_ref().map(|discarded| discarded.at);
        at.zip(seen).is_some_and(|(at, seen)| at > seen)
    };
    let is_meant = |task: &Task| task.result.is_some() || is_since(task);
    // All of them are gone through once, and only if a name is not whole.
    let all = OnceCell::new();
    let in_order = || {
        let tasks = scheduler.tasks().filter(|(_, task)| is_meant(task));
        tasks.map(|(id, _)| *id).collect::<Vec<_>>()
    };
    let (mut found, mut missed) = (Vec::new(), None);
    for name in named {
        let meant = match name.parse::<TaskId>() {
            Ok(id) => {
                scheduler.task(&id).filter(|task| is_meant(task)).map(|_| id).into_iter().collect()
            }
            Err(_) => begin_with(all.get_or_init(in_order), name),
        };
        match meant.as_slice() {
            [task] => found.push(*task),
            [] => missed = missed.or(Some(name)),
            [..] => return Err(format!("more than one task begins with {name}")),
        }
    }
    let is_heard = found.iter().filter_map(|id| scheduler.task(id)).any(is_since);
    match missed.filter(|_| !is_heard) {
        Some(name) => {
            Err(format!("no task with a result begins with {name} (of 4 digits at least)"))
        }
        None => Ok(found),
    }
}

/// The first two of those that begin with these digits.
fn begin_with(in_order: &[TaskId], digits: &str) -> Vec<TaskId> {
    let first = format!("{digits:0<64}").parse::<TaskId>().ok();
    let first = first.filter(|_| digits.len() >= NAME_MIN);
    let from = first.map_or(in_order.len(), |first| in_order.partition_point(|id| *id < first));
    let begin = in_order.iter().skip(from).take_while(|id| id.to_string().starts_with(digits));
    begin.take(2).copied().collect()
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
        let tasks = results_named(scheduler, named, None)?.into_iter();
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
    let (mut log, recorded) = open::replay(&layout, None)?;
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
