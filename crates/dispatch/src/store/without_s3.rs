//! What stands for a bucket in a push0 that is built without its feature `s3`: there is none, and
//! none can be opened.
//!
//! Not here: who refuses one before it is opened, by the flag or key that names it (`push0`).

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use push0_core::Digest;

use super::bucket::S3Config;
use super::fault::fault;
use super::owner::{Owner, TieError};
use super::{Access, ReadError, StoreError, Stored};

/// A bucket, of which there is none.
#[derive(Clone, Debug)]
pub(super) enum S3Store {}

impl S3Store {
    pub(super) fn open(config: &S3Config, _: Access) -> Result<Self, StoreError> {
        let source = fault(
            io::ErrorKind::Unsupported,
            "this push0 is built without its feature `s3`",
            "build it with that feature, or name a directory",
        );
        Err(StoreError { path: config.place().into(), source })
    }

    pub(super) fn owner(&self) -> io::Result<Option<Owner>> {
        match *self {}
    }

    pub(super) fn tie(&self, _: &Owner) -> Result<(), TieError> {
        match *self {}
    }

    pub(super) fn be_there(&self) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn identity(&self) -> &str {
        match *self {}
    }

    pub(super) fn put(&self, _: &[u8]) -> Result<Digest, StoreError> {
        match *self {}
    }

    pub(super) fn put_file(&self, _: &Path) -> Result<Digest, StoreError> {
        match *self {}
    }

    pub(super) fn copy(&self, _: Digest, _: &mut impl Write) -> Result<u64, ReadError> {
        match *self {}
    }

    pub(super) fn path(&self, _: Digest) -> PathBuf {
        match *self {}
    }

    pub(super) fn walk(&self, _: &mut dyn FnMut(Stored) -> io::Result<()>) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn now(&self) -> io::Result<SystemTime> {
        match *self {}
    }

    pub(super) fn sweep(&self, _: &Stored, _: SystemTime) -> io::Result<bool> {
        match *self {}
    }

    pub(super) fn put_output(&self, _: &str, _: &[u8]) -> Result<(), StoreError> {
        match *self {}
    }

    pub(super) fn output(&self, _: &str) -> io::Result<Option<Vec<u8>>> {
        match *self {}
    }

    pub(super) fn walk_outputs(&self, _: &mut dyn FnMut(&str, u64, SystemTime)) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn remove_output(&self, _: &str) -> io::Result<()> {
        match *self {}
    }
}

impl fmt::Display for S3Store {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// A bucket's prefix as it is written: no request will have it.
#[expect(clippy::unnecessary_wraps, reason = "with the feature, not every text is a prefix")]
pub(super) fn prefix(text: &str) -> Option<String> {
    Some(text.trim_end_matches('/').to_owned())
}
