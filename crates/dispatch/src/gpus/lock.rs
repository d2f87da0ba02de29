//! A lock by device, which every process of a machine can take and see, whoever its user is.
//!
//! It is a file in a directory that anybody may write to and nobody may remove another's files from
//! (`/run/lock`, else `/tmp`), held by `flock`: the kernel frees it when the process ends, however
//! that ends. The file says who has it. It is removed under the lock; who has locked a file that is
//! not there any more begins anew.
//!
//! A stranger may take the names too, and can do no more than keep devices from being offered,
//! which is told with its word for itself. A link is not followed, nothing but a plain file is
//! opened, and only a file of this user's own, which has no second name, is written to. What stands
//! in the way keeps the device from being offered, too: a lock that cannot be had is not one that
//! nobody has.
//!
//! Not here: which device has which name (`names`).

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A device that is this process's alone; dropped, it is free.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

/// Why there is none.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum NoLock {
    /// Another process has it: who, by its own word.
    Elsewhere(String),
    /// It cannot be told, for this reason.
    Unusable(String),
}

impl Lock {
    pub(super) fn take(place: &Path, identity: &str, owner: &str) -> Result<Self, NoLock> {
        let path = path(place, identity);
        let unusable = |error: io::Error| NoLock::Unusable(format!("{}: {error}", path.display()));
        for _ in 0..TRIES {
            let mut file = match open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) if fs::symlink_metadata(&path).is_ok() => {
                    let path = path.display();
                    return Err(NoLock::Elsewhere(format!(
                        "{path}, which cannot be locked ({error}),"
                    )));
                }
                Err(error) => return Err(unusable(error)),
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(NoLock::Elsewhere(owner_of(&file))),
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
            if !is_at(&file, &path) {
                continue; // it was removed by who had it
            }
            if is_own(&file) {
                // Best effort: it is for people.
                let _ = file.set_len(0).and_then(|()| file.write_all(owner.as_bytes()));
            }
            return Ok(Self { path, _file: file });
        }
        Err(NoLock::Unusable(format!("{}: it comes and goes", path.display())))
    }

    /// Who has it, if anybody does. Takes nothing.
    pub(super) fn peek(place: &Path, identity: &str) -> Option<String> {
        let path = path(place, identity);
        let file = plain(File::options().read(true), &path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(owner_of(&file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // another user's stays, and is free all the same
    }
}

/// The one directory of this machine, whatever the user: its rights decide, not whether this
/// process may write to it.
pub(super) fn place() -> PathBuf {
    let is_anybodys = |path: &&str| {
        let found = fs::symlink_metadata(path);
        found.is_ok_and(|found| found.is_dir() && found.mode() & ANYBODYS == ANYBODYS)
    };
    PathBuf::from(PLACES.into_iter().find(is_anybodys).unwrap_or("/tmp"))
}

fn path(place: &Path, identity: &str) -> PathBuf {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let letters = identity.chars().map(|letter| if is_plain(letter) { letter } else { '_' });
    let name: String = letters.take(NAME_MAX).collect();
    place.join(format!("push0-gpu-{name}.lock"))
}

/// Opens the file, or makes it. Where another is about to make it: `AlreadyExists`.
fn open(path: &Path) -> io::Result<File> {
    let there = match plain(File::options().read(true).write(true), path) {
        // What may not be written can be locked too.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            plain(File::options().read(true), path)
        }
        there => there,
    };
    match there {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = File::options().read(true).write(true).create_new(true).open(path)?;
            // Whatever the umask: others are to say that it is theirs, once it is.
            let _ = file.set_permissions(Permissions::from_mode(0o666));
            Ok(file)
        }
        there => there,
    }
}

fn plain(options: &mut fs::OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no plain file")),
    }
}

/// Whether it is this user's, and has no other name.
fn is_own(file: &File) -> bool {
    let user = rustix::process::geteuid().as_raw();
    file.metadata().is_ok_and(|found| found.uid() == user && found.nlink() == 1)
}

/// Whether a file is still what its path leads to.
fn is_at(file: &File, path: &Path) -> bool {
    let numbers = |found: fs::Metadata| (found.dev(), found.ino());
    let (own, there) = (file.metadata().map(numbers), fs::symlink_metadata(path).map(numbers));
    own.is_ok_and(|own| there.is_ok_and(|there| own == there))
}

fn owner_of(file: &File) -> String {
    let mut said = String::new();
    let _ = file.take(OWNER_MAX).read_to_string(&mut said);
    match said.trim() {
        "" => "another process".to_owned(),
        said => push0_core::plain(said).into_owned(),
    }
}

/// Where all processes of a machine meet, the first that suits.
const PLACES: [&str; 2] = ["/run/lock", "/tmp"];

/// Anybody may make files there, and remove none but their own.
const ANYBODYS: u32 = 0o1002;

/// A file that is removed each time it is opened is somebody's mischief.
const TRIES: usize = 8;

/// Letters of a device's name that are taken: more than a UUID has.
const NAME_MAX: usize = 100;

/// What is read of who has it. Unit: bytes.
const OWNER_MAX: u64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_tells_who_has_it_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let take = |owner| Lock::take(dir.path(), "MIG-1/2/3", owner);
        let own = take("gpu-1\u{1b}").expect("it is free");
        assert_eq!(take("gpu-2").err(), Some(NoLock::Elsewhere("gpu-1\\u{1b}".to_owned())));
        assert!(dir.path().join("push0-gpu-MIG-1_2_3.lock").is_file());
        drop(own);
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 0);
        assert_eq!(Lock::peek(dir.path(), "MIG-1/2/3"), None);
        drop(take("gpu-2").expect("it is free again"));
    }

    #[test]
    fn what_stands_in_the_way_is_not_opened_and_nobody_is_offered_its_device() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("precious");
        fs::write(&target, "precious").expect("written");
        let link = dir.path().join("push0-gpu-0.lock");
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        assert!(matches!(Lock::take(dir.path(), "0", "x"), Err(NoLock::Elsewhere(_))));
        let second = dir.path().join("push0-gpu-2.lock");
        fs::hard_link(&target, &second).expect("linked");
        drop(Lock::take(dir.path(), "2", "x").expect("it can be locked"));
        assert_eq!(fs::read_to_string(&target).expect("read"), "precious");
        let pipe = rustix::fs::CWD;
        rustix::fs::mknodat(
            pipe,
            dir.path().join("push0-gpu-1.lock"),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .expect("a pipe");
        assert!(matches!(Lock::take(dir.path(), "1", "x"), Err(NoLock::Elsewhere(_))));
        fs::create_dir(dir.path().join("push0-gpu-3.lock")).expect("a directory");
        assert!(matches!(Lock::take(dir.path(), "3", "x"), Err(NoLock::Elsewhere(_))));
        assert!(matches!(Lock::take(&dir.path().join("none"), "0", "x"), Err(NoLock::Unusable(_))));
    }
}
