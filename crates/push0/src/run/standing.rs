//! How a run stands: what the watcher needs to know of the engine's state to go on, stop or
//! explain.

use std::collections::BTreeSet;
use std::path::Path;

use push0_core::{Fleet, ProgramName, Scheduler, StageView, TaskId, Totals};

use crate::output::quoted;
use crate::status::is_held;

/// How a run stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) pipeline: String,
    /// Everything the source gave is released.
    pub(crate) is_complete: bool,
    /// Nothing runs, and nothing waits to be tried or for a time.
    pub(crate) is_idle: bool,
    /// Something is wanted, and nobody offers any of it.
    pub(crate) wants_only_unoffered: bool,
    pub(crate) running: u64,
    /// Programs that nobody proves any more, and what is said of that.
    pub(crate) held: Vec<(ProgramName, String)>,
    pub(crate) releases: u64,
    /// Canonical blocks, and the last there will be once the source has said so.
    pub(crate) blocks: u64,
    pub(crate) stages: Vec<StageView>,
    pub(crate) totals: Totals,
    pub(crate) parked: Vec<Set>,
    /// Blocks under a parked task.
    pub(crate) blocks_parked: u64,
}

/// A task that is parked.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) task: TaskId,
    pub(crate) stage: String,
    pub(crate) key: String,
    /// As the log names it.
    pub(crate) class: String,
    pub(crate) message: String,
}

impl Standing {
    pub(crate) fn of(scheduler: &Scheduler, fleet: &Fleet) -> Self {
        let wanted = scheduler.wanted();
        let offered = fleet.programs();
        let stages: Vec<_> = scheduler.stages().collect();
        Self {
            pipeline: scheduler.pipeline().name.to_string(),
            is_complete: scheduler.is_complete(),
            is_idle: scheduler.is_idle(),
            wants_only_unoffered: !fleet.is_empty()
                && !wanted.is_empty()
                && wanted.is_disjoint(&offered),
            running: stages.iter().map(|stage| stage.leased).sum(),
            held: held(scheduler, fleet),
            releases: scheduler.releases(push0_core::ReleaseNumber(0)).len() as u64,
            blocks: scheduler.chain().len() as u64,
            stages,
            totals: scheduler.totals().clone(),
            parked: parked(scheduler),
            blocks_parked: blocks_parked(scheduler),
        }
    }

    /// Nothing more will happen unless somebody asks.
    pub(crate) const fn is_stuck(&self) -> bool {
        self.is_idle
    }

    /// What holds the run, for a person.
    pub(crate) fn held_words(&self, data: &Path) -> String {
        let some = |count: u64, what: &str| match count {
            1 => format!("1 {what} is"),
            count => format!("{count} {what}s are"),
        };
        let blocks = some(self.blocks - self.totals.blocks_released, "block");
        let mut words = format!("{blocks} not released ({})", self.pipeline);
        match self.stages.iter().map(|stage| stage.parked).sum() {
            0 => {}
            parked => words += &format!(": {} parked", some(parked, "task")),
        }
        for (program, message) in &self.held {
            words +=
                &format!("\n  program {program} is held: every recent attempt failed; the last: ");
            words += &plain(message);
        }
        for set in &self.parked {
            let (stage, key, task) = (&set.stage, &set.key, set.task.short());
            let (class, message) = (&set.class, plain(&set.message));
            words += &format!("\n  {stage} {key}, task {task}: {class}, {message}");
        }
        let data = quoted(data);
        words += "\n  ";
        words += &match self.parked.first() {
            Some(set) => format!(
                "What a prover printed: push0 logs {} --data {data}. To try again: the same command, with --retry-parked",
                set.task.short()
            ),
            None => format!(
                "What failed, and where: push0 status --data {data}. Mend the cause; then the same command goes on"
            ),
        };
        words
    }
}

/// The tasks that are parked, lowest block first.
fn parked(scheduler: &Scheduler) -> Vec<Set> {
    let mut parked: Vec<_> = scheduler.parked().collect();
    parked.sort_by_key(|(_, task)| (task.key, task.stage));
    let sets = parked.into_iter().take(PARKED_SHOWN_MAX).filter_map(|(id, task)| {
        let (class, message) = task.parked.as_ref()?;
        Some(Set {
            task: *id,
            stage: scheduler.pipeline().stage(task.stage).name.to_string(),
            key: task.key.to_string(),
            class: serde_json::to_value(class).ok()?.as_str()?.to_owned(),
            message: message.to_string(),
        })
    });
    sets.collect()
}

/// The programs that are held, each with the words of the last failure.
fn held(scheduler: &Scheduler, fleet: &Fleet) -> Vec<(ProgramName, String)> {
    let mut held: Vec<_> = scheduler
        .asides()
        .filter(|(program, ..)| is_held(scheduler, Some(fleet), program))
        .map(|(program, _, aside)| (program.clone(), aside.message.to_string()))
        .collect();
    held.dedup_by(|one, other| one.0 == other.0);
    held
}

/// What a prover printed, in lines that belong to the first; a terminal must not obey it.
fn plain(message: &str) -> String {
    message.lines().map(push0_core::plain).collect::<Vec<_>>().join("\n    ")
}

fn blocks_parked(scheduler: &Scheduler) -> u64 {
    let spans = scheduler.parked().map(|(_, task)| (task.key.first, task.key.last));
    let mut covered = 0;
    let mut next = 0;
    for (first, last) in spans.collect::<BTreeSet<_>>() {
        let from = first.0.max(next);
        if last.0 >= from {
            covered += last.0 + 1 - from;
            next = last.0 + 1;
        }
    }
    covered
}

/// Parked tasks that are told; the rest is counted.
const PARKED_SHOWN_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_prover_printed_stays_where_it_belongs() {
        assert_eq!(plain("exit 3:\na\x1b[2Jb\nc\n"), "exit 3:\n    a\\u{1b}[2Jb\n    c");
    }
}
