//! What a run stands on: its data directory, and whether that is still there.
//!
//! A log that is removed while it is written goes on where nobody can read it. So a run looks whether the directory of
//! its log is the one that it opened, and ends at once if it is not. A store that is removed is made again (`dispatch`).
//!
//! Not here: a disk without room (`sight`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use push0_dispatch::Store;

use super::Run;
use super::error::RunError;
use crate::tell;

/// The directory of a log, and which one that was.
#[derive(Debug)]
pub(super) struct Ground {
    log: PathBuf,
    place: (u64, u64),
    /// Held open, so that no other directory gets its number.
    _there: File,
    store: Store,
    /// How often a person was told that the store was made again.
    told: u64,
}

impl Ground {
    pub(super) fn of(log: &Path, store: Store) -> io::Result<Self> {
        let there = File::open(log)?;
        Ok(Self { log: log.to_owned(), place: place(log)?, _there: there, store, told: 0 })
    }

    /// Makes sure that the log is where it was. A disk that does not answer is no answer.
    fn check(&self) -> Result<(), RunError> {
        match place(&self.log) {
            Ok(place) if place == self.place => Ok(()),
            Err(error) if !matches!(error.kind(), GONE | REPLACED) => Ok(()),
            Ok(_) | Err(_) => Err(RunError::Removed { log: self.log.clone() }),
        }
    }

    /// What a person is told of a store that was made again; nothing where that was told.
    fn made_again(&mut self) -> Option<&'static str> {
        let times = self.store.times_made_again();
        (std::mem::replace(&mut self.told, times) < times).then_some(MADE_AGAIN)
    }
}

impl Run {
    /// Ends the run where its log has gone, and tells of a store that had.
    pub(super) fn look_at_ground(&mut self) -> Result<(), RunError> {
        self.ground.check()?;
        if let Some(words) = self.ground.made_again() {
            tell::warn(words);
        }
        Ok(())
    }
}

fn place(dir: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(dir).map(|found| (found.dev(), found.ino()))
}

const GONE: io::ErrorKind = io::ErrorKind::NotFound;
const REPLACED: io::ErrorKind = io::ErrorKind::NotADirectory;

const MADE_AGAIN: &str = "the store was removed while this run used it; it is there again, and what is needed of it is \
                          made again";
