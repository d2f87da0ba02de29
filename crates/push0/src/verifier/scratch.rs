//! The directory in which a verifier finds its envelope: its own, and gone after it.
//!
//! One that a killed process left goes at the next start: whoever still uses it holds a lock on it.
//!
//! Not here: what is in it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Once;

use tempfile::TempDir;

/// A directory of one verifier.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: TempDir,
    /// Held while it is in use.
    _lock: File,
}

impl Scratch {
    /// Makes one in `within`, or where the system keeps what is temporary.
    pub(super) fn make(within: Option<&Path>) -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        let dir = match within {
            Some(within) => {
                fs::create_dir_all(within)?;
                builder.tempdir_in(within)?
            }
            None => {
                SWEPT.call_once(|| sweep(&std::env::temp_dir()));
                builder.tempdir()?
            }
        };
        let lock = File::open(dir.path())?;
        let _ = lock.try_lock(); // where there are no locks, another start may remove it, and no verdict comes
        Ok(Self { dir, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes what killed processes left in `within`. Best effort: what stays goes at the next start.
pub(crate) fn sweep(within: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(within).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Not what a link leads to, and nothing of another user's.
        let is_own = || entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == own);
        if is_named && is_own() && File::open(entry.path()).is_ok_and(|it| it.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

const PREFIX: &str = "push0-verify-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_in_use_or_of_another_name_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let in_use = Scratch::make(Some(dir.path())).expect("a writable directory");
        let [left, other] = ["push0-verify-left", "verify"].map(|name| dir.path().join(name));
        for path in [&left, &other] {
            fs::create_dir(path).expect("a writable directory");
            fs::write(path.join("envelope.json"), "{}").expect("a writable directory");
        }
        let link = dir.path().join("push0-verify-link");
        std::os::unix::fs::symlink(&other, &link).expect("a writable directory");
        sweep(dir.path());
        assert!(!left.exists());
        assert!(in_use.path().exists() && other.join("envelope.json").exists() && link.exists());
    }
}
