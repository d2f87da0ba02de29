//! What `/proc` says about processes. Each answer is of a moment, and may be of nobody any more.
//!
//! Not here: what is done about it.

use std::fs;
use std::path::Path;

use rustix::process::Pid;

/// The part of `/proc/PID/stat` that is used here (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stat {
    pub(crate) is_zombie: bool,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// When it started, in clock ticks since the machine did: with the pid, what tells it from
    /// others.
    pub(crate) started: u64,
}

/// What is known of a process.
pub(crate) fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{}/stat", raw(pid))).ok()?)
}

/// The value of a variable in the environment that a process was started with.
pub(crate) fn variable(pid: Pid, name: &str) -> Option<String> {
    let environ = fs::read(format!("/proc/{}/environ", raw(pid))).ok()?;
    let mut pairs = environ.split(|byte| *byte == 0);
    let value = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok()
}

/// All processes that can be seen.
pub(crate) fn all() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| number(&entry.ok()?.file_name().to_string_lossy())).collect()
}

/// The children of a process, of all its threads, at this moment.
#[must_use]
pub fn children(pid: Pid) -> Vec<Pid> {
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", raw(pid))) else { return Vec::new() };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => children.extend(list.split_whitespace().filter_map(number)),
            // Kernels built without CONFIG_PROC_CHILDREN, and threads that have just ended.
            Err(_) if !has_children_files() => return children_by_search(pid),
            Err(_) => {}
        }
    }
    children
}

/// The children of a process's first thread: of all of it, where it has one.
pub(crate) fn children_of_first(pid: Pid) -> Vec<Pid> {
    let pid = raw(pid);
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(number).collect()
}

/// The children that this process has adopted, and those that its first thread has started: the
/// kernel gives orphans to that thread, which starts no prover.
pub(crate) fn adopted() -> Vec<Pid> {
    let own = raw(rustix::process::getpid());
    match fs::read_to_string(format!("/proc/self/task/{own}/children")) {
        Ok(list) => list.split_whitespace().filter_map(number).collect(),
        Err(_) => children(rustix::process::getpid()),
    }
}

/// A process and all beneath it; bounded, for it may fork faster than one can look.
pub(crate) fn tree(root: Pid) -> Vec<Pid> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied()
        && found.len() < TREE_MAX
    {
        found.extend(children(pid));
        next += 1;
    }
    found
}

/// Memory that only this process would free, not counting files that the kernel can read again.
/// Pages shared after a fork count in full. Unit: bytes.
pub(crate) fn own_bytes(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", raw(pid))).unwrap_or_default();
    kib(&status, "RssAnon:") + kib(&status, "RssShmem:")
}

/// As [`own_bytes`], but shared pages count by their share. Exact, and slow.
pub(crate) fn own_bytes_exactly(pid: Pid) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", raw(pid))).unwrap_or_default();
    kib(&rollup, "Pss_Anon:") + kib(&rollup, "Pss_Shmem:")
}

/// How many processes the kernel has killed for memory since the machine started.
pub(crate) fn oom_kills() -> u64 {
    let vmstat = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let count = vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
    count.unwrap_or_default()
}

/// What tells this run of the machine from the ones before.
pub(crate) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn parse_stat(line: &str) -> Option<Stat> {
    // The name stands in brackets and may hold anything, brackets and spaces too.
    let (_, rest) = line.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Some(Stat {
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn children_by_search(parent: Pid) -> Vec<Pid> {
    let is_child = |pid: &Pid| stat(*pid).is_some_and(|stat| stat.parent == raw(parent));
    all().into_iter().filter(is_child).collect()
}

fn has_children_files() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    number.unwrap_or_default() * 1024
}

fn number(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok().filter(|pid| *pid > 0)?)
}

/// A pid as the kernel writes it.
pub(crate) fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// Processes that are looked at beneath one.
const TREE_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let line = "7 (a) Z 1 (b)) S 4 5 6 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0";
        let stat = parse_stat(line).expect("a stat");
        assert_eq!((stat.parent, stat.group, stat.session, stat.started), (4, 5, 6, 99));
        assert!(!stat.is_zombie);
    }

    #[test]
    fn this_process_is_seen() {
        let own = rustix::process::getpid();
        assert!(stat(own).is_some_and(|stat| !stat.is_zombie));
        assert!(own_bytes(own) > 0 && own_bytes_exactly(own) > 0);
        assert!(variable(own, "PATH").is_some());
    }
}
