//! What was decided and is not durable: turns, oldest first, each with what it lets go.
//!
//! Bounded: an engine whose log is slow decides so far ahead of it, and no further.

use std::collections::VecDeque;

use push0_core::{Epoch, Seq, Timestamp, Turn};

use crate::gathered::Gathered;
use crate::request::Askers;

/// Turns that wait.
pub(crate) struct Waiting<A: Askers> {
    pub(crate) turns: VecDeque<WaitingTurn<A>>,
    pub(crate) bytes: usize,
}

impl<A: Askers> Default for Waiting<A> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), bytes: 0 }
    }
}

/// A turn, and what leaves once all that was decided up to its end is durable.
pub(crate) struct WaitingTurn<A: Askers> {
    /// The last event that was decided by its end.
    pub(crate) last: Seq,
    /// None where nothing changed: what is told rests on what was decided before.
    pub(crate) turn: Option<Turn>,
    /// What leaves; its events are the turn's.
    pub(crate) allows: Gathered<A>,
}

impl<A: Askers> WaitingTurn<A> {
    /// What was gathered at `at`, of which the last event is at `last`.
    pub(crate) fn of(mut gathered: Gathered<A>, epoch: Epoch, last: Seq, at: Timestamp) -> Self {
        let events = std::mem::take(&mut gathered.events);
        let first = Seq(last.0 + 1 - events.len() as u64);
        let turn = (!events.is_empty()).then_some(Turn { epoch, first, at, events });
        Self { last, turn, allows: gathered }
    }
}

impl<A: Askers> Waiting<A> {
    pub(crate) fn push(&mut self, turn: WaitingTurn<A>) {
        self.bytes += turn.allows.bytes();
        self.turns.push_back(turn);
    }

    /// The first turn behind this position.
    pub(crate) fn next_after(&self, begun: Seq) -> Option<&Turn> {
        self.turns
            .iter()
            .filter_map(|waiting| waiting.turn.as_ref())
            .find(|turn| turn.first > begun)
    }

    /// The oldest, if it may leave.
    pub(crate) fn pop_durable(&mut self, durable: Seq) -> Option<WaitingTurn<A>> {
        let turn = self.turns.pop_front_if(|turn| turn.last <= durable)?;
        self.bytes -= turn.allows.bytes();
        Some(turn)
    }

    /// What they take in the log at most. Unit: bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether more may be decided. Not behind a look, which is at what is durable.
    pub(crate) fn has_room(&self, turn_bytes_max: usize) -> bool {
        let is_looked_at = self.turns.back().is_some_and(|turn| !turn.allows.looks.is_empty());
        !is_looked_at && self.turns.len() < TURNS_MAX && self.bytes < TURNS_FULL * turn_bytes_max
    }
}

/// Turns that wait: fewer than a log takes behind the one that is under way.
pub const TURNS_MAX: usize = 512;

/// So many full ones: with a last one besides less than a record of the log.
const TURNS_FULL: usize = 2;
