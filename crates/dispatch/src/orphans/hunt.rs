//! Ends processes that fork faster than they can be killed one by one: a chain, each of which
//! starts the next and ends, or several that start each other again.
//!
//! Whoever is seen is stopped first (SIGSTOP), and what it had started by then is looked for
//! beneath it, which is faster than any fork; when nothing new turns up, nothing of it runs. Then
//! each is judged and killed, or goes on.
//!
//! Without control groups or a namespace this is a race that is won, not a guarantee: it is
//! bounded, and who has not been ended by then is told of.
//!
//! Not here: whose a process is.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, getsid};
use tokio::sync::oneshot;

use crate::procfs::{self, Stat, raw};
use crate::sys;

/// Hunts adopted processes that `is_prey` names, with all beneath them, until none has been seen
/// for a while; whether it came to that.
pub(super) async fn hunt(is_prey: impl Fn(Pid, &Stat) -> bool + Send + 'static) -> bool {
    let (done, is_over) = oneshot::channel();
    // A thread that ends with it: the rank that it asks for does not go away.
    let hunter = thread::Builder::new().name("hunt".to_owned()).spawn(move || {
        sys::run_first();
        // One at a time: they would let go what the other holds.
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = done.send(until_quiet(&is_prey));
    });
    hunter.is_ok() && is_over.await.unwrap_or(false)
}

fn until_quiet(is_prey: &impl Fn(Pid, &Stat) -> bool) -> bool {
    let give_up = Instant::now() + PATIENCE;
    let (mut spared, mut last) = (BTreeSet::new(), Instant::now());
    while Instant::now() < give_up {
        let stopped = freeze(&spared, give_up);
        if stopped.is_empty() {
            if last.elapsed() > QUIET {
                return true;
            }
            thread::sleep(PAUSE);
            continue;
        }
        last = Instant::now();
        for pid in stopped.into_iter().filter_map(Pid::from_raw) {
            match procfs::stat(pid) {
                Some(stat) if is_prey(pid, &stat) => sys::kill(pid),
                Some(_) => {
                    sys::signal(pid, Signal::CONT);
                    spared.insert(raw(pid));
                }
                None => {}
            }
        }
    }
    false
}

/// Stops all that was adopted, but not judged yet, and all beneath it, until there is nothing new;
/// reaps the dead.
fn freeze(spared: &BTreeSet<i32>, give_up: Instant) -> BTreeSet<i32> {
    let own_session = getsid(None).ok();
    let (mut stopped, mut still) = (BTreeSet::new(), 0);
    while still < ROUNDS_STILL && Instant::now() < give_up && stopped.len() < STOPPED_MAX {
        still += 1;
        let mut next: Vec<Pid> = Vec::new();
        for pid in procfs::adopted() {
            let is_known = spared.contains(&raw(pid)) || sys::is_spawned(pid);
            if !is_known && getsid(Some(pid)).ok() != own_session && !sys::reap(pid) {
                next.push(pid);
            }
        }
        while let Some(pid) = next.pop() {
            if stopped.insert(raw(pid)) {
                sys::signal(pid, Signal::STOP);
                still = 0;
            }
            // Again and again: it may have been about to start another when it was stopped.
            next.extend(
                procfs::children_of_first(pid).into_iter().filter(|child| *child != getpid()),
            );
        }
    }
    stopped
}

/// A hunt is over at the latest after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Nothing is left once nothing has been seen for so long: what was killed is gone, what it started
/// has been adopted.
const QUIET: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(1);

/// Rounds without anything new after which nothing runs: a stop that was sent has arrived by then.
const ROUNDS_STILL: usize = 3;

/// Judged at once, at most.
const STOPPED_MAX: usize = 4096;

static ALONE: Mutex<()> = Mutex::new(());
