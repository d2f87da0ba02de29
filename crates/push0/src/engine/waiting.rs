//! What was decided and is not durable: turns, oldest first, each with what it lets go.
//!
//! Bounded: an engine whose log is slow decides so far ahead of it, and no further.

use std::collections::VecDeque;
use std::time::Duration;

use push0_core::{Epoch, Life, Seq, Timestamp, ToDispatcher, Turn};
use tokio::sync::oneshot;

use super::gathered::{Answered, Gathered, TURN_BYTES_MAX};
use super::handle::{Look, Pulse, Taken};

/// Turns that wait.
#[derive(Default)]
pub(super) struct Waiting {
    turns: VecDeque<WaitingTurn>,
    bytes: usize,
}

/// A turn, and what leaves once all that was decided up to its end is durable.
pub(super) struct WaitingTurn {
    last: Seq,
    bytes: usize,
    /// None where nothing changed: what is told rests on what was decided before.
    pub(super) turn: Option<Turn>,
    pub(super) answers: Vec<Answered>,
    pub(super) taken: Vec<(oneshot::Sender<Taken>, Taken)>,
    pub(super) messages: Vec<(Life, ToDispatcher)>,
    pub(super) accepted: Vec<(Timestamp, Duration)>,
    pub(super) looks: Vec<Look>,
    pub(super) probes: Vec<Pulse>,
}

impl WaitingTurn {
    /// What was gathered at `at`, of which the last event is at `last`.
    pub(super) fn of(gathered: Gathered, epoch: Epoch, last: Seq, at: Timestamp) -> Self {
        let bytes = gathered.bytes();
        let Gathered { events, answers, taken, messages, accepted, looks, probes, .. } = gathered;
        let first = Seq(last.0 + 1 - events.len() as u64);
        let turn = (!events.is_empty()).then_some(Turn { epoch, first, at, events });
        Self { last, bytes, turn, answers, taken, messages, accepted, looks, probes }
    }
}

impl Waiting {
    pub(super) fn push(&mut self, turn: WaitingTurn) {
        self.bytes += turn.bytes;
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
        self.bytes -= turn.bytes;
        Some(turn)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether more may be decided. Not behind a look, which is at what is durable.
    pub(super) fn has_room(&self) -> bool {
        let is_looked_at = self.turns.back().is_some_and(|turn| !turn.looks.is_empty());
        !is_looked_at && self.turns.len() < TURNS_MAX && self.bytes < BYTES_MAX
    }
}

/// Turns that wait: fewer than a log takes behind the one that is under way.
const TURNS_MAX: usize = 128;

/// What they weigh, and a last one besides: together less than the smallest record that a log takes (1 MB).
const BYTES_MAX: usize = 2 * TURN_BYTES_MAX;
