//! What provers leave behind: processes whose parent has ended, which this process adopts.
//!
//! Every prover has a session of its own. So a child of this process that has another session than
//! this process, and that was not spawned here, was started by some prover; whose it is, its
//! session and the mark in its environment tell. One that hides both is ended with the next attempt
//! that ends, if it is younger than that attempt's process.
//!
//! What forks faster than it can be killed one by one is hunted (`hunt`). Where provers have
//! control groups nothing of this has much to do: the group is ended first.
//!
//! Not here: what a former life left behind (`lives`).

mod hunt;

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid};
use tokio::time::{Instant, sleep};

use crate::lives::{Life, Lives, Of, TAG};
use crate::procfs::{self, Stat};
use crate::sys;

/// Ends all that a process, which has itself ended, has left behind.
pub(crate) async fn end(life: &Life) {
    let mut pause = Duration::from_millis(1);
    for _ in 0..ROUNDS {
        if !kill_adopted(|pid, stat| is_of(life.lives(), life.of(), pid, stat)) {
            return;
        }
        sleep(pause).await;
        pause *= 2;
    }
    let (lives, of) = (Arc::clone(life.lives()), life.of());
    hunted(&Arc::clone(life.lives()), move |pid, stat| is_of(&lives, of, pid, stat)).await;
}

/// Ends what turned up late: adopted processes of this life that no living process of it started.
pub(crate) fn sweep(lives: &Lives) {
    kill_adopted(|pid, _| is_late(lives, pid));
}

/// Ends all that is left when nothing runs any more.
pub(crate) async fn end_all(lives: &Arc<Lives>) {
    let give_up = Instant::now() + Duration::from_millis(20);
    while kill_adopted(|pid, _| is_late(lives, pid)) {
        if Instant::now() > give_up {
            let of = Arc::clone(lives);
            return hunted(lives, move |pid, _| is_late(&of, pid)).await;
        }
        sleep(Duration::from_millis(2)).await;
    }
}

async fn hunted(lives: &Lives, is_prey: impl Fn(Pid, &Stat) -> bool + Send + 'static) {
    if !hunt::hunt(is_prey).await {
        lives.note_stray();
    }
}

fn is_late(lives: &Lives, pid: Pid) -> bool {
    match procfs::variable(pid, TAG) {
        Some(tag) => lives.number_of(&tag).is_some_and(|number| !lives.is_alive(number)),
        None => lives.none_alive(),
    }
}

/// Kills every process that was started with this mark ([`TAG`]), and waits until none is left.
/// Blocks.
///
/// For who runs a process without a dispatcher; a process that takes the mark out of its
/// environment is not found.
pub fn end_marked(mark: &str) {
    let give_up = std::time::Instant::now() + MARKED;
    let mut pause = Duration::from_millis(1);
    loop {
        let is_left = |pid: &Pid| {
            procfs::variable(*pid, TAG).as_deref() == Some(mark)
                && procfs::stat(*pid).is_some_and(|stat| !stat.is_zombie)
        };
        let left: Vec<Pid> = procfs::all().into_iter().filter(is_left).collect();
        if left.is_empty() || std::time::Instant::now() > give_up {
            return;
        }
        left.into_iter().for_each(sys::kill);
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Kills the adopted processes that `is_wanted` names, and reaps the dead ones; whether any was
/// killed.
fn kill_adopted(is_wanted: impl Fn(Pid, &Stat) -> bool) -> bool {
    if !sys::adopts_orphans() {
        return false; // what is a child here is the program's own
    }
    let own = getpid();
    // Without it nobody's child can be told from a prover's.
    let Some(own_session) = procfs::stat(own).map(|stat| stat.session) else { return false };
    let mut has_killed = false;
    for pid in procfs::adopted() {
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

fn is_of(lives: &Lives, of: Of, pid: Pid, stat: &Stat) -> bool {
    if stat.session == of.session {
        return true;
    }
    match procfs::variable(pid, TAG) {
        Some(tag) => lives.number_of(&tag) == Some(of.number),
        None => stat.started >= of.started,
    }
}

/// How often what is left behind is killed before it is hunted: 15 ms in all, in which what forks
/// no more is gone.
const ROUNDS: usize = 4;

/// How long processes that are killed by their mark are waited for.
const MARKED: Duration = Duration::from_secs(5);
