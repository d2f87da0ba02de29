//! What the state refers to in the store: all else there may go.
//!
//! Not here: when it goes (the engine's shell sweeps, after a grace).

use std::collections::BTreeSet;

use super::Scheduler;
use crate::{Digest, Height, Key, StageIndex};

/// Why an artifact is held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    /// Which.
    pub artifact: Digest,
    /// As what.
    pub as_what: Referred,
    /// Whether everything that it went into is released: it is held to make a proof again that is
    /// lost.
    pub is_released: bool,
}

/// What an artifact is to the state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Referred {
    /// The payload of a block.
    Payload {
        /// Its number.
        block: Height,
    },
    /// The latest result of a task.
    Result {
        /// The task's stage.
        stage: StageIndex,
        /// What it proves.
        key: Key,
        /// Whether it was released as it is.
        is_final: bool,
    },
    /// A part of the latest result of a task.
    Part {
        /// The task's stage.
        stage: StageIndex,
        /// What the whole is of.
        key: Key,
        /// Its index, from 0.
        part: usize,
    },
}

impl Scheduler {
    /// Every reference to an artifact, blocks first. Several may be to the same one.
    pub fn references(&self) -> impl Iterator<Item = Reference> {
        let next = self.feed.next();
        let is_released = move |last: Height| next.is_some_and(|next| last < next);
        let payloads = self.chain.all().map(move |known| Reference {
            artifact: known.payload,
            as_what: Referred::Payload { block: known.number },
            is_released: is_released(known.number),
        });
        let released = self.feed.released().iter().flat_map(|release| &release.tasks);
        let released: BTreeSet<_> = released.collect();
        let results =
            self.tasks().filter_map(|(id, task)| Some((id, task, &task.result.as_ref()?.what)));
        let results = results.flat_map(move |(id, task, what)| {
            let (stage, key) = (task.stage, task.key);
            let is_final = released.contains(id);
            let whole = (what.output, Referred::Result { stage, key, is_final });
            let parts = what.parts.iter().enumerate();
            let parts =
                parts.map(move |(part, artifact)| (*artifact, Referred::Part { stage, key, part }));
            let is_released = is_released(key.last);
            std::iter::once(whole).chain(parts).map(move |(artifact, as_what)| Reference {
                artifact,
                as_what,
                is_released,
            })
        });
        payloads.chain(results)
    }
}
