//! What the kernel alone offers for child processes; the only unsafe code of this crate.
//!
//! A prover gets a session of its own, so that all it starts can be told from every other child of
//! this process: nothing can join a session, only leave for one of its own.
//!
//! Not here: when a process is ended (`process`), and the search for what it left behind (`orphans`).

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpriority_process};
use rustix::process::{getpid, getppid, kill_process, kill_process_group, setsid, waitid};
use rustix::process::{set_child_subreaper, set_parent_process_death_signal};
use tokio::process::Child;

/// Makes this process the one that adopts what its descendants orphan.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Starts `command` in a session and process group of its own, to be killed by the kernel when the
/// calling *thread* ends. Call it on a thread that lives as long as the process may.
///
/// `door`: of the control group that it enters before it runs anything. Whether it could is for the
/// caller to see: a prover that is not in a group is watched.
pub(crate) fn spawn(mut command: Command, door: Option<File>) -> io::Result<(Child, Pid)> {
    before_exec(&mut command, move || {
        if let Some(door) = &door {
            let _ = rustix::io::write(door, b"0");
        }
        Ok(setsid().map(drop)?)
    });
    die_with_parent(&mut command);
    // Held across the fork: whoever looks for adopted children must not take this one for one.
    let mut spawned = spawned();
    let child = tokio::process::Command::from(command).spawn()?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let pid = pid.ok_or_else(|| io::Error::other("a child without an id"))?;
    spawned.insert(pid.as_raw_nonzero().get());
    Ok((child, pid))
}

/// Has the kernel kill what `command` starts (SIGKILL) when this process ends, however it ends.
///
/// The kernel goes by the *thread* that spawns, not by the process: when that thread ends, so does the
/// child. Spawn it on a thread that waits for it, or on one that lives as long as it may. What the child
/// itself starts is not killed, nor is a child that changes its user.
///
/// To be called in the process that spawns `command`: a child whose parent is another ends at once.
pub fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    before_exec(command, move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended between the fork and the line above.
        match getppid() == Some(parent) {
            true => Ok(()),
            false => Err(rustix::io::Errno::SRCH.into()),
        }
    });
}

/// `call` makes system calls alone.
fn before_exec(
    command: &mut Command,
    call: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: between fork and exec only system calls are made; nothing allocates or locks.
    #[expect(
        unsafe_code,
        reason = "the standard library has no other way to run code after a fork"
    )]
    unsafe {
        command.pre_exec(call);
    }
}

/// Asks for a short scheduling slice for the calling thread, so that it runs soon after it wakes though
/// provers fill all cores. What it forks, or the threads it starts, do not inherit it.
///
/// Best effort: kernels before Linux 6.12 have no such slice, and no thread depends on one.
pub fn shorten_time_slice() {
    /// `struct sched_attr` in its first form (sched_setattr(2)).
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    let attributes = Attributes {
        size: u32::try_from(size_of::<Attributes>()).unwrap_or_default(),
        policy: 0, // SCHED_OTHER
        flags: u64::try_from(libc::SCHED_FLAG_RESET_ON_FORK).unwrap_or_default(),
        nice: getpriority_process(None).unwrap_or_default(),
        priority: 0,
        runtime_ns: SLICE_NS,
        deadline_ns: 0,
        period_ns: 0,
    };
    // SAFETY: the kernel reads `size` bytes of a plain struct that outlives the call; 0 is this thread.
    #[expect(unsafe_code, reason = "neither the standard library nor rustix has this call")]
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// Says that a spawned child has been waited for.
pub(crate) fn forget(pid: Pid) {
    spawned().remove(&pid.as_raw_nonzero().get());
}

/// Whether `pid` is a child that this process spawned through [`spawn`]: somebody waits for it.
pub(crate) fn is_spawned(pid: Pid) -> bool {
    spawned().contains(&pid.as_raw_nonzero().get())
}

/// Sends a signal to a process group. One that is gone is no error.
pub(crate) fn signal_group(group: Pid, signal: Signal) {
    // All that can go wrong is that nobody is left.
    let _ = kill_process_group(group, signal);
}

/// Kills a process. One that is gone is no error.
pub(crate) fn kill(pid: Pid) {
    let _ = kill_process(pid, Signal::KILL);
}

/// Reaps a dead child that nobody else waits for.
pub(crate) fn reap(pid: Pid) {
    let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}

fn spawned() -> MutexGuard<'static, BTreeSet<i32>> {
    SPAWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shortest slice that the kernel grants is 100 us.
const SLICE_NS: u64 = 100_000;

/// All children of this process that were spawned here and not yet waited for. A process has one
/// table of children, so this is one too.
static SPAWNED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
