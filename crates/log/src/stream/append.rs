//! Appending a record, until it is known what became of it.
//!
//! A record is published with the sequence that it must get, twice over: the stream's last must be
//! the one before, and so must the last on the subject of whoever wrote that one. The first keeps
//! two writers from interleaving. The second is what ties the append to *this* log: subjects are
//! `PREFIX.LOG.WRITER`, and a stream that was deleted and made again, or set back and gone on with
//! by another engine, has no record of this writer at that sequence, so the server itself refuses,
//! and no append costs a round trip for asking.
//!
//! ```text
//!   publish ──▶ answer names the sequence ─────────────────────────────────▶ landed
//!      ▲  └───▶ duplicate, wrong last sequence ──▶ read it from the leader ─▶ landed | fenced | replaced
//!      │  └───▶ no answer ─┐                                 │ nothing there yet
//!      └───────────────────┴─────────────────────────────────┘
//! ```
//!
//! Neither a duplicate nor a wrong sequence says what is there. Three servers answer a publish with
//! a stale sequence and a used message id with success, `duplicate`; one server answers it with
//! "wrong last sequence" (both seen on 2.15.1). And three servers refuse a repeat while the first
//! is under way. So what is there is read, by a request that only the stream's leader answers, and
//! compared, with its subject: two writers may write the same bytes.
//!
//! Not here: how it is asked, and how often (`nats`), and what is appended (`pipe`).

use std::io;

use super::chain::{self, Position, Stored};
use super::pipe::Record;
use crate::AppendError;

/// An append, from question to question.
#[derive(Clone, Debug)]
pub struct Append {
    record: Record,
    stream: String,
    asks: Ask,
    /// Why the stream is not as long as it was, by what this try has read.
    short: Option<String>,
}

/// What is asked of the stream next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// To take the record, in its place and in no other.
    Publish,
    /// For what stands at this sequence, by the word of the stream's leader.
    Get(u64),
}

/// What a server answers to a publish.
#[derive(Debug)]
pub enum PublishAnswer {
    /// It stands at this sequence: that of another, if it says that it had this message before.
    Stands {
        /// Which.
        sequence: u64,
        /// Whether it was there before.
        is_repeat: bool,
    },
    /// What stands there tells: another sequence is the last, or a message is under way, or nobody
    /// listens.
    Conflict,
    /// There is no room, and this try wrote nothing.
    Full(io::Error),
    /// It is larger than the server takes.
    TooLarge {
        /// What it takes. Unit: bytes.
        bytes_max: usize,
    },
    /// Nothing is known of it.
    Unknown(io::Error),
}

/// Why nothing was read.
#[derive(Debug)]
pub enum ReadFailure {
    /// There is no such stream.
    Gone,
    /// There was no answer.
    Unknown(io::Error),
}

/// How an append goes on.
#[derive(Debug)]
pub enum Next {
    /// Ask again at once.
    Ask,
    /// Ask again after a while, or [`give_up`](Append::give_up).
    Again(io::Error),
    /// It stands there, for good.
    Landed,
    /// It does not, and will not.
    Failed(AppendError),
}

impl Append {
    /// The append of a record to the stream of this name.
    #[must_use]
    pub const fn new(record: Record, stream: String) -> Self {
        Self { record, stream, asks: Ask::Publish, short: None }
    }

    /// What to ask.
    #[must_use]
    pub const fn asks(&self) -> Ask {
        self.asks
    }

    /// What is appended.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// The record, which an earlier try may have brought there.
    #[must_use]
    pub fn into_record(self) -> Record {
        self.record
    }

    /// Takes the answer to a publish.
    pub fn said(&mut self, said: PublishAnswer) -> Next {
        self.short = None;
        match said {
            PublishAnswer::Stands { sequence, is_repeat } => {
                if sequence == self.record.after.message && !is_repeat {
                    return Next::Landed;
                }
                self.look(self.record.after.message)
            }
            PublishAnswer::Conflict => self.look(self.record.after.message),
            PublishAnswer::Full(error) if !self.record.is_doubtful => {
                Next::Failed(AppendError::Full(error))
            }
            PublishAnswer::TooLarge { bytes_max } => {
                let bytes = self.record.bytes.len();
                Next::Failed(AppendError::TooLarge { bytes, bytes_max })
            }
            PublishAnswer::Full(error) | PublishAnswer::Unknown(error) => self.again(error),
        }
    }

    /// Takes what was read.
    pub fn got(&mut self, got: Result<Option<Stored>, ReadFailure>) -> Next {
        let Ask::Get(sequence) = self.asks else {
            return self.again(io::Error::other("an answer that nobody asked for"));
        };
        let Record { before, after, .. } = &self.record;
        let (of_before, of_after) = (before.message, after.message);
        match got {
            Err(ReadFailure::Unknown(error)) => self.again(error),
            Err(ReadFailure::Gone) => self.is_short("it is gone".to_owned()),
            Ok(Some(found)) if sequence == of_after => self.found(&found),
            Ok(None) if sequence == of_after => self.look(of_before),
            Ok(Some(found)) if sequence == of_before => self.found_before(&found),
            // Shorter, or another log altogether: the first record tells.
            Ok(None) if sequence == of_before && of_before != FIRST => self.look(FIRST),
            Ok(Some(first)) => self.found_first(&first),
            Ok(None) => self.is_short(format!("it ends before record {of_before}")),
        }
    }

    /// Its time is over, and nothing is known of it but this.
    #[must_use]
    pub fn give_up(&mut self, unknown: io::Error) -> AppendError {
        // A leader that was just elected may be behind for a moment, not for as long as this.
        match self.short.take() {
            Some(why) => self.replaced(why),
            None => AppendError::Unavailable(unknown),
        }
    }

    /// What stands in its place.
    fn found(&mut self, found: &Stored) -> Next {
        let Record { before, after, bytes, .. } = &self.record;
        if found.subject == after.subject && found.payload == *bytes {
            return Next::Landed;
        }
        let sequence = found.sequence;
        let mut place = before.clone();
        Next::Failed(match place.follow(found, &mut drop) {
            Ok(()) => {
                AppendError::Fenced { expected: place.last.next(), found: before.last.next() }
            }
            Err(fault) => self.replaced(format!("record {sequence}: {}", fault.reason())),
        })
    }

    /// What stands where the record is that it follows, when nothing stands in its own place.
    fn found_before(&mut self, found: &Stored) -> Next {
        let before = &self.record.before;
        let digest = chain::outline(found).map(|(_, digest)| digest);
        let is_same = digest.is_ok_and(|digest| digest == before.digest);
        if is_same && found.subject == before.subject {
            return self.again(io::Error::other("the append is under way"));
        }
        let message = before.message;
        Next::Failed(self.replaced(format!("record {message} is not what it was")))
    }

    fn found_first(&mut self, first: &Stored) -> Next {
        let before = &self.record.before;
        match Position::begin(first) {
            Ok(begin) if begin.log == before.log => {
                let message = before.message;
                self.is_short(format!("it ends before record {message}"))
            }
            Ok(begin) => {
                let (ours, theirs) = (before.log, begin.log);
                Next::Failed(self.replaced(format!("it is log {theirs}, not {ours}")))
            }
            Err(fault) => Next::Failed(self.replaced(fault.reason().to_owned())),
        }
    }

    const fn look(&mut self, at: u64) -> Next {
        self.asks = Ask::Get(at);
        Next::Ask
    }

    fn is_short(&mut self, why: String) -> Next {
        self.short = Some(why);
        self.again(io::Error::other("the stream is not as long as it was"))
    }

    fn again(&mut self, unknown: io::Error) -> Next {
        self.asks = Ask::Publish;
        self.record.is_doubtful = true;
        Next::Again(unknown)
    }

    fn replaced(&self, reason: String) -> AppendError {
        AppendError::Replaced { stream: self.stream.clone(), reason }
    }
}

/// The sequence of the record that says which log it is.
const FIRST: u64 = 1;
