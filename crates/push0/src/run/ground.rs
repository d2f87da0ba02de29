//! What a run stands on: its data directory, and whether that is still there.
//!
//! A log that is removed while it is written goes on where nobody can read it. So a run looks
//! whether the directory of its log is the one that it opened, and ends at once if it is not. A
//! store that is removed is made again (`dispatch`).
//!
//! A thread of its own looks: a disk that hangs holds whoever asks it, and the thread of the run
//! hears signals. What was last seen has an age, and a person is told of one that is too old.
//!
//! Not here: a disk without room (`sight`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use push0_dispatch::Store;

use super::Run;
use super::error::RunError;
use crate::tell;

/// The directory of a log, and what is known of it.
#[derive(Debug)]
pub(super) struct Ground {
    log: PathBuf,
    seen: Arc<LastSight>,
    /// Whether a person was told that its disk does not answer.
    is_silent: bool,
    store: Store,
    /// How often a person was told that the store was made again.
    told: u64,
}

/// What the thread that looks last saw, and when.
#[derive(Debug)]
struct LastSight(Mutex<(Sight, Instant)>);

/// Where a log is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sight {
    /// Where it was.
    There,
    /// Removed, or another is in its place.
    Gone,
}

/// How a directory is asked which one it is: by its device and number.
type Look = fn(&Path) -> io::Result<(u64, u64)>;

impl Ground {
    pub(super) fn of(log: &Path, store: Store) -> io::Result<Self> {
        Self::with(log, store, place)
    }

    fn with(log: &Path, store: Store, look: Look) -> io::Result<Self> {
        let seen = LastSight::watch(log, look)?;
        Ok(Self { log: log.to_owned(), seen, is_silent: false, store, told: 0 })
    }

    /// Makes sure that the log was where it was when it was last looked for.
    fn check(&self) -> Result<(), RunError> {
        match self.seen.last().0 {
            Sight::There => Ok(()),
            Sight::Gone => Err(RunError::Removed { log: self.log.clone() }),
        }
    }

    /// What a person is told of a disk that does not answer, or answers again; nothing where that
    /// was told.
    fn silence(&mut self) -> Option<String> {
        let (shown, is_silent) = (self.log.display(), self.hangs());
        (std::mem::replace(&mut self.is_silent, is_silent) != is_silent).then(|| match is_silent {
            true => format!(
                "the disk of {shown} has not answered for {} s: nothing is recorded until it does; is its server away?",
                SILENT.as_secs()
            ),
            false => format!("the disk of {shown} answers again: work goes on"),
        })
    }

    /// Whether the disk of the log has said nothing for too long.
    pub(super) fn hangs(&self) -> bool {
        self.seen.last().1.elapsed() > SILENT
    }

    /// What a person is told of a store that was made again; nothing where that was told.
    fn made_again(&mut self) -> Option<&'static str> {
        let times = self.store.times_made_again();
        (std::mem::replace(&mut self.told, times) < times).then_some(MADE_AGAIN)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.log.clone()
    }
}

impl Run {
    /// Ends the run where its log has gone, and tells of a store that had, and of a disk that
    /// hangs.
    pub(super) fn look_at_ground(&mut self) -> Result<(), RunError> {
        self.ground.check()?;
        self.ground.silence().iter().for_each(tell::warn);
        if let Some(words) = self.ground.made_again() {
            tell::warn(words);
        }
        Ok(())
    }
}

impl LastSight {
    /// Looks at the directory for as long as somebody wants to know.
    fn watch(log: &Path, look: Look) -> io::Result<Arc<Self>> {
        // Held open, so that no other directory gets its number.
        let (there, first) = (File::open(log)?, look(log)?);
        let seen = Arc::new(Self(Mutex::new((Sight::There, Instant::now()))));
        let (wanted, log) = (Arc::downgrade(&seen), log.to_owned());
        thread::Builder::new().name("ground".to_owned()).spawn(move || {
            while wanted.strong_count() > 0 {
                let sight = match look(&log) {
                    Ok(place) if place == first => Sight::There,
                    // A disk that gives another error says nothing about what is on it.
                    Err(error) if !matches!(error.kind(), GONE | REPLACED) => Sight::There,
                    Ok(_) | Err(_) => Sight::Gone,
                };
                let Some(seen) = wanted.upgrade() else { break };
                *seen.lock() = (sight, Instant::now());
                drop(seen);
                thread::sleep(LOOK);
            }
            drop(there);
        })?;
        Ok(seen)
    }

    fn last(&self) -> (Sight, Instant) {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, (Sight, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(dir: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(dir).map(|found| (found.dev(), found.ino()))
}

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(50);

/// A disk that has said nothing for so long hangs. One that is merely busy answers within a second.
const SILENT: Duration = Duration::from_secs(5);

const GONE: io::ErrorKind = io::ErrorKind::NotFound;
const REPLACED: io::ErrorKind = io::ErrorKind::NotADirectory;

const MADE_AGAIN: &str = "the store was removed while this run used it; it is there again, and what is needed of it is \
                          made again";

#[cfg(test)]
mod tests {
    use std::sync::RwLock;

    use push0_testbed::until;

    use super::*;

    #[test]
    fn a_disk_that_hangs_holds_nobody_and_is_told_once_until_it_answers() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("store")).expect("a writable directory");
        let log = dir.path().join("log");
        fs::create_dir(&log).expect("a writable directory");
        let mut ground = Ground::with(&log, store, when_it_may).expect("a thread");
        let hung = HANGS.write().expect("no panic");
        let told = until("the silence is not told", || ground.silence());
        assert!(told.contains("has not answered for 5 s"), "{told}");
        assert_eq!(ground.silence(), None);
        ground.check().expect("it is no answer");
        fs::rename(&log, dir.path().join("elsewhere")).expect("it is there");
        drop(hung);
        until("it is not seen to be gone", || ground.check().err());
        let told = until("the answer is not told", || ground.silence());
        assert!(told.contains("answers again"), "{told}");
    }

    fn when_it_may(path: &Path) -> io::Result<(u64, u64)> {
        let _may = HANGS.read().map_err(|_| io::ErrorKind::Other)?;
        place(path)
    }

    static HANGS: RwLock<()> = RwLock::new(());
}
