//! A file that is in place whole or not at all, and durable once it is; and the directory that such
//! files are in.
//!
//! ```text
//!   OUT/.push0.mark         says that it is push0's; DATA/proofs has none, for DATA says it
//!   OUT/NAME.proof.json     a final proof
//!   OUT/.lock               whoever writes here holds it
//!   OUT/.NAME.proof.json.N  one that is being written by process N, which holds a lock on it
//! ```
//!
//! Not here: what is in it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use push0_core::PipelineName;
use push0_dispatch::mark::{self, Kind, MarkError};

use crate::bounded;
use crate::data::begins_with;
use crate::{temporary, verifier};

/// Takes `out` for the proofs of `pipeline`, and removes what killed processes left half written
/// there.
///
/// # Errors
///
/// As [`mark::take`].
pub(crate) fn take(out: &Path, pipeline: &PipelineName) -> Result<(), MarkError> {
    mark::take(out, Kind::Proofs, pipeline.as_str(), is_older)?;
    clear(out);
    Ok(())
}

/// Removes what killed processes left half written in a directory of proofs.
pub(crate) fn clear(out: &Path) {
    verifier::sweep(out);
    for entry in fs::read_dir(out).into_iter().flatten().flatten() {
        let is_own = entry.file_name().to_str().is_some_and(is_temporary);
        if is_own {
            temporary::remove(&entry.path(), |path| fs::remove_file(path));
        }
    }
}

/// Whether there is a proof in `out`, or one that was set aside.
pub(crate) fn has_any(out: &Path) -> bool {
    let entries = fs::read_dir(out).into_iter().flatten().flatten();
    let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.any(|name| {
        let name = name.strip_suffix(".recalled").unwrap_or(&name);
        name.ends_with(PROOF) && !name.starts_with('.')
    })
}

/// Whether an older push0, which marked nothing, wrote proofs here.
fn is_older(out: &Path) -> bool {
    let entries = fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut proofs = entries.filter(|path| path.to_str().is_some_and(|it| it.ends_with(PROOF)));
    proofs.any(|path| begins_with(&path, FIRST))
}

/// Whether a file of this name is one that [`put`], or a mark of how far a reader came, is written
/// to before it is in place.
fn is_temporary(name: &str) -> bool {
    if MARKS_TO_BE.contains(&name) {
        return true;
    }
    let number = name.strip_prefix('.').and_then(|name| name.rsplit_once('.'));
    number.is_some_and(|(name, process)| {
        name.ends_with(PROOF)
            && !process.is_empty()
            && process.bytes().all(|it| it.is_ascii_digit())
    })
}

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
    temporary::write(temporary, |file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    })
}

/// What the names of proofs end with.
const PROOF: &str = ".proof.json";

/// What they begin with.
const FIRST: &[u8] = b"{\"format\":\"push0.proof/";

/// Marks of how far a reader came, while they are written.
const MARKS_TO_BE: [&str; 2] = [".hooked.new", ".recalled.new"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_half_written_goes_at_the_next_start() {
        let dir = tempfile::tempdir().expect("a directory");
        let name: PipelineName = "demo".parse().expect("a name");
        take(dir.path(), &name).expect("it is empty");
        let (left, written) = (".5-6-01.proof.json.7", ".5-6-02.proof.json.8");
        let others = ["5-6-01.proof.json", ".profile", ".5.proof.json.bak", ".hooked"];
        for name in others.into_iter().chain([left, written, ".hooked.new"]) {
            fs::write(dir.path().join(name), "{").expect("a writable directory");
        }
        let writer = File::open(dir.path().join(written)).expect("it is there");
        writer.lock().expect("nobody has it");
        take(dir.path(), &name).expect("it is marked");
        assert!(!dir.path().join(left).exists() && dir.path().join(written).exists());
        assert!(!dir.path().join(".hooked.new").exists());
        assert_eq!(others.map(|name| dir.path().join(name).exists()), [true; 4]);
    }

    #[test]
    fn a_directory_of_something_else_is_refused_and_one_of_proofs_is_known() {
        let dir = tempfile::tempdir().expect("a directory");
        let name: PipelineName = "demo".parse().expect("a name");
        fs::write(dir.path().join("a.proof.json"), "{}").expect("a writable directory");
        take(dir.path(), &name).expect_err("it is no proof of push0's");
        fs::write(dir.path().join("b.proof.json"), FIRST).expect("a writable directory");
        take(dir.path(), &name).expect("an older push0 made it");
    }

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
