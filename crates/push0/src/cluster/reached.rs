//! How far a reader came, in a mark beside the proofs: of which log, up to which number, and in
//! which history of it.
//!
//! ```text
//!   LOG NUMBER HISTORY    as it is written: the log's id, the number, and what tells a log that was put back
//!   LOG NUMBER            as a person may write it
//!   NUMBER                as push0 wrote it before, when a mark said not whose it is
//! ```
//!
//! A mark is durable before what follows it is looked at: it is written anew, synced, put in place,
//! and its directory synced.
//!
//! Not here: what is counted, and what a history is (`hook`, `recalls`).

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::ClusterError;
use crate::{bounded, temporary};

/// What a mark says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct HookMark {
    /// The log's id.
    pub(super) log: Option<String>,
    pub(super) number: u64,
    pub(super) history: Option<String>,
}

impl Display for HookMark {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(log) = &self.log {
            write!(f, "{log} ")?;
        }
        write!(f, "{}", self.number)?;
        match &self.history {
            Some(history) => write!(f, " {history}"),
            None => Ok(()),
        }
    }
}

impl HookMark {
    /// What the mark says; none where there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be known.
    pub(super) fn read(mark: &Path) -> Result<Option<Self>, String> {
        match bounded::read(mark, BYTES_MAX) {
            Ok(bytes) => Self::parse(&bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wrong = || "it holds no log and number, on a line of their own".to_owned();
        let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
        let words: Vec<_> = text.strip_suffix('\n').ok_or_else(wrong)?.split(' ').collect();
        let (log, number, history) = match words.as_slice() {
            [number] => (None, number, None),
            [log, number] => (Some(log), number, None),
            [log, number, history] => (Some(log), number, Some(history)),
            _ => return Err(wrong()),
        };
        let is_id = |id: &&&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_word =
            |it: &&&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
        let is_right = log.as_ref().is_none_or(is_id)
            && history.as_ref().is_none_or(is_word)
            && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_right).ok_or_else(wrong)?;
        Ok(Self {
            log: log.map(|log| (*log).to_owned()),
            number,
            history: history.map(|history| (*history).to_owned()),
        })
    }

    /// Has the mark say so, durably.
    pub(super) fn write(&self, mark: &Path) -> Result<(), ClusterError> {
        let written = || {
            let new = mark.with_extension("new");
            temporary::write(&new, |file| {
                file.write_all(format!("{self}\n").as_bytes())?;
                file.sync_all()?;
                fs::rename(&new, mark)
            })?;
            let folder = mark.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
        };
        written().map_err(|source| ClusterError::Dir { path: mark.to_owned(), source })
    }
}

/// Takes the directory of proofs for this process: alone where there is a hook, since two would run
/// it twice.
///
/// # Errors
///
/// [`ClusterError::OutInUse`]; or that the file system knows no locks, where there is a hook.
pub(super) fn lock(out: &Path, is_alone: bool) -> Result<File, ClusterError> {
    let path = out.join(LOCK);
    let at = |source| ClusterError::Dir { path: path.clone(), source };
    let lock = File::options().write(true).create(true).truncate(false).open(&path).map_err(at)?;
    let locked = if is_alone { lock.try_lock() } else { lock.try_lock_shared() };
    match locked {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(ClusterError::OutInUse { out: out.to_owned() }),
        Err(TryLockError::Error(_)) if !is_alone => Ok(lock),
        Err(TryLockError::Error(source)) => {
            Err(ClusterError::NoLocks { out: PathBuf::from(out), source })
        }
    }
}

/// In a directory of proofs; held as long as a reader writes there.
const LOCK: &str = ".lock";

/// More than an id, a number, a digest and the end of their line.
const BYTES_MAX: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_was_written_and_those_of_before_and_by_hand_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let mark = dir.path().join(".hooked");
        assert_eq!(HookMark::read(&mark), Ok(None));
        let id = "0123456789abcdef".repeat(2);
        for text in ["7".to_owned(), format!("{id} 7"), format!("{id} 7 ab12")] {
            fs::write(&mark, format!("{text}\n")).expect("a file");
            let read = HookMark::read(&mark).expect("it is right").expect("it is there");
            assert_eq!((read.number, read.to_string()), (7, text));
            fs::remove_file(&mark).expect("it is there");
            read.write(&mark).expect("written");
            assert_eq!(HookMark::read(&mark), Ok(Some(read)));
        }
        assert!(!dir.path().join(".hooked.new").exists());
    }

    #[test]
    fn a_mark_that_says_nothing_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let mark = dir.path().join(".hooked");
        let long = format!("{} 1\n", "a".repeat(300));
        let id = "0123456789abcdef".repeat(2);
        let [no_number, more] = [format!("{id} x\n"), format!("{id} 1 ab cd\n")];
        for damaged in [
            "",
            "\n",
            "12",
            "x\n",
            "-1\n",
            "+1\n",
            "1\n2\n",
            " 1\n",
            "99999999999999999999\n",
            "demo 1\n",
            &long,
            &no_number,
            &more,
        ] {
            fs::write(&mark, damaged).expect("a file");
            HookMark::read(&mark).expect_err(damaged);
        }
        fs::remove_file(&mark).expect("removed");
        fs::create_dir(&mark).expect("a directory in its place");
        HookMark::read(&mark).expect_err("a directory");
    }

    #[test]
    fn a_hook_has_its_directory_alone_and_readers_without_one_share_theirs() {
        let dir = tempfile::tempdir().expect("a directory");
        let shared = [false, false].map(|is_alone| lock(dir.path(), is_alone).expect("shared"));
        assert!(matches!(lock(dir.path(), true), Err(ClusterError::OutInUse { .. })));
        drop(shared);
        let _alone = lock(dir.path(), true).expect("nobody has it");
        for is_alone in [true, false] {
            let refused = lock(dir.path(), is_alone).expect_err("it is had");
            assert!(refused.to_string().contains("another `push0 proofs`"), "{refused}");
        }
    }
}
