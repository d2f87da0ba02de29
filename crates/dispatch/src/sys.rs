//! What the kernel alone offers for child processes; the only unsafe code of this crate.
//!
//! A prover gets a session of its own, so that all it starts can be told from every other child of
//! this process: nothing can join a session, only leave for one of its own.
//!
//! Not here: when a process is ended (`process`), and the search for what it left behind
//! (`orphans`).

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpriority_process, pidfd_open,
};
use rustix::process::{getpid, getppid, kill_process, kill_process_group, setsid, waitid};
use rustix::process::{set_child_subreaper, set_parent_process_death_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;

use crate::identity::User;

/// Makes this process the one that adopts what its descendants orphan, from now on, if it
/// `is_asked`.
pub(crate) fn adopt_orphans(is_asked: bool) -> io::Result<()> {
    if is_asked {
        set_child_subreaper(Some(getpid()))?;
        ADOPTS.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Whether it is.
pub(crate) fn adopts_orphans() -> bool {
    ADOPTS.load(Ordering::Relaxed)
}

static ADOPTS: AtomicBool = AtomicBool::new(false);

/// What a child becomes.
#[derive(Debug)]
pub(crate) struct Image {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    /// Whom it runs as, if that is another: user, group, all groups.
    ids: Option<(u32, u32, Vec<u32>)>,
}

impl Image {
    /// The program at `path`, with all of its environment.
    ///
    /// # Errors
    ///
    /// If a word has a NUL in it, which no program can be given.
    pub(crate) fn new<'a>(
        path: &'a str,
        words: impl Iterator<Item = &'a str>,
        env: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
        user: Option<&User>,
    ) -> io::Result<Self> {
        let pair = |(name, value): (&OsStr, &OsStr)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())
        };
        let switch = user.filter(|user| user.is_other());
        Ok(Self {
            path: CString::new(path)?,
            argv: std::iter::once(path).chain(words).map(CString::new).collect::<Result<_, _>>()?,
            env: env.map(pair).collect::<Result<_, _>>()?,
            ids: switch.map(|user| (user.uid, user.gid, user.groups.clone())),
        })
    }
}

/// Starts a program in a session and process group of its own, to be killed by the kernel when the
/// calling *thread* ends. Call it on a thread that lives as long as the process may. `around` has
/// its directory and its pipes alone.
///
/// It is the kernel that starts it, or nobody: what is no program is refused (ENOEXEC), where the C
/// library would hand it to a shell that runs its bytes as lines.
///
/// `door`: of the control group that it enters before it runs anything. Whether it could is for the
/// caller to see: a prover that is not in a group is watched.
pub(crate) fn spawn(
    mut around: Command,
    image: Image,
    door: Option<File>,
) -> io::Result<(Child, Pid)> {
    before_exec(&mut around, move || {
        if let Some(door) = &door {
            let _ = rustix::io::write(door, b"0");
        }
        Ok(setsid().map(drop)?)
    });
    let image = Pointers::to(image);
    if let Some((uid, gid, groups)) = image.image.ids.clone() {
        before_exec(&mut around, move || become_user(uid, gid, &groups));
    }
    // After the switch of users, which would undo it.
    die_with_parent(&mut around);
    before_exec(&mut around, move || Err(image.exec()));
    let child = tokio::process::Command::from(around).spawn()?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let pid = pid.ok_or_else(|| io::Error::other("a child without an id"))?;
    spawned().insert(pid.as_raw_nonzero().get());
    Ok((child, pid))
}

/// Has `command` become the program at `path`, by the kernel or not at all: as [`spawn`] does, and
/// the standard library does not. Its other word and its variables are those of `command`, of which
/// all are to be set; it is to be called last.
///
/// # Errors
///
/// If a word has a NUL in it, or `path` is no text.
pub fn become_program(command: &mut Command, path: &Path) -> io::Result<()> {
    let text = |word: &OsStr| {
        word.to_str()
            .map(ToOwned::to_owned)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    };
    let words = command.get_args().map(text).collect::<io::Result<Vec<_>>>()?;
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let words = words.iter().map(String::as_str);
    let image = Pointers::to(Image::new(&text(path.as_os_str())?, words, variables, None)?);
    before_exec(command, move || Err(image.exec()));
    Ok(())
}

/// An image as `execve` takes it.
struct Pointers {
    image: Image,
    argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
}

// SAFETY: the pointers are into the heap of `image`, which moves with them and is never changed.
#[expect(unsafe_code, reason = "a child that is about to become a program may not allocate these")]
unsafe impl Send for Pointers {}
// SAFETY: nothing is ever written through them.
#[expect(unsafe_code, reason = "as above")]
unsafe impl Sync for Pointers {}

impl Pointers {
    fn to(image: Image) -> Self {
        let ended = |words: &[CString]| {
            words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (argv, env) = (ended(&image.argv), ended(&image.env));
        Self { image, argv, env }
    }

    /// Becomes the program; why not, where it returns.
    fn exec(&self) -> io::Error {
        // SAFETY: both arrays end with a null pointer, and all that they point to lives as long as
        // `self`.
        #[expect(unsafe_code, reason = "the standard library's way falls back to a shell")]
        unsafe {
            libc::execve(self.image.path.as_ptr(), self.argv.as_ptr(), self.env.as_ptr());
        }
        io::Error::last_os_error()
    }
}

/// Has what `command` starts run as another user.
pub(crate) fn switch(command: &mut Command, user: &User) {
    let (uid, gid, groups) = (user.uid, user.gid, user.groups.clone());
    before_exec(command, move || become_user(uid, gid, &groups));
}

/// Gives up root for good, in a child that has one thread.
fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    // SAFETY: `groups` is as long as is said; the calls are made between fork and exec, where there
    // is one thread.
    #[expect(
        unsafe_code,
        reason = "rustix has these for a thread alone, by other names on each architecture"
    )]
    let is_done = unsafe {
        libc::setgroups(groups.len(), groups.as_ptr()) == 0
            && libc::setresgid(gid, gid, gid) == 0
            && libc::setresuid(uid, uid, uid) == 0
    };
    if is_done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the kernel kill what `command` starts (SIGKILL) when this process ends, however it ends.
///
/// The kernel goes by the *thread* that spawns, not by the process: when that thread ends, so does
/// the child. Spawn it on a thread that waits for it, or on one that lives as long as it may. What
/// the child itself starts is not killed, nor is a child that changes its user.
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

/// Asks for a short scheduling slice for the calling thread, so that it runs soon after it wakes
/// though provers fill all cores. What it forks, or the threads it starts, do not inherit it.
///
/// Best effort: kernels before Linux 6.12 have no such slice, and no thread depends on one.
pub fn shorten_time_slice() {
    let nice = getpriority_process(None).unwrap_or_default();
    schedule(&Attributes { nice, runtime_ns: SLICE_NS, ..Attributes::default() });
}

/// Has the calling thread run before all that is not of the kernel's, for as long as it lives,
/// where this process may ask for that.
pub(crate) fn run_first() {
    schedule(&Attributes {
        policy: libc::SCHED_FIFO.cast_unsigned(),
        priority: 1,
        ..Attributes::default()
    });
}

/// `struct sched_attr` in its first form (sched_setattr(2)). All zeros is `SCHED_OTHER`.
#[derive(Default)]
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

fn schedule(attributes: &Attributes) {
    let attributes = Attributes {
        size: u32::try_from(size_of::<Attributes>()).unwrap_or_default(),
        flags: u64::try_from(libc::SCHED_FLAG_RESET_ON_FORK).unwrap_or_default(),
        ..*attributes
    };
    // SAFETY: the kernel reads `size` bytes of a plain struct that outlives the call; 0 is this
    // thread.
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
    signal(pid, Signal::KILL);
}

/// Sends a signal to a process. One that is gone is no error.
pub(crate) fn signal(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

/// Readable once a child has ended, before it is reaped. Within a runtime.
pub(crate) fn death(pid: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = pidfd_open(pid, PidfdFlags::empty())?;
    // SAFETY: the descriptor is its own, and stays the same one for as long as it is registered.
    #[expect(unsafe_code, reason = "tokio leaves this to whoever knows the descriptor")]
    let death = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    death.map_err(Into::into)
}

/// Whether a time service keeps the machine's clock, as far as the kernel knows; `None` where it
/// does not say.
#[must_use]
pub fn clock_is_synchronized() -> Option<bool> {
    // SAFETY: all zeros is a valid `timex` that asks for nothing to be changed; the call fills it.
    #[expect(unsafe_code, reason = "neither the standard library nor rustix has this call")]
    let (state, status) = unsafe {
        let mut timex = std::mem::zeroed::<libc::timex>();
        (libc::adjtimex(&raw mut timex), timex.status)
    };
    (state >= 0).then_some(state != libc::TIME_ERROR && status & libc::STA_UNSYNC == 0)
}

/// Whether a child has ended, which this leaves for its owner to reap.
pub(crate) fn has_ended(pid: Pid) -> bool {
    let looks = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // One that is gone altogether has ended, too.
    waitid(WaitId::Pid(pid), looks).map_or(true, |status| status.is_some())
}

/// Reaps a child that nobody else waits for, if it is dead; whether it was.
pub(crate) fn reap(pid: Pid) -> bool {
    let reaped = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    reaped.is_ok_and(|status| status.is_some())
}

fn spawned() -> MutexGuard<'static, BTreeSet<i32>> {
    SPAWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shortest slice that the kernel grants is 100 us.
const SLICE_NS: u64 = 100_000;

/// All children of this process that were spawned here and not yet waited for. A process has one
/// table of children, so this is one too.
static SPAWNED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
