//! What provers leave behind: processes whose parent has ended, which this process adopts.
//!
//! Every prover has a session of its own. So a child of this process that has another session than
//! this process, and that was not spawned here, was started by some prover; whose it is, its session
//! and the mark in its environment tell. One that hides both is ended with the next attempt that
//! ends, if it is younger than that attempt's process.
//!
//! Not here: what a former life left behind (`lives`).

use std::time::Duration;

use rustix::process::{Pid, Signal, getpid};
use tokio::time::{Instant, sleep};

use crate::lives::{Life, Lives};
use crate::procfs::{self, Stat};
use crate::sys;

/// The variable that marks a process and all that it starts.
pub(crate) const TAG: &str = "PUSH0_PROCESS";

/// Ends all that a process, which has itself ended, has left behind.
pub(crate) async fn end(life: &Life) {
    let give_up = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    while kill_adopted(|pid, stat| is_of(life, pid, stat)) && Instant::now() < give_up {
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Ends what turned up late: adopted processes of this life that no living process of it started.
pub(crate) fn sweep(lives: &Lives) {
    kill_adopted(|pid, _| match procfs::variable(pid, TAG) {
        Some(tag) => lives.number_of(&tag).is_some_and(|number| !lives.is_alive(number)),
        None => lives.none_alive(),
    });
}

/// Kills the adopted processes that `is_wanted` names, and reaps the dead ones; whether any was killed.
fn kill_adopted(is_wanted: impl Fn(Pid, &Stat) -> bool) -> bool {
    let own = getpid();
    // Without it nobody's child can be told from a prover's.
    let Some(own_session) = procfs::stat(own).map(|stat| stat.session) else { return false };
    let mut has_killed = false;
    for pid in procfs::children(own) {
        let Some(stat) = procfs::stat(pid) else { continue };
        if own_session == stat.session || sys::is_spawned(pid) {
            continue;
        }
        if stat.is_zombie {
            sys::reap(pid);
        } else if is_wanted(pid, &stat) {
            if let Some(group) = Pid::from_raw(stat.group) {
                sys::signal_group(group, Signal::KILL);
            }
            sys::kill(pid);
            has_killed = true;
        }
    }
    has_killed
}

fn is_of(life: &Life, pid: Pid, stat: &Stat) -> bool {
    if stat.session == procfs::raw(life.pid) {
        return true;
    }
    match procfs::variable(pid, TAG) {
        Some(tag) => life.lives().number_of(&tag) == Some(life.number),
        None => stat.started >= life.started,
    }
}

/// How long killed processes are waited for. What a kernel does not end by then stays until the next
/// sweep.
const PATIENCE: Duration = Duration::from_secs(5);
