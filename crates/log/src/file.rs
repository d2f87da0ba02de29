//! The file log: segments of a fixed size in a directory, a frame for each turn.
//!
//! ```text
//!   DIR/log/lock           held locked by the one writer
//!   DIR/log/00000001.seg   [genesis][turn][turn] … [turn]0000
//!   DIR/log/00000002.seg   [turn][closing][turn]00000000000000     the tail
//!   DIR/log/spare          0000000000000000000000000000000000     the next one
//! ```
//!
//! A segment is written full of zeros and synced before it gets its name, so that an append changes
//! neither its size nor its blocks, and the sync of an append waits for data alone.
//!
//! **What is durable.** An append writes one frame behind the last and returns once `fdatasync`
//! has. A segment gets a successor only for an append that does not fit, and that comes after the
//! return of the append before it. So at any moment everything but the last frame of the last
//! segment is durable, and that frame may be there in part, or be only in the page cache of a
//! writer that was killed.
//!
//! **Opening** settles that last frame before anything is done about it. What was read of the tail
//! is written to a new file, synced, and given the tail's name; then the directory is synced, and
//! only then does opening return. Until the rename the old file stands as it was. From the rename
//! on, power loss leaves one file or the other under that name; both hold every frame that was
//! synced, and no append is acknowledged before the directory says which. What a crash leaves
//! besides is a file of a name that nobody reads. It does not matter either that a failed sync may
//! have left pages that look clean and are not on disk: they are pages of the old file.
//!
//! Not here: what a frame looks like (`frame`), and how the end is found (`scan`).

mod spare;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use push0_core::{Epoch, Seq, Turn};

use crate::boundary;
use crate::disk::{Directory, Disk};
use crate::frame::{self, FrameDigest, Header, Kind, LogId};
use crate::payload::Payload;
use crate::scan::{self, Shape, Tail, Walked};
use crate::{AppendError, Ending, Log, ReadError, Report};
use spare::Spare;

/// A log in a directory, open for writing.
pub struct FileLog<D: Disk = Directory> {
    disk: D,
    file: D::File,
    /// The tail's number.
    number: u64,
    /// Where the next frame goes.
    offset: usize,
    segment_bytes: usize,
    id: LogId,
    previous: FrameDigest,
    last: Seq,
    epoch: Epoch,
    /// Whether the last frame is a closing one.
    is_closed: bool,
    is_poisoned: bool,
    spare: Spare<D>,
    /// Given back last: until the spare is done with the directory, it is ours.
    _lock: D::Lock,
}

/// How to make a log.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The size of each segment of a log that is made anew; an old one keeps its own. A multiple of
    /// 64.
    pub segment_bytes: usize,
    /// Whether a thread fills the next segment. Without it the append that needs one does: slower,
    /// and the same order of operations every time.
    pub fills_ahead: bool,
    /// The identity of a log that is made anew; absent, drawn at random.
    pub id: Option<LogId>,
}

impl FileLog {
    /// Opens the log of the data directory `dir`, or makes it, and gives all its turns.
    ///
    /// # Errors
    ///
    /// An [`OpenError`]: there is nothing to go on from.
    pub fn open(dir: &Path) -> Result<(Self, Vec<Turn>, Report), OpenError> {
        let mut history = Vec::new();
        let disk = Directory::new(&dir.join(scan::LOG));
        let (log, report) =
            Self::open_on(disk, Settings::default(), &mut |turn| history.push(turn))?;
        Ok((log, history, report))
    }
}

impl<D: Disk> FileLog<D> {
    /// Opens the log on `disk`, or makes it, and gives `each` all its turns.
    ///
    /// The report says how the log was found. A torn tail is cut off by then: warn of it.
    ///
    /// # Errors
    ///
    /// An [`OpenError`]: there is nothing to go on from, and what `each` was given is to be
    /// dropped.
    pub fn open_on(
        disk: D,
        settings: Settings,
        each: &mut dyn FnMut(Turn),
    ) -> Result<(Self, Report), OpenError> {
        disk.prepare().map_err(not_opened)?;
        let Some(lock) = disk.lock().map_err(not_opened)? else {
            return Err(OpenError::Busy { directory: disk.path("") });
        };
        let Walked { mut report, tail } =
            scan::walk(&disk, Seq(0), each).map_err(ReadError::Unavailable)?;
        if let Ending::Unreadable(error) = report.ending {
            return Err(OpenError::Unreadable(error));
        }
        let tail = match tail {
            Some(tail) => tail,
            None => genesis(settings).map_err(not_opened)?,
        };
        report.log = Some(tail.log);
        let file = rewrite(&disk, &tail).map_err(not_opened)?;
        let log = Self {
            file,
            number: tail.number,
            offset: tail.frames.len(),
            segment_bytes: tail.segment_bytes,
            id: tail.log,
            previous: tail.previous,
            last: report.last,
            epoch: report.epoch,
            is_closed: matches!(report.ending, Ending::Closed),
            is_poisoned: false,
            spare: Spare::new(disk.clone(), tail.segment_bytes, settings.fills_ahead),
            disk,
            _lock: lock,
        };
        Ok((log, report))
    }

    /// Which log this is.
    #[must_use]
    pub const fn id(&self) -> LogId {
        self.id
    }

    fn append_now(&mut self, turn: &Turn) -> Result<(), AppendError> {
        assert!(!turn.events.is_empty(), "a turn without events has no position");
        let expected = self.last.next();
        if turn.first != expected {
            return Err(AppendError::Fenced { expected, found: turn.first });
        }
        let payload = Payload::of(turn);
        let (bytes, bytes_max) = (payload.bytes.len(), self.record_bytes_max());
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        let events = u32::try_from(turn.events.len()).expect("an event takes more than a byte");
        self.write(Kind::Turn, events, turn.epoch, &payload)?;
        self.last = turn.last();
        self.epoch = turn.epoch;
        if self.offset > self.segment_bytes / 2 {
            self.spare.fill();
        }
        Ok(())
    }

    fn close_now(&mut self) -> Result<(), AppendError> {
        match self.is_closed {
            true => Ok(()),
            false => self.write(Kind::Closing, 0, self.epoch, &Payload::none()),
        }
    }

    /// Writes a frame behind the last, and waits for the disk.
    fn write(
        &mut self,
        kind: Kind,
        events: u32,
        epoch: Epoch,
        payload: &Payload,
    ) -> Result<(), AppendError> {
        if self.is_poisoned {
            return Err(AppendError::Poisoned(io::Error::other("an earlier write failed")));
        }
        let (first, log, previous) = (self.last.next(), self.id, self.previous);
        let header = Header { kind, events, epoch, first, log, previous };
        let frame = frame::encode(&header, payload);
        if self.offset + frame.len() > self.segment_bytes {
            self.roll()?;
        }
        self.disk
            .write_at(&self.file, self.offset as u64, &frame)
            .and_then(|()| self.disk.sync_data(&self.file))
            .map_err(|error| self.poison(error))?;
        self.offset += frame.len();
        self.previous = FrameDigest::of(&frame);
        self.is_closed = kind == Kind::Closing;
        Ok(())
    }

    /// Goes on to the next segment. After an error that is no poison this can be repeated: what may
    /// be there by the next segment's name is only zeros, and gives way to the next attempt's.
    fn roll(&mut self) -> Result<(), AppendError> {
        let file = self.spare.take().map_err(not_appended)?;
        let name = scan::segment_name(self.number + 1);
        self.disk.rename(spare::NAME, &name).map_err(not_appended)?;
        self.disk.sync_dir().map_err(|error| self.poison(error))?;
        self.file = file;
        self.number += 1;
        self.offset = 0;
        Ok(())
    }

    const fn poison(&mut self, error: io::Error) -> AppendError {
        self.is_poisoned = true;
        AppendError::Poisoned(error)
    }
}

impl<D: Disk> Log for FileLog<D> {
    fn append(&mut self, turn: &Turn) -> impl Future<Output = Result<(), AppendError>> + Send {
        std::future::ready(self.append_now(turn))
    }

    fn read(&self, after: Seq) -> impl Future<Output = Result<Vec<Turn>, ReadError>> + Send {
        let mut turns = Vec::new();
        let walked = scan::walk(&self.disk, after, &mut |turn| turns.push(turn));
        std::future::ready(match walked.map(|walked| walked.report.ending) {
            Ok(Ending::Unreadable(error)) => Err(error),
            Ok(Ending::Absent | Ending::Closed | Ending::Open | Ending::Torn(_)) => Ok(turns),
            Err(error) => Err(ReadError::Unavailable(error)),
        })
    }

    fn close(mut self) -> impl Future<Output = Result<(), AppendError>> + Send {
        std::future::ready(self.close_now())
    }

    fn last(&self) -> Seq {
        self.last
    }

    fn record_bytes_max(&self) -> usize {
        scan::frame_max(self.segment_bytes).saturating_sub(frame::bytes_with(0))
    }
}

impl<D: Disk> std::fmt::Debug for FileLog<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.disk.path(&scan::segment_name(self.number));
        f.debug_struct("FileLog")
            .field("tail", &path)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES, fills_ahead: true, id: None }
    }
}

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Stop, or wait until the other has ended: a log has one writer.
    #[error("another engine writes the log in {}", directory.display())]
    Busy {
        /// Where the log is.
        directory: PathBuf,
    },
    /// As the [`ReadError`] says.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// Make room, then open again. Nothing was lost.
    #[error("there is no room for the log's next segment")]
    Full(#[source] io::Error),
    /// Open again later. Nothing was lost.
    #[error("the log's directory cannot be used")]
    Unavailable(#[source] io::Error),
}

/// The first segment of a log that does not exist.
fn genesis(settings: Settings) -> io::Result<Tail> {
    let segment_bytes = settings.segment_bytes.next_multiple_of(boundary::ALIGN);
    let log = settings.id.map_or_else(LogId::draw, Ok)?;
    let header = Header {
        kind: Kind::Genesis,
        events: 0,
        epoch: Epoch(0),
        first: Seq(1),
        log,
        previous: FrameDigest::default(),
    };
    let frames = frame::encode(&header, &Payload::json(&Shape { segment_bytes }));
    let previous = FrameDigest::of(&frames);
    Ok(Tail { number: 1, frames, segment_bytes, previous, log })
}

/// Makes the tail durable, in a file of its own: see the module's header.
fn rewrite<D: Disk>(disk: &D, tail: &Tail) -> io::Result<D::File> {
    for leftover in disk.list()?.iter().filter(|name| [spare::NAME, FRESH].contains(&name.as_str()))
    {
        disk.remove(leftover)?;
    }
    let file = disk.create(FRESH)?;
    disk.write_at(&file, 0, &tail.frames)?;
    spare::fill(disk, &file, tail.frames.len(), tail.segment_bytes)?;
    disk.sync_data(&file)?;
    disk.rename(FRESH, &scan::segment_name(tail.number))?;
    disk.sync_dir()?;
    Ok(file)
}

fn not_opened(error: io::Error) -> OpenError {
    match is_full(&error) {
        true => OpenError::Full(error),
        false => OpenError::Unavailable(error),
    }
}

fn not_appended(error: io::Error) -> AppendError {
    match is_full(&error) {
        true => AppendError::Full(error),
        false => AppendError::Unavailable(error),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Large enough that a new one is rare, small enough to be written anew at every opening.
const SEGMENT_BYTES: usize = 16 << 20;

/// The tail while it is written anew.
const FRESH: &str = "tail";
