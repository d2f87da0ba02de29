//! The mark by which push0 knows a directory for its own.
//!
//! ```text
//!   DIR/push0.mark    {"push0":"store","version":1,"of":"demo"}: the kind, its version, and whose it is
//!   DIR/.push0.mark   the same, in a directory of proofs: there each name that is listed is a proof's
//! ```
//!
//! push0 makes, sweeps and empties directories. It does so only in those that bear its mark, and
//! gives its mark only to one that was empty or not there. So a directory that was named by mistake
//! is refused, and left as it is. A directory that an older push0 made bears none: each kind is
//! known by what it surely holds, and marked then.
//!
//! Not here: what is in a directory of each kind.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bounded;

/// What a directory is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Of `push0 run`: a log, and all that belongs to it.
    Data,
    /// A dispatcher's own.
    Dispatch,
    /// Artifacts.
    Store,
    /// Final proofs.
    Proofs,
    /// Of `push0 dev`: a NATS server's files, and all that a cluster of one machine has.
    Dev,
    /// Of one process, and gone after it.
    Temporary,
}

/// Why a directory is not taken. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarkError {
    /// Name another.
    #[error(
        "{} holds what is not push0's ({found}), and no {mark}: name a directory that is empty or not there",
        dir.display()
    )]
    Foreign { dir: PathBuf, found: String, mark: &'static str },
    /// Name another.
    #[error("{} is push0's, but {found}, and {wanted} is wanted: name another directory", dir.display())]
    OtherKind { dir: PathBuf, found: String, wanted: &'static str },
    /// Use the push0 that made it, or a newer one.
    #[error("{} was made by a newer push0 (version {version} of {kind}): use that one", dir.display())]
    Newer { dir: PathBuf, kind: &'static str, version: u32 },
    /// Name a directory.
    #[error("{} is no directory: name one", dir.display())]
    NoDirectory { dir: PathBuf },
    /// Restore the mark, or name another directory.
    #[error("{} cannot be read as push0's mark: restore it, or name another directory", path.display())]
    Unreadable { path: PathBuf },
    /// Give access, or mend the disk.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// What stands in the file.
#[derive(Debug, Deserialize, Serialize)]
struct Mark {
    push0: String,
    version: u32,
    of: String,
}

impl Kind {
    /// As the mark has it.
    const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Dispatch => "dispatch",
            Self::Store => "store",
            Self::Proofs => "proofs",
            Self::Dev => "dev",
            Self::Temporary => "temporary",
        }
    }

    /// The file that says so.
    const fn file_name(self) -> &'static str {
        match self {
            Self::Data | Self::Dispatch | Self::Store | Self::Dev | Self::Temporary => NAME,
            Self::Proofs => HIDDEN,
        }
    }

    /// For a person.
    const fn shown(self) -> &'static str {
        match self {
            Self::Data => "a data directory",
            Self::Dispatch => "a dispatcher's directory",
            Self::Store => "a store",
            Self::Proofs => "a directory of proofs",
            Self::Dev => "a directory of `push0 dev`",
            Self::Temporary => "a directory of one process",
        }
    }
}

/// Takes `dir` for push0: makes it where there is none, and marks it where it is empty, or where an
/// older push0 made it, which `is_older` tells. `of` says whose it is, for a person.
///
/// # Errors
///
/// A [`MarkError`]: it is not push0's, or not of this kind.
pub fn take(
    dir: &Path,
    kind: Kind,
    of: &str,
    is_older: impl FnOnce(&Path) -> bool,
) -> Result<(), MarkError> {
    let at = |source| MarkError::Io { path: dir.to_owned(), source };
    match fs::create_dir_all(dir) {
        Err(_) if dir.exists() && !dir.is_dir() => {
            return Err(MarkError::NoDirectory { dir: dir.to_owned() });
        }
        made => made.map_err(at)?,
    }
    if bears(dir, kind)? {
        return Ok(());
    }
    if let Some(found) = foreign(dir).map_err(at)?
        && !is_older(dir)
    {
        // Another process may have marked it, and begun to fill it, since the first look.
        return match bears(dir, kind)? {
            true => Ok(()),
            false => Err(MarkError::Foreign { dir: dir.to_owned(), found, mark: kind.file_name() }),
        };
    }
    write(dir, kind, of).map_err(at)
}

/// Whether `dir` bears the mark of `kind`.
///
/// # Errors
///
/// [`MarkError::OtherKind`], [`MarkError::Newer`] and [`MarkError::Unreadable`] where it bears
/// another; [`MarkError::Io`].
pub fn bears(dir: &Path, kind: Kind) -> Result<bool, MarkError> {
    let named = [NAME, HIDDEN].map(|name| bears_in(&dir.join(name), dir, kind));
    let [shown, hidden] = named;
    Ok(shown? | hidden?)
}

fn bears_in(path: &Path, dir: &Path, kind: Kind) -> Result<bool, MarkError> {
    let path = path.to_owned();
    let mut bytes = Vec::new();
    match bounded::open(&path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(MarkError::Io { path, source }),
        Ok(_) => {}
    }
    let Ok(mark) = serde_json::from_slice::<Mark>(&bytes) else {
        return Err(MarkError::Unreadable { path });
    };
    let dir = dir.to_owned();
    if mark.push0 != kind.word() {
        let known =
            [Kind::Data, Kind::Dispatch, Kind::Store, Kind::Proofs, Kind::Dev, Kind::Temporary];
        let found = known.into_iter().find(|kind| kind.word() == mark.push0);
        let found = found.map_or("something of a newer one", Kind::shown).to_owned();
        return Err(MarkError::OtherKind { dir, found, wanted: kind.shown() });
    }
    if mark.version > VERSION {
        return Err(MarkError::Newer { dir, kind: kind.shown(), version: mark.version });
    }
    Ok(true)
}

/// Whether a name in a marked directory is the mark's.
#[must_use]
pub fn is_mark(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    name == NAME || name.strip_prefix(NAME).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether the file at `path` holds an identity: 32 hexadecimal digits, as push0 draws them.
pub(crate) fn is_identity(path: &Path) -> bool {
    let mut text = String::new();
    let read = bounded::open(path).and_then(|file| file.take(64).read_to_string(&mut text));
    let text = text.trim_end();
    read.is_ok() && text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Something in `dir` that neither a mark nor a file system puts there.
fn foreign(dir: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !is_mark(&name) && !OF_FILE_SYSTEMS.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// In place whole or not at all; of several that write it, one is the last.
fn write(dir: &Path, kind: Kind, of: &str) -> io::Result<()> {
    let mark = Mark { push0: kind.word().to_owned(), version: VERSION, of: of.to_owned() };
    let mut json = serde_json::to_vec(&mark)?;
    json.push(b'\n');
    let drawn = u64::from_le_bytes(crate::random::random()?);
    let name = kind.file_name();
    let temporary = dir.join(format!("{name}.{drawn:016x}"));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, dir.join(name)));
    if written.is_err() {
        let _ = fs::remove_file(&temporary); // best effort: the error says what is wrong
    }
    written?;
    clear(dir);
    File::open(dir)?.sync_all()
}

/// Removes what a process left that was killed while it marked. Best effort: it is of no harm.
fn clear(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_old = |age: std::time::Duration| age > LEFT;
        let age = entry.metadata().and_then(|found| found.modified());
        let age = age.ok().and_then(|at| at.elapsed().ok());
        if is_mark(&name) && ![NAME, HIDDEN].contains(&name.as_str()) && age.is_some_and(is_old) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Without a dot in front: a person who looks may see whose the directory is.
const NAME: &str = "push0.mark";

/// As [`NAME`], where a person counts and names what is listed.
const HIDDEN: &str = ".push0.mark";

const VERSION: u32 = 1;

/// Far more than a mark has.
const BYTES_MAX: u64 = 4 << 10;

/// What a fresh file system, or a server of files, has at its root.
const OF_FILE_SYSTEMS: [&str; 2] = ["lost+found", ".snapshot"];

/// So old, a mark that is being written is not: whoever wrote it is gone.
const LEFT: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_taken_if_it_is_absent_empty_or_marked() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["absent/below", "empty"] {
            let dir = dir.path().join(name);
            if name == "empty" {
                fs::create_dir_all(dir.join("lost+found")).expect("a directory");
            }
            take(&dir, Kind::Store, "demo", |_| false).expect("it is push0's to take");
            fs::write(dir.join("more"), "").expect("a writable directory");
            take(&dir, Kind::Store, "demo", |_| false).expect("it is marked");
            let text = fs::read_to_string(dir.join(NAME)).expect("it is there");
            assert_eq!(text, "{\"push0\":\"store\",\"version\":1,\"of\":\"demo\"}\n");
        }
    }

    #[test]
    fn any_other_is_refused_by_name_and_left_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("photos")).expect("a directory");
        let refused = take(dir.path(), Kind::Dispatch, "one", |_| false).expect_err("foreign");
        let told = refused.to_string();
        let shown = dir.path().display().to_string();
        assert!(told.contains(&shown) && told.contains("photos"), "{told}");
        assert!(told.contains("name a directory that is empty or not there"), "{told}");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
        let file = dir.path().join("photos/a");
        fs::write(&file, "").expect("a writable directory");
        let refused = take(&file, Kind::Data, "one", |_| false).expect_err("a file");
        assert!(matches!(refused, MarkError::NoDirectory { .. }), "{refused}");
    }

    #[test]
    fn one_of_another_kind_or_of_a_newer_push0_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        take(dir.path(), Kind::Store, "demo", |_| false).expect("it is empty");
        let refused = take(dir.path(), Kind::Proofs, "demo", |_| true).expect_err("a store");
        let told = refused.to_string();
        assert!(told.contains("but a store, and a directory of proofs is wanted"), "{told}");
        let mark =
            |text: &str| fs::write(dir.path().join(NAME), text).expect("a writable directory");
        mark(r#"{"push0":"store","version":2,"of":"demo"}"#);
        let refused = take(dir.path(), Kind::Store, "demo", |_| true).expect_err("newer");
        assert!(matches!(refused, MarkError::Newer { version: 2, .. }), "{refused}");
        mark("mine");
        let refused = take(dir.path(), Kind::Store, "demo", |_| true).expect_err("no mark");
        assert!(matches!(refused, MarkError::Unreadable { .. }), "{refused}");
    }

    #[test]
    fn one_of_an_older_push0_is_known_and_marked() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("identity"), "0123456789abcdef0123456789abcdef\n")
            .expect("written");
        let is_older = |dir: &Path| is_identity(&dir.join("identity"));
        take(dir.path(), Kind::Store, "demo", is_older).expect("it is known");
        assert!(bears(dir.path(), Kind::Store).expect("a mark"));
    }

    #[test]
    fn several_may_take_one_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().join("store");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    take(&dir, Kind::Store, "demo", |_| false).expect("it is push0's");
                    fs::create_dir_all(dir.join("tmp")).expect("a directory");
                });
            }
        });
        assert!(bears(&dir, Kind::Store).expect("a mark"));
    }
}
