//! A data directory: where everything in it lies, and reading it without changing it.
//!
//! ```text
//!   DATA/push0.mark  says that it is push0's
//!   DATA/log/        the facts; everything else can be made again from them
//!   DATA/store/      artifacts by their SHA-256
//!   DATA/dispatch/   the dispatcher's: provers' directories, caches, output
//!   DATA/proofs/     final proofs, unless they are wanted elsewhere
//! ```
//!
//! Not here: opening it for a run (`run`), what its parts hold (`push0_log`, `push0_dispatch`).

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use push0_core::{Event, IllegalEvent, Limits, PipelineSpec, Scheduler, Seq, Turn};
use push0_log::{Ending, ReadError, Report};

use crate::bounded;
use crate::exit::Exit;

/// Where the parts of a data directory lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Layout {
    root: PathBuf,
}

/// What a data directory's log says.
#[derive(Debug)]
pub struct Recorded {
    /// The state it leads to.
    pub scheduler: Scheduler,
    /// The pipeline that runs, as it was configured last; none where nothing ran yet.
    pub spec: Option<PipelineSpec>,
    /// How much of it there is, and how it ends.
    pub report: Report,
}

/// Why a data directory cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Name one that is there.
    #[error("there is no such directory ({}): name a data directory, NAME.push0 by default", path.display())]
    Absent { path: PathBuf },
    /// Name another: this is something else.
    #[error(
        "not a data directory of push0, it has no `log` in it ({}): name one that `push0 run` made",
        path.display()
    )]
    Foreign { path: PathBuf },
    /// As the [`ReadError`] says.
    #[error("{source}: {}", remedy(source))]
    Log {
        #[source]
        source: ReadError,
    },
    /// Stop: no push0 wrote this, or its bytes were changed with care. Restore the log from a copy.
    #[error("the log in {} cannot be: {source}: restore it from a copy", path.display())]
    Illegal { path: PathBuf, source: IllegalEvent },
    /// The disk does not answer, or does not let this user. Try again when it does.
    #[error("cannot read ({}): {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

impl From<&DataError> for Exit {
    fn from(error: &DataError) -> Self {
        match error {
            DataError::Absent { .. } | DataError::Foreign { .. } => Self::Usage,
            DataError::Log { source } => Self::from(source),
            DataError::Illegal { .. } => Self::Data,
            DataError::Unreadable { .. } => Self::OutOfReach,
        }
    }
}

impl Layout {
    /// The data directory at `root`, which need not exist.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// All of it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The log's segments and its lock.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The artifacts.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The dispatcher's own.
    #[must_use]
    pub fn dispatch(&self) -> PathBuf {
        self.root.join("dispatch")
    }

    /// Final proofs, by default.
    #[must_use]
    pub fn proofs(&self) -> PathBuf {
        self.root.join("proofs")
    }

    /// Whether this is a data directory at all.
    ///
    /// # Errors
    ///
    /// [`DataError::Absent`], [`DataError::Foreign`] or [`DataError::Unreadable`].
    pub fn look(&self) -> Result<(), DataError> {
        let path = self.root.clone();
        match fs::metadata(self.log()) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(DataError::Foreign { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => {
                Err(DataError::Foreign { path })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(DataError::Absent { path })
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(DataError::Foreign { path })
            }
            Err(source) => Err(DataError::Unreadable { path, source }),
        }
    }

    /// Whether an older push0, which marked nothing, made this directory: by the first bytes of its
    /// log, by its store, or by nothing but its own empty folders, where one was killed before its
    /// log was made.
    #[must_use]
    pub fn is_older(&self) -> bool {
        let has_log = segments(&self.log()).any(|path| begins_with(&path, &push0_log::MAGIC));
        let has_store = push0_dispatch::is_older_store(&self.store());
        has_log || has_store || self.was_just_begun()
    }

    /// Whether there is a segment of a log.
    #[must_use]
    pub fn has_segment(&self) -> bool {
        segments(&self.log()).next().is_some()
    }

    fn was_just_begun(&self) -> bool {
        let own = [self.log(), self.store(), self.dispatch(), self.proofs()];
        let are_own = entries(&self.root).all(|path| own.contains(&path) && path.is_dir());
        let is_lock = |path: PathBuf| path.file_name().is_some_and(|name| name == LOCK);
        are_own
            && entries(&self.log()).all(|path| is_lock(path.clone()) || is_segment(&path))
            && own.iter().skip(1).all(|folder| entries(folder).next().is_none())
    }

    /// Gives `each` every turn of the log, without its lock. What comes before damage is given too;
    /// the report says whether there is any.
    ///
    /// # Errors
    ///
    /// [`DataError`], save for damage.
    pub fn scan(&self, each: &mut dyn FnMut(Turn)) -> Result<Report, DataError> {
        self.look()?;
        push0_log::scan(&self.root, Seq(0), each)
            .map_err(|source| DataError::Unreadable { path: self.log(), source })
    }

    /// Reads the log without its lock, and replays it.
    ///
    /// # Errors
    ///
    /// A [`DataError`]: nothing can be said of what is recorded here.
    pub fn replay(&self) -> Result<Recorded, DataError> {
        let (report, replay) = Replay::of(|each| self.scan(each));
        let mut report = report?;
        report.ending = match report.ending {
            Ending::Unreadable(source) => return Err(DataError::Log { source }),
            ending @ (Ending::Absent | Ending::Closed | Ending::Open | Ending::Torn(_)) => ending,
        };
        match replay.illegal {
            Some(source) => Err(DataError::Illegal { path: self.log(), source }),
            None => Ok(Recorded { scheduler: replay.scheduler, spec: replay.spec, report }),
        }
    }

    /// Whether an engine writes the log at this moment. Its lock is tried, and given back at once.
    ///
    /// # Errors
    ///
    /// The disk's own.
    pub fn has_writer(&self) -> io::Result<bool> {
        let lock = match File::open(self.log().join(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            lock => lock?,
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn segments(log: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    entries(log).filter(|path| is_segment(path))
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "seg")
}

/// Whether a file begins with these bytes.
pub(crate) fn begins_with(path: &Path, bytes: &[u8]) -> bool {
    let mut first = vec![0; bytes.len()];
    let read = bounded::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == bytes
}

/// A log being replayed, up to the first event that cannot be.
#[derive(Debug)]
pub struct Replay {
    scheduler: Scheduler,
    spec: Option<PipelineSpec>,
    illegal: Option<IllegalEvent>,
}

impl Replay {
    /// Replays what `walk` gives, on a thread of its own: to read a log and to replay it each take
    /// about half of the time.
    pub fn of<R>(walk: impl FnOnce(&mut dyn FnMut(Turn)) -> R) -> (R, Self) {
        thread::scope(|scope| {
            let (to, turns) = sync_channel::<Turn>(TURNS_MAX);
            let replayed = scope.spawn(move || {
                let mut replay = Self::new();
                turns.into_iter().for_each(|turn| replay.turn(&turn));
                replay
            });
            let walked = walk(&mut |turn| {
                let _ = to.send(turn); // a panic there is told when it is joined
            });
            drop(to);
            match replayed.join() {
                Ok(replay) => (walked, replay),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Before any turn.
    pub(crate) fn new() -> Self {
        Self { scheduler: Scheduler::new(Limits::default()), spec: None, illegal: None }
    }

    /// Goes on by a turn, unless one before it was illegal.
    pub(crate) fn turn(&mut self, turn: &Turn) {
        if self.illegal.is_some() {
            return;
        }
        for event in &turn.events {
            if let Event::Configured { pipeline } = event {
                self.spec = Some(pipeline.as_ref().clone());
            }
        }
        self.illegal = self.scheduler.replay_turn(turn).err();
    }

    /// What it has led to so far.
    pub(crate) const fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// What was configured last.
    pub(crate) const fn spec(&self) -> Option<&PipelineSpec> {
        self.spec.as_ref()
    }

    /// What it has led to.
    pub(crate) fn into_scheduler(self) -> Scheduler {
        self.scheduler
    }

    /// What it has led to.
    ///
    /// # Errors
    ///
    /// The first event that could not be.
    pub fn end(self, report: Report) -> Result<Recorded, IllegalEvent> {
        match self.illegal {
            Some(illegal) => Err(illegal),
            None => Ok(Recorded { scheduler: self.scheduler, spec: self.spec, report }),
        }
    }

    /// The first event that could not be.
    #[must_use]
    pub const fn illegal(&self) -> Option<&IllegalEvent> {
        self.illegal.as_ref()
    }
}

/// What to do about a log that cannot be read.
#[must_use]
pub fn remedy(error: &ReadError) -> &'static str {
    match error {
        ReadError::Damaged { .. } => {
            "bytes that were durable have changed; restore the file from a copy"
        }
        ReadError::DamagedRecord { .. } => {
            "records that were durable have changed; restore the stream from a copy"
        }
        ReadError::Replaced { .. } => {
            "records that were durable have gone; restore the stream from a copy"
        }
        ReadError::Newer { .. } | ReadError::NewerRecord { .. } => {
            "use the push0 that wrote it, or a newer one"
        }
        ReadError::Unavailable(_) => "the disk or the server does not answer; try again",
        _ => "see the message",
    }
}

/// Turns that are read and not replayed.
const TURNS_MAX: usize = 1_024;

/// As `push0_log` names it.
const LOCK: &str = "lock";
