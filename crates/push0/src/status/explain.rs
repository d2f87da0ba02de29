//! One thing that is asked about: a block or a task, and why it is where it is.
//!
//! It is the same reason that a whole status gives, found in the same place.
//!
//! Not here: what happened before (`cli::explain`).

use push0_core::{Fleet, Height, Scheduler, TaskId};
use serde::{Deserialize, Serialize};

use super::heard::BeatView;
use super::held::WaitingBlocks;
use super::watch::Watch;
use super::{Place, Status};
use crate::clock::wall;

/// What is to be explained.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The canonical block of this height.
    Block(Height),
    /// This task.
    Task(TaskId),
}

/// Why something is where it is, and what makes it move.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Explained {
    /// In words.
    pub(crate) why: String,
    /// Since when, in seconds, where that is known.
    pub(crate) seconds: Option<u64>,
    /// What a person can do, or that nothing is to be done.
    pub(crate) to_do: String,
    /// The reason as a program reads it: that of a task, else that of a block.
    pub(crate) reason: serde_json::Value,
}

impl Status {
    /// A status in which one thing alone is explained.
    pub(crate) fn about(scheduler: &Scheduler, fleet: Option<&Fleet>, subject: Subject) -> Self {
        let watch = Watch::new(scheduler, fleet, wall());
        let mut status = Self::seen(&watch, (1, 0));
        status.unreleased = WaitingBlocks::about(&watch, subject).into_iter().collect();
        status.head = status.unreleased.first().cloned();
        let heard = fleet.map(|fleet| BeatView::all(&watch, fleet)).unwrap_or_default();
        Self { heard, ..status.bounded() }
    }

    /// What this status explains; none where its subject waits for nothing.
    pub(crate) fn explained(&self, place: Place<'_>) -> Option<Explained> {
        let held = self.unreleased.first()?;
        let reason = match (&held.reason, held.wait()) {
            (Some(reason), _) => serde_json::to_value(reason),
            (None, wait) => serde_json::to_value(wait),
        };
        Some(Explained {
            why: held.why.clone(),
            seconds: held.seconds(),
            to_do: held.to_do(place),
            reason: reason.unwrap_or_default(),
        })
    }
}
