//! Stages and attempts, counted.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{FailureClass, Scheduler, StageIndex, StageView};
use serde::{Deserialize, Serialize};

use super::layout::{long, table};
use crate::lines;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Stage {
    pub(super) name: String,
    waiting: u64,
    ready: u64,
    pub(super) running: u64,
    accepted: u64,
    pub(super) parked: u64,
    /// Tasks about blocks that the chain has left, and may come back to.
    #[serde(default, skip_serializing_if = "is_zero")]
    superseded: u64,
    /// How long its provers took until now, in the middle of the latest. Unit: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usual_seconds: Option<f64>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Attempts {
    started: u64,
    pub(super) running: u64,
    accepted: u64,
    surplus: u64,
    lost: u64,
    withdrawn: u64,
    rejected: u64,
    /// Another's result closed their task, or it was parked under them.
    #[serde(default)]
    overtaken: u64,
    /// Of those accepted, the ones that had ended otherwise before.
    #[serde(default)]
    late: u64,
    failed: BTreeMap<FailureClass, u64>,
    /// They ran when their engine ended, and ended with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    interrupted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Stage {
    pub(super) fn all(scheduler: &Scheduler) -> Vec<Self> {
        let of = |(index, view): (usize, StageView)| {
            let StageView { name, waiting, ready, leased, accepted, parked, superseded } = view;
            let usual = scheduler.ran().usual(StageIndex(index));
            let usual_seconds = usual.map(|usual| (usual.as_secs_f64() * 1e3).round() / 1e3);
            let (name, running) = (name.to_string(), leased);
            Self { name, waiting, ready, running, accepted, parked, superseded, usual_seconds }
        };
        scheduler.stages().enumerate().map(of).collect()
    }

    /// Nothing runs any more: what did is tried again.
    pub(super) const fn interrupt(&mut self) {
        self.ready += self.running;
        self.running = 0;
    }

    pub(super) fn shown(all: &[Self], width: Option<usize>) -> String {
        let has_times = all.iter().any(|stage| stage.usual_seconds.is_some_and(|time| time >= 1.0));
        let head = ["stage", "waiting", "ready", "running", "accepted", "parked"];
        let head = head.map(ToOwned::to_owned);
        let counts = |stage: &Self| {
            let Self { name, waiting, ready, running, accepted, parked, .. } = stage;
            let counts = [waiting, ready, running, accepted, parked].map(ToString::to_string);
            let [waiting, ready, running, accepted, parked] = counts;
            [name.clone(), waiting, ready, running, accepted, parked]
        };
        if !has_times {
            let rows = std::iter::once(head).chain(all.iter().map(counts));
            return table(&rows.collect::<Vec<_>>(), width);
        }
        let with = |[a, b, c, d, e, f]: [String; 6], last| [a, b, c, d, e, f, last];
        let rows = all.iter().map(|stage| {
            let usual = stage
                .usual_seconds
                .map(|usual| long(Duration::from_secs_f64(usual.max(0.0)).as_secs()));
            with(counts(stage), usual.unwrap_or_default())
        });
        let rows = std::iter::once(with(head, "usually".to_owned())).chain(rows);
        table(&rows.collect::<Vec<_>>(), width)
    }
}

impl Attempts {
    pub(super) fn of(scheduler: &Scheduler, running: u64) -> Self {
        let totals = scheduler.totals();
        Self {
            started: totals.started,
            running,
            accepted: totals.accepted,
            surplus: totals.surplus,
            lost: totals.lost,
            withdrawn: totals.withdrawn,
            rejected: totals.rejected,
            overtaken: totals.overtaken,
            late: totals.late,
            failed: totals.failed.clone(),
            interrupted: 0,
        }
    }

    /// Nothing runs any more.
    pub(super) const fn interrupt(&mut self) {
        self.interrupted += self.running;
        self.running = 0;
    }

    pub(super) fn shown(&self) -> String {
        let Self { started, running, accepted, surplus, lost, withdrawn, .. } = self;
        let Self { rejected, overtaken, late, failed, interrupted, .. } = self;
        let fixed = [
            (*started, "started"),
            (*running, "running"),
            (*interrupted, "interrupted"),
            (*accepted, "accepted"),
            (*surplus, "surplus"),
            (*lost, "lost"),
            (*withdrawn, "withdrawn"),
            (*rejected, "rejected"),
            (*overtaken, "overtaken"),
            (*late, "accepted late"),
        ];
        let fixed = fixed.into_iter().map(|(count, name)| (count, name.to_owned()));
        let failed = failed.iter().map(|(class, count)| (*count, lines::word(*class)));
        let told = fixed.chain(failed).filter(|(count, name)| *count > 0 || name == "started");
        told.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    }
}
