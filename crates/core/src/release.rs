//! The release feed: final proofs in chain order, numbered, without gaps.
//!
//! A span is released once each of the release's stages has proved it and every span before it was
//! released.

use std::collections::BTreeMap;

use crate::collect::Item;
use crate::{Height, Key, ReleaseNumber, StageIndex, TaskId};

/// One released span.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release {
    /// Its place in the feed.
    pub number: ReleaseNumber,
    /// What is proved.
    pub key: Key,
    /// By which tasks, in the order of the pipeline's release.
    pub tasks: Vec<TaskId>,
}

/// What waits to be released, and what was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Feed {
    proved: BTreeMap<Height, BTreeMap<StageIndex, (Key, TaskId)>>,
    released: Vec<Release>,
    next: Option<Height>,
}

impl Feed {
    pub(crate) fn start(&mut self, at: Height) {
        self.next = self.next.or(Some(at));
    }

    pub(crate) fn add(&mut self, stage: StageIndex, item: &Item) {
        if let Some(task) = item.input.maker() {
            self.proved.entry(item.key.first).or_default().insert(stage, (item.key, task));
        }
    }

    /// What may be released next, where these stages have proved it.
    pub(crate) fn ready(&self, stages: &[StageIndex]) -> Option<Release> {
        let proofs = self.proved.get(&self.next?)?;
        let (key, _) = proofs.values().next()?;
        let tasks = stages.iter().map(|stage| proofs.get(stage).map(|(_, task)| *task));
        Some(Release {
            number: ReleaseNumber(self.released.len() as u64 + 1),
            key: *key,
            tasks: tasks.collect::<Option<_>>()?,
        })
    }

    /// Moves on past `release`. Answers whether it was the next.
    pub(crate) fn release(&mut self, release: Release) -> bool {
        let is_next = self.next == Some(release.key.first)
            && release.number.0 == self.released.len() as u64 + 1
            && self.proved.remove(&release.key.first).is_some();
        self.next = Some(release.key.last.next());
        self.released.push(release);
        is_next
    }

    /// The height that goes next.
    pub(crate) const fn next(&self) -> Option<Height> {
        self.next
    }

    pub(crate) fn released(&self) -> &[Release] {
        &self.released
    }
}
