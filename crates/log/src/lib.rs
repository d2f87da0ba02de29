//! The durable log: what it promises, and the places that keep the promise.
//!
//! One engine writes a log and anyone may read it. An append names the record it follows, so a
//! second writer is refused rather than interleaved: that refusal is the only fencing there is.
//!
//! | place    | durable against          | used for                     |
//! |----------|--------------------------|------------------------------|
//! | `memory` | nothing                  | tests                        |
//! | `file`   | process and power loss   | one machine                  |
//! | `nats`   | the loss of a machine    | a cluster (JetStream, R ≥ 3) |
//!
//! Every place passes [`conformance`]: add a promise there first, then keep it.
//!
//! Not here: what a turn means (`push0-core`), and when one is taken (the engine).

mod beside;
mod boundary;
pub mod conformance;
mod disk;
mod file;
mod frame;
mod memory;
#[cfg(feature = "nats")]
mod nats;
mod payload;
mod report;
mod scan;
pub mod stream;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use push0_core::{Seq, Turn};

pub use beside::FileFollower;
pub use boundary::MAGIC;
pub use disk::{Directory, Disk, make_dir};
pub use file::{FileLog, OpenError, Settings};
pub use frame::LogId;
pub use memory::{Memory, MemoryLog};
#[cfg(feature = "nats")]
pub use nats::{
    CredentialKind, Follower, Known, LinkNews, LinkTeller, NatsConfig, NatsError, NatsLog,
    ServerUrl, Storage, Trouble, client as nats_client,
};
pub use report::{Cut, Ending, Report};
pub use scan::scan;
pub use stream::Position;

/// An append-only sequence of turns with one writer.
///
/// Positions count events from 1, without a gap: a turn's first event stands right after the last
/// event of the turn before it.
pub trait Log: Send {
    /// Appends `turn` after what this log holds: all its events or none, durable on return.
    ///
    /// `turn.first` names the record it follows: it is exactly the position after
    /// [`last`](Self::last). A file log blocks its thread until the disk has answered, one on
    /// JetStream waits for the servers; requests that arrive meanwhile are the engine's next turn.
    ///
    /// Repeating an append that may have succeeded is safe. After [`AppendError::Unavailable`] the
    /// same log settles it by that: it returns once the turn is there, whichever try brought it.
    /// Otherwise the repeat is [`AppendError::Fenced`], and a read finds this very turn.
    ///
    /// # Errors
    ///
    /// An [`AppendError`], whose variants say what the engine must do. [`AppendError::Fenced`],
    /// [`AppendError::TooLarge`] and [`AppendError::Full`] changed nothing.
    ///
    /// # Panics
    ///
    /// If `turn` has no events: it has no position.
    fn append(&mut self, turn: &Turn) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Takes `turn` to append it behind every turn that was begun before, and returns once it is on
    /// its way, or waits behind one that is. [`landed`](Self::landed) tells when it is durable;
    /// until then no promise that rests on it may leave. Where as much waits as one record takes,
    /// this waits too.
    ///
    /// A log that is as fast as a disk has nothing under way: it appends.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). If it is of an earlier turn, this one was not taken.
    ///
    /// # Panics
    ///
    /// If `turn` has no events: it has no position.
    fn begin(&mut self, turn: &Turn) -> impl Future<Output = Result<(), AppendError>> + Send {
        self.append(turn)
    }

    /// Whether a turn that is begun now would be under way at once, before it is durable: not where
    /// [`begin`](Self::begin) appends, nor behind a turn that is under way.
    fn leaves_at_once(&self) -> bool {
        false
    }

    /// Waits until what is under way is durable, and gives the position of the last durable event.
    /// Waits for nothing where nothing is.
    ///
    /// May be dropped before it returns, and called again.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). After [`AppendError::Unavailable`] calling it again goes on
    /// with the same turns. After any other error nothing that was begun behind
    /// [`last`](Self::last) is in the log, and it is forgotten here.
    fn landed(&mut self) -> impl Future<Output = Result<Seq, AppendError>> + Send {
        let last = self.last();
        async move { Ok(last) }
    }

    /// Every durable turn that holds an event after `after`, oldest first.
    ///
    /// # Errors
    ///
    /// A [`ReadError`]: there is no history to go on from.
    fn read(&self, after: Seq) -> impl Future<Output = Result<Vec<Turn>, ReadError>> + Send;

    /// Confirms that the log is within reach, and is as long as it is known to be here: an append
    /// that changes nothing. An engine that is idle tells so whether it may still believe that it
    /// leads.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    fn probe(&mut self) -> impl Future<Output = Result<(), AppendError>> + Send {
        async { Ok(()) }
    }

    /// Ends the log cleanly: nothing was lost up to here, and a reader can tell.
    ///
    /// A log that is dropped without it is sound too; it opens as after a kill.
    ///
    /// # Errors
    ///
    /// An [`AppendError`]. The turns are durable all the same.
    fn close(self) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// The position of the last durable event; 0 where there is none.
    fn last(&self) -> Seq;

    /// The largest record this log takes: the bytes of one turn as it writes them.
    fn record_bytes_max(&self) -> usize;

    /// How full it is, where it has a bound of its own that is known. A file log has none: its disk
    /// is shared.
    fn room(&self) -> Option<Room> {
        None
    }
}

/// How full a log is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Room {
    /// What it takes, that which was appended since it was last looked at roughly.
    pub bytes: u64,
    /// What it may take: `max_bytes` of the stream.
    pub bytes_max: u64,
    /// Its name: the stream's.
    pub name: Arc<str>,
}

/// Why an append failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Another engine writes this log, or the caller does not follow it. Stop: append nothing more.
    #[error("the log expects an append at {expected}, not at {found}: another engine writes it")]
    Fenced {
        /// The position after the log's last.
        expected: Seq,
        /// The position that the turn named.
        found: Seq,
    },
    /// What is on disk is unknown. End the process, and recover by replay.
    ///
    /// A sync that failed must not be repeated: the kernel marks the pages clean that it could not
    /// write, and the next sync answers success without the data (Rebello et al., "Can Applications
    /// Recover from fsync Failures?", USENIX ATC '20). Not even this process' own reads would tell,
    /// since they are served from those pages. So nothing that was decided since may be believed;
    /// opening the log writes its tail anew, from what can be read, into another file.
    ///
    /// A write that fails within a segment is treated alike, a full disk included: part of the
    /// frame may stand.
    #[error("the log could not be written")]
    Poisoned(#[source] io::Error),
    /// There is no room for the next segment. Nothing was written: repeat it as it was, later, or
    /// refuse what asks for room.
    #[error("the log's disk is full")]
    Full(#[source] io::Error),
    /// Nothing is known of this append, or nothing was written. Repeat it as it was.
    #[error("the log is out of reach")]
    Unavailable(#[source] io::Error),
    /// Stop: what was appended is no longer there. Someone deleted the stream, or set it back to an
    /// older state; nothing was appended to what is there at present. Restore it from a copy.
    #[error("stream {stream} is not the log that it was: {reason}")]
    Replaced {
        /// Which stream.
        stream: String,
        /// How it differs.
        reason: String,
    },
    /// The turn is larger than any record. Nothing was written: split it.
    #[error("a record of {bytes} bytes is too large: the log takes {bytes_max}")]
    TooLarge {
        /// What the turn takes when written down.
        bytes: usize,
        /// [`Log::record_bytes_max`].
        bytes_max: usize,
    },
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Stop: bytes that were durable are not what they were. Restore the file from a copy.
    #[error("{} is damaged at byte {offset}: {reason}", file.display())]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where in it the frame begins that is not right.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Stop: a newer push0 wrote this. Run that one.
    #[error("{} holds a record of a newer push0 at byte {offset}: {reason}", file.display())]
    Newer {
        /// The segment.
        file: PathBuf,
        /// Where in it the frame begins.
        offset: u64,
        /// What in it is unknown here.
        reason: String,
    },
    /// Stop: a record is missing, not what it was, or none of this log. Restore the stream from a
    /// copy.
    #[error("record {sequence} of stream {stream} is damaged: {reason}")]
    DamagedRecord {
        /// Which stream.
        stream: String,
        /// The record's sequence in it.
        sequence: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Stop: a newer push0 wrote this. Run that one.
    #[error("record {sequence} of stream {stream} is of a newer push0: {reason}")]
    NewerRecord {
        /// Which stream.
        stream: String,
        /// The record's sequence in it.
        sequence: u64,
        /// What in it is unknown here.
        reason: String,
    },
    /// Stop: what was read or appended before is no longer there, as for [`AppendError::Replaced`].
    #[error("stream {stream} is not the log that it was: {reason}")]
    Replaced {
        /// Which stream.
        stream: String,
        /// How it differs.
        reason: String,
    },
    /// The disk, or the server, does not answer. Try again later.
    #[error("the log cannot be read")]
    Unavailable(#[source] io::Error),
}
