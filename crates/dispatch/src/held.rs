//! Results that wait for a verdict, kept across a restart of their dispatcher.
//!
//! The proof itself is durable in the store by then; what is kept here is the word that it is
//! there. It is not synced: a process that is killed loses nothing, a machine that loses power may
//! prove once more.
//!
//! Failures are not kept: whoever was started again is given its attempts up anyway.
//!
//! Not here: when one is let go of (`board`, `desk`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use push0_core::{AttemptId, Outcome, Report};

use crate::bounded::{self, REPORT_BYTES_MAX};
use crate::folder::{own, write_own};

/// Where they are.
#[derive(Clone, Debug)]
pub(crate) struct HeldResults {
    folder: Option<PathBuf>,
}

impl HeldResults {
    /// In a directory of their own; or nowhere, where engine and dispatcher are one process.
    pub(crate) fn open(dir: &Path, is_kept: bool) -> io::Result<Self> {
        let folder = dir.join("held");
        if is_kept {
            own(&folder)?;
        }
        Ok(Self { folder: is_kept.then_some(folder) })
    }

    /// What a former life held, as the reports of life `incarnation`. What cannot be read is left
    /// out.
    pub(crate) fn load(&self, incarnation: u64) -> Vec<Report> {
        let entries = self.folder.iter().flat_map(fs::read_dir).flatten().flatten();
        let report = |path: PathBuf| {
            let report: Report =
                serde_json::from_slice(&bounded::read(&path, REPORT_BYTES_MAX).ok()?).ok()?;
            Some(Report { incarnation, ..report })
        };
        entries.filter_map(|entry| report(entry.path())).take(HELD_MAX).collect()
    }

    /// Keeps a result. Best effort: without room it is kept in memory alone.
    pub(crate) fn keep(&self, report: &Report) {
        let (Some(folder), Outcome::Proved(_)) = (&self.folder, &report.outcome) else { return };
        let Ok(json) = serde_json::to_vec(report) else { return };
        let path = file(folder, report.attempt);
        let new = path.with_extension("new");
        let _ = write_own(&new, json).and_then(|()| fs::rename(&new, &path));
    }

    /// Whether results are kept here at all.
    pub(crate) const fn is_kept(&self) -> bool {
        self.folder.is_some()
    }

    /// Its verdict has come.
    pub(crate) fn forget(&self, attempt: AttemptId) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_file(file(folder, attempt)); // a failure was never there
        }
    }
}

fn file(folder: &Path, attempt: AttemptId) -> PathBuf {
    folder.join(format!("{}.json", attempt.0))
}

/// More than any dispatcher has slots; what is left out is proved once more.
const HELD_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use push0_core::{Digest, ResultRef, TaskId};

    use super::*;

    #[test]
    fn a_result_is_there_for_the_next_life_until_its_verdict() {
        let dir = tempfile::tempdir().expect("a directory");
        let held = HeldResults::open(dir.path(), true).expect("a writable directory");
        let proved = report(7, Outcome::Proved(result()));
        held.keep(&proved);
        held.keep(&report(8, Outcome::Cancelled));
        fs::write(dir.path().join("held/9.json"), "{").expect("a writable directory");
        let again = HeldResults::open(dir.path(), true).expect("a writable directory");
        assert_eq!(again.load(2), [Report { incarnation: 2, ..proved }]);
        again.forget(AttemptId(7));
        assert_eq!(again.load(3), []);
    }

    #[test]
    fn nothing_is_kept_where_nobody_wants_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let held = HeldResults::open(dir.path(), false).expect("nothing is made");
        held.keep(&report(7, Outcome::Proved(result())));
        assert!(held.load(1).is_empty() && !dir.path().join("held").exists());
    }

    fn report(attempt: u64, outcome: Outcome) -> Report {
        let (dispatcher, task) = ("one".parse().expect("a name"), TaskId([1; 32]));
        let ran = Duration::from_secs(1);
        Report { dispatcher, incarnation: 1, attempt: AttemptId(attempt), task, outcome, ran }
    }

    fn result() -> ResultRef {
        let output = Digest::of(b"a");
        let (statement, parts) = (output, Vec::new());
        ResultRef { output, bytes: 1, statement, vkey: None, mock: true, parts }
    }
}
