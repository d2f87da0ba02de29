//! The directory in which a verifier finds its envelope: its own, and gone after it.
//!
//! ```text
//!   push0-verify-…/       push0's own and marked, whatever the verifier's user: so it is known at the next start, and goes
//!   push0-verify-…/own/   the verifier's: its envelope, and what it keeps meanwhile
//! ```
//!
//! One that a killed process left goes at the next start.
//!
//! Not here: what is in it.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::temporary::{self, Temporary};

/// A directory of one verifier.
#[derive(Debug)]
pub(super) struct Scratch {
    _dir: Temporary,
    own: PathBuf,
}

impl Scratch {
    /// Makes one in `within`, or where the system keeps what is temporary.
    pub(super) fn make(within: Option<&Path>) -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let system = std::env::temp_dir();
        match within {
            Some(within) => fs::create_dir_all(within)?,
            None => SWEPT.call_once(|| sweep(&system)),
        }
        let dir = Temporary::make(within.unwrap_or(&system), PREFIX)?;
        // Whoever it is given to passes through the outer one, and looks into the inner one alone.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711))?;
        let own = dir.path().join("own");
        fs::DirBuilder::new().mode(0o700).create(&own)?;
        Ok(Self { _dir: dir, own })
    }

    /// What is the verifier's own.
    pub(super) fn path(&self) -> &Path {
        &self.own
    }
}

/// Removes what killed processes left in `within`. Best effort: what stays goes at the next start.
pub(crate) fn sweep(within: &Path) {
    temporary::sweep(within, PREFIX);
}

const PREFIX: &str = "push0-verify-";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_is_in_use_or_somebody_elses_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let in_use = Scratch::make(Some(dir.path())).expect("a writable directory");
        let others = ["push0-verify-thesis", "verify"].map(|name| dir.path().join(name));
        for path in &others {
            fs::create_dir(path).expect("a writable directory");
            fs::write(path.join("envelope.json"), "{}").expect("a writable directory");
        }
        let link = dir.path().join("push0-verify-linked");
        std::os::unix::fs::symlink(in_use._dir.path(), &link).expect("a writable directory");
        sweep(dir.path());
        assert!(in_use.path().exists() && link.exists());
        assert!(others.iter().all(|path| path.join("envelope.json").exists()));
    }

    #[test]
    fn what_was_given_to_another_user_goes_too() {
        if !rustix::process::geteuid().is_root() {
            return; // nobody else can give it
        }
        let dir = tempfile::tempdir().expect("a directory");
        let scratch = Scratch::make(Some(dir.path())).expect("a writable directory");
        let mut command = std::process::Command::new("true");
        // Whether it could reach it there is another matter.
        let _ = push0_dispatch::run_as(&mut command, "nobody", scratch.path());
        let path = scratch.path().to_owned();
        assert_eq!(fs::metadata(&path).expect("it is there").uid(), 65534);
        scratch._dir.abandon();
        assert!(path.exists());
        // What another test has just forked holds the lock until it runs its program.
        push0_testbed::until("it stays", || {
            sweep(dir.path());
            let left = fs::read_dir(dir.path()).expect("it is there").count();
            (left == 0).then_some(())
        });
    }
}
