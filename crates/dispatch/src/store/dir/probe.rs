//! Tries, before anything relies on it, what push0 asks of a directory: to write, sync, rename,
//! date and remove files.
//!
//! Not here: what a store does with it (`dir`).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::super::fault::{fault, of_kind};
use super::{sync_folder, touch};

/// Tries it with files of `temporary`'s name, and leaves none.
///
/// # Errors
///
/// What the directory cannot do. A disk that is full is none: it may have room when some is needed.
pub(super) fn probe(temporary: &Path) -> io::Result<()> {
    let renamed = temporary.with_extension("probe");
    let tried = steps(temporary, &renamed);
    for path in [temporary, &renamed] {
        let _ = fs::remove_file(path); // after a failure one of them may be there
    }
    match tried {
        Err(error) if is_full(&error) => Ok(()),
        tried => tried,
    }
}

fn steps(temporary: &Path, renamed: &Path) -> io::Result<()> {
    let mut file = File::create(temporary).map_err(|error| cannot("make a file", &error))?;
    file.write_all(WORDS).map_err(|error| cannot("write to a file", &error))?;
    file.sync_all().map_err(|error| cannot("sync a file", &error))?;
    drop(file);
    fs::rename(temporary, renamed).map_err(|error| cannot("rename a file", &error))?;
    sync_folder(renamed).map_err(|error| cannot("sync a directory", &error))?;
    touch(renamed).map_err(|error| cannot("set a file's date", &error))?;
    let read = fs::read(renamed).map_err(|error| cannot("read a file", &error))?;
    if read != WORDS {
        let what = "what was written there is not what is read";
        return Err(fault(io::ErrorKind::InvalidData, what, "use another file system"));
    }
    fs::remove_file(renamed).map_err(|error| cannot("remove a file", &error))
}

/// What is not to be had there.
pub(super) fn cannot(what: &str, error: &io::Error) -> io::Error {
    let remedy = of_kind(error.kind())
        .unwrap_or("push0 relies on that: use another file system, or a bucket of S3");
    fault(error.kind(), format!("push0 cannot {what} there ({error})"), remedy)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

const WORDS: &[u8] = b"push0 tries whether this directory will do\n";
