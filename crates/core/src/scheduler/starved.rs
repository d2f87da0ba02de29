//! The tasks that could be tried but for an input that is not there, by when the source was asked
//! for it.
//!
//! Not here: how long the source has (`end`).

use std::collections::{BTreeMap, BTreeSet};

use crate::{TaskId, Timestamp};

/// Tasks that lack an input.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Starved {
    /// Each, with when the source was first asked for a block that it reads, if it was.
    all: BTreeMap<TaskId, Option<Timestamp>>,
    by_time: BTreeSet<(Timestamp, TaskId)>,
}

impl Starved {
    pub(super) fn insert(&mut self, id: TaskId, asked: Option<Timestamp>) {
        self.remove(&id);
        self.all.insert(id, asked);
        self.by_time.extend(asked.map(|asked| (asked, id)));
    }

    pub(super) fn remove(&mut self, id: &TaskId) {
        if let Some(Some(asked)) = self.all.remove(id) {
            self.by_time.remove(&(asked, *id));
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = TaskId> {
        self.all.keys().copied()
    }

    /// Those that wait for the source, the longest first, each with when it was asked.
    pub(super) fn by_source(&self) -> impl Iterator<Item = (Timestamp, TaskId)> {
        self.by_time.iter().copied()
    }

    /// When the source was first asked for what one of them lacks that did not lack it before
    /// `after`.
    pub(super) fn asked_after(&self, after: Timestamp) -> Option<Timestamp> {
        let from = (after, TaskId([u8::MAX; 32]));
        self.by_time.range(from..).map(|(asked, _)| *asked).find(|asked| *asked > after)
    }
}
