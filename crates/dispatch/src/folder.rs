//! The directories of attempts and processes, and work that blocks.
//!
//! Not here: what is in them.

mod unpack;

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Makes a directory of push0's own, with those above it, and keeps others out of it: whatever the
/// umask, and though an older version left it open.
///
/// # Errors
///
/// The disk's own.
pub fn own(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Writes a file of push0's own, which nobody else can read.
pub(crate) fn write_own(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // One that is there may have been open to others.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes.as_ref())
}

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

/// As [`remove`], on this thread. Whether nothing is left.
pub(crate) fn remove_now(dir: &Path) -> bool {
    let is_gone =
        || fs::symlink_metadata(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if fs::remove_dir_all(dir).is_ok() || is_gone() {
        return true;
    }
    // A prover may have taken the right to remove things from it, and made it deeper than any path
    // is long.
    let _ = unpack::remove(dir);
    is_gone()
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
