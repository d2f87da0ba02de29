//! What memory a process is held to, with all beneath it.
//!
//! Where it has a control group, the kernel holds it to it, and kills what passes it. Else it is
//! watched: counted is what only its end would free, anonymous and shared memory, not files that
//! are mapped. The sum is cheap and may count shared pages twice; only what is over the limit is
//! counted exactly, and only the exact count is believed.
//!
//! Not here: how groups are made (`cgroup`), and what is done to the process.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use tokio::time::{MissedTickBehavior, interval};

use crate::cgroup::Group;
use crate::folder::blocking;
use crate::procfs;

/// What a process may use, and how that is known. Clones are of the same process.
#[derive(Clone, Debug)]
pub(crate) struct Footprint {
    root: Pid,
    pub(crate) limit_bytes: u64,
    group: Option<Arc<Group>>,
}

impl Footprint {
    /// Of a process that was told to enter `group`. One that is not in it is watched.
    pub(crate) fn new(root: Pid, limit_bytes: u64, group: Option<Group>) -> Self {
        let group = group.filter(|group| group.holds(root)).map(Arc::new);
        Self { root, limit_bytes, group }
    }

    /// Whether the kernel has killed it, or something beneath it, for memory. `None`: it does not
    /// say.
    pub(crate) fn was_killed(&self) -> Option<bool> {
        self.group.as_ref().map(|group| group.has_killed())
    }

    /// Kills all that is left in its group.
    pub(crate) async fn end(&self) {
        if let Some(group) = self.group.clone()
            && !group.is_empty()
        {
            blocking(move || group.end()).await;
        }
    }
}

/// Waits until a process and all beneath it use more than they may, and says so for a person.
pub(crate) async fn over(of: Footprint) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let declared = mib(of.limit_bytes);
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut strayed = 0;
    loop {
        ticks.tick().await;
        if let Some(group) = &of.group {
            if group.has_killed() {
                return format!(
                    "killed: the kernel killed what it had started for its memory, its program declares \
                     {declared} MiB"
                );
            }
            // As root it may: then nothing keeps it to its memory, and nothing knows what it
            // starts.
            strayed = if has_left(of.root, group) { strayed + 1 } else { 0 };
            if strayed == STRAYED {
                return "killed: it, or what it had started, left its control group".to_owned();
            }
            continue;
        }
        if sum(of.root, procfs::own_bytes) <= of.limit_bytes {
            continue;
        }
        // Slow for a large process: not on the thread that everything else waits for.
        let root = of.root;
        let exact = tokio::task::spawn_blocking(move || sum(root, procfs::own_bytes_exactly)).await;
        if let Ok(bytes) = exact
            && bytes > of.limit_bytes
        {
            let used = mib(bytes);
            return format!(
                "killed: it used {used} MiB of memory, its program declares {declared} MiB"
            );
        }
    }
}

/// Whether a process beneath `root` is outside of its group. One that ends meanwhile may look so
/// for a moment.
fn has_left(root: Pid, group: &Group) -> bool {
    let tree = procfs::tree(root);
    let members = group.members();
    let is_outside = |pid: &Pid| {
        !members.contains(pid) && procfs::stat(*pid).is_some_and(|stat| !stat.is_zombie)
    };
    tree.iter().any(is_outside)
}

/// What a process and all beneath it use, if that is more than `limit_bytes`: looked at cheaply
/// first, then exactly. Blocks: to look at a large process takes a while. Unit: bytes.
#[must_use]
pub fn more_than(root: Pid, limit_bytes: u64) -> Option<u64> {
    if sum(root, procfs::own_bytes) <= limit_bytes {
        return None;
    }
    Some(sum(root, procfs::own_bytes_exactly)).filter(|bytes| *bytes > limit_bytes)
}

fn sum(root: Pid, of: impl Fn(Pid) -> u64) -> u64 {
    procfs::tree(root).into_iter().map(of).sum()
}

/// Looks in a row that see a process outside of its group, before that is believed.
const STRAYED: u32 = 2;

/// From one look to the next. A prover that grows by 10 GB/s passes its limit by 2.5 GB.
const INTERVAL: Duration = Duration::from_millis(250);
