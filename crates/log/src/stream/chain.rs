//! The chain of records: each message of the stream, checked against the one before.
//!
//! A message holds one frame or more, whole. The first message holds the genesis frame and nothing
//! else. What does not follow is refused: nothing in a stream is ever half written, so there is no
//! torn tail, and nothing is cut off.
//!
//! Not here: where messages come from (`nats`).

use bytes::Bytes;
use push0_core::{Epoch, Seq, Turn};
use serde_json::json;

#[cfg(feature = "nats")]
use crate::ReadError;
use crate::frame::{self, Fault, Frame, FrameDigest, Header, Kind, LogId};
use crate::payload::Payload;
use crate::scan::{self, Unreadable};

/// A message as the stream holds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// What it was published to: it names the log, and who wrote.
    pub subject: String,
    /// Whole frames.
    pub payload: Bytes,
}

/// A place between two records of a log on JetStream: what was read up to here, and what comes
/// next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Position {
    pub(crate) log: LogId,
    /// The sequence, in the stream, of the record before this place.
    pub(crate) message: u64,
    /// What that record was published to: it names who wrote it.
    pub(crate) subject: String,
    /// The digest of its last frame.
    pub(crate) digest: FrameDigest,
    /// The position of the last event before this place.
    pub(crate) last: Seq,
    /// The epoch of the record before this place.
    pub(crate) epoch: Epoch,
}

impl Position {
    /// The position of the last event before this place; 0 where there is none.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// Which log it is in.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.log
    }

    /// The sequence of the record before this place.
    #[must_use]
    pub const fn message(&self) -> u64 {
        self.message
    }

    /// The epoch of the last turn before this place.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The place behind the genesis record.
    ///
    /// # Errors
    ///
    /// That the log does not begin with it.
    pub fn begin(first: &Stored) -> Result<Self, Unreadable> {
        let frame = frame::decode(&first.payload).map_err(unreadable)?;
        if frame.header.kind != Kind::Genesis || first.sequence != 1 {
            return Err(damaged("the log does not begin here"));
        }
        if frame.bytes.len() != first.payload.len() {
            return Err(damaged("something follows its genesis frame"));
        }
        Ok(Self {
            log: frame.header.log,
            message: 1,
            subject: first.subject.clone(),
            digest: frame.digest(),
            last: Seq(0),
            epoch: Epoch(0),
        })
    }

    /// The place behind a record that nothing is known of yet but that it is of the log `log`.
    ///
    /// # Errors
    ///
    /// That it is none of that log, or no record at all.
    pub fn behind(record: &Stored, log: LogId) -> Result<Self, Unreadable> {
        let begin = frame::decode(&record.payload).map_err(unreadable)?;
        if begin.header.log != log {
            return Err(other_log(&begin.header, log));
        }
        if begin.header.kind == Kind::Genesis {
            return Self::begin(record);
        }
        let mut place = Self {
            log,
            message: record.sequence.saturating_sub(1),
            subject: String::new(),
            digest: begin.header.previous,
            last: Seq(begin.header.first.0.saturating_sub(1)),
            epoch: begin.header.epoch,
        };
        place.follow(record, &mut drop)?;
        Ok(place)
    }

    /// Goes past `record`, which must come next, and gives `each` its turns.
    ///
    /// # Errors
    ///
    /// That it does not come next. The place is what it was.
    pub fn follow(
        &mut self,
        record: &Stored,
        each: &mut dyn FnMut(Turn),
    ) -> Result<(), Unreadable> {
        let mut next = Self { message: record.sequence, ..self.clone() };
        if record.sequence != self.message + 1 {
            return Err(damaged(&format!("record {} is missing", self.message + 1)));
        }
        let mut rest = &record.payload[..];
        while !rest.is_empty() {
            let frame = frame::decode(rest).map_err(unreadable)?;
            next.pass(&frame, each)?;
            rest = rest.get(frame.bytes.len()..).unwrap_or_default();
        }
        if next.digest == self.digest {
            return Err(damaged("it is empty"));
        }
        next.subject.clone_from(&record.subject);
        *self = next;
        Ok(())
    }

    /// The frame of a turn that comes next.
    pub(crate) fn frame(&self, epoch: Epoch, events: u32, payload: &Payload) -> Vec<u8> {
        let (log, previous, first) = (self.log, self.digest, self.last.next());
        let header = Header { kind: Kind::Turn, events, epoch, first, log, previous };
        frame::encode(&header, payload)
    }

    /// Goes past `frame`, without leaving the record.
    fn pass(&mut self, frame: &Frame<'_>, each: &mut dyn FnMut(Turn)) -> Result<(), Unreadable> {
        let header = &frame.header;
        if header.log != self.log {
            return Err(other_log(header, self.log));
        }
        if header.previous != self.digest || header.first != self.last.next() {
            return Err(damaged("it does not follow the record before it"));
        }
        match header.kind {
            Kind::Genesis => return Err(damaged("the log begins a second time")),
            Kind::Turn if header.events == 0 => return Err(damaged("its turn is empty")),
            Kind::Turn => {
                each(scan::turn(frame)?);
                self.last = Seq(self.last.0 + u64::from(header.events));
            }
            Kind::Closing => {}
        }
        self.digest = frame.digest();
        self.epoch = header.epoch;
        Ok(())
    }
}

/// The genesis record of a log. A stream has no shape that a reader must know: no segments, and the
/// server states its limits.
#[must_use]
pub fn genesis(log: LogId) -> Vec<u8> {
    let header = Header {
        kind: Kind::Genesis,
        events: 0,
        epoch: Epoch(0),
        first: Seq(1),
        log,
        previous: FrameDigest::default(),
    };
    frame::encode(&header, &Payload::json(&json!({})))
}

/// The header of the first frame of a record, and the digest of its last.
pub(crate) fn outline(record: &Stored) -> Result<(Header, FrameDigest), Unreadable> {
    let first = frame::decode(&record.payload).map_err(unreadable)?;
    let (header, mut last) = (first.header, first.digest());
    let mut rest = record.payload.get(first.bytes.len()..).unwrap_or_default();
    while !rest.is_empty() {
        let frame = frame::decode(rest).map_err(unreadable)?;
        last = frame.digest();
        rest = rest.get(frame.bytes.len()..).unwrap_or_default();
    }
    Ok((header, last))
}

impl Unreadable {
    /// What is wrong with the record at `sequence`.
    #[cfg(feature = "nats")]
    pub(crate) fn of(self, stream: &str, sequence: u64) -> ReadError {
        let stream = stream.to_owned();
        match self {
            Self::Damaged(reason) => ReadError::DamagedRecord { stream, sequence, reason },
            Self::Newer(reason) => ReadError::NewerRecord { stream, sequence, reason },
        }
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Damaged(reason) | Self::Newer(reason) => reason,
        }
    }
}

fn unreadable(fault: Fault) -> Unreadable {
    match fault {
        Fault::Damaged(reason) => damaged(reason),
        Fault::Newer(reason) => Unreadable::Newer(reason),
    }
}

fn damaged(reason: &str) -> Unreadable {
    Unreadable::Damaged(reason.to_owned())
}

fn other_log(header: &Header, log: LogId) -> Unreadable {
    damaged(&format!("it is of log {}, not of {log}", header.log))
}
