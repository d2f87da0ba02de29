//! What a pipeline says of the nodes that its blocks come from.
//!
//! Not here: asking them (`push0_source`).

use std::time::Duration;

/// The nodes of a chain, and what is taken of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeSource {
    /// Their addresses, each as the pipeline's file says it; the first goes first. One that begins
    /// with `$` names a variable of the environment.
    pub http: Vec<String>,
    /// Whether the chain begins with the block that is its head when it is first looked at; else it
    /// begins with the last final one, or where the source says.
    pub begins_at_head: bool,
    /// When a block is final.
    pub finality: Finality,
    /// From one question for a new block to the next.
    pub poll: Duration,
    /// What a block's payload holds.
    pub payload: NodePayload,
}

/// When a block of a node counts as final: only then it is proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finality {
    /// The chain has finalised it.
    Finalized,
    /// The chain calls it safe.
    Safe,
    /// So many blocks are above it.
    Depth(u64),
}

/// What the payload of a node's block holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NodePayload {
    /// Its header, and the hashes of its transactions.
    Header,
    /// Its transactions too.
    Block,
    /// Its receipts too, as `receipts`.
    BlockAndReceipts,
    /// Its transactions, and the state before it, as `preStateRoot`.
    BlockAndPreState,
}
