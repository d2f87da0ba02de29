//! Artifacts as files of a directory, which many machines may share.
//!
//! ```text
//!   DIR/identity              32 hexadecimal digits, drawn when the store was made
//!   DIR/<first two>/<digest>  an artifact
//!   DIR/tmp/                  what is being written
//! ```
//!
//! A file's time of change is that of its latest `put`.
//!
//! Not here: what callers may count on (`store`).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use push0_core::Digest;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

use super::{Broken, MOVING, ReadError, StoreError, Stored, copy_bytes, drawn, hash_file};

/// A directory of artifacts. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct DirStore {
    dir: Arc<Path>,
    identity: Arc<str>,
    /// What its files in `tmp` begin with: process ids are not enough, for other machines have the same.
    own: Arc<str>,
    writes: Arc<AtomicU64>,
    /// The folders whose own names were synced by this process: at most 256.
    synced: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Taken for writing by a sweep, so that nothing goes between a `put` that finds it and its return.
    sweeping: Arc<RwLock<()>>,
}

impl DirStore {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError { path, source }
        };
        let tmp = dir.join(TMP);
        fs::create_dir_all(&tmp).map_err(at(&tmp))?;
        let dir = fs::canonicalize(dir).map_err(at(dir))?;
        let identity = identity(&dir, &tmp).map_err(at(&dir.join(IDENTITY)))?;
        // Whoever made it may have been killed before its name was synced.
        sync_folder(&dir).map_err(at(&dir))?;
        let own = drawn().map_err(at(&dir))?.trim().into();
        let (dir, identity) = (dir.into(), identity.into());
        Ok(Self {
            dir,
            identity,
            own,
            writes: Arc::default(),
            synced: Arc::default(),
            sweeping: Arc::default(),
        })
    }

    pub(super) fn open_to_read(dir: &Path) -> Result<Self, StoreError> {
        let at = |source| StoreError { path: dir.to_owned(), source };
        let own = fs::canonicalize(dir).map_err(at)?;
        let identity = fs::read_to_string(own.join(IDENTITY)).map_err(at)?;
        let (dir, identity) = (own.into(), identity.trim().into());
        let own = drawn().map_err(at)?.trim().into();
        let (writes, synced, sweeping) = (Arc::default(), Arc::default(), Arc::default());
        Ok(Self { dir, identity, own, writes, synced, sweeping })
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        self.put_as(digest, |file| file.write_all(bytes))
    }

    pub(super) fn put_file(&self, source: &Path) -> Result<Digest, StoreError> {
        let unread = |error| StoreError { path: source.to_owned(), source: error };
        let (digest, _) = hash_file(source).map_err(unread)?;
        let from = File::open(source).map_err(unread)?;
        self.put_as(digest, |file| {
            let (copied, _) = copy_bytes(from, file)?;
            if copied == digest { Ok(()) } else { Err(io::Error::other(MOVING)) }
        })
    }

    fn put_as(
        &self,
        digest: Digest,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<Digest, StoreError> {
        let path = self.path(digest);
        let _held = self.sweeping.read().unwrap_or_else(PoisonError::into_inner);
        let stored = match self.holds(digest) {
            // Whoever put it may have been killed before its name was synced.
            true => touch(&path).and_then(|()| self.sync_name(&path)).and_then(|()| sync(&path)),
            false => self.write(&path, fill),
        };
        stored.map(|()| digest).map_err(|source| StoreError { path, source })
    }

    pub(super) fn copy(&self, digest: Digest, to: &mut impl Write) -> Result<u64, ReadError> {
        let path = self.path(digest);
        let unreadable = |source: io::Error| match source.kind() == io::ErrorKind::NotFound {
            true => ReadError::Missing { digest },
            false => ReadError::Io { digest, source },
        };
        let file = File::open(&path).map_err(unreadable)?;
        let (found, length) = copy_bytes(file, to).map_err(|broken| match broken {
            Broken::Read(source) => ReadError::Io { digest, source },
            Broken::Write(source) => ReadError::Write { digest, source },
        })?;
        if found == digest { Ok(length) } else { Err(ReadError::Damaged { digest, found, path }) }
    }

    pub(super) fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.dir.join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// A folder that goes meanwhile is passed over.
    pub(super) fn list(&self) -> io::Result<Vec<Stored>> {
        let mut found = Vec::new();
        for folder in fs::read_dir(&self.dir)?.collect::<Result<Vec<_>, _>>()? {
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())?.flatten() {
                // One that goes meanwhile is not there.
                let Ok(metadata) = file.metadata() else { continue };
                let digest = file.file_name().to_str().and_then(|name| name.parse().ok());
                let (bytes, put) = (metadata.len(), metadata.modified()?);
                found.push(Stored { path: file.path(), digest, bytes, put });
            }
        }
        Ok(found)
    }

    pub(super) fn now(&self) -> io::Result<SystemTime> {
        let path = self.temporary();
        let now = File::create(&path)?.metadata()?.modified();
        fs::remove_file(&path)?;
        now
    }

    pub(super) fn sweep(&self, stored: &Stored, before: SystemTime) -> io::Result<bool> {
        let _alone = self.sweeping.write().unwrap_or_else(PoisonError::into_inner);
        let metadata = match fs::metadata(&stored.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            metadata => metadata?,
        };
        if metadata.modified()? >= before || !metadata.is_file() {
            return Ok(false);
        }
        fs::remove_file(&stored.path)?;
        Ok(true)
    }

    /// A path that nobody else writes to.
    fn temporary(&self) -> PathBuf {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        self.dir.join(TMP).join(format!("{}-{number}", self.own))
    }

    /// Whether the artifact is there, whole. What cannot be read counts as not there.
    fn holds(&self, digest: Digest) -> bool {
        self.copy(digest, &mut io::sink()).is_ok()
    }

    /// Makes the folder of `path` where there is none, and its name durable, once: it may have been made
    /// by another that has not synced it yet, or was killed before it did.
    fn sync_name(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        let synced = || self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) if synced().contains(folder) => return Ok(()),
            Ok(()) | Err(_) => {}
        }
        File::open(folder)?.sync_all()?;
        sync_folder(folder)?;
        synced().insert(folder.to_owned());
        Ok(())
    }

    fn write(&self, path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let temporary = self.temporary();
        let named = self.sync_name(path);
        let written = named.and_then(|()| write_durably(&temporary, path, fill));
        if written.is_err() {
            // Best effort: the error that is returned says what is wrong.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// The identity in `dir`, drawn by the first of several that ask for it.
pub(crate) fn identity(dir: &Path, tmp: &Path) -> io::Result<String> {
    let path = dir.join(IDENTITY);
    match fs::read_to_string(&path) {
        Ok(identity) => return Ok(identity.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let drawn = drawn()?;
    let temporary = tmp.join(format!("identity-{}", drawn.trim()));
    let mut file = File::create(&temporary)?;
    file.write_all(drawn.as_bytes())?;
    file.sync_all()?;
    // A link, not a rename: it never takes the place of an identity that somebody has read.
    let linked = fs::hard_link(&temporary, &path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    File::open(dir)?.sync_all()?;
    fs::read_to_string(&path).map(|identity| identity.trim().to_owned())
}

fn write_durably(
    temporary: &Path,
    path: &Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    fill(&mut file)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    sync_folder(path)
}

/// Notes that it was put again.
fn touch(path: &Path) -> io::Result<()> {
    let file = File::options().append(true).open(path)?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(&file, &Timestamps { last_access: now, last_modification: now })?)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

const IDENTITY: &str = "identity";
const TMP: &str = "tmp";
