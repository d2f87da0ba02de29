//! Directories made ahead of the attempts that need them.
//!
//! A file system may take its time to find room for a new directory or file: ext4 without a journal
//! looks past every inode that was given up in the last seconds, and a dispatcher gives up three an
//! attempt. A warm prover that answers at once would wait longer for its directory than it works.
//! So each attempt that has ended leaves one for another, empty and of a name that no prover was
//! told.
//!
//! Not here: what is in them (`input`), and when they go (`folder`).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::folder::{make, remove_now};
use crate::input::INPUT;

/// The directories that are ready.
#[derive(Debug)]
pub(crate) struct Spares {
    folder: PathBuf,
    ready: Mutex<Vec<PathBuf>>,
    made: AtomicU64,
    max: usize,
}

impl Spares {
    /// Directories beneath `folder`: no more of them than `slots` could ask for at once.
    pub(crate) fn new(folder: PathBuf, slots: u32) -> Self {
        let max = usize::try_from(slots).unwrap_or(SPARES_MAX).min(SPARES_MAX);
        Self { folder, ready: Mutex::default(), made: AtomicU64::new(0), max }
    }

    /// Has a fresh directory at `dir`, for nobody but this user.
    pub(crate) fn place(&self, dir: &Path) -> io::Result<()> {
        let spare = self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match spare {
            Some(spare) if fs::rename(&spare, dir).is_ok() => Ok(()),
            // Something is in its place, or somebody has removed what was ready.
            Some(spare) => {
                remove_now(&spare);
                make(dir)
            }
            None => make(dir),
        }
    }

    /// Makes one more, while there are few. Best effort: without it an attempt makes its own.
    pub(crate) fn add(&self) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= self.max {
            return;
        }
        let spare =
            self.folder.join(format!("spare-{}", self.made.fetch_add(1, Ordering::Relaxed)));
        match make(&spare).and_then(|()| File::create(spare.join(INPUT))) {
            Ok(_) => ready.push(spare),
            Err(_) => {
                remove_now(&spare);
            }
        }
    }
}

/// Enough for as many attempts as begin while one ends.
const SPARES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_becomes_the_directory_and_is_gone() {
        let (dir, spares) = spares(2);
        for _ in 0..3 {
            spares.add();
        }
        assert_eq!(names(&spares.folder), ["spare-0", "spare-1"]);
        for attempt in ["a", "b", "c"] {
            spares.place(&dir.path().join(attempt)).expect("a directory");
        }
        assert_eq!(names(dir.path()), ["a", "b", "c", "spare"]);
        assert_eq!(names(&spares.folder), [""; 0]);
    }

    #[test]
    fn what_stands_in_its_place_goes() {
        let (dir, spares) = spares(1);
        spares.add();
        let place = dir.path().join("a");
        fs::create_dir_all(place.join("left")).expect("a directory");
        spares.place(&place).expect("a directory");
        assert_eq!((names(&place), names(&spares.folder)), (vec![], vec![]));
    }

    #[test]
    fn what_was_removed_meanwhile_is_made() {
        let (dir, spares) = spares(1);
        spares.add();
        fs::remove_dir_all(&spares.folder).expect("it is there");
        spares.place(&dir.path().join("a")).expect("a directory");
        assert_eq!(names(&dir.path().join("a")), [""; 0]);
    }

    fn spares(slots: u32) -> (tempfile::TempDir, Spares) {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = dir.path().join("spare");
        make(&folder).expect("a directory");
        (dir, Spares::new(folder, slots))
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("a directory").filter_map(Result::ok);
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
