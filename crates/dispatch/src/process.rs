//! One process, a prover's or a verifier's: started, listened to, and ended with all that it started.
//!
//! Not here: what it is told and what it answers (`file`, `serve`, `verify`).

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use push0_core::FailureClass;
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::exit::Exit;
use crate::lives::{Life, Lives};
use crate::memory::Footprint;
use crate::reins::Reins;
use crate::tail::Tail;
use crate::{orphans, procfs, sys};

/// What to start, and with what around it.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The program and its arguments.
    pub(crate) argv: &'a [String],
    /// More arguments.
    pub(crate) args: Vec<String>,
    /// What the environment has beside the dispatcher's own; `None` takes a variable out.
    pub(crate) env: Vec<(&'static str, Option<String>)>,
    /// The working directory: the process's own, and gone after it.
    pub(crate) dir: &'a Path,
    /// Whether it is spoken to on stdin; else that is empty.
    pub(crate) has_stdin: bool,
    /// What it may use, with all that it starts.
    pub(crate) memory_bytes: u64,
}

/// A process that was started. Dropped, it is killed, and all that it started with it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    life: Life,
    exit: Option<Exit>,
    readers: Vec<JoinHandle<()>>,
    oom_kills_before: u64,
    footprint: Footprint,
    /// The end of what it prints.
    pub(crate) tail: Tail,
}

/// A process's pipes that are not read by itself.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: ChildStdout,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// Stop offering the program: there is nothing that can be run.
    #[error("{path} cannot be run: {source}")]
    Gone { path: String, source: io::Error },
    /// Try again: no process or memory to be had.
    #[error("{path} could not be started: {source}")]
    Exhausted { path: String, source: io::Error },
}

impl Process {
    /// Starts a process on the calling thread, which must be the dispatch thread.
    pub(crate) fn spawn(
        lives: &Arc<Lives>,
        launch: &Launch<'_>,
    ) -> Result<(Self, Pipes), SpawnError> {
        let path = launch.argv.first().cloned().unwrap_or_default();
        let number = lives.number();
        let mut command = Command::new(&path);
        command.args(launch.argv.get(1..).unwrap_or_default()).args(&launch.args);
        command.current_dir(launch.dir).env(orphans::TAG, lives.tag(number));
        for (name, value) in &launch.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(if launch.has_stdin { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());

        let oom_kills_before = procfs::oom_kills();
        let group = lives.groups().and_then(|groups| groups.take(launch.memory_bytes));
        let door = group.as_ref().and_then(|group| group.door().ok());
        let (mut child, pid) = match sys::spawn(command, door) {
            Ok(spawned) => spawned,
            Err(source) if is_gone(&source) => return Err(SpawnError::Gone { path, source }),
            Err(source) => return Err(SpawnError::Exhausted { path, source }),
        };
        let life = Life::begin(lives, number, pid);
        let footprint = Footprint::new(pid, launch.memory_bytes, group);
        let tail = Tail::default();
        let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
        let stderr = child.stderr.take().expect("stderr was asked for as a pipe");
        let pipes = Pipes { stdin: child.stdin.take(), stdout };
        let mut process = Self {
            child,
            life,
            exit: None,
            readers: Vec::new(),
            oom_kills_before,
            footprint,
            tail,
        };
        let tail = process.tail.clone();
        process.listen(stderr, move |bytes| tail.push(bytes));
        Ok((process, pipes))
    }

    /// Hands on what the process writes to a pipe, for as long as it does.
    pub(crate) fn listen(
        &mut self,
        pipe: impl AsyncRead + Send + Unpin + 'static,
        hear: impl FnMut(&[u8]) + Send + 'static,
    ) {
        self.readers.push(tokio::spawn(read(pipe, hear)));
    }

    /// Has a task ended with the process: one that reads from it.
    pub(crate) fn own(&mut self, reader: JoinHandle<()>) {
        self.readers.push(reader);
    }

    /// Waits until it has ended by itself. Nothing is lost if this is given up.
    pub(crate) async fn exited(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let status = self.child.wait().await.ok();
        self.ended(status)
    }

    /// Whether it has ended.
    pub(crate) fn has_exited(&mut self) -> bool {
        if self.exit.is_none() {
            match self.child.try_wait() {
                Ok(None) => return false,
                Ok(Some(status)) => self.ended(Some(status)),
                Err(_) => self.ended(None),
            };
        }
        true
    }

    /// SIGTERM to its group, then SIGKILL to what is left of it after `grace`.
    pub(crate) async fn terminate(&mut self, grace: Duration, reins: &mut Reins) -> Exit {
        if !self.has_exited() {
            sys::signal_group(self.pid(), Signal::TERM);
            tokio::select! {
                biased;
                exit = self.exited() => return exit,
                () = reins.grace_over(grace) => {}
            }
        }
        self.kill().await
    }

    /// SIGKILL to its group.
    pub(crate) async fn kill(&mut self) -> Exit {
        sys::signal_group(self.pid(), Signal::KILL);
        self.exited().await
    }

    /// Ends what is left: itself, its group, what it started and left behind. Its output is then
    /// complete.
    pub(crate) async fn finish(mut self) -> Tail {
        self.end_all().await;
        self.tail.clone()
    }

    /// As [`finish`](Self::finish), for who still needs the pipes' readers.
    pub(crate) async fn end_all(&mut self) -> Exit {
        let exit = self.kill().await;
        orphans::end(&self.life).await;
        self.footprint.end().await;
        for reader in &mut self.readers {
            // Whoever holds the other end is out of reach; its words are not waited for.
            if timeout(DRAIN, &mut *reader).await.is_err() {
                reader.abort();
            }
        }
        self.readers.clear();
        exit
    }

    /// What memory it is held to.
    pub(crate) fn footprint(&self) -> Footprint {
        self.footprint.clone()
    }

    fn pid(&self) -> Pid {
        self.life.pid
    }

    fn ended(&mut self, status: Option<std::process::ExitStatus>) -> Exit {
        let exit = match self.footprint.was_killed() {
            // What succeeded all the same has succeeded.
            Some(true) if status.is_none_or(|status| !status.success()) => {
                Exit::OverMemory(self.footprint.limit_bytes)
            }
            Some(_) => Exit::new(status, false),
            None => Exit::new(status, procfs::oom_kills() > self.oom_kills_before),
        };
        self.exit = Some(exit);
        sys::forget(self.life.pid);
        // At once, before its number can be another's: nothing of its group outlives it.
        sys::signal_group(self.life.pid, Signal::KILL);
        exit
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit.is_none() {
            sys::signal_group(self.life.pid, Signal::KILL);
        }
        for reader in &self.readers {
            reader.abort();
        }
    }
}

impl SpawnError {
    /// The class of an attempt that failed so; none where the program itself is at fault.
    pub(crate) const fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Gone { .. } => None,
            Self::Exhausted { .. } => Some(FailureClass::Transient),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;

    let never = [Kind::NotFound, Kind::PermissionDenied, Kind::NotADirectory, Kind::IsADirectory];
    let never = never.contains(&error.kind());
    let not_a_program = rustix::io::Errno::NOEXEC.raw_os_error();
    never || error.raw_os_error() == Some(not_a_program)
}

async fn read(mut pipe: impl AsyncRead + Unpin, mut hear: impl FnMut(&[u8])) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match pipe.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => hear(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// Read at once; as much as a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// How long the last words of a dead process are waited for: they are in the pipe already.
const DRAIN: Duration = Duration::from_millis(200);
