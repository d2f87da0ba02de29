//! Whether a disk has room for what is still to be kept, or takes anything at all.
//!
//! New work stops while there is still room: what is left is for the results of the work in hand,
//! and for the facts about it.
//!
//! Not here: what is done about it (`desk` takes no grant, the feeder of blocks waits).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

/// The disk under a directory, at a moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Room {
    /// The directory.
    pub path: PathBuf,
    /// What this process may still write there. Unit: bytes.
    pub free_bytes: u64,
    /// What the disk holds in all. Unit: bytes.
    pub total_bytes: u64,
    /// Whether it takes nothing, however much is free.
    pub is_read_only: bool,
}

impl Room {
    /// Looks.
    ///
    /// # Errors
    ///
    /// The disk's own: then nothing is known.
    pub fn look(path: &Path) -> io::Result<Self> {
        let disk = statvfs(path)?;
        Ok(Self {
            path: path.to_owned(),
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
            is_read_only: disk.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }

    /// Below this much, nothing new is begun: a fiftieth of the disk, but 64 MiB to 1 GiB, and of a
    /// small disk an eighth. Unit: bytes.
    #[must_use]
    pub fn reserve_bytes(&self) -> u64 {
        (self.total_bytes / 50).clamp(64 << 20, 1 << 30).min(self.total_bytes / 8)
    }

    /// Whether nothing new is to be begun.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.is_read_only || self.free_bytes < self.reserve_bytes()
    }

    /// Whether there is room again, after it was short: some more than was missing, so that what is
    /// begun then is not stopped at once.
    #[must_use]
    pub fn is_ample(&self) -> bool {
        let reserve = self.reserve_bytes();
        !self.is_read_only && self.free_bytes >= reserve + reserve / 4
    }
}

/// For a person: what is the matter, and what to do.
impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.is_read_only {
            return write!(f, "the disk of {path} is read-only: mount it writable");
        }
        let mib = |bytes: u64| bytes >> 20;
        let (free, total, reserve) = (self.free_bytes, self.total_bytes, self.reserve_bytes());
        write!(
            f,
            "the disk of {path} has {} of {} MiB free, and {} MiB are kept for results: make room",
            mib(free),
            mib(total),
            mib(reserve)
        )
    }
}

/// Whether an error says that a disk takes no more.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;

    matches!(error.kind(), Kind::StorageFull | Kind::QuotaExceeded | Kind::ReadOnlyFilesystem)
}

/// What the files beneath a directory take on disk, as far as so many of them can be looked at.
/// Unit: bytes.
#[must_use]
pub fn taken_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    let (mut bytes, mut looked, mut folders) = (0, 0, vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            looked += 1;
            if looked > LOOKED_MAX {
                return bytes;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            bytes += metadata.blocks() * 512;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    bytes
}

/// Files that are looked at beneath one directory.
const LOOKED_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_suits_its_disk() {
        let room = |total_mib: u64, free_mib: u64| Room {
            path: "/".into(),
            free_bytes: free_mib << 20,
            total_bytes: total_mib << 20,
            is_read_only: false,
        };
        assert_eq!(room(64, 0).reserve_bytes(), 8 << 20);
        assert_eq!(room(1_000, 0).reserve_bytes(), 64 << 20);
        assert_eq!(room(1_000_000, 0).reserve_bytes(), 1 << 30);
        assert!(room(64, 7).is_short() && !room(64, 8).is_short());
        assert!(!room(64, 9).is_ample() && room(64, 10).is_ample());
        let locked = Room { is_read_only: true, ..room(1_000, 900) };
        assert!(locked.is_short() && !locked.is_ample());
    }

    #[test]
    fn what_a_directory_takes_is_counted_with_all_beneath_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).expect("made");
        std::fs::write(deep.join("c"), vec![7; 1 << 20]).expect("written");
        assert!(taken_bytes(dir.path()) >= 1 << 20);
        assert!(Room::look(&deep).expect("a disk").total_bytes > 0);
    }
}
