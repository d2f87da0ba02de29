//! What is said on the bus, as JSON.
//!
//! Reports and grants may hold whatever a prover printed, as far as the core bounds it; payloads and proofs
//! are never in a message.

use push0_core::{Block, Epoch, Seq, TaskId, ToDispatcher};
use serde::{Deserialize, Serialize};

/// From the leading engine to everybody: it leads, and its log answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct LeaderBeat {
    /// Its epoch.
    pub(super) epoch: Epoch,
    /// Its name.
    pub(super) engine: String,
    /// The last event that it knows to be durable.
    pub(super) last: Seq,
    /// The identity of its store.
    pub(super) store: String,
}

/// From the leading engine to one life of a dispatcher.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Down {
    /// The sender's.
    pub(super) epoch: Epoch,
    pub(super) message: ToDispatcher,
}

/// From a client to whoever leads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// Add these blocks, in this order; their payloads are in the store.
    Submit(Vec<Block>),
    /// No block follows.
    Drain,
    /// Make this task's result again: the store has lost it.
    Remake(TaskId),
}

/// What the leader answers, once it is durable.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Done,
    /// So many blocks were taken, and no more for now: ask again with the others.
    Later {
        taken: usize,
    },
    /// After so many blocks that were taken.
    Refused {
        taken: usize,
        reason: String,
    },
}
