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
    /// What the log takes for one record. Unit: bytes. See [`within`](Self::within).
    pub record_bytes_max: usize,
    /// How long a block that is ahead of its parent keeps the source from ending.
    pub stray_wait: Duration,
    /// Facts that one decision yields; what is left is decided next.
    pub decision_max: usize,
    /// Bytes of a message from outside (a prover's words) that a fact keeps.
    pub message_bytes_max: usize,
    /// Distinct dispatchers that a task fails on before it is parked.
    pub dispatchers_max: usize,
    /// How often one result, or one block's payload, is made again after it was lost.
    pub remakes_max: u32,
    /// How long the source has to deliver a lost payload again, before the tasks that read it are
    /// parked.
    pub resupply_max: Duration,
    /// Past an attempt's own deadline and grace, and three tries to verify of a tenth of its
    /// timeout each, the time its dispatcher has to report.
    pub report_grace: Duration,
    /// The wait after a first failure; it doubles with each.
    pub backoff_min: Duration,
    /// The longest wait after a failure.
    pub backoff_max: Duration,
}

impl Limits {
    /// These limits, where the log takes so many bytes for one record: a turn that is nearly full,
    /// a decision on top of it, and the grants behind both are one record still.
    #[must_use]
    pub fn within(self, record_bytes_max: usize) -> Self {
        let share = |share: usize, bytes: usize| (record_bytes_max / share / bytes).max(1);
        let inputs_max = self.inputs_max.min(share(3, INPUT_BYTES)).min(share(1, BOUND_BYTES));
        Self {
            record_bytes_max,
            inputs_max,
            parts_max: self.parts_max.min(inputs_max), // one task reads them all
            decision_max: self.decision_max.min(share(8, EVENT_BYTES)),
            message_bytes_max: self.message_bytes_max.min(share(32, ESCAPED_BYTES)),
            ..self
        }
    }

    /// What one input may ask the log to hold. Unit: bytes.
    #[must_use]
    pub const fn input_bytes_max(&self) -> usize {
        self.record_bytes_max / 2
    }

    /// A turn that holds so much takes no further input. Unit: bytes.
    #[must_use]
    pub const fn turn_bytes_max(&self) -> usize {
        let quarter = self.record_bytes_max / 4;
        if quarter < TURN_BYTES { quarter } else { TURN_BYTES }
    }
}

impl Default for Limits {
    /// For one engine with 80 MB to spend: an open task and its block take 0.7 kB (measured by
    /// `examples/backlog.rs`).
    fn default() -> Self {
        Self {
            blocks_max: 100_000,
            strays_max: 4_096,
            tasks_max: 100_000,
            parts_max: 2_048,
            inputs_max: 2_048,
            reorder_max: 1_024,
            record_bytes_max: RECORD_BYTES,
            stray_wait: Duration::from_secs(2), // what messages of one client overtake one another by, and more
            decision_max: 256,
            message_bytes_max: 4_096,
            dispatchers_max: 3,
            remakes_max: 3,
            resupply_max: Duration::from_secs(300),
            report_grace: Duration::from_secs(300),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(300),
        }
    }
}

/// A little less than a message of NATS takes by default (1 MiB), which is the least of all logs.
const RECORD_BYTES: usize = 1_000_000;

/// Under load a sync is shared by so much, and by no more: what is decided behind it waits less.
const TURN_BYTES: usize = 256 * 1024;

/// An input of a task, as an upper bound: `Event::bytes_max`.
const INPUT_BYTES: usize = 84;

/// An input of a grant, which is a message as large as a record may be, likewise: `Bound`.
const BOUND_BYTES: usize = 448;

/// A fact of no more than a few inputs and no words, likewise.
const EVENT_BYTES: usize = 480;

/// A byte of a message, escaped.
const ESCAPED_BYTES: usize = 6;
