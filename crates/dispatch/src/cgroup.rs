//! Memory limits that the kernel keeps, by control groups (cgroups(7)), where this process may make
//! some.
//!
//! ```text
//!   OWN/push0-<mark>.<life>/<number>     one process of a prover, with all that it starts
//! ```
//!
//! Both versions of cgroups are spoken. In version 2 a group that hands a controller on may hold no
//! process itself, so this process moves into one beneath its own, if nobody else is there. A group
//! is used again once it is empty: the kernel may wait for all its processors before it lets one
//! go.
//!
//! Each life has a folder of its own: what a dead one left behind (its guardian, for a second)
//! kills in that life's folder, and never finds the next life's provers there.
//!
//! Not here: what is done where there are none (`memory`), and where a process stands (`place`).

mod place;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use self::place::{Place, Version};
use crate::{procfs, sys};

/// Who sees to it that a prover uses no more memory than its program declares.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MemoryLimit {
    /// The kernel, at the moment it happens.
    Cgroup {
        /// Of cgroups: 1 or 2.
        version: u8,
        /// The folder of the groups.
        path: PathBuf,
    },
    /// The dispatcher, which looks four times a second.
    Watched {
        /// Why there are no groups to be had.
        why: String,
    },
}

impl MemoryLimit {
    /// Whether the kernel does.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        matches!(self, Self::Cgroup { .. })
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup { version, path } => {
                write!(f, "kept by the kernel (cgroups {version}, {})", path.display())
            }
            Self::Watched { why } => write!(
                f,
                "watched four times a second, and what they leave behind is searched for (no cgroup: {why})"
            ),
        }
    }
}

/// The least that this process and all beside it in its control groups may use; none, where there
/// is no limit. Unit: bytes.
#[must_use]
pub fn memory_limit_bytes() -> Option<u64> {
    Place::limit_bytes()
}

/// The groups of one dispatcher. Dropped, their folder goes.
#[derive(Debug)]
pub(crate) struct Groups {
    version: Version,
    /// `OWN/push0-<mark>.<life>`.
    path: PathBuf,
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    next: u64,
    free: BTreeSet<u64>,
}

/// A group for one process and all that it starts, with a limit.
#[derive(Debug)]
pub(crate) struct Group {
    groups: Arc<Groups>,
    name: u64,
    path: PathBuf,
    kills_before: u64,
}

impl Groups {
    /// Groups for this life of the dispatcher of this mark; ends what is left in those of its
    /// former lives.
    ///
    /// # Errors
    ///
    /// Why there are none, for a person.
    pub(crate) fn open(mark: &str, life: u64) -> Result<Arc<Self>, String> {
        let Place { version, path: own } = Place::find()?;
        let name = format!("push0-{mark}.{life:x}");
        end_former(&own, mark);
        let path = own.join(name);
        if version == Version::Two {
            hand_on(&own, mark)?;
        }
        make(&path)?;
        let groups = Arc::new(Self { version, path, names: Mutex::default() });
        if version == Version::Two {
            write(&groups.path.join(CONTROL), "+memory")?;
        }
        // What is promised is tried once before anybody counts on it.
        groups.try_take(TRIAL_BYTES)?;
        Ok(groups)
    }

    /// A group that may use `limit_bytes`; none where the kernel refuses.
    pub(crate) fn take(self: &Arc<Self>, limit_bytes: u64) -> Option<Group> {
        self.try_take(limit_bytes).ok()
    }

    /// The folder of the groups.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How it is told to people.
    pub(crate) fn limit(&self) -> MemoryLimit {
        MemoryLimit::Cgroup { version: self.version.number(), path: self.path.clone() }
    }

    fn try_take(self: &Arc<Self>, limit_bytes: u64) -> Result<Group, String> {
        let name = {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.free.pop_first().unwrap_or_else(|| {
                names.next += 1;
                names.next
            })
        };
        let path = self.path.join(name.to_string());
        make(&path)?;
        // From here on it is given back, or removed, when dropped.
        let mut group = Group { groups: Arc::clone(self), name, path, kills_before: 0 };
        let limit = limit_bytes.to_string();
        match self.version {
            Version::One => {
                // Never above the one with swap: that one is lifted first, where there is one.
                let with_swap = group.path.join("memory.memsw.limit_in_bytes");
                let _ = fs::write(&with_swap, "-1");
                write(&group.path.join("memory.limit_in_bytes"), &limit)?;
                let _ = fs::write(&with_swap, &limit);
            }
            Version::Two => {
                write(&group.path.join("memory.max"), &limit)?;
                // Kernels without swap have no such file.
                let _ = fs::write(group.path.join("memory.swap.max"), "0");
                let _ = fs::write(group.path.join("memory.oom.group"), "1");
            }
        }
        group.kills_before = group.kills();
        Ok(group)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

impl Group {
    /// Where a process writes `0` to enter.
    pub(crate) fn door(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.path.join(PROCESSES))
    }

    /// Whether a process is in it.
    pub(crate) fn holds(&self, pid: Pid) -> bool {
        members(&self.path).contains(&pid)
    }

    /// What is in it.
    pub(crate) fn members(&self) -> Vec<Pid> {
        members(&self.path)
    }

    /// Whether the kernel has killed in it for memory since it was taken.
    pub(crate) fn has_killed(&self) -> bool {
        self.kills() > self.kills_before
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        members(&self.path).is_empty()
    }

    /// Kills all that is in it, and waits until it is gone: whatever it has hidden from its parent.
    pub(crate) fn end(&self) {
        end(&self.path);
    }

    fn kills(&self) -> u64 {
        let name = match self.groups.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs::read_to_string(self.path.join(name)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
        count.unwrap_or_default()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if members(&self.path).is_empty() {
            let mut names = self.groups.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.free.insert(self.name);
        }
        // Else its name is not given to another; the folder goes with the dispatcher.
    }
}

/// Lets `own` hand memory on to groups beneath it.
fn hand_on(own: &Path, mark: &str) -> Result<(), String> {
    let control = own.join(CONTROL);
    let Err(first) = fs::write(&control, "+memory") else { return Ok(()) };
    let refused = |error: io::Error| format!("{}: {error}", control.display());
    if first.raw_os_error() != Some(rustix::io::Errno::BUSY.raw_os_error()) {
        return Err(refused(first));
    }
    let this = rustix::process::getpid();
    let is_ours = |pid: &Pid| {
        *pid == this || procfs::stat(*pid).is_some_and(|stat| stat.parent == procfs::raw(this))
    };
    let members = members(own);
    if !members.iter().all(is_ours) {
        return Err(format!("{}: other processes than push0's are in it", own.display()));
    }
    let main = own.join(format!("push0-{mark}-main"));
    make(&main)?;
    for pid in members {
        write(&main.join(PROCESSES), &procfs::raw(pid).to_string())?;
    }
    fs::write(&control, "+memory").map_err(refused)
}

/// Ends what is in the folders of the lives before this one. Only a living dispatcher of this mark
/// could have one beside them, and it would hold the lock.
fn end_former(own: &Path, mark: &str) {
    for path in folders(own).into_iter().filter(|path| is_of(path, mark)) {
        for group in folders(&path) {
            end(&group);
        }
        remove(&path);
    }
}

/// Whether a folder was made for some life of this mark. A version that named them by the
/// directory's identity alone is not meant: a copy of the directory has the same identity, and
/// whoever lives in the folder may be the first one's.
fn is_of(path: &Path, mark: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let rest = name.and_then(|name| name.strip_prefix("push0-")?.strip_prefix(mark));
    rest.is_some_and(|rest| rest.starts_with('.'))
}

fn end(group: &Path) {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let left = members(group);
        if left.is_empty() || Instant::now() > give_up {
            return;
        }
        left.into_iter().for_each(sys::kill);
        sleep(PAUSE);
    }
}

/// Removes a folder of empty groups. Best effort: an empty group costs next to nothing.
fn remove(path: &Path) {
    for group in folders(path) {
        let _ = fs::remove_dir(group);
    }
    let _ = fs::remove_dir(path);
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn members(group: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(group.join(PROCESSES)).unwrap_or_default();
    text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}

fn make(path: &Path) -> Result<(), String> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("{}: {error}", path.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

const PROCESSES: &str = "cgroup.procs";
const CONTROL: &str = "cgroup.subtree_control";

/// How long killed processes are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

/// The limit of the group that is made to see whether one can be.
const TRIAL_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Where the machine has groups. Where it has none there is nothing to try, and `status` says
    /// so.
    fn groups(mark: &str, life: u64) -> Option<Arc<Groups>> {
        Groups::open(&format!("{mark}-{}", std::process::id()), life).ok()
    }

    #[test]
    fn a_group_is_ended_with_all_that_is_in_it_and_used_again() {
        let Some(groups) = groups("test-end", 1) else { return };
        let group = groups.take(TRIAL_BYTES).expect("a group");
        let mut child =
            Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep");
        let pid = Pid::from_child(&child);
        assert!(!group.holds(pid));
        write(&group.path.join(PROCESSES), &procfs::raw(pid).to_string()).expect("entered");
        assert!(group.holds(pid));
        let waited = std::thread::spawn(move || child.wait().expect("an end").success());
        group.end();
        assert!(!waited.join().expect("no panic"));
        assert!(!group.has_killed(), "nothing was killed for memory");
        let name = group.name;
        drop(group);
        assert_eq!(groups.take(TRIAL_BYTES).expect("a group").name, name);
    }

    #[test]
    fn a_folder_is_of_the_mark_and_not_of_the_identity_alone() {
        let (identity, place) = ("0123456789abcdef0123456789abcdef", "89abcdef");
        let mark = format!("{identity}{place}");
        let is_its = |name: &str| is_of(Path::new(name), &mark);
        assert!(is_its(&format!("push0-{mark}.1f")));
        for name in [identity, &format!("{identity}.1f"), &format!("{identity}01234567.1f")] {
            assert!(!is_its(&format!("push0-{name}")), "{name}");
        }
    }

    #[test]
    fn what_a_killed_dispatcher_left_goes_with_the_next_which_has_a_folder_of_its_own() {
        let Some(former) = groups("test-former", 1) else { return };
        let group = former.take(TRIAL_BYTES).expect("a group");
        let mut sleep = Command::new("sh");
        sleep.args(["-c", r#"echo 0 > "$0" && exec sleep 60"#]).arg(group.path.join(PROCESSES));
        let mut child = sleep.spawn().expect("sh");
        let pid = Pid::from_child(&child);
        while !group.holds(pid) {
            std::thread::yield_now();
        }
        let waited = std::thread::spawn(move || child.wait().expect("an end").success());
        let path = former.path.clone();
        std::mem::forget((group, former));
        let next = groups("test-former", 2).expect("groups");
        assert!(!waited.join().expect("no panic"));
        // At once, and not when the next one goes: nothing of the dead one finds the next one's
        // provers.
        assert!(!path.exists() && next.path != path);
    }
}
