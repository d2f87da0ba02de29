//! A file that is in place whole or not at all, and durable once it is.
//!
//! Not here: what is in it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::bounded;

/// Puts `bytes` at `path`. What is there already, byte for byte, stays; anything else is replaced.
pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    if bounded::read(path, bytes.len() as u64).is_ok_and(|there| there == bytes) {
        // Whoever wrote it may have been killed before it was durable.
        File::open(path)?.sync_all()?;
        return File::open(folder)?.sync_all();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    let written = write(&temporary, path, bytes);
    if written.is_err() {
        // Best effort: the error that is returned says what is wrong.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    File::open(folder)?.sync_all()
}

fn write(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out/5-6-01.proof.json");
        put(&path, b"proof\n").expect("put");
        fs::write(&path, b"prooF\n").expect("damage");
        put(&path, b"proof\n").expect("put again");
        assert_eq!(fs::read(&path).expect("read"), b"proof\n");
        let beside = fs::read_dir(dir.path().join("out")).expect("list").count();
        assert_eq!(beside, 1);
    }

    #[test]
    fn a_file_that_is_right_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("proof.json");
        put(&path, b"proof\n").expect("put");
        let before = fs::metadata(&path).and_then(|found| found.modified()).expect("a time");
        put(&path, b"proof\n").expect("put again");
        let after = fs::metadata(&path).and_then(|found| found.modified()).expect("a time");
        assert_eq!(before, after);
    }
}
