//! What one dispatcher holds: its leases, and how many of each stage, so that what it has left is
//! known without a look at each.

use std::collections::{BTreeMap, BTreeSet};

use crate::{AttemptId, StageIndex};

/// The leases of a dispatcher.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Leases {
    attempts: BTreeSet<AttemptId>,
    /// None is zero.
    stages: BTreeMap<StageIndex, u32>,
}

impl Leases {
    pub(super) fn add(&mut self, attempt: AttemptId, stage: StageIndex) {
        if self.attempts.insert(attempt) {
            *self.stages.entry(stage).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, attempt: AttemptId, stage: StageIndex) {
        if self.attempts.remove(&attempt)
            && let Some(count) = self.stages.get_mut(&stage)
        {
            *count -= 1;
            if *count == 0 {
                self.stages.remove(&stage);
            }
        }
    }

    /// Oldest first.
    pub(crate) const fn attempts(&self) -> &BTreeSet<AttemptId> {
        &self.attempts
    }

    /// How many of them are of each stage.
    pub(crate) fn stages(&self) -> impl Iterator<Item = (StageIndex, u32)> {
        self.stages.iter().map(|(stage, count)| (*stage, *count))
    }
}
