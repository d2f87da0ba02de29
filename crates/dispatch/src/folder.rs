//! The directories of attempts and processes, and work that blocks.
//!
//! Not here: what is in them.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Makes a fresh directory for nobody but this user.
pub(crate) fn make(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    match builder.create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove_now(dir);
            builder.create(dir)
        }
        // Somebody has removed the working directory; it is no reason to fail.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            builder.recursive(true).create(dir)
        }
        made => made,
    }
}

/// Removes a directory with all that a prover left in it. Best effort: what stays goes at the next
/// start.
pub(crate) async fn remove(dir: PathBuf) {
    blocking(move || remove_now(&dir)).await;
}

/// As [`remove`], on this thread.
pub(crate) fn remove_now(dir: &Path) {
    if fs::remove_dir_all(dir).is_err() && dir.exists() {
        // A prover may have taken the right to remove things from it.
        open_up(dir, 0);
        let _ = fs::remove_dir_all(dir);
    }
}

/// Gives back the rights on directories that are needed to remove them.
fn open_up(dir: &Path, depth: usize) {
    let is_directory = fs::symlink_metadata(dir).is_ok_and(|metadata| metadata.is_dir());
    if !is_directory || depth > DEPTH_MAX {
        return;
    }
    let _ = fs::set_permissions(dir, Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        open_up(&entry.path(), depth + 1);
    }
}

/// Does what blocks where nothing else waits for it. Never spawn a process there: it would die with
/// that thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only when the runtime ends, and then nobody polls this.
            Err(_) => std::future::pending().await,
        },
    }
}

/// How deep directories are looked into.
const DEPTH_MAX: usize = 64;
