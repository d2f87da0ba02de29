//! Outputs on which no verifier has given a verdict, kept for the next attempt at their task.
//!
//! A verifier that fails costs the attempt, and not the hours that its proof took: the next attempt
//! at the same task on this dispatcher begins with the verifier. Nothing is believed of what is
//! kept: it is judged as if it had just been made. What is refused then is dropped, and the task is
//! proved anew, at nobody's budget.
//!
//! Best effort, and bounded: the oldest goes first. It is for hours of work, not for every proof of
//! a long outage.
//!
//! Not here: when there is a verdict (`verify`).

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use push0_core::TaskId;

use crate::folder::{own, write_own};

/// Where they are, and whose: who looks for one must not wait for a disk.
#[derive(Debug)]
pub(crate) struct Unjudged {
    folder: PathBuf,
    tasks: Mutex<BTreeSet<String>>,
}

impl Unjudged {
    /// In a directory of their own beneath a dispatcher's, made when there is one to keep. What a
    /// killed life left half written goes.
    pub(crate) fn open(dir: &Path) -> Self {
        let folder = dir.join(FOLDER);
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let (halves, whole): (Vec<_>, Vec<_>) = entries
            .map(|entry| entry.path())
            .partition(|path| path.extension() == Some(NEW.as_ref()));
        for half in halves {
            let _ = fs::remove_file(half); // the oldest go anyway
        }
        let names = whole.iter().filter_map(|path| path.file_name());
        let tasks = names.map(|name| name.to_string_lossy().into_owned()).collect();
        Self { folder, tasks: Mutex::new(tasks) }
    }

    /// The output of a former attempt at this task, if there is one.
    pub(crate) fn find(&self, task: &TaskId) -> Option<PathBuf> {
        self.tasks().contains(&task.to_string()).then(|| self.path(task))
    }

    /// Keeps an output. Best effort: without room it is made again.
    pub(crate) fn keep(&self, task: &TaskId, bytes: &[u8]) {
        if self.find(task).is_some() {
            return; // this is where it comes from
        }
        if self.write(task, bytes).is_ok() {
            self.tasks().insert(task.to_string());
        }
        self.bound();
    }

    /// There was a verdict on it.
    pub(crate) fn forget(&self, task: &TaskId) {
        self.tasks().remove(&task.to_string());
        let _ = fs::remove_file(self.path(task)); // it may never have been there
    }

    fn write(&self, task: &TaskId, bytes: &[u8]) -> io::Result<()> {
        own(&self.folder)?;
        let path = self.path(task);
        let new = path.with_extension(NEW);
        let placed = write_own(&new, bytes).and_then(|()| fs::rename(&new, &path));
        placed.inspect_err(|_| drop(fs::remove_file(&new)))
    }

    /// Removes the oldest.
    fn bound(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        let mut count = files.len();
        for (_, size, path) in files {
            if count <= COUNT_MAX && bytes <= BYTES_MAX {
                return;
            }
            if let Some(name) = path.file_name() {
                self.tasks().remove(&*name.to_string_lossy());
            }
            let _ = fs::remove_file(path);
            (count, bytes) = (count - 1, bytes - size);
        }
    }

    fn path(&self, task: &TaskId) -> PathBuf {
        self.folder.join(task.to_string())
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const FOLDER: &str = "unjudged";

/// What one that is being written ends with.
const NEW: &str = "new";

/// As many as a few machines' worth of slots.
const COUNT_MAX: usize = 64;

/// A few of the largest, many of the usual size. Unit: bytes.
const BYTES_MAX: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_kept_stays_while_others_make_the_directory_and_is_for_nobody_else() {
        let dir = tempfile::tempdir().expect("a directory");
        // Two that have looked, and found no directory.
        let (first, second) = (Unjudged::open(dir.path()), Unjudged::open(dir.path()));
        let (one, two) = (TaskId([1; 32]), TaskId([2; 32]));
        std::thread::scope(|scope| {
            scope.spawn(|| first.keep(&one, b"proof"));
            scope.spawn(|| second.keep(&two, b"proof"));
        });
        let half = dir.path().join(FOLDER).join("half.new");
        fs::write(&half, "pro").expect("written");
        let again = Unjudged::open(dir.path());
        let kept = [one, two].map(|task| again.find(&task).expect("it is kept"));
        for path in kept {
            let mode = fs::metadata(path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(!half.exists());
    }

    #[test]
    fn the_oldest_goes_first_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let unjudged = Unjudged::open(dir.path());
        let task = |number: u8| TaskId([number; 32]);
        for number in 0..=64 {
            unjudged.keep(&task(number), b"proof");
            let file = unjudged.find(&task(number)).expect("it is kept");
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number.into());
            File::open(file).and_then(|file| file.set_modified(at)).expect("a time");
        }
        unjudged.keep(&task(65), b"proof");
        let kept = |number| unjudged.find(&task(number)).is_some();
        let again = Unjudged::open(dir.path());
        assert!(again.find(&task(65)).is_some() && again.find(&task(0)).is_none());
        assert_eq!([0, 1, 2, 64, 65].map(kept), [false, false, true, true, true]);
        unjudged.forget(&task(65));
        assert!(!kept(65));
        assert_eq!(fs::read_dir(dir.path().join(FOLDER)).expect("a directory").count(), 63);
    }
}
