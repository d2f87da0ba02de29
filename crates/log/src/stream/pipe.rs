//! What is appended: one record at a time, and the turns that wait behind it for the next.
//!
//! Two records under way would not be safe: if another engine's record took the place of the first,
//! the second would follow *that* one, since a sequence is all that servers compare across writers.
//!
//! Not here: what becomes of a record (`append`).

use bytes::Bytes;
use push0_core::{Epoch, Seq, Turn};

use super::chain::Position;
use crate::AppendError;
use crate::frame::{self, LogId};
use crate::payload::Payload;

/// One message to append.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it follows.
    pub(crate) before: Position,
    /// What follows it.
    pub(crate) after: Position,
    pub(crate) bytes: Bytes,
    /// Whether an earlier try may have landed, or may yet.
    pub(crate) is_doubtful: bool,
}

/// What must be so of a stream for it to take a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place<'a> {
    /// The sequence of its last message.
    pub last: u64,
    /// Who wrote that.
    pub subject: &'a str,
    /// The sequence of the last message on that subject.
    pub last_on_subject: u64,
}

/// The end of a log on a stream, as whoever writes it knows it.
#[derive(Clone, Debug)]
pub struct Pipe {
    /// What this one publishes to.
    subject: String,
    record_bytes_max: usize,
    /// Behind the last record that is known to be durable.
    tip: Position,
    flight: Option<Flight>,
    waiting: Waiting,
}

/// A message that is under way, or whose fate is unknown.
#[derive(Clone, Debug)]
struct Flight {
    record: Record,
    turns: usize,
}

/// Turns that were begun while a message was under way.
#[derive(Clone, Debug)]
struct Waiting {
    frames: Vec<u8>,
    turns: usize,
    /// Behind everything that was begun.
    head: Position,
}

impl Record {
    /// The position of the last event in it.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.after.last
    }

    /// The sequence that it must get.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.after.message
    }

    /// What it follows.
    #[must_use]
    pub const fn before(&self) -> &Position {
        &self.before
    }

    /// What it is published to.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.after.subject
    }

    /// Where alone the stream may take it.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        let Position { message, subject, .. } = &self.before;
        Place { last: *message, subject, last_on_subject: *message }
    }

    /// What it holds.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Who writes, and what: the same for every try of one append, and for no other.
    #[must_use]
    pub fn message_id(&self) -> String {
        let writer = self.after.subject.rsplit('.').next().unwrap_or_default();
        format!("{writer}.{}.{}", self.after.message, self.after.digest)
    }
}

impl Pipe {
    /// Appends behind `tip`, to this subject, records whose turns are no larger than that.
    #[must_use]
    pub fn new(subject: String, tip: Position, record_bytes_max: usize) -> Self {
        Self { subject, record_bytes_max, waiting: Waiting::behind(&tip), tip, flight: None }
    }

    /// What this one publishes to.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Behind the last record that is known to be durable.
    #[must_use]
    pub const fn tip(&self) -> &Position {
        &self.tip
    }

    /// What one turn may take. Unit: bytes.
    #[must_use]
    pub const fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// The record that is under way, or whose fate is unknown.
    #[must_use]
    pub fn under_way(&self) -> Option<&Record> {
        self.flight.as_ref().map(|flight| &flight.record)
    }

    /// Appends behind `position` from here on.
    ///
    /// # Panics
    ///
    /// If an append is under way, or the position is of another log.
    pub fn go_on_from(&mut self, position: &Position) {
        assert!(self.flight.is_none(), "an append is under way");
        assert_eq!(position.log, self.tip.log, "a position of another log");
        self.tip.clone_from(position);
        self.waiting = Waiting::behind(position);
    }

    /// Takes a turn behind all that were begun. Not, where as much waits as one record takes: then
    /// one must land first.
    ///
    /// # Errors
    ///
    /// [`AppendError::Fenced`] and [`AppendError::TooLarge`]: nothing was taken.
    ///
    /// # Panics
    ///
    /// If `turn` has no events: it has no position.
    pub fn begin(&mut self, turn: &Turn) -> Result<bool, AppendError> {
        assert!(!turn.events.is_empty(), "a turn without events has no position");
        let expected = self.waiting.head.last.next();
        if turn.first != expected {
            return Err(AppendError::Fenced { expected, found: turn.first });
        }
        let payload = Payload::of(turn);
        let (bytes, bytes_max) = (payload.bytes.len(), self.record_bytes_max);
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        let room = frame::bytes_with(bytes_max).saturating_sub(frame::bytes_with(bytes));
        if self.waiting.frames.len() > room || self.waiting.turns >= TURNS_MAX {
            return Ok(false);
        }
        self.waiting.push(turn.epoch, count(turn), &payload);
        if self.flight.is_none() {
            self.launch();
        }
        Ok(true)
    }

    /// The record that was under way stands in its place; what waited is under way.
    pub fn landed(&mut self, record: Record) {
        self.tip = record.after;
        self.flight = None;
        if self.waiting.turns > 0 {
            self.launch();
        }
    }

    /// The record that was under way came to this. Unless its fate is unknown, it is forgotten,
    /// with all behind it.
    pub fn failed(&mut self, record: Record, error: &AppendError) {
        match (&mut self.flight, error) {
            (Some(flight), AppendError::Unavailable(_)) => flight.record = record,
            (_, AppendError::Unavailable(_)) => {}
            _ => {
                self.flight = None;
                self.waiting = Waiting::behind(&self.tip);
            }
        }
    }

    /// Whether the message of unknown fate is this turn alone: then this is a repeat.
    #[must_use]
    pub fn is_repeat(&self, turn: &Turn) -> bool {
        let Some(flight) = &self.flight else { return false };
        let repeat = || flight.record.before.frame(turn.epoch, count(turn), &Payload::of(turn));
        flight.turns == 1 && self.waiting.turns == 0 && repeat() == flight.record.bytes
    }

    /// What waits is under way, as one message.
    fn launch(&mut self) {
        let (before, mut after) = (self.tip.clone(), self.waiting.head.clone());
        after.message = before.message + 1;
        after.subject.clone_from(&self.subject);
        let next = Waiting::behind(&after);
        let Waiting { frames, turns, .. } = std::mem::replace(&mut self.waiting, next);
        let record = Record { before, after, bytes: Bytes::from(frames), is_doubtful: false };
        self.flight = Some(Flight { record, turns });
    }
}

impl Waiting {
    fn behind(position: &Position) -> Self {
        Self { frames: Vec::new(), turns: 0, head: position.clone() }
    }

    fn push(&mut self, epoch: Epoch, events: u32, payload: &Payload) {
        let frame = self.head.frame(epoch, events, payload);
        self.head.last = Seq(self.head.last.0 + u64::from(events));
        self.head.epoch = epoch;
        self.head.digest = frame::FrameDigest::of(&frame);
        self.frames.extend(frame);
        self.turns += 1;
    }
}

/// What the records of a writer are published to: under the stream's prefix, its log and itself.
#[must_use]
pub fn subject_of(prefix: &str, log: LogId, writer: LogId) -> String {
    format!("{prefix}.{log}.{writer}")
}

fn count(turn: &Turn) -> u32 {
    u32::try_from(turn.events.len()).expect("an event takes more than a byte")
}

/// Turns that wait behind a message at the most.
const TURNS_MAX: usize = 1_024;
