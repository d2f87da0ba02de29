//! Whom a prover runs as, where push0 may say so.
//!
//! Only root may: push0 then gives a program's processes, and their directories, to the user that
//! its pipeline names, and they can touch neither push0's files nor its processes.
//!
//! Not here: the switch itself, which the child makes (`sys`).

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

use crate::identity;
pub(crate) use crate::identity::User;
use crate::sys;

/// Why no process can be run as a user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoUser {
    /// Make it, or name another.
    #[error("there is no user {name} on this machine")]
    Unknown { name: String },
    /// Start push0 as root.
    #[error("push0 runs as an ordinary user, which cannot start programs as {name}")]
    NotRoot { name: String },
    /// Open the folder, or use another.
    #[error("user {name} cannot reach {}, since {} shuts it off", dir.display(), shut.display())]
    Shut { name: String, dir: PathBuf, shut: PathBuf },
    /// Mend what the system tells of.
    #[error("user {name} cannot be looked up: {source}")]
    Unreadable { name: String, source: io::Error },
}

impl NoUser {
    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "make it (useradd), or name another in `user`",
            Self::NotRoot { .. } => "start push0 as root, or remove `user`",
            Self::Shut { .. } => {
                "put push0's directory elsewhere, or let others pass with chmod o+x"
            }
            Self::Unreadable { .. } => "mend that, or give the user's number",
        }
    }
}

impl User {
    /// Finds a user that this process may run programs as.
    pub(crate) fn find(name: &str) -> Result<Self, NoUser> {
        let name = || name.to_owned();
        let found = identity::user(&name())
            .map_err(|source| NoUser::Unreadable { name: name(), source })?;
        let user = found.ok_or_else(|| NoUser::Unknown { name: name() })?;
        let is_own = user.uid == geteuid().as_raw();
        match geteuid().is_root() || is_own {
            true => Ok(user),
            false => Err(NoUser::NotRoot { name: name() }),
        }
    }

    /// Whether it is another than this process is.
    pub(crate) fn is_other(&self) -> bool {
        self.uid != geteuid().as_raw()
    }

    /// Whether every folder on the way to `dir` lets this user pass. Those of push0's own do
    /// (`open_way`).
    pub(crate) fn can_reach(&self, dir: &Path) -> Result<(), NoUser> {
        let is_shut = |folder: &&Path| {
            let Ok(found) = fs::metadata(folder) else { return false };
            let bit = match (found.uid() == self.uid, self.groups.contains(&found.gid())) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            self.uid != 0 && found.mode() & bit == 0
        };
        match dir.ancestors().find(is_shut) {
            None => Ok(()),
            Some(shut) => {
                let (dir, shut) = (dir.to_owned(), shut.to_owned());
                Err(NoUser::Shut { name: self.name.clone(), dir, shut })
            }
        }
    }

    /// Gives it a directory with all that is in it, itself last. One that it has already was given
    /// whole, and is not looked into again: what runs in it may put a link in a folder's place
    /// meanwhile.
    pub(crate) fn own(&self, path: &Path) -> io::Result<()> {
        if !self.is_other() {
            return Ok(());
        }
        let found = fs::symlink_metadata(path)?;
        if found.uid() == self.uid {
            return Ok(());
        }
        if found.is_dir() {
            for entry in fs::read_dir(path)? {
                self.own(&entry?.path())?;
            }
        }
        lchown(path, Some(self.uid), Some(self.gid))
    }
}

/// Whether `user` can be had on this machine, for programs whose directories are in `dir` where
/// that is known.
///
/// # Errors
///
/// [`NoUser`]: why not, and what to do.
pub fn can_run_as(user: &str, dir: Option<&Path>) -> Result<(), NoUser> {
    let user = User::find(user)?;
    dir.map_or(Ok(()), |dir| user.can_reach(dir))
}

/// Has `command` run as the user that a program names, to whom `dir` is given with all that is in
/// it. To be called before [`die_with_parent`](crate::die_with_parent), which a switch of users
/// would undo.
///
/// # Errors
///
/// [`NoUser`]: why not.
pub fn run_as(command: &mut Command, user: &str, dir: &Path) -> Result<(), NoUser> {
    let user = User::find(user)?;
    if !user.is_other() {
        return Ok(());
    }
    user.own(dir).map_err(|source| NoUser::Unreadable { name: user.name.clone(), source })?;
    user.can_reach(dir)?;
    sys::switch(command, &user);
    command.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
    Ok(())
}

/// Lets others pass through a folder of push0's, not look into it.
pub(crate) fn open_way(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
}
