//! A store that is removed under the run that uses it: made again, where that is safe.
//!
//! A run on one machine can make everything in its store again, from its block file and its log. So
//! where somebody has removed the store, or emptied it, it is made again, of the same identity, and
//! the run goes on. It is not where the log has gone too, where another disk is in the store's
//! place (a mount that went away comes back with all that was there), or where something stands in
//! its place that is not push0's.
//!
//! Not here: stores that several machines share. Nobody makes these again.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{IDENTITY, OF, OWNER, Owner, TMP, is_absent, is_own_name, place_once, sync_folder};
use crate::bounded::{self, LINE_BYTES_MAX};
use crate::mark::{self, Kind};

/// What is needed to make it again.
#[derive(Debug)]
pub(super) struct Again {
    /// The log of the run, and which directory that is.
    log: PathBuf,
    /// Held open, so that no other directory gets its number.
    log_there: File,
    /// The disk that the store is on.
    device: u64,
    times: AtomicU64,
    /// Two threads that miss it at once make it once.
    making: Mutex<()>,
}

impl Again {
    pub(super) fn new(store: &Path, log: &Path) -> io::Result<Self> {
        Ok(Self {
            log: log.to_owned(),
            log_there: File::open(log)?,
            device: fs::metadata(store)?.dev(),
            times: AtomicU64::new(0),
            making: Mutex::new(()),
        })
    }

    pub(super) fn times(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }

    /// Makes the store in `dir` again; `false` where that is not safe.
    pub(super) fn make(
        &self,
        dir: &Path,
        identity: &str,
        owner: Option<&[u8]>,
    ) -> io::Result<bool> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match bounded::read_text(&dir.join(IDENTITY), LINE_BYTES_MAX) {
            Ok(there) => return Ok(there.trim() == identity), // another thread was first, or it is another store
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
        let is_there = place(&self.log).is_ok_and(|there| Some(there) == self.log_place());
        if !is_there || !self.is_free(dir)? {
            return Ok(false);
        }
        fs::create_dir_all(dir.join(TMP))?;
        mark::take(dir, Kind::Store, OF, |_| true).map_err(io::Error::other)?;
        if let Some(owner) = owner
            && Owner::decode(&place_once(dir, OWNER, owner)?)?.log != Owner::decode(owner)?.log
        {
            return Ok(false); // it belongs to another log
        }
        let there = place_once(dir, IDENTITY, format!("{identity}\n").as_bytes())?;
        if there.trim_ascii() != identity.as_bytes() {
            return Ok(false); // somebody has made another meanwhile
        }
        sync_folder(dir)?;
        self.times.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    fn log_place(&self) -> Option<(u64, u64)> {
        self.log_there.metadata().ok().map(|found| (found.dev(), found.ino()))
    }

    /// Whether nothing is there but what a store has, on the disk that it was on.
    fn is_free(&self, dir: &Path) -> io::Result<bool> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            entries => entries?,
        };
        if fs::metadata(dir)?.dev() != self.device {
            return Ok(false);
        }
        for entry in entries {
            if !entry?.file_name().to_str().is_some_and(is_own_name) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Which directory it is, whatever its name.
fn place(dir: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(dir).map(|found| (found.dev(), found.ino()))
}
