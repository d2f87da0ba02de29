//! Which releases were taken back since a reader last saw to that. How far it has seen stands in a
//! mark beside the files.
//!
//! Positions are of one log, and of one history of it, which the time of the last recall tells. By
//! the mark of another nothing was seen to: what is seen to twice costs a hook a run more, and what
//! is never seen to leaves a wrong proof standing.
//!
//! Not here: what is done about it (`proofs`).

use std::path::{Path, PathBuf};

use push0_core::{ReleaseNumber, Scheduler, Seq};

use super::error::ClusterError;
use super::reached::HookMark;
use super::replica::Replica;
use crate::tell;

/// What a reader knows of it.
pub(super) struct Recalls {
    mark: PathBuf,
    log: String,
    /// What the mark says, until the log was read as far.
    said: Option<HookMark>,
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
    /// As the mark says; where there is none, or one of another log, none was seen to.
    pub(super) fn open(out: &Path, log: &str) -> Result<Self, ClusterError> {
        let mark = out.join(MARK);
        let said = HookMark::read(&mark);
        let said = said.map_err(|what| ClusterError::RecallMark { path: mark.clone(), what })?;
        let said = said.filter(|said| said.log.as_ref().is_none_or(|other| other == log));
        Ok(Self { mark, log: log.to_owned(), said, seen: Seq(0) })
    }

    /// Compares the mark with the log, once that was read as far; `false` before. `is_all` says
    /// that it has no more.
    pub(super) fn agrees(&mut self, replica: &Replica, is_all: bool) -> bool {
        let Some(said) = &self.said else { return true };
        let seen = Seq(said.number);
        if replica.last() < seen && !is_all {
            return false;
        }
        let found = replica.recalled_at(seen).map(|at| at.0.to_string());
        let is_same = match &said.history {
            Some(history) => found.as_ref() == Some(history),
            None => found.is_some() || seen == Seq(0),
        };
        match is_same {
            true => self.seen = seen,
            false => tell::warn(format_args!(
                "{} is of another history of the log: what was taken back in this one is seen to from its beginning",
                self.mark.display()
            )),
        }
        self.said = None;
        true
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
    pub(super) fn saw(
        &mut self,
        recalled: Recalled,
        replica: &Replica,
    ) -> Result<(), ClusterError> {
        let history = replica.recalled_at(recalled.last).map(|at| at.0.to_string());
        let log = Some(self.log.clone());
        HookMark { log, number: recalled.last.0, history }.write(&self.mark)?;
        self.seen = recalled.last;
        Ok(())
    }
}

/// The position of the last recall that was seen to, in the directory of the proofs.
const MARK: &str = ".recalled";
