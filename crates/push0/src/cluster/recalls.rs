//! Which releases were taken back since a reader last saw to that. How far it has seen stands in a mark beside the files.
//!
//! Not here: what is done about it (`proofs`).

use std::path::{Path, PathBuf};

use push0_core::{ReleaseNumber, Scheduler, Seq};

use super::error::ClusterError;
use super::hook::{read_mark, write_mark};

/// What a reader knows of it.
pub(super) struct Recalls {
    mark: PathBuf,
    seen: Seq,
}

/// Releases that were taken back.
pub(super) struct Recalled {
    pub(super) numbers: Vec<ReleaseNumber>,
    /// The last release before all of them.
    pub(super) before: ReleaseNumber,
    last: Seq,
}

impl Recalls {
    /// As the mark says; where there is none, none was seen to.
    pub(super) fn open(out: &Path) -> Result<Self, ClusterError> {
        let mark = out.join(MARK);
        let seen = read_mark(&mark);
        let seen = seen.map_err(|what| ClusterError::Mark { path: mark.clone(), what })?;
        Ok(Self { mark, seen: Seq(seen.unwrap_or_default()) })
    }

    /// What was taken back that was not seen to.
    pub(super) fn since(&self, scheduler: &Scheduler) -> Option<Recalled> {
        let since: Vec<_> = scheduler.recalled().filter(|(_, at)| *at > self.seen).collect();
        let last = since.iter().map(|(_, at)| *at).max()?;
        let numbers: Vec<_> = since.into_iter().map(|(number, _)| number).collect();
        let first = numbers.iter().min()?;
        Some(Recalled { before: ReleaseNumber(first.0.saturating_sub(1)), numbers, last })
    }

    /// It was seen to.
    pub(super) fn saw(&mut self, recalled: Recalled) -> Result<(), ClusterError> {
        let path = self.mark.clone();
        let written = write_mark(&self.mark, recalled.last.0);
        written.map_err(|source| ClusterError::Dir { path, source })?;
        self.seen = recalled.last;
        Ok(())
    }
}

/// The position of the last recall that was seen to, in the directory of the proofs.
const MARK: &str = ".recalled";
