//! The directory in which a verifier finds its envelope: its own, and gone after it.
//!
//! ```text
//!   push0-verify-…/       push0's own, whatever the verifier's user: so it is known at the next start, and goes
//!   push0-verify-…/own/   the verifier's: its envelope, and what it keeps meanwhile
//! ```
//!
//! One that a killed process left goes at the next start: whoever still uses it holds a lock on it.
//!
//! Not here: what is in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Once;

use tempfile::TempDir;

/// A directory of one verifier.
#[derive(Debug)]
pub(super) struct Scratch {
    _dir: TempDir,
    own: PathBuf,
    /// Held while it is in use.
    _lock: File,
}

impl Scratch {
    /// Makes one in `within`, or where the system keeps what is temporary.
    pub(super) fn make(within: Option<&Path>) -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        if within.is_none() {
            SWEPT.call_once(|| sweep(&std::env::temp_dir()));
        }
        // What another start takes for a dead one's before it is locked is gone, and another is made.
        for _ in 1..TRIES_MAX {
            if let Some(scratch) = Self::try_once(within)? {
                return Ok(scratch);
            }
        }
        let swept = || io::Error::other("other starts of push0 remove it as soon as it is made");
        Self::try_once(within)?.ok_or_else(swept)
    }

    /// None where it was removed before it was known to be in use.
    fn try_once(within: Option<&Path>) -> io::Result<Option<Self>> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        let dir = match within {
            Some(within) => {
                fs::create_dir_all(within)?;
                builder.tempdir_in(within)?
            }
            None => builder.tempdir()?,
        };
        let lock = match File::open(dir.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            lock => lock?,
        };
        // Where there are no locks, another start may remove it, and no verdict comes.
        let is_taken = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
        if is_taken || !dir.path().exists() {
            return Ok(None);
        }
        // Whoever it is given to passes through the outer one, and looks into the inner one alone.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711))?;
        let own = dir.path().join("own");
        fs::DirBuilder::new().mode(0o700).create(&own)?;
        Ok(Some(Self { _dir: dir, own, _lock: lock }))
    }

    /// What is the verifier's own.
    pub(super) fn path(&self) -> &Path {
        &self.own
    }
}

/// Removes what killed processes left in `within`. Best effort: what stays goes at the next start.
pub(crate) fn sweep(within: &Path) {
    sweep_named(within, PREFIX);
}

/// The same of directories whose names begin otherwise, each locked by whoever uses it.
pub(crate) fn sweep_named(within: &Path, prefix: &str) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(within).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        // Not what a link leads to, and nothing of another user's.
        let is_own = || entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == own);
        if is_named && is_own() && File::open(entry.path()).is_ok_and(|it| it.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

const PREFIX: &str = "push0-verify-";

/// As many other starts at one moment are no accident.
const TRIES_MAX: u32 = 8;

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

    #[test]
    fn one_is_had_while_others_sweep() {
        let dir = tempfile::tempdir().expect("a directory");
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    sweep(dir.path());
                }
            });
            for _ in 0..200 {
                let scratch = Scratch::make(Some(dir.path()));
                let is_there = scratch.as_ref().is_ok_and(|scratch| scratch.path().is_dir());
                over.store(!is_there, std::sync::atomic::Ordering::Relaxed);
                assert!(is_there, "{scratch:?}");
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn what_was_given_to_another_user_goes_too() {
        if !rustix::process::geteuid().is_root() {
            return; // nobody else can give it
        }
        let dir = tempfile::tempdir().expect("a directory");
        let mut scratch = Scratch::make(Some(dir.path())).expect("a writable directory");
        let mut command = std::process::Command::new("true");
        // Whether it could reach it there is another matter.
        let _ = push0_dispatch::run_as(&mut command, "nobody", scratch.path());
        let path = scratch.path().to_owned();
        assert_eq!(fs::metadata(&path).expect("it is there").uid(), 65534);
        scratch._dir.disable_cleanup(true);
        drop(scratch); // as a process that is killed
        assert!(path.exists());
        // What another test has just forked holds the lock until it runs its program.
        push0_testbed::until("it stays", || {
            sweep(dir.path());
            let left = fs::read_dir(dir.path()).expect("it is there").count();
            (left == 0).then_some(())
        });
    }
}
