//! Artifacts by their SHA-256, in a directory or in a bucket of S3.
//!
//! An artifact is there whole or not at all, and once `put` returns it survives a power loss. What
//! is read is hashed again, always; what is damaged is never returned, and is replaced by the next
//! `put`. Only a definite answer that there is none, or a wrong hash, says that an artifact is
//! lost.
//!
//! An artifact's date is that of its latest `put`, or up to [`Store::FRESH`] before it. Whoever
//! comes to refer to one has put it just before, so what is old and not referred to may be swept.
//!
//! Everything here blocks, and may be called from any thread, one of a runtime too.
//!
//! Not here: what is referred to (the engine knows).

mod bucket;
#[cfg(test)]
mod conformance;
mod dir;
mod fault;
mod outputs;
mod owner;
#[cfg(feature = "s3")]
mod s3;
#[cfg(not(feature = "s3"))]
#[path = "store/without_s3.rs"]
mod s3;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dir::DirStore;
use push0_core::Digest;
use s3::S3Store;
use sha2::{Digest as _, Sha256};

pub use bucket::{Bucket, NoBucket, S3Config};
pub use dir::is_older_store;
pub(crate) use dir::{identity, is_identity_to_be};
pub use fault::remedy_for;
pub use outputs::KeptOutput;
pub use owner::{Owner, TieError};

/// A place for artifacts. Clones share it.
#[derive(Clone, Debug)]
pub struct Store(Place);

#[derive(Clone, Debug)]
enum Place {
    Dir(DirStore),
    S3(S3Store),
}

/// What a store is opened for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// To be made where there is none, read, written and swept: an engine's.
    Make,
    /// To be read and written, where there is one.
    Write,
    /// To be read, where there is one.
    Read,
}

impl Store {
    /// So old may the date be of an artifact whose `put` has just returned: in a bucket, one that
    /// is there whole and younger is not written again. A sweep's grace is four times as long, or
    /// longer.
    pub const FRESH: Duration = Duration::from_secs(15 * 60);

    /// Opens the store in `dir`; makes one where there is none.
    ///
    /// # Errors
    ///
    /// As [`open_as`](Self::open_as).
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_as(dir, Access::Make)
    }

    /// Opens the store in `dir`, and tries what is relied on there.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the directory is not push0's, holds no store where none may be made, or
    /// cannot do what a store needs.
    pub fn open_as(dir: &Path, access: Access) -> Result<Self, StoreError> {
        Ok(Self(Place::Dir(DirStore::open(dir, access)?)))
    }

    /// Opens the store in `dir`, or makes it, as the only user of it, whose log is in the directory
    /// `log`: while that is there, a store that somebody removes is made again, of the same
    /// identity.
    ///
    /// # Errors
    ///
    /// As [`open_as`](Self::open_as).
    pub fn open_own(dir: &Path, log: &Path) -> Result<Self, StoreError> {
        Ok(Self(Place::Dir(DirStore::open_own(dir, log)?)))
    }

    /// Opens the store in a bucket, which must be there, and tries what is relied on there.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the endpoint does not answer, refuses the credentials or what a store
    /// needs, has no such bucket, or holds no store where none may be made.
    pub fn open_s3(config: &S3Config, access: Access) -> Result<Self, StoreError> {
        Ok(Self(Place::S3(S3Store::open(config, access)?)))
    }

    /// How often it was made again, since it was removed while it was open.
    #[must_use]
    pub fn times_made_again(&self) -> u64 {
        match &self.0 {
            Place::Dir(store) => store.times_made_again(),
            Place::S3(_) => 0,
        }
    }

    /// The log that it belongs to, if it belongs to one.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn owner(&self) -> io::Result<Option<Owner>> {
        match &self.0 {
            Place::Dir(store) => store.owner(),
            Place::S3(store) => store.owner(),
        }
    }

    /// Ties it to a log, unless it belongs to one. Of several that do so at once, one is the first.
    ///
    /// # Errors
    ///
    /// [`TieError`]: it is another's, or does not answer.
    pub fn tie(&self, owner: &Owner) -> Result<(), TieError> {
        match &self.0 {
            Place::Dir(store) => store.tie(owner),
            Place::S3(store) => store.tie(owner),
        }
    }

    /// Whether this store answers, and is the one that was opened.
    ///
    /// # Errors
    ///
    /// Why not: an outage, which says nothing about any artifact.
    pub fn be_there(&self) -> io::Result<()> {
        match &self.0 {
            Place::Dir(store) => store.be_there(),
            Place::S3(store) => store.be_there(),
        }
    }

    /// What tells this store from every other: a dispatcher that has another is of no use.
    #[must_use]
    pub fn identity(&self) -> &str {
        match &self.0 {
            Place::Dir(store) => store.identity(),
            Place::S3(store) => store.identity(),
        }
    }

    /// The directory, where it is one: its disk may be full.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        match &self.0 {
            Place::Dir(store) => Some(store.dir()),
            Place::S3(_) => None,
        }
    }

    /// Stores `bytes`, durably. What is there whole stays; what is there damaged is replaced.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is stored; try again once there is room, or the store answers.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        match &self.0 {
            Place::Dir(store) => store.put(bytes),
            Place::S3(store) => store.put(bytes),
        }
    }

    /// Stores the bytes of the file at `source`, as [`put`](Self::put) does, with no more than a
    /// piece of it in memory at a time. It is read twice, and must be the same both times.
    ///
    /// # Errors
    ///
    /// [`StoreError`], with the path that could not be read or written.
    pub fn put_file(&self, source: &Path) -> Result<Digest, StoreError> {
        match &self.0 {
            Place::Dir(store) => store.put_file(source),
            Place::S3(store) => store.put_file(source),
        }
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

    /// Writes the bytes of an artifact to `to`, piece by piece, and says how many there were. What
    /// was written is to be thrown away unless this returns `Ok`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); [`ReadError::Write`] if `to` fails.
    pub fn copy(&self, digest: Digest, to: &mut impl Write) -> Result<u64, ReadError> {
        match &self.0 {
            Place::Dir(store) => store.copy(digest, to),
            Place::S3(store) => store.copy(digest, to),
        }
    }

    /// Where an artifact is, or would be: in a directory a file, whose bytes are not checked
    /// (prefer [`read`](Self::read)); in a bucket words for a person.
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        match &self.0 {
            Place::Dir(store) => store.path(digest),
            Place::S3(store) => store.path(digest),
        }
    }

    /// Gives `each` every artifact that is there, and what a killed `put` or sweep has left, as
    /// they are found: a store may hold more than memory does. The first error of `each` ends it.
    ///
    /// # Errors
    ///
    /// The store's own, and that of `each`.
    pub fn walk(&self, each: &mut dyn FnMut(Stored) -> io::Result<()>) -> io::Result<()> {
        match &self.0 {
            Place::Dir(store) => store.walk(each),
            Place::S3(store) => store.walk(each),
        }
    }

    /// All of it at once, for who shows it.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn list(&self) -> io::Result<Vec<Stored>> {
        let mut all = Vec::new();
        self.walk(&mut |stored| {
            all.push(stored);
            Ok(())
        })?;
        Ok(all)
    }

    /// The time by the clock that artifacts here are dated with.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn now(&self) -> io::Result<SystemTime> {
        match &self.0 {
            Place::Dir(store) => store.now(),
            Place::S3(store) => store.now(),
        }
    }

    /// Removes what was listed, unless it was put again since `before`; whether it did.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn sweep(&self, stored: &Stored, before: SystemTime) -> io::Result<bool> {
        match &self.0 {
            Place::Dir(store) => store.sweep(stored, before),
            Place::S3(store) => store.sweep(stored, before),
        }
    }
}

/// Where it is, for a person.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Dir(store) => store.dir().display().fmt(f),
            Place::S3(store) => store.fmt(f),
        }
    }
}

/// A file or an object of the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Where it is, as [`Store::path`] has it.
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

impl StoreError {
    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        fault::remedy(&self.source)
    }

    /// Whether no waiting helps: another place must be named, or another server used.
    #[must_use]
    pub fn is_final(&self) -> bool {
        use io::ErrorKind::{AlreadyExists, InvalidData, Unsupported};
        matches!(self.source.kind(), AlreadyExists | InvalidData | Unsupported)
    }
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

/// Which side of a copy failed.
#[derive(Debug)]
enum Broken {
    Read(io::Error),
    Write(io::Error),
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Read(error) | Broken::Write(error) => error,
        }
    }
}

/// Copies all of `from`, and hashes it on the way.
fn copy_bytes(mut from: impl Read, to: &mut impl Write) -> Result<(Digest, u64), Broken> {
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Broken::Read(error)),
        };
        hash.update(read);
        length += read.len() as u64;
        to.write_all(read).map_err(Broken::Write)?;
    }
    Ok((Digest(hash.finalize().into()), length))
}

/// What a file holds.
fn hash_file(path: &Path) -> io::Result<(Digest, u64)> {
    Ok(copy_bytes(File::open(path)?, &mut io::sink())?)
}

/// 32 hexadecimal digits that nobody else has, and a line's end.
fn drawn() -> io::Result<String> {
    Ok(format!("{:032x}\n", crate::random::random::<16>().map(u128::from_le_bytes)?))
}

/// Read and hashed at once.
const COPY_BYTES: usize = 128 << 10;

/// The file that is put is still being written.
const MOVING: &str = "the file changed while it was stored";
