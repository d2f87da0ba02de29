//! Limits of the scheduler: everything that could grow has one, and at it refuses.
//!
//! Not here: what one task may cost (`Budgets`, the pipeline's).

use std::time::Duration;

/// What the scheduler holds at most, and how long it waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Blocks that are known and not released. A submission past it is refused until some are.
    pub blocks_max: usize,
    /// Blocks that are known and not canonical.
    pub strays_max: usize,
    /// Tasks that are neither accepted nor superseded. No task is opened past it until one ends.
    pub tasks_max: usize,
    /// Elements that one split may report.
    pub parts_max: usize,
    /// Inputs of one task, and of all that one decision opens where they are more than one.
    pub inputs_max: usize,
    /// How far a block may be ahead of the chain's tip when it arrives before its parents.
    pub reorder_max: u64,
    /// Facts that one decision yields; what is left is decided next.
    pub decision_max: usize,
    /// Bytes of a message from outside (a prover's words) that a fact keeps.
    pub message_bytes_max: usize,
    /// Distinct dispatchers that a task fails on before it is parked.
    pub dispatchers_max: usize,
    /// How often one result, or one block's payload, is made again after it was lost.
    pub remakes_max: u32,
    /// How long the source has to deliver a lost payload again, before the tasks that read it are parked.
    pub resupply_max: Duration,
    /// Past an attempt's own deadline and grace, and three tries to verify of a tenth of its timeout each,
    /// the time its dispatcher has to report.
    pub report_grace: Duration,
    /// The wait after a first failure; it doubles with each.
    pub backoff_min: Duration,
    /// The longest wait after a failure.
    pub backoff_max: Duration,
}

impl Default for Limits {
    /// For one engine with 80 MB to spend: an open task and its block take 0.7 kB (measured by
    /// `examples/backlog.rs`).
    fn default() -> Self {
        Self {
            blocks_max: 100_000,
            strays_max: 4_096,
            tasks_max: 100_000,
            parts_max: 4_096,
            inputs_max: 4_096,
            reorder_max: 1_024,
            decision_max: 256,
            message_bytes_max: 4_096,
            dispatchers_max: 3,
            remakes_max: 3,
            resupply_max: Duration::from_secs(300),
            report_grace: Duration::from_secs(300),
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
        }
    }
}
