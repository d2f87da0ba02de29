//! The head of the chain: the lowest block that is not released, and what holds it.
//!
//! Not here: any decision; the scheduler has made them.

use push0_core::{Fleet, Height, Scheduler, Task, TaskId, TaskState, Timestamp};
use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// The lowest block that is not released.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Head {
    /// Its number.
    pub(super) block: u64,
    /// What holds it, in words.
    pub(super) why: String,
    /// The task that does, if it is one.
    task: Option<String>,
    /// What of it waits, before that task; empty where nothing does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    before: String,
    /// The task as people name it: its stage and its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    /// Why that task stands where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

impl Head {
    /// None where no block is known, or all are released.
    pub(super) fn of(scheduler: &Scheduler, fleet: Option<&Fleet>, now: Timestamp) -> Option<Self> {
        let released = scheduler.releases(push0_core::ReleaseNumber(0)).last();
        let next = released.map(|release| release.key.last.next());
        let next = next.or_else(|| scheduler.chain().start())?;
        if scheduler.is_complete() {
            return None;
        }
        Some(held(scheduler, fleet, now, next).told())
    }

    /// The same where no engine runs.
    pub(super) fn without_engine(self, has_dispatchers: bool) -> Self {
        let reason = self.reason.map(|reason| reason.without_engine(has_dispatchers));
        Self { reason, ..self }.told()
    }

    /// With its words.
    fn told(self) -> Self {
        let task = match (&self.what, &self.reason) {
            (Some(what), Some(reason)) => format!("{what} {reason}"),
            _ => String::new(),
        };
        let both = [self.before.clone(), task].into_iter().filter(|words| !words.is_empty());
        let why = both.collect::<Vec<_>>().join("; ");
        Self { why, ..self }
    }
}

fn held(scheduler: &Scheduler, fleet: Option<&Fleet>, now: Timestamp, next: Height) -> Head {
    let block = next.0;
    let head = |before: String, task: Option<(&TaskId, &Task)>| Head {
        block,
        before,
        what: task.map(|(_, task)| what(scheduler, task)),
        task: task.map(|(id, _)| id.to_string()),
        reason: task.map(|(id, task)| Reason::of(scheduler, fleet, now, (*id, task))),
        why: String::new(),
    };
    if scheduler.chain().hash_at(next).is_none() {
        return head("the source has not delivered it".to_owned(), None);
    }
    let own = scheduler.open_up_to(next).filter(|(_, task)| task.key.last >= next);
    if let Some(own) = own.min_by_key(|(_, task)| (!is_parked(task), task.stage)) {
        return head(String::new(), Some(own));
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
    head(waits, parked.or_else(|| scheduler.open_up_to(Height(u64::MAX)).next()))
}

fn what(scheduler: &Scheduler, task: &Task) -> String {
    format!("{} {}", scheduler.pipeline().stage(task.stage).name, task.key)
}

const fn is_parked(task: &Task) -> bool {
    matches!(task.state, TaskState::Parked)
}

/// Parked tasks that are looked at for the lowest.
const PARKED_MAX: usize = 1_000;
