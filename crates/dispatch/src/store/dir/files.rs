//! Files that are in place whole or not at all, durable once they are, and never in the place of
//! another's.
//!
//! Not here: which of them a store has (`dir`).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, Timespec, Timestamps, UTIME_NOW, futimens, openat};

use super::probe::cannot;
use super::{IDENTITY, TMP, is_absent};
use crate::bounded::{self, LINE_BYTES_MAX};
use crate::store::drawn;

/// The identity in `dir`, drawn by the first of several that ask for it.
pub(crate) fn identity(dir: &Path, tmp: &Path) -> io::Result<String> {
    let text = match read_at(dir, IDENTITY)? {
        Some(text) => text,
        None => place_once_by(dir, tmp, IDENTITY, drawn()?.as_bytes())?,
    };
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

pub(super) fn read_at(dir: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    match bounded::read(&dir.join(name), LINE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// As [`place_once_by`], in a store.
pub(super) fn place_once(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    place_once_by(dir, &dir.join(TMP), name, bytes)
}

/// Has `bytes` under `name` in `dir`, durably, unless something is there; answers what is there
/// then.
fn place_once_by(dir: &Path, tmp: &Path, name: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let path = dir.join(name);
    let temporary = tmp.join(format!("{name}-{}", drawn()?.trim()));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A link, not a rename: it never takes the place of what somebody has read.
    let linked = fs::hard_link(&temporary, &path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(cannot("make a hard link", &error));
        }
        Ok(()) | Err(_) => {}
    }
    File::open(dir)?.sync_all()?;
    bounded::read(&path, LINE_BYTES_MAX)
}

/// What is at `path` below a directory, if anything is.
pub(super) fn open_in(
    dir: impl rustix::fd::AsFd,
    path: &Path,
    flags: OFlags,
) -> io::Result<Option<File>> {
    match openat(dir, path, flags | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(opened) => Ok(Some(File::from(opened))),
        Err(error) => match io::Error::from(error) {
            error if is_absent(&error) => Ok(None),
            error => Err(error),
        },
    }
}

pub(super) fn write_durably(
    temporary: &Path,
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(mode).open(temporary)?;
    fill(&mut file)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    sync_folder(path)
}

/// Notes that it was put again.
pub(super) fn touch(path: &Path) -> io::Result<()> {
    let file = File::options().append(true).open(path)?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(&file, &Timestamps { last_access: now, last_modification: now })?)
}

pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    sync_folder(path)
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}
