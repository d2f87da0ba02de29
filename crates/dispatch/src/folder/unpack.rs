//! Removes a directory that a prover has made hard to remove: without rights, or deeper than any
//! path is long.
//!
//! Each directory in it is moved to its top first, so that two descriptors are enough however deep
//! it is, and no path has more than one name. Links are never followed: nothing outside is touched.
//!
//! Not here: the ordinary case (`folder`).

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, chmodat, openat, renameat_with, statat,
    unlinkat,
};
use rustix::io::Errno;

/// Removes it, as far as that goes.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    let top = open(CWD, dir)?;
    let mut moved = 0_u64;
    // Each round takes one directory apart, and there is only so much that a prover can have made.
    while let Some(name) = clear(top.as_fd(), None, &mut moved)? {
        let folder = open(top.as_fd(), name.as_str())?;
        clear(folder.as_fd(), Some(top.as_fd()), &mut moved)?;
        drop(folder);
        unlinkat(&top, name.as_str(), AtFlags::REMOVEDIR)?;
    }
    Ok(unlinkat(CWD, dir, AtFlags::REMOVEDIR)?)
}

/// Removes all but directories from `folder`, and moves those to `top`; in the top itself, names
/// the first.
fn clear(
    folder: BorrowedFd<'_>,
    top: Option<BorrowedFd<'_>>,
    moved: &mut u64,
) -> io::Result<Option<String>> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            unlinkat(folder, name, AtFlags::empty())?;
            continue;
        }
        // Without its rights it cannot be moved: its `..` changes.
        take_rights(folder, name)?;
        let is_moved = |name: &[u8]| name.starts_with(MOVED.as_bytes());
        let to = match top {
            None if is_moved(name.to_bytes()) => {
                return Ok(Some(name.to_string_lossy().into_owned()));
            }
            None => folder,
            Some(top) => top,
        };
        let new = move_to(folder, name, to, moved)?;
        if top.is_none() {
            return Ok(Some(new));
        }
    }
    Ok(None)
}

fn move_to(
    from: BorrowedFd<'_>,
    name: &std::ffi::CStr,
    to: BorrowedFd<'_>,
    moved: &mut u64,
) -> io::Result<String> {
    loop {
        *moved += 1;
        let new = format!("{MOVED}{moved}");
        match renameat_with(from, name, to, new.as_str(), RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(new),
            Err(Errno::EXIST) => {} // the prover's own, or of an earlier try
            Err(error) => return Err(error.into()),
        }
    }
}

fn open(at: BorrowedFd<'_>, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let found = take_rights(at, name)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(found, ".", flags, Mode::empty())?)
}

/// Has all rights in a directory. Through its own descriptor: a link that somebody puts in its
/// place is not followed.
fn take_rights(at: BorrowedFd<'_>, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat(at, name, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    chmodat(CWD, path, Mode::RWXU, AtFlags::empty())?;
    Ok(found)
}

const MOVED: &str = ".push0-moved-";

#[cfg(test)]
mod tests {
    use super::super::remove_now;

    #[test]
    fn a_directory_goes_however_deep_and_closed_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let outside = dir.path().join("outside");
        std::fs::write(&outside, "kept").expect("written");
        let top = dir.path().join("top");
        let script = r#"mkdir "$0" && cd "$0" && ln -s ../outside link && i=0
            while [ $i -lt 300 ]; do mkdir ddddddddd e && echo a > f && cd ddddddddd || exit 1; i=$((i+1)); done
            while [ $i -gt 250 ]; do cd ..; chmod 0 ddddddddd e; i=$((i-1)); done"#;
        let made = std::process::Command::new("sh").args(["-c", script]).arg(&top).status();
        assert!(made.expect("a shell").success());
        assert!(super::remove(&top).is_ok() && !top.exists());
        assert!(remove_now(&top), "what is not there is gone");
        let (closed, link) = (dir.path().join("closed"), dir.path().join("link"));
        std::fs::create_dir(&closed).expect("a directory");
        std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o500))
            .expect("closed");
        std::os::unix::fs::symlink(&closed, &link).expect("a link");
        assert!(super::remove(&link).is_err(), "a link is not followed");
        let mode = std::fs::metadata(&closed).expect("it is there").permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o500);
        assert_eq!(std::fs::read_to_string(&outside).expect("it is there"), "kept");
    }
}
