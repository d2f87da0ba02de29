//! What a process keeps for a while, and what is done with it where the process was killed.
//!
//! Each is locked by whoever uses it, and a directory bears push0's mark. A start removes what
//! nobody has locked, and holds the lock until it is gone: whoever makes one at that moment finds
//! it locked or gone, and makes another. A directory without the mark is somebody else's, whatever
//! its name.
//!
//! Where a file system knows no locks, nothing is removed.
//!
//! Not here: what such a file or directory is for.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use push0_dispatch::mark::{self, Kind};
use tempfile::TempDir;

/// A directory of this process alone, which goes with it.
#[derive(Debug)]
pub(crate) struct Temporary {
    dir: TempDir,
    /// Held while it is in use.
    _lock: File,
}

impl Temporary {
    /// Makes one in `within`, with a name that begins with `prefix`.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made, or other starts remove each that is made.
    pub(crate) fn make(within: &Path, prefix: &str) -> io::Result<Self> {
        for pause in PAUSES {
            thread::sleep(pause);
            let dir =
                tempfile::Builder::new().prefix(prefix).rand_bytes(DRAWN).tempdir_in(within)?;
            let lock = match File::open(dir.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                lock => lock?,
            };
            if hold(&lock, dir.path()) {
                let marked = mark::take(dir.path(), Kind::Temporary, prefix, |_| false);
                marked.map_err(io::Error::other)?;
                return Ok(Self { dir, _lock: lock });
            }
        }
        Err(removed())
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Removes it, and says if that fails.
    ///
    /// # Errors
    ///
    /// Why something of it is left.
    pub(crate) fn close(self) -> io::Result<()> {
        self.dir.close()
    }

    /// Leaves it there, as a process that is killed would.
    #[cfg(test)]
    pub(crate) fn abandon(mut self) {
        self.dir.disable_cleanup(true);
    }
}

/// Makes a file and has `write` fill it.
///
/// # Errors
///
/// Those of `write`; if the file cannot be made, or other starts remove each that is made.
pub(crate) fn write(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    for pause in PAUSES {
        thread::sleep(pause);
        // What another writes there stays as it is until this one has it.
        let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
        if hold(&file, path) {
            file.set_len(0)?;
            return write(&mut file);
        }
    }
    Err(removed())
}

/// Removes the directories that killed processes left in `within`, that were made with this
/// `prefix`.
///
/// Best effort: what stays goes at the next start.
pub(crate) fn sweep(within: &Path, prefix: &str) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(within).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_str().is_some_and(|name| is_drawn(name, prefix));
        // Not what a link leads to, and nothing of another user's.
        let is_own = || entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == own);
        if is_named && is_own() {
            remove(
                &entry.path(),
                |path| if is_left(path) { fs::remove_dir_all(path) } else { Ok(()) },
            );
        }
    }
}

/// Whether a name is one that is drawn for such a directory.
fn is_drawn(name: &str, prefix: &str) -> bool {
    let drawn = name.strip_prefix(prefix);
    drawn.is_some_and(|it| it.len() == DRAWN && it.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether a directory is push0's: it bears the mark, or was not yet marked when its process was
/// killed, and is empty.
fn is_left(dir: &Path) -> bool {
    let holds_nothing = || {
        let names =
            fs::read_dir(dir).map(|entries| entries.map(|entry| entry.map(|it| it.file_name())));
        names.is_ok_and(|mut names| names.all(|name| name.is_ok_and(|it| is_mark(&it))))
    };
    mark::bears(dir, Kind::Temporary).unwrap_or_default() || holds_nothing()
}

fn is_mark(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(mark::is_mark)
}

/// Removes `path` by `how`, unless a process uses it. Best effort, as [`sweep`].
pub(crate) fn remove(path: &Path, how: impl FnOnce(&Path) -> io::Result<()>) {
    if let Ok(lock) = File::open(path)
        && lock.try_lock().is_ok()
        && is_at(&lock, path)
    {
        let _ = how(path);
    }
}

/// Locks what was just made at `path`. False where another start has it, or has removed it.
fn hold(made: &File, path: &Path) -> bool {
    // Without locks nobody removes it.
    !matches!(made.try_lock(), Err(TryLockError::WouldBlock)) && is_at(made, path)
}

/// Whether `path` still leads to `file`, and not to one that was made since.
fn is_at(file: &File, path: &Path) -> bool {
    let one = |it: &Metadata| (it.dev(), it.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(file), Ok(there)) => one(&file) == one(&there),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

fn removed() -> io::Error {
    io::Error::other("other starts of push0 remove it as soon as it is made")
}

/// So many letters and digits are drawn for a name.
const DRAWN: usize = 6;

/// How long is waited before each try: a start that sweeps is soon over with it.
const PAUSES: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(4),
    Duration::from_millis(8),
    Duration::from_millis(16),
    Duration::from_millis(32),
    Duration::from_millis(64),
];

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::panic::{self, AssertUnwindSafe};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_somebody_elses_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let left = Temporary::make(dir.path(), "own-").expect("a writable directory");
        fs::write(left.path().join("envelope.json"), "{}").expect("its own");
        let path = left.path().to_owned();
        left.abandon();
        let others = ["own-thesis", "own-letter", "own-longer-than-that", "own-"];
        for name in others {
            fs::create_dir(dir.path().join(name)).expect("a writable directory");
            fs::write(dir.path().join(name).join("chapter1.tex"), "").expect("its own");
        }
        let unmarked = dir.path().join("own-Empty1");
        fs::create_dir(&unmarked).expect("a writable directory");
        // What another test has just forked holds the lock until it runs its program.
        push0_testbed::until("it stays", || {
            sweep(dir.path(), "own-");
            (!path.exists() && !unmarked.exists()).then_some(())
        });
        for name in others {
            assert!(dir.path().join(name).join("chapter1.tex").exists(), "{name}");
        }
    }

    #[test]
    fn a_directory_that_is_had_stays_while_others_sweep() {
        while_swept(|within| {
            let made = Temporary::make(within, "own-")?;
            fs::create_dir(made.path().join("inner"))?;
            thread::yield_now();
            assert!(made.path().join("inner").is_dir());
            Ok(())
        });
    }

    #[test]
    fn a_file_that_is_had_is_written_while_others_sweep() {
        while_swept(|within| {
            let [path, whole] = ["own-file", "whole"].map(|name| within.join(name));
            write(&path, |file| {
                thread::yield_now();
                file.write_all(b"all of it")?;
                fs::rename(&path, &whole)
            })?;
            assert_eq!(fs::read(&whole).expect("it is there"), b"all of it");
            Ok(())
        });
    }

    /// Does it 300 times beside two that sweep without a pause, as no start does: one may never be
    /// had.
    fn while_swept(each: impl Fn(&Path) -> io::Result<()>) {
        let dir = tempfile::tempdir().expect("a directory");
        let over = AtomicBool::new(false);
        let sweep_all = || {
            while !over.load(Ordering::Relaxed) {
                sweep(dir.path(), "own-");
                remove(&dir.path().join("own-file"), |path| fs::remove_file(path));
            }
        };
        let ended = thread::scope(|scope| {
            scope.spawn(sweep_all);
            scope.spawn(sweep_all);
            let all = || (0..300).map(|_| each(dir.path())).collect::<Vec<_>>();
            let ended = panic::catch_unwind(AssertUnwindSafe(all));
            over.store(true, Ordering::Relaxed);
            ended
        });
        let ended = ended.unwrap_or_else(|why| panic::resume_unwind(why));
        assert!(ended.iter().any(Result::is_ok));
        for error in ended.into_iter().filter_map(Result::err) {
            assert_eq!(error.to_string(), removed().to_string());
        }
    }
}
