//! How a run stands: what the watcher needs to know of the engine's state to go on, stop or explain.

use std::collections::BTreeSet;

use push0_core::{Fleet, ParkedBy, Scheduler, StageView, TaskId, Totals};

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
    pub(crate) releases: u64,
    /// Canonical blocks, and the last there will be once the source has said so.
    pub(crate) blocks: u64,
    pub(crate) stages: Vec<StageView>,
    pub(crate) totals: Totals,
    pub(crate) parked: Vec<Set>,
    /// Blocks under a parked task.
    pub(crate) blocks_parked: u64,
}

/// A task that was set aside.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) task: TaskId,
    pub(crate) stage: String,
    pub(crate) key: String,
    pub(crate) class: Option<ParkedBy>,
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
    pub(crate) fn held_words(&self) -> String {
        let mut words = format!(
            "error: {} blocks are not released ({}): {} parked",
            self.blocks - self.totals.blocks_released,
            self.pipeline,
            match self.parked.len() {
                1 => "a task is".to_owned(),
                count => format!("{count} tasks are"),
            }
        );
        for set in self.parked.iter().take(PARKED_SHOWN_MAX) {
            let class = set.class.map_or_else(String::new, |class| format!("{class:?}, "));
            let (stage, key, task) = (&set.stage, &set.key, set.task.short());
            words += &format!("\n  {stage} {key}, task {task}: {class}{}", set.message.trim_end());
        }
        words
            + "\nLook at a prover's output with `push0 logs TASK --data DIR`; try again with --retry-parked."
    }
}

fn parked(scheduler: &Scheduler) -> Vec<Set> {
    let parked = scheduler.parked().take(PARKED_SHOWN_MAX).map(|(id, task)| Set {
        task: *id,
        stage: scheduler.pipeline().stage(task.stage).name.to_string(),
        key: task.key.to_string(),
        class: task.parked.as_ref().map(|(class, _)| *class),
        message: task.parked.as_ref().map_or_else(String::new, |(_, words)| words.to_string()),
    });
    parked.collect()
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

/// Parked tasks that are told; the rest is counted by `push0 status`.
const PARKED_SHOWN_MAX: usize = 20;
