//! Attempts that came to nothing, in a row: whether they are more than one task's trouble.

use crate::failure::Ending;
use crate::{AttemptId, Seq, TaskId, Timestamp};

/// Attempts that came to nothing in a row, with none proved between.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Row {
    /// Those that failed, or made what does not verify, but for what a prover says of its task.
    failed: u32,
    /// Rounds of failures and losses: what was granted before the last that counted is of its
    /// round. A machine that stops, or whose driver hiccups, ends all that it runs at once, and
    /// that is one.
    pub(super) rounds: u32,
    /// Rounds of what was not begun.
    pub(super) refusals: u32,
    /// Where the last stands that counted as a round.
    counted: Seq,
    /// The first task of them, and the first that is another.
    tasks: (Option<TaskId>, Option<TaskId>),
    pub(super) since: Option<Timestamp>,
}

/// An attempt that came to nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Miss {
    pub(super) task: TaskId,
    pub(super) attempt: AttemptId,
    pub(super) ending: Ending,
    /// Where it stands in the log.
    pub(super) seq: Seq,
}

impl Row {
    pub(super) fn add(&mut self, at: Timestamp, miss: Miss) {
        let Miss { task, attempt, ending, seq } = miss;
        if !matches!(ending, Ending::Lost | Ending::Withdrawn) && !ending.is_a_word() {
            self.failed = self.failed.saturating_add(1);
        }
        if attempt.position() > self.counted {
            let rounds = match ending {
                Ending::Withdrawn => &mut self.refusals,
                Ending::Failed(_) | Ending::Rejected | Ending::Lost => &mut self.rounds,
            };
            *rounds = rounds.saturating_add(1);
            self.counted = seq;
        }
        self.since.get_or_insert(at);
        match self.tasks.0 {
            None => self.tasks.0 = Some(task),
            Some(first) if first != task => {
                self.tasks.1.get_or_insert(task);
            }
            Some(_) => {}
        }
    }

    /// Whether it is more than one task's trouble.
    pub(super) const fn is_trouble(&self) -> bool {
        self.tasks.1.is_some() && self.failed >= FAILED_MAX
    }

    /// Whether it goes on and on.
    pub(super) const fn is_lasting(&self) -> bool {
        self.tasks.1.is_some() && (self.rounds >= ROUNDS_MAX || self.refusals >= REFUSALS_MAX)
    }
}

/// Failures in a row that are more than chance: two may be two bad blocks, and a sick machine fails
/// all.
const FAILED_MAX: u32 = 3;

/// Rounds of them, likewise.
const ROUNDS_MAX: u32 = 3;

/// Rounds of what is not begun. A full or leaving dispatcher may refuse a few grants that crossed
/// its word.
const REFUSALS_MAX: u32 = 16;
