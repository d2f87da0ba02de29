//! A process of a cluster for trying things out, which dies with this one.

use std::fmt;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::exit::Exit;

/// One that runs. Dropped, it is killed.
pub(super) struct Child {
    what: &'static str,
    process: Process,
    /// Where it writes what it has to say; it says it here where none is named.
    log: Option<PathBuf>,
}

/// One that ended by itself, and how.
#[derive(Debug)]
pub(super) struct Exited {
    what: &'static str,
    status: ExitStatus,
    log: Option<PathBuf>,
}

impl Exited {
    /// What this process ends with for it: of push0's own processes the same.
    pub(super) fn exit(&self) -> Exit {
        let all = [Exit::Usage, Exit::Source, Exit::Data, Exit::Busy, Exit::Bug];
        let code = self.status.code();
        let is_it = |exit: &Exit| self.log.is_none() && code == Some(exit.code().into());
        all.into_iter().find(is_it).unwrap_or(Exit::OutOfReach)
    }
}

impl fmt::Display for Exited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has ended ({}): {}", self.what, self.status, words(self.log.as_deref()))
    }
}

/// Where its last words are.
pub(super) fn words(log: Option<&Path>) -> String {
    match log {
        Some(log) => format!("see what it says above, and in {}", log.display()),
        None => "see what it says above".to_owned(),
    }
}

/// This very program, with nothing of this user's settings of another cluster.
pub(super) fn push0() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(b"PUSH0_")) {
        command.env_remove(name);
    }
    Ok(command)
}

impl Child {
    /// To be called on the thread that waits for it: the kernel kills it when that thread ends.
    pub(super) fn spawn(
        what: &'static str,
        mut command: Command,
        log: Option<PathBuf>,
    ) -> io::Result<Self> {
        command.stdin(Stdio::null()).process_group(0);
        push0_dispatch::die_with_parent(&mut command);
        Ok(Self { what, process: command.spawn()?, log })
    }

    pub(super) const fn what(&self) -> &'static str {
        self.what
    }

    pub(super) fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    pub(super) fn exited(&mut self) -> Option<Exited> {
        let status = self.process.try_wait().ok().flatten()?;
        Some(Exited { what: self.what, status, log: self.log.clone() })
    }

    /// SIGTERM, and SIGKILL if that takes too long. Returns when nothing of it runs.
    pub(super) fn end(mut self) {
        // One that has ended was waited for here alone, so its number is nobody else's.
        if self.exited().is_none() {
            let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        }
        let until = Instant::now() + END_MAX;
        while self.exited().is_none() && Instant::now() < until {
            sleep(LOOK);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.exited().is_none() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// A dispatcher gives its provers their grace.
const END_MAX: Duration = Duration::from_secs(20);

const LOOK: Duration = Duration::from_millis(20);
