//! What was decided and is not durable: turns, oldest first, each with what it lets go.
//!
//! Bounded: an engine whose log is slow decides so far ahead of it, and no further.

use std::collections::VecDeque;

use push0_core::{Epoch, Seq, Timestamp, Turn};

use super::gathered::Gathered;

/// Turns that wait.
#[derive(Default)]
pub(super) struct Waiting {
    turns: VecDeque<WaitingTurn>,
    bytes: usize,
}

/// A turn, and what leaves once all that was decided up to its end is durable.
pub(super) struct WaitingTurn {
    last: Seq,
    /// None where nothing changed: what is told rests on what was decided before.
    pub(super) turn: Option<Turn>,
    /// What leaves; its events are the turn's.
    pub(super) allows: Gathered,
}

impl WaitingTurn {
    /// What was gathered at `at`, of which the last event is at `last`.
    pub(super) fn of(mut gathered: Gathered, epoch: Epoch, last: Seq, at: Timestamp) -> Self {
        let events = std::mem::take(&mut gathered.events);
        let first = Seq(last.0 + 1 - events.len() as u64);
        let turn = (!events.is_empty()).then_some(Turn { epoch, first, at, events });
        Self { last, turn, allows: gathered }
    }
}

impl Waiting {
    pub(super) fn push(&mut self, turn: WaitingTurn) {
        self.bytes += turn.allows.bytes();
        self.turns.push_back(turn);
    }

    /// The first turn behind this position.
    pub(super) fn next_after(&self, begun: Seq) -> Option<&Turn> {
        self.turns
            .iter()
            .filter_map(|waiting| waiting.turn.as_ref())
            .find(|turn| turn.first > begun)
    }

    /// The oldest, if it may leave.
    pub(super) fn pop_durable(&mut self, durable: Seq) -> Option<WaitingTurn> {
        let turn = self.turns.pop_front_if(|turn| turn.last <= durable)?;
        self.bytes -= turn.allows.bytes();
        Some(turn)
    }

    /// What they take in the log at most. Unit: bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether more may be decided. Not behind a look, which is at what is durable.
    pub(super) fn has_room(&self, turn_bytes_max: usize) -> bool {
        let is_looked_at = self.turns.back().is_some_and(|turn| !turn.allows.looks.is_empty());
        !is_looked_at && self.turns.len() < TURNS_MAX && self.bytes < TURNS_FULL * turn_bytes_max
    }
}

/// Turns that wait: fewer than a log takes behind the one that is under way.
pub(super) const TURNS_MAX: usize = 512;

/// So many full ones: with a last one besides less than a record of the log.
const TURNS_FULL: usize = 2;
