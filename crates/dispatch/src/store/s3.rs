//! Artifacts as objects of a bucket, on any server that speaks S3.
//!
//! ```text
//!   PREFIX/identity              32 hexadecimal digits, drawn when the store was made
//!   PREFIX/<first two>/<digest>  an artifact
//!   PREFIX/output/<attempt>-…    what an attempt printed that came to nothing
//!   PREFIX/owner                 the log that it belongs to
//!   PREFIX/probe                 shows that an object is written only where there is none
//!   PREFIX/clock                 written to be asked for its date: the bucket's clock
//!   PREFIX/doomed/<digest>       a sweep is removing this artifact
//! ```
//!
//! It takes a server that answers what was written last (as Amazon's does), and that writes an
//! object only where there is none if it is asked to (`If-None-Match: *`).
//!
//! A small artifact is one request, which writes it only where there is none. A large one is sent
//! in pieces. What is there already is read and hashed; if it is whole and its date not older than
//! [`Store::FRESH`], it stays as it is, else it is written again, which gives it a new date.
//!
//! **Why a sweep takes nothing that a `put` has just found.** A sweep marks an artifact as doomed,
//! which only one can at a time, then asks for its date, removes it if that is old, then removes
//! the mark. A `put` that writes over what is there asks for the mark after it has written, waits
//! until it is gone, and then asks whether the artifact is still there. If there was no mark, no
//! sweep had asked for the date yet, and the next one sees the new one; if a sweep was done in
//! between, the artifact is not there, and is written again. A `put` that finds the artifact young
//! writes nothing: its date is one that no sweep takes for old. A `put` that finds none writes one
//! that no sweep has seen, for only the sweep that has the mark removes, once, and never again. The
//! mark of a sweep that died counts for [`DOOMED_MAX`]; a sweep that stands still for so long
//! between the date and the removal could take what was put meanwhile, and then the artifact is
//! lost, and made again.
//!
//! **What is lost.** That there is no such object (404) counts only if the store's identity is
//! there in the next breath: a bucket that is gone, another one, or somebody else's server says 404
//! too.
//!
//! Not here: requests (`client`).

mod client;
mod identity;
mod outputs;
mod probe;
mod trouble;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use client::{Client, PIECE_BYTES};
use object_store::path::Path as Key;
use push0_core::Digest;
use sha2::{Digest as _, Sha256};

use super::bucket::{Bucket, S3Config};
use super::fault::fault;
use super::owner::{OWNER, Owner, TieError};
use super::{Access, MOVING, ReadError, Store, StoreError, Stored, drawn, hash_file};

/// A bucket of artifacts. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct S3Store {
    client: Arc<Client>,
    bucket: Arc<Bucket>,
    prefix: Arc<Key>,
    identity: Arc<str>,
}

/// What a `put` has found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PutFinding {
    Nothing,
    /// Whole, and of this date.
    Whole(SystemTime),
    Damaged,
}

impl S3Store {
    pub(super) fn open(config: &S3Config, access: Access) -> Result<Self, StoreError> {
        let path = PathBuf::from(config.bucket.to_string());
        let opened = Client::new(config).and_then(|client| {
            let prefix = key(&config.bucket.prefix)?;
            let identity = identity::identity(&client, (&config.bucket, &prefix), access)?.into();
            let (client, bucket) = (Arc::new(client), Arc::new(config.bucket.clone()));
            let store = Self { client, bucket, prefix: Arc::new(prefix), identity };
            let removed = store.mark(Digest::of(drawn()?.as_bytes()));
            probe::probe(&store.client, access, &store.named(PROBE), &removed)?;
            Ok(store)
        });
        opened.map_err(|source| StoreError { path, source })
    }

    pub(super) fn owner(&self) -> io::Result<Option<Owner>> {
        let text = self.client.text(&self.named(OWNER))?;
        text.map(|text| Owner::decode(text.as_bytes())).transpose()
    }

    pub(super) fn tie(&self, owner: &Owner) -> Result<(), TieError> {
        let written = owner.encode().and_then(|bytes| {
            self.client.create(&self.named(OWNER), Bytes::from(bytes))?;
            let none = || io::Error::other(format!("{}: no {OWNER}", self.client.place()));
            self.owner()?.ok_or_else(none)
        });
        written.map_err(TieError::Io).and_then(|there| owner.meets(there))
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn path(&self, digest: Digest) -> PathBuf {
        self.shown(&self.key(digest))
    }

    pub(super) fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        self.put_as(digest, bytes.len() as u64, || Ok(bytes))
            .map_err(|source| StoreError { path: self.path(digest), source })?;
        Ok(digest)
    }

    pub(super) fn put_file(&self, source: &Path) -> Result<Digest, StoreError> {
        let hashed = hash_file(source);
        let unread = |error| StoreError { path: source.to_owned(), source: error };
        let (digest, length) = hashed.map_err(unread)?;
        self.put_as(digest, length, || File::open(source))
            .map_err(|error| StoreError { path: self.path(digest), source: error })?;
        Ok(digest)
    }

    pub(super) fn copy(&self, digest: Digest, to: &mut impl Write) -> Result<u64, ReadError> {
        let unread = |source| ReadError::Io { digest, source };
        let got = self.client.get(&self.key(digest)).map_err(unread)?;
        let Some(mut pieces) = got else { return Err(self.missing(digest)) };
        let (mut hash, mut length) = (Sha256::new(), 0);
        while let Some(bytes) = self.client.next(&mut pieces).map_err(unread)? {
            hash.update(&bytes);
            length += bytes.len() as u64;
            to.write_all(&bytes).map_err(|source| ReadError::Write { digest, source })?;
        }
        let (found, path) = (Digest(hash.finalize().into()), self.path(digest));
        if found == digest { Ok(length) } else { Err(ReadError::Damaged { digest, found, path }) }
    }

    pub(super) fn walk(&self, each: &mut dyn FnMut(Stored) -> io::Result<()>) -> io::Result<()> {
        self.client.walk(&self.prefix, &mut |object| {
            let digest = object.location.filename().and_then(|name| name.parse::<Digest>().ok());
            let Some(digest) = digest else { return Ok(()) };
            let digest = match object.location {
                ref key if *key == self.key(digest) => Some(digest),
                ref key if *key == self.mark(digest) => None,
                // Whoever else has something in this bucket keeps it.
                _ => return Ok(()),
            };
            let (path, put) = (self.shown(&object.location), object.last_modified.into());
            each(Stored { path, digest, bytes: object.size, put })
        })
    }

    /// Asks the bucket, whose clock is not this machine's.
    pub(super) fn now(&self) -> io::Result<SystemTime> {
        let key = self.named(CLOCK);
        self.client.overwrite(&key, Bytes::from_static(b"clock\n"))?;
        let written = self.client.written(&key)?;
        written.ok_or_else(|| io::Error::other(format!("{}: no clock", self.client.place())))
    }

    pub(super) fn sweep(&self, stored: &Stored, before: SystemTime) -> io::Result<bool> {
        let Some(key) = self.key_of(&stored.path) else { return Ok(false) };
        let is_old = |written: Option<SystemTime>| written.is_some_and(|at| at < before);
        let Some(digest) = stored.digest else {
            // Nobody puts anything there.
            let is_old = is_old(self.client.written(&key)?);
            return if is_old { self.client.remove(&key).map(|()| true) } else { Ok(false) };
        };
        let mark = self.mark(digest);
        let since = Instant::now();
        if !self.client.create(&mark, Bytes::from_static(b"doomed\n"))? {
            if !self.is_doomed(digest)? {
                // Its sweep has died; the next one takes the artifact.
                self.client.remove(&mark)?;
            }
            return Ok(false);
        }
        let is_old = is_old(self.client.written(&key)?);
        // Where the removal itself fails it may still be on its way: the mark stays.
        if is_old && since.elapsed() < DOOMED_MAX / 2 {
            self.client.remove(&key)?;
        }
        self.client.remove(&mark)?;
        Ok(is_old)
    }

    /// Stores what `open` gives, which is read once for each time that it must be sent.
    fn put_as<R: Read>(
        &self,
        digest: Digest,
        length: u64,
        open: impl Fn() -> io::Result<R>,
    ) -> io::Result<()> {
        let small = match length <= PIECE_BYTES as u64 {
            true => Some(Bytes::from(all(open()?, digest)?)),
            false => None,
        };
        for _ in 0..TURNS_MAX {
            if let Some(bytes) = &small
                && self.client.create(&self.key(digest), bytes.clone())?
            {
                return Ok(());
            }
            match (self.find(digest)?, &small) {
                // Somebody has removed it, or is writing it.
                (PutFinding::Nothing, Some(_)) => {}
                (PutFinding::Nothing, None) => return self.write(digest, open()?, None),
                (PutFinding::Whole(written), _) if self.is_fresh(written)? => return Ok(()),
                (PutFinding::Whole(_) | PutFinding::Damaged, _) => {
                    self.write(digest, open()?, small.as_ref())?;
                    if self.has_stayed(digest)? {
                        return Ok(());
                    }
                }
            }
            thread::sleep(PAUSE);
        }
        Err(io::Error::other(format!("{}: {digest} is put and removed", self.client.place())))
    }

    /// Writes over what is there.
    fn write(&self, digest: Digest, from: impl Read, small: Option<&Bytes>) -> io::Result<()> {
        let key = self.key(digest);
        match small {
            Some(bytes) => self.client.overwrite(&key, bytes.clone()),
            None => self.client.upload(&key, pieces(from, digest)),
        }
    }

    fn find(&self, digest: Digest) -> io::Result<PutFinding> {
        let Some(mut pieces) = self.client.get(&self.key(digest))? else {
            return Ok(PutFinding::Nothing);
        };
        let mut hash = Sha256::new();
        while let Some(bytes) = self.client.next(&mut pieces)? {
            hash.update(&bytes);
        }
        let is_whole = Digest(hash.finalize().into()) == digest;
        Ok(if is_whole { PutFinding::Whole(pieces.written) } else { PutFinding::Damaged })
    }

    fn is_fresh(&self, written: SystemTime) -> io::Result<bool> {
        // What is of a later date than now is of no date: it is written again.
        Ok(self.now()?.duration_since(written).is_ok_and(|age| age < Store::FRESH))
    }

    /// Whether what was just written over something is still there, and no sweep is about to remove
    /// it.
    fn has_stayed(&self, digest: Digest) -> io::Result<bool> {
        for _ in 0..LOOKS_MAX {
            if !self.is_doomed(digest)? {
                return Ok(self.client.written(&self.key(digest))?.is_some());
            }
            thread::sleep(PAUSE);
        }
        Err(io::Error::other(format!("{}: {digest} is being swept", self.client.place())))
    }

    /// Whether a sweep that lives may remove this artifact.
    fn is_doomed(&self, digest: Digest) -> io::Result<bool> {
        let Some(since) = self.client.written(&self.mark(digest))? else { return Ok(false) };
        Ok(self.now()?.duration_since(since).map_or(true, |age| age < DOOMED_MAX))
    }

    /// Makes sure that this store answers.
    pub(super) fn be_there(&self) -> io::Result<()> {
        match self.client.text(&self.named(IDENTITY))? {
            Some(identity) if *identity == *self.identity => Ok(()),
            Some(_) | None => {
                let place = self.client.place();
                let what = format!("{place}: the store {} is not there any more", self.identity);
                let remedy = "bring the bucket back, or start again with the place that is meant";
                Err(fault(io::ErrorKind::NotFound, what, remedy))
            }
        }
    }

    /// What it means that there is no such object.
    fn missing(&self, digest: Digest) -> ReadError {
        match self.be_there() {
            Ok(()) => ReadError::Missing { digest },
            Err(source) => ReadError::Io { digest, source },
        }
    }

    fn key(&self, digest: Digest) -> Key {
        let name = digest.to_string();
        self.named(name.get(..2).unwrap_or_default()).join(name)
    }

    fn mark(&self, digest: Digest) -> Key {
        self.named(DOOMED).join(digest.to_string())
    }

    fn named(&self, name: &str) -> Key {
        (*self.prefix).clone().join(name)
    }

    fn shown(&self, key: &Key) -> PathBuf {
        PathBuf::from(format!("{}{}/{key}", Bucket::SCHEME, self.bucket.name))
    }

    fn key_of(&self, shown: &Path) -> Option<Key> {
        let start = format!("{}{}/", Bucket::SCHEME, self.bucket.name);
        Key::parse(shown.to_str()?.strip_prefix(&start)?).ok()
    }
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bucket.fmt(f)
    }
}

/// A bucket's prefix as requests have it; none if no key can have it.
pub(super) fn prefix(text: &str) -> Option<String> {
    key(text).ok().map(String::from)
}

fn key(prefix: &str) -> io::Result<Key> {
    Key::parse(prefix).map_err(io::Error::other)
}

/// All of what is small.
fn all(from: impl Read, digest: Digest) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(PIECE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(io::Error::other(MOVING)) }
}

/// The pieces of what is large, one at a time. The last comes only if all of them are what they
/// should be.
fn pieces(mut from: impl Read, digest: Digest) -> impl FnMut() -> io::Result<Option<Bytes>> {
    let mut hash = Sha256::new();
    move || {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        from.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
        hash.update(&piece);
        if !piece.is_empty() {
            return Ok(Some(Bytes::from(piece)));
        }
        let is_right = Digest(hash.finalize_reset().into()) == digest;
        if is_right { Ok(None) } else { Err(io::Error::other(MOVING)) }
    }
}

const IDENTITY: &str = "identity";
const PROBE: &str = "probe";
const CLOCK: &str = "clock";
const DOOMED: &str = "doomed";

/// For so long the mark of a sweep keeps a `put` waiting, and another sweep away. Far longer than a
/// removal takes.
const DOOMED_MAX: Duration = Duration::from_secs(120);

/// How often a `put` is begun again because somebody removed or wrote the same.
const TURNS_MAX: u32 = 8;

/// How often a `put` asks whether a sweep is done.
const LOOKS_MAX: u32 = 50;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
