//! Artifacts by their SHA-256, one file each, in a directory.
//!
//! ```text
//!   DIR/identity              32 hexadecimal digits, drawn when the store was made
//!   DIR/<first two>/<digest>  an artifact
//!   DIR/tmp/                  what is being written
//! ```
//!
//! An artifact is there whole or not at all, and once `put` returns it survives a power loss. What is
//! read is hashed again, always; what is damaged is never returned, and is replaced by the next `put`.
//!
//! A file's time of change is that of its latest `put`. Whoever comes to refer to an artifact has put it just
//! before, so what is old and not referred to may be swept.
//!
//! Not here: what is referred to (the engine knows).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use push0_core::Digest;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use sha2::{Digest as _, Sha256};

/// A directory of artifacts. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    dir: Arc<Path>,
    identity: Arc<str>,
    writes: Arc<AtomicU64>,
    /// The folders whose own names were synced by this process: at most 256.
    synced: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Taken for writing by a sweep, so that nothing goes between a `put` that finds it and its return.
    sweeping: Arc<RwLock<()>>,
}

impl Store {
    /// Opens the store in `dir`; makes one where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the directory cannot be made, written or read.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
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
        let (dir, identity) = (dir.into(), identity.into());
        Ok(Self {
            dir,
            identity,
            writes: Arc::default(),
            synced: Arc::default(),
            sweeping: Arc::default(),
        })
    }

    /// Opens the store in `dir` for reading: makes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if there is none, or it cannot be read.
    pub fn open_to_read(dir: &Path) -> Result<Self, StoreError> {
        let at = |source| StoreError { path: dir.to_owned(), source };
        let own = fs::canonicalize(dir).map_err(at)?;
        let identity = fs::read_to_string(own.join(IDENTITY)).map_err(at)?;
        let (dir, identity) = (own.into(), identity.trim().into());
        let (writes, synced, sweeping) = (Arc::default(), Arc::default(), Arc::default());
        Ok(Self { dir, identity, writes, synced, sweeping })
    }

    /// What tells this store from every other: a dispatcher that has another is of no use.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stores `bytes`, durably. What is there whole already stays; what is there damaged is replaced.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is stored; try again once there is room, or the disk answers.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.path(digest);
        let _held = self.sweeping.read().unwrap_or_else(PoisonError::into_inner);
        let stored = match self.holds(digest) {
            // Whoever put it may have been killed before its name was synced.
            true => touch(&path).and_then(|()| self.sync_name(&path)).and_then(|()| sync(&path)),
            false => self.write(&path, bytes),
        };
        stored.map(|()| digest).map_err(|source| StoreError { path, source })
    }

    /// Stores the bytes of the file at `source`, as [`put`](Self::put) does.
    ///
    /// # Errors
    ///
    /// [`StoreError`], with the path that could not be read or written.
    pub fn put_file(&self, source: &Path) -> Result<Digest, StoreError> {
        let bytes = fs::read(source);
        let bytes = bytes.map_err(|error| StoreError { path: source.to_owned(), source: error })?;
        self.put(&bytes)
    }

    /// The bytes of an artifact.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: only missing and damaged mean that it must be made again.
    pub fn read(&self, digest: Digest) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        self.copy(digest, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes the bytes of an artifact to `to`, and says how many there were. What was written is to
    /// be thrown away unless this returns `Ok`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); [`ReadError::Write`] if `to` fails.
    pub fn copy(&self, digest: Digest, to: &mut impl Write) -> Result<u64, ReadError> {
        let path = self.path(digest);
        let unreadable = |source: io::Error| match source.kind() == io::ErrorKind::NotFound {
            true => ReadError::Missing { digest },
            false => ReadError::Io { digest, source },
        };
        let mut file = File::open(&path).map_err(unreadable)?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(ReadError::Io { digest, source }),
            };
            hash.update(read);
            length += read.len() as u64;
            to.write_all(read).map_err(|source| ReadError::Write { digest, source })?;
        }
        let found = Digest(hash.finalize().into());
        if found == digest { Ok(length) } else { Err(ReadError::Damaged { digest, found, path }) }
    }

    /// Where an artifact is, or would be. Its bytes are not checked: prefer [`read`](Self::read).
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.dir.join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// Every artifact that is there, and what a killed `put` has left. A folder that goes meanwhile is
    /// passed over.
    ///
    /// # Errors
    ///
    /// The disk's own.
    pub fn list(&self) -> io::Result<Vec<Stored>> {
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

    /// The time by the clock that files here are dated with.
    ///
    /// # Errors
    ///
    /// The disk's own.
    pub fn now(&self) -> io::Result<SystemTime> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(TMP).join(format!("{}-{number}", std::process::id()));
        let now = File::create(&path)?.metadata()?.modified();
        fs::remove_file(&path)?;
        now
    }

    /// Removes what was listed, unless it was put again since `before`; whether it did.
    ///
    /// # Errors
    ///
    /// The disk's own.
    pub fn sweep(&self, stored: &Stored, before: SystemTime) -> io::Result<bool> {
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

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let temporary = self.dir.join(TMP).join(format!("{}-{number}", std::process::id()));
        let named = self.sync_name(path);
        let written = named.and_then(|()| write_durably(&temporary, path, bytes));
        if written.is_err() {
            // Best effort: the error that is returned says what is wrong.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// A file of the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Where it is.
    pub path: PathBuf,
    /// Which artifact it is; `None` for what is no whole one.
    pub digest: Option<Digest>,
    /// Its size.
    pub bytes: u64,
    /// When it was put last.
    pub put: SystemTime,
}

/// An artifact could not be stored, or a store not opened.
#[derive(Debug, thiserror::Error)]
#[error("store {}: {source}", path.display())]
pub struct StoreError {
    /// What could not be read or written.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Why the bytes of an artifact cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Make it again.
    #[error("artifact {digest} is not in the store")]
    Missing { digest: Digest },
    /// Make it again: the next `put` replaces it.
    #[error("artifact {digest} is damaged: {} has SHA-256 {found}", path.display())]
    Damaged { digest: Digest, found: Digest, path: PathBuf },
    /// Try again: the store does not answer, which says nothing about the artifact.
    #[error("artifact {digest} cannot be read: {source}")]
    Io { digest: Digest, source: io::Error },
    /// Try again: the copy could not be written.
    #[error("a copy of artifact {digest} cannot be written: {source}")]
    Write { digest: Digest, source: io::Error },
}

/// The identity in `dir`, drawn by the first of several that ask for it.
pub(crate) fn identity(dir: &Path, tmp: &Path) -> io::Result<String> {
    let path = dir.join(IDENTITY);
    match fs::read_to_string(&path) {
        Ok(identity) => return Ok(identity.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let temporary = tmp.join(format!("identity-{}", std::process::id()));
    let drawn = format!("{:032x}\n", crate::config::random::<16>().map(u128::from_le_bytes)?);
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

fn write_durably(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(bytes)?;
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

/// Read and hashed at once.
const COPY_BYTES: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_put_is_read_back() {
        let (_dir, store) = fresh();
        let digest = store.put(b"proof").expect("put");
        assert_eq!(digest, Digest::of(b"proof"));
        assert_eq!(store.put(b"proof").expect("put again"), digest);
        assert_eq!(store.read(digest).expect("read"), b"proof");
    }

    #[test]
    fn a_missing_artifact_is_missing() {
        let (_dir, store) = fresh();
        let read = store.read(Digest::of(b"never put"));
        assert!(matches!(read, Err(ReadError::Missing { .. })), "{read:?}");
    }

    #[test]
    fn a_damaged_artifact_is_refused_until_it_is_put_again() {
        let (_dir, store) = fresh();
        let digest = store.put(b"proof").expect("put");
        fs::write(store.path(digest), b"prooF").expect("damage");
        let read = store.read(digest);
        assert!(matches!(read, Err(ReadError::Damaged { .. })), "{read:?}");
        store.put(b"proof").expect("put again");
        assert_eq!(store.read(digest).expect("read"), b"proof");
    }

    #[test]
    fn a_store_that_does_not_answer_has_lost_nothing() {
        let (_dir, store) = fresh();
        let digest = Digest::of(b"proof");
        fs::create_dir_all(store.path(digest)).expect("a directory in its place");
        let read = store.read(digest);
        assert!(matches!(read, Err(ReadError::Io { .. })), "{read:?}");
        assert!(store.put(b"proof").is_err());
    }

    #[test]
    fn a_folder_that_another_has_made_is_synced_before_its_first_use() {
        let (_dir, store) = fresh();
        let path = store.path(Digest::of(b"proof"));
        let folder = path.parent().expect("a folder");
        fs::create_dir(folder).expect("made by another");
        let is_synced = |store: &Store| store.synced.lock().expect("a set").contains(folder);
        assert!(!is_synced(&store));
        store.put(b"proof").expect("put");
        assert!(is_synced(&store));
        let again = Store::open(&store.dir).expect("a later life");
        assert!(!is_synced(&again));
        again.put(b"proof").expect("put what is there");
        assert!(is_synced(&again));
    }

    #[test]
    fn what_is_old_is_swept_and_what_was_put_again_is_not() {
        let (_dir, store) = fresh();
        let now = store.now().expect("a time");
        let old = now - Duration::from_secs(100);
        let age = |digest| {
            let file = File::options().append(true).open(store.path(digest)).expect("a file");
            file.set_modified(old).expect("its time");
        };
        let [kept, again, gone] =
            [b"kept", b"more", b"gone"].map(|bytes| store.put(bytes).expect("put"));
        age(again);
        age(gone);
        let listed = store.list().expect("a list");
        assert_eq!(listed.len(), 3);
        store.put(b"more").expect("put again");
        let before = now - Duration::from_secs(50);
        let swept = |digest| {
            let stored = listed.iter().find(|stored| stored.digest == Some(digest));
            store.sweep(stored.expect("listed"), before).expect("swept")
        };
        assert_eq!([kept, again, gone].map(swept), [false, false, true]);
        assert!(matches!(store.read(gone), Err(ReadError::Missing { .. })));
        assert!(store.read(kept).is_ok() && store.read(again).is_ok());
    }

    #[test]
    fn a_store_keeps_its_identity() {
        let (dir, store) = fresh();
        let again = Store::open(dir.path()).expect("open again");
        assert_eq!(again.identity(), store.identity());
        assert_eq!(store.identity().len(), 32);
        let (_other_dir, other) = fresh();
        assert_ne!(other.identity(), store.identity());
    }

    fn fresh() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("open");
        (dir, store)
    }
}
