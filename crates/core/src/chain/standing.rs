//! How a block stands to the chain, once it is known and when it comes.
//!
//! Not here: how that is found (`chain`).

use serde::{Deserialize, Serialize};

/// How a block stands to the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// On the canonical branch.
    Canonical,
    /// Ahead of its parent, which has not arrived; or, where the source says heads, on none that
    /// its latest head is on.
    Waiting,
    /// Beside the canonical branch, or after a block that is: it never becomes canonical.
    Beside,
}

/// How a block stands to the chain when it comes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// It is the chain's next, or its first; where the source says heads, it follows what is known.
    New,
    /// It is canonical already.
    Known,
    /// It waits for a parent that has not arrived.
    Ahead,
    /// It is never proved: another block is canonical at its height, or at that of one before it,
    /// and stays so.
    Beside,
}
