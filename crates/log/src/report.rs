//! What a reader of a file log found: how much of it, and how it ends.
//!
//! Not here: the reading (`scan`).

use std::fmt;
use std::path::PathBuf;

use push0_core::{Epoch, Seq};

use crate::{LogId, ReadError};

/// What a file log holds.
#[derive(Debug)]
pub struct Report {
    /// Its identity; none where there is no log.
    pub log: Option<LogId>,
    /// The position of its last event.
    pub last: Seq,
    /// The epoch of its last turn.
    pub epoch: Epoch,
    /// Turns in it.
    pub turns: u64,
    /// Frames in it: the turns, the genesis frame, a closing frame for every clean end.
    pub frames: u64,
    /// The size of its frames, padding included.
    pub bytes: u64,
    /// The files it is in.
    pub segments: u64,
    /// How it ends.
    pub ending: Ending,
}

/// How a file log ends.
#[derive(Debug)]
pub enum Ending {
    /// There is no log.
    Absent,
    /// With a closing frame: whoever wrote it ended cleanly.
    Closed,
    /// With a turn: an engine writes it, or was killed.
    Open,
    /// With a frame that is not whole: one is being written at this moment, or an engine was killed
    /// while it wrote. Nobody was told of what is in it; opening the log cuts it off.
    Torn(Cut),
    /// It cannot be read any further.
    Unreadable(ReadError),
}

/// A frame that is not whole, at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The segment.
    pub file: PathBuf,
    /// Where in it the frame begins.
    pub offset: u64,
    /// From there to the last byte that is not zero.
    pub bytes: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Report {
    /// What was cut off, or would be.
    #[must_use]
    pub const fn cut(&self) -> Option<&Cut> {
        match &self.ending {
            Ending::Torn(cut) => Some(cut),
            Ending::Absent | Ending::Closed | Ending::Open | Ending::Unreadable(_) => None,
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, bytes, reason } = self;
        write!(f, "{}: {bytes} bytes at {offset} are no whole frame: {reason}", file.display())
    }
}
