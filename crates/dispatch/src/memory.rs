//! Watches how much memory a process uses, with all beneath it.
//!
//! Counted is what only its end would free: anonymous and shared memory, not files that are mapped.
//! The sum is cheap and may count shared pages twice; only what is over the limit is counted exactly,
//! and only the exact count is believed.
//!
//! Not here: cgroups, and what is done to the process.

use std::time::Duration;

use rustix::process::Pid;
use tokio::time::{MissedTickBehavior, interval};

use crate::procfs;

/// Waits until `root` and all beneath it use more than `limit_bytes`, and says how much that is.
pub(crate) async fn over(root: Pid, limit_bytes: u64) -> u64 {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if sum(root, procfs::own_bytes) <= limit_bytes {
            continue;
        }
        // Slow for a large process: not on the thread that everything else waits for.
        let exact = tokio::task::spawn_blocking(move || sum(root, procfs::own_bytes_exactly)).await;
        if let Ok(bytes) = exact
            && bytes > limit_bytes
        {
            return bytes;
        }
    }
}

fn sum(root: Pid, of: impl Fn(Pid) -> u64) -> u64 {
    procfs::tree(root).into_iter().map(of).sum()
}

/// From one look to the next. A prover that grows by 10 GB/s passes its limit by 2.5 GB.
const INTERVAL: Duration = Duration::from_millis(250);
