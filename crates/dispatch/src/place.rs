//! A dispatcher's directory: taken for its own, cleared of what a killed life left, and told from a
//! copy.
//!
//! ```text
//!   DIR/push0.mark  DIR/lock  DIR/identity  DIR/incarnation  DIR/processes  DIR/about.json
//!   DIR/work/{attempt,process,verify}-<attempt>   DIR/spare/spare-<number>
//!   DIR/cache/  DIR/held/<attempt>.json  DIR/logs/<attempt>.log
//! ```
//!
//! **A copy.** The mark of processes is made of the identity and of which directory it is, by
//! device and inode. A directory that is copied with all it holds has the same identity and is
//! another: its dispatcher takes none of the first one's processes for what a former life left.
//!
//! Not here: what each part is for (`lives`, `held`, `logs`, `spares`).

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use push0_core::{Digest, DispatcherId};

use crate::folder::remove_now;
use crate::mark::{self, Kind, MarkError};
use crate::store;

/// Takes `dir` for the dispatcher `id`.
///
/// # Errors
///
/// As [`mark::take`].
pub fn take(dir: &Path, id: &DispatcherId) -> Result<(), MarkError> {
    // An older dispatcher had both before anything else.
    let is_older =
        |dir: &Path| mark::is_identity(&dir.join("identity")) && dir.join(LOCK).is_file();
    mark::take(dir, Kind::Dispatch, id.as_str(), is_older)
}

/// Locks `dir` for the one dispatcher that may use it; nothing where another does.
pub(crate) fn lock(dir: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).mode(0o600).open(dir.join(LOCK))?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?; // one of before may be open to others
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The mark of everything that the dispatchers of this very directory ever start: 40 hexadecimal
/// digits.
pub(crate) fn processes_mark(dir: &Path) -> io::Result<String> {
    let identity = store::identity(dir, dir)?;
    let found = fs::metadata(dir)?;
    let place = Digest::of(format!("{}.{}", found.dev(), found.ino()).as_bytes()).to_string();
    Ok(identity + place.get(..PLACE_DIGITS).unwrap_or_default())
}

/// Removes what a life that was killed has left unfinished, each by the name that it was given;
/// what has another name stays. Answers which of the two folders of attempts holds what could not
/// be removed: that goes at the next start.
pub(crate) fn clear(dir: &Path) -> [Option<PathBuf>; 2] {
    let (work, spares) = (dir.join("work"), dir.join("spare"));
    let is_work = |name: &str| {
        ["attempt-", "process-", "verify-"].iter().any(|first| is_numbered(name, first))
    };
    let is_held = |name: &str| name.strip_suffix(".new").is_some_and(|name| is_numbered(name, ""));
    let own = ["incarnation.new", "processes.tmp", "about.tmp", "now.tmp"];
    let stay = [
        remove(&work, is_work).then_some(work),
        remove(&spares, |name| is_numbered(name, "spare-")).then_some(spares),
    ];
    remove(&dir.join("held"), is_held);
    remove(dir, |name| own.contains(&name) || store::is_identity_to_be(name));
    stay
}

/// Removes the entries of `dir` that `is_own`; whether one of them stays.
fn remove(dir: &Path, is_own: impl Fn(&str) -> bool) -> bool {
    let mut stays = false;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(&is_own) {
            continue;
        }
        let is_gone = match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_now(&entry.path()),
            Ok(_) => fs::remove_file(entry.path()).is_ok(),
            Err(_) => true,
        };
        stays |= !is_gone;
    }
    stays
}

fn is_numbered(name: &str, first: &str) -> bool {
    let number = name.strip_prefix(first);
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Held by the dispatcher that uses the directory.
const LOCK: &str = "lock";

/// Two directories of one machine agree in them once in four billion times.
const PLACE_DIGITS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_name_of_push0s_is_cleared() {
        let dir = tempfile::tempdir().expect("a directory");
        let (own, others) = (
            [
                "work/attempt-7/a",
                "work/process-7",
                "work/verify-9",
                "spare/spare-0/input",
                "held/7.new",
            ],
            [
                "work/thesis/draft",
                "work/attempt-x",
                "spare/keys",
                "held/7.json",
                "held/x.new",
                "cache/a",
            ],
        );
        for path in own.iter().chain(&others) {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
            fs::write(path, "").expect("a writable directory");
        }
        clear(dir.path());
        assert_eq!(own.map(|path| dir.path().join(path).exists()), [false; 5]);
        assert_eq!(others.map(|path| dir.path().join(path).exists()), [true; 6]);
    }

    #[test]
    fn a_copy_has_another_mark_and_a_renamed_one_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let [one, copy, renamed] = ["one", "copy", "renamed"].map(|name| dir.path().join(name));
        fs::create_dir(&one).expect("a directory");
        fs::create_dir(&copy).expect("a directory");
        let mark = processes_mark(&one).expect("a mark");
        fs::copy(one.join("identity"), copy.join("identity")).expect("copied");
        assert_ne!(processes_mark(&copy).expect("a mark"), mark);
        fs::rename(&one, &renamed).expect("renamed");
        assert_eq!(processes_mark(&renamed).expect("a mark"), mark);
    }
}
