//! Artifacts as files of a directory, which many machines may share.
//!
//! ```text
//!   DIR/push0.mark            says that it is push0's
//!   DIR/identity              32 hexadecimal digits, drawn when the store was made
//!   DIR/owner                 the log that it belongs to
//!   DIR/<first two>/<digest>  an artifact
//!   DIR/output/<attempt>-…    what an attempt printed that came to nothing
//!   DIR/tmp/                  what is being written
//! ```
//!
//! A file's time of change is that of its latest `put`. Nothing of another name is listed or
//! removed.
//!
//! **What is lost.** That there is no such file counts only if the store's identity is there at
//! that moment, under the same handle: a mount that went away leaves an empty directory, and
//! nothing in it is lost.
//!
//! Not here: what callers may count on (`store`).

mod again;
mod files;
mod names;
mod outputs;
mod probe;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::SystemTime;

use push0_core::Digest;
use rustix::fs::{CWD, OFlags};

use self::again::Again;
pub(crate) use self::files::identity;
use self::files::{open_in, place_once, read_at, sync, sync_folder, touch, write_durably};
pub(crate) use self::names::is_identity_to_be;
use self::names::{is_own_name, is_temporary};
use self::probe::{cannot, probe};
use super::fault::fault;
use super::owner::{OWNER, Owner, TieError};
use super::{Access, Broken, MOVING, ReadError, StoreError, Stored, copy_bytes, drawn, hash_file};
use crate::bounded::{self, LINE_BYTES_MAX};
use crate::mark::{self, Kind};

/// A directory of artifacts. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct DirStore {
    dir: Arc<Path>,
    identity: Arc<str>,
    /// What its files in `tmp` begin with: process ids are not enough, for other machines have the
    /// same.
    own: Arc<str>,
    writes: Arc<AtomicU64>,
    /// The folders whose own names were synced by this process: at most 256.
    synced: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Taken for writing by a sweep, so that nothing goes between a `put` that finds it and its
    /// return.
    sweeping: Arc<RwLock<()>>,
    /// Where it may be made again; nowhere but in a run of one machine.
    again: Option<Arc<Again>>,
    /// As it was written by this process.
    owner: Arc<OnceLock<Vec<u8>>>,
}

impl DirStore {
    pub(super) fn open(dir: &Path, access: Access) -> Result<Self, StoreError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError { path, source }
        };
        if access == Access::Make {
            let taken = mark::take(dir, Kind::Store, OF, is_older_store).map_err(in_words);
            taken.map_err(at(dir))?;
        }
        let dir = fs::canonicalize(dir).map_err(|error| absent(&error, dir)).map_err(at(dir))?;
        let own = drawn().map_err(at(&dir))?.trim().to_owned();
        if access != Access::Read {
            let is_there = access == Access::Make || is_own(&dir).map_err(at(&dir))?;
            let ready = is_there.then(|| make_ready(&dir, &own)).transpose();
            ready.map_err(at(&dir))?;
        }
        let identity = match access {
            Access::Make => identity(&dir, &dir.join(TMP)),
            Access::Write | Access::Read => read_identity(&dir),
        };
        let identity = identity.map_err(at(&dir.join(IDENTITY)))?.into();
        if access == Access::Make {
            // Whoever made it may have been killed before its name was synced.
            sync_folder(&dir).map_err(at(&dir))?;
        }
        Ok(Self {
            dir: dir.into(),
            identity,
            own: own.into(),
            writes: Arc::default(),
            synced: Arc::default(),
            sweeping: Arc::default(),
            again: None,
            owner: Arc::default(),
        })
    }

    /// As one that is made again if it is removed while `log` is there.
    pub(super) fn open_own(dir: &Path, log: &Path) -> Result<Self, StoreError> {
        let store = Self::open(dir, Access::Make)?;
        let again = Again::new(&store.dir, log);
        let again = again.map_err(|source| StoreError { path: dir.to_owned(), source })?;
        Ok(Self { again: Some(Arc::new(again)), ..store })
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn times_made_again(&self) -> u64 {
        self.again.as_ref().map_or(0, |again| again.times())
    }

    pub(super) fn owner(&self) -> io::Result<Option<Owner>> {
        self.be_there()?;
        read_at(&self.dir, OWNER)?.map(|owner| Owner::decode(&owner)).transpose()
    }

    pub(super) fn tie(&self, owner: &Owner) -> Result<(), TieError> {
        let written = self.be_there().and_then(|()| owner.encode()).and_then(|bytes| {
            let there = place_once(&self.dir, OWNER, &bytes)?;
            let _ = self.owner.set(bytes); // the same, if it was there
            Owner::decode(&there)
        });
        written.map_err(TieError::Io).and_then(|there| owner.meets(there))
    }

    pub(super) fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        self.put_as(digest, |file| file.write_all(bytes))
    }

    pub(super) fn put_file(&self, source: &Path) -> Result<Digest, StoreError> {
        let unread = |error| StoreError { path: source.to_owned(), source: error };
        let (digest, _) = hash_file(source).map_err(unread)?;
        self.put_as(digest, |file| {
            let (copied, _) = copy_bytes(File::open(source)?, file)?;
            if copied == digest { Ok(()) } else { Err(io::Error::other(MOVING)) }
        })
    }

    fn put_as(
        &self,
        digest: Digest,
        fill: impl Fn(&mut File) -> io::Result<()>,
    ) -> Result<Digest, StoreError> {
        let path = self.path(digest);
        let _held = self.sweeping.read().unwrap_or_else(PoisonError::into_inner);
        let put = || {
            self.be_there()?;
            match self.holds(digest) {
                // Whoever put it may have been killed before its name was synced.
                true => touch(&path)
                    .and_then(|()| self.sync_name(&path, FOR_ALL.0))
                    .and_then(|()| sync(&path)),
                false => self.write(&path, &fill),
            }
        };
        let stored = match put() {
            // It was removed since it was looked at: it is made again.
            Err(error) if is_absent(&error) && self.again.is_some() => put(),
            stored => stored,
        };
        stored.map(|()| digest).map_err(|source| StoreError { path, source })
    }

    pub(super) fn copy(&self, digest: Digest, to: &mut impl Write) -> Result<u64, ReadError> {
        let path = self.path(digest);
        let unread = |source| ReadError::Io { digest, source };
        let Some(file) = self.find(digest).map_err(unread)? else {
            return Err(ReadError::Missing { digest });
        };
        let (found, length) = copy_bytes(file, to).map_err(|broken| match broken {
            Broken::Read(source) => ReadError::Io { digest, source },
            Broken::Write(source) => ReadError::Write { digest, source },
        })?;
        if found == digest {
            return Ok(length);
        }
        self.be_there().map_err(unread)?;
        Err(ReadError::Damaged { digest, found, path })
    }

    pub(super) fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.dir.join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// Gives `each` what is there, a folder at a time. What goes meanwhile is passed over, and what
    /// has no name of push0's.
    pub(super) fn walk(&self, each: &mut dyn FnMut(Stored) -> io::Result<()>) -> io::Result<()> {
        self.be_there()?;
        let folders = (0..=u8::MAX).map(|first| format!("{first:02x}"));
        for folder in folders.chain([TMP.to_owned()]) {
            let entries = match fs::read_dir(self.dir.join(&folder)) {
                Err(error) if is_absent(&error) => continue,
                entries => entries?,
            };
            for file in entries.flatten() {
                let name = file.file_name();
                let Some(name) = name.to_str() else { continue };
                let digest: Option<Digest> = name.parse().ok();
                let digest = digest.filter(|digest| self.path(*digest) == file.path());
                let is_own = digest.is_some() || (folder == TMP && is_temporary(name));
                let Ok(found) = file.metadata() else { continue };
                if is_own && found.is_file() {
                    let (path, bytes, put) = (file.path(), found.len(), found.modified()?);
                    each(Stored { path, digest, bytes, put })?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn now(&self) -> io::Result<SystemTime> {
        self.be_there()?;
        let path = self.temporary()?;
        let now = File::create(&path)?.metadata()?.modified();
        fs::remove_file(&path)?;
        now
    }

    pub(super) fn sweep(&self, stored: &Stored, before: SystemTime) -> io::Result<bool> {
        let _alone = self.sweeping.write().unwrap_or_else(PoisonError::into_inner);
        let metadata = match fs::symlink_metadata(&stored.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            metadata => metadata?,
        };
        if metadata.modified()? >= before || !metadata.is_file() {
            return Ok(false);
        }
        fs::remove_file(&stored.path)?;
        Ok(true)
    }

    /// Makes sure that it is this store which is there now, and no other, nor an empty place for
    /// one.
    pub(super) fn be_there(&self) -> io::Result<()> {
        match bounded::read_text(&self.dir.join(IDENTITY), LINE_BYTES_MAX) {
            Ok(there) if there.trim() == &*self.identity => Ok(()),
            Err(error) if !is_absent(&error) => Err(error),
            Ok(_) | Err(_) => self.be_made_again(),
        }
    }

    fn be_made_again(&self) -> io::Result<()> {
        let owner = self.owner.get().map(Vec::as_slice);
        let made = match &self.again {
            Some(again) => again.make(&self.dir, &self.identity, owner)?,
            None => false,
        };
        if !made {
            let what = format!("the store {} is not there any more", self.identity);
            return Err(fault(io::ErrorKind::NotFound, what, "mount it again"));
        }
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// The file of an artifact; none where it is sure that there is none.
    fn find(&self, digest: Digest) -> io::Result<Option<File>> {
        if let Some(file) = open_in(CWD, &self.path(digest), OFlags::NONBLOCK)? {
            return Ok(Some(file));
        }
        // All through one handle: whatever is mounted meanwhile, what it answers is of one file
        // system. To open the folder has a client of NFS ask the server, where it may have
        // remembered that there was no such file.
        let Some(dir) = open_in(CWD, &self.dir, OFlags::DIRECTORY)? else {
            return self.be_made_again().map(|()| None);
        };
        let mut there = String::new();
        if let Some(identity) = open_in(&dir, Path::new(IDENTITY), OFlags::NONBLOCK)? {
            identity.take(IDENTITY_BYTES_MAX).read_to_string(&mut there)?;
        }
        if there.trim() != &*self.identity {
            return self.be_made_again().map(|()| None);
        }
        let name = digest.to_string();
        let folder = Path::new(name.get(..2).unwrap_or_default());
        match open_in(&dir, folder, OFlags::DIRECTORY)? {
            Some(folder) => open_in(&folder, Path::new(&name), OFlags::NONBLOCK),
            None => Ok(None),
        }
    }

    /// A path that nobody else writes to.
    fn temporary(&self) -> io::Result<PathBuf> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let tmp = self.dir.join(TMP);
        match fs::create_dir(&tmp) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {} // somebody may have tidied up
        }
        Ok(tmp.join(format!("{}-{number}", self.own)))
    }

    /// Whether the artifact is there, whole. What cannot be read counts as not there.
    fn holds(&self, digest: Digest) -> bool {
        self.copy(digest, &mut io::sink()).is_ok()
    }

    /// Makes the folder of `path` where there is none, and its name durable, once: it may have been
    /// made by another that has not synced it yet, or was killed before it did.
    fn sync_name(&self, path: &Path, mode: u32) -> io::Result<()> {
        let folder = path.parent().unwrap_or(path);
        let synced = || self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        match DirBuilder::new().mode(mode).create(folder) {
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
        self.write_as(path, FOR_ALL, fill)
    }

    /// The same, for whom these modes, of folder and file, let in; less what the umask keeps out.
    fn write_as(
        &self,
        path: &Path,
        (folder, file): (u32, u32),
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let temporary = self.temporary()?;
        let named = self.sync_name(path, folder);
        let written = named.and_then(|()| write_durably(&temporary, path, file, fill));
        if written.is_err() {
            // Best effort: the error that is returned says what is wrong.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// The identity in `dir`, which a store must have.
fn read_identity(dir: &Path) -> io::Result<String> {
    let text = read_at(dir, IDENTITY)?;
    let text = text.ok_or_else(|| absent(&io::ErrorKind::NotFound.into(), dir))?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

/// Has the folder for what is being written, and tries what is relied on.
fn make_ready(dir: &Path, own: &str) -> io::Result<()> {
    let tmp = dir.join(TMP);
    match fs::create_dir(&tmp) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(cannot("make a directory", &error));
        }
        Ok(()) | Err(_) => {}
    }
    probe(&tmp.join(format!("{own}-0")))
}

/// Whether there is a store here. Nothing is written to a directory that only has a file of such a
/// name.
fn is_own(dir: &Path) -> io::Result<bool> {
    if !dir.join(IDENTITY).exists() {
        return Ok(false);
    }
    match mark::bears(dir, Kind::Store).map_err(in_words)? || is_older_store(dir) {
        true => Ok(true),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no store: it bears no push0.mark. Name the directory that the engines' --store names",
        )),
    }
}

/// Whether this has what a store of an older push0, which marked nothing, surely has.
#[must_use]
pub fn is_older_store(dir: &Path) -> bool {
    mark::is_identity(&dir.join(IDENTITY)) && dir.join(TMP).is_dir()
}

fn in_words(error: mark::MarkError) -> io::Error {
    match error {
        mark::MarkError::Io { source, .. } => source,
        error @ (mark::MarkError::Foreign { .. }
        | mark::MarkError::OtherKind { .. }
        | mark::MarkError::Newer { .. }
        | mark::MarkError::NoDirectory { .. }
        | mark::MarkError::Unreadable { .. }) => {
            io::Error::new(io::ErrorKind::AlreadyExists, error)
        }
    }
}

/// That there is no store in `dir`.
fn absent(error: &io::Error, dir: &Path) -> io::Error {
    if !is_absent(error) {
        return io::Error::new(error.kind(), error.to_string());
    }
    let what = match dir.is_dir() {
        true => "there is no store in it",
        false => "there is no such directory",
    };
    let remedy =
        "mount the directory that the engines use, or start an engine, which makes the store";
    fault(io::ErrorKind::NotFound, what, remedy)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

const IDENTITY: &str = "identity";
const TMP: &str = "tmp";

/// Of a folder and a file that whoever the umask lets in may read.
const FOR_ALL: (u32, u32) = (0o777, 0o666);

/// Whose a store is: a machine's or many machines', of the log that `owner` names.
const OF: &str = "the log that `owner` names";

/// More than an identity has.
const IDENTITY_BYTES_MAX: u64 = 64;
