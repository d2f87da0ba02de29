//! Who is a user of this machine, by its own word.
//!
//! Not here: whom a program runs as (`user`), and the switch to it (`sys`).

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// A user of this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The primary one, and the others.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
}

/// The name of the user that this process runs as; the number, where it has none.
#[must_use]
pub fn own_user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let known = user(&uid.to_string()).ok().flatten();
    known.map_or_else(|| format!("user {uid}"), |user| user.name)
}

/// The user of this name, or of this number; `None` if there is none.
pub(crate) fn user(name: &str) -> io::Result<Option<User>> {
    let (c_name, number) = (CString::new(name)?, name.parse::<u32>().ok());
    let mut buffer = vec![0; PASSWD_BYTES];
    // SAFETY: all zeros is a valid `passwd`, which the call fills with pointers into `buffer`.
    #[expect(unsafe_code, reason = "the C library alone knows who is a user here")]
    let (fault, entry, found) = unsafe {
        let (mut entry, mut found) = (std::mem::zeroed::<libc::passwd>(), std::ptr::null_mut());
        let (at, bytes) = (buffer.as_mut_ptr(), buffer.len());
        let fault = match number {
            Some(uid) => libc::getpwuid_r(uid, &raw mut entry, at, bytes, &raw mut found),
            None => libc::getpwnam_r(c_name.as_ptr(), &raw mut entry, at, bytes, &raw mut found),
        };
        (fault, entry, !found.is_null())
    };
    match (fault, found) {
        (0 | libc::ENOENT | libc::ESRCH, false) => return Ok(None),
        (0, true) => {}
        (fault, _) => return Err(io::Error::from_raw_os_error(fault)),
    }
    let mut groups = vec![0; GROUPS_MAX];
    let mut count = libc::c_int::try_from(groups.len()).unwrap_or_default();
    // SAFETY: the entry's pointers are into `buffer`, which is alive and unchanged; `groups` has
    // room for `count`.
    #[expect(unsafe_code, reason = "as above")]
    let (name, home, is_all) = unsafe {
        let text = |text: *const libc::c_char| CStr::from_ptr(text).to_bytes().to_vec();
        let all =
            libc::getgrouplist(entry.pw_name, entry.pw_gid, groups.as_mut_ptr(), &raw mut count);
        (text(entry.pw_name), text(entry.pw_dir), all >= 0)
    };
    groups.truncate(usize::try_from(count).unwrap_or_default());
    if !is_all {
        groups = vec![entry.pw_gid];
    }
    let home = PathBuf::from(OsString::from_vec(home));
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(Some(User { name, uid: entry.pw_uid, gid: entry.pw_gid, groups, home }))
}

/// As much as an entry of a user takes, with its gecos and a long home. Unit: bytes.
const PASSWD_BYTES: usize = 64 << 10;

/// Far more groups than a user for provers is in; who is in more gets the primary one alone.
const GROUPS_MAX: usize = 1024;
