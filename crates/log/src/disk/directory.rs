//! A directory of the operating system.
//!
//! Not here: faults; the tests have a disk of their own.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::Disk;

/// A directory by its path.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`, which need not exist.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Disk for Directory {
    type File = File;
    type Lock = File;

    fn prepare(&self) -> io::Result<()> {
        make_dir(&self.path)
    }

    fn lock(&self) -> io::Result<Option<File>> {
        let file = File::options().create(true).append(true).mode(OWN).open(self.path(LOCK))?;
        for _ in 1..LOCK_TRIES {
            if file.try_lock().is_ok() {
                return Ok(Some(file));
            }
            thread::sleep(LOCK_WAIT);
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(name))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        File::options().write(true).create(true).truncate(true).mode(OWN).open(self.path(name))
    }

    fn write_at(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync(&self.path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes the directory `path` and what is missing above it, each durable in the directory that
/// holds it.
///
/// # Errors
///
/// The system's own; what was made is left.
pub fn make_dir(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent().filter(|_| !path.is_dir()) else { return Ok(()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    make_dir(parent)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => sync(parent),
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Held locked by the log that writes here; empty.
const LOCK: &str = "lock";

/// Whom a file of a log is open to: its owner alone.
const OWN: u32 = 0o600;

/// A look at whether the log has a writer holds its lock for an instant (`push0 status`); a writer
/// that is there keeps it.
const LOCK_TRIES: u32 = 10;

/// Between two tries.
const LOCK_WAIT: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_it_makes_is_closed_to_others() {
        let dir = tempfile::tempdir().expect("a directory");
        let directory = Directory::new(dir.path());
        directory.create("a").expect("there is room");
        directory.lock().expect("it is ours").expect("nobody has it");
        for name in ["a", LOCK] {
            let mode =
                fs::metadata(directory.path(name)).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, OWN, "{name}");
        }
    }
}
