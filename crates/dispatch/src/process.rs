//! One process, a prover's or a verifier's: started, listened to, and ended with all that it
//! started.
//!
//! Not here: what it is told and what it answers (`file`, `serve`, `verify`).

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use push0_core::FailureClass;
use rustix::process::{Pid, Signal};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::environment::{ProcessContext, Whom};
use crate::exit::Exit;
use crate::lives::{Life, Lives};
use crate::memory::Footprint;
use crate::reins::Reins;
use crate::spawner::Unstarted;
use crate::startable::unstartable;
use crate::sys::Image;
use crate::tail::Tail;
use crate::{orphans, procfs, sys};

/// What to start, and with what around it.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The program and its arguments.
    pub(crate) argv: &'a [String],
    /// More arguments.
    pub(crate) args: Vec<String>,
    /// Its environment, all of it; whom it runs as, and by what.
    pub(crate) env: ProcessContext,
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
    /// Readable once it has ended, before it is reaped; none before Linux 5.3, where the group is
    /// ended late.
    death: Option<AsyncFd<OwnedFd>>,
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
    #[error("{path} cannot be run: {why}")]
    Gone { path: String, why: String },
    /// Try again: no process or memory to be had.
    #[error("{path} could not be started: {source}")]
    Exhausted { path: String, source: io::Error },
}

impl Process {
    /// Starts a process. If this is given up, it is ended as soon as it has been started.
    pub(crate) async fn spawn(
        lives: &Arc<Lives>,
        launch: &Launch<'_>,
    ) -> Result<(Self, Pipes), SpawnError> {
        let order = Order::of(launch, lives);
        let path = order.path.clone();
        // What wraps many programs hangs with none of them.
        let program =
            order.program.as_ref().map_or_else(|| path.clone(), |it| it.display().to_string());
        let lives = Arc::clone(lives);
        let spawner = Arc::clone(lives.spawner());
        match spawner.run(&program, move || order.start(&lives)).await {
            Ok(started) => started,
            Err(hangs @ Unstarted::Hangs) => {
                Err(SpawnError::Gone { path: program, why: hangs.to_string() })
            }
            Err(full @ Unstarted::Full) => {
                Err(SpawnError::Exhausted { path, source: io::Error::other(full) })
            }
        }
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
        if let Some(death) = &self.death {
            let _ = death.readable().await;
            // Before it is reaped: its number cannot be another's yet, and nothing of its group
            // outlives it.
            sys::signal_group(self.pid(), Signal::KILL);
        }
        let status = self.child.wait().await.ok();
        self.ended(status)
    }

    /// Whether it has ended.
    pub(crate) fn has_exited(&mut self) -> bool {
        if self.exit.is_none() {
            if !sys::has_ended(self.pid()) {
                return false;
            }
            sys::signal_group(self.pid(), Signal::KILL);
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

    /// SIGKILL to its group, if it has not ended: then that was done, and its number may be
    /// another's.
    pub(crate) async fn kill(&mut self) -> Exit {
        if self.exit.is_none() {
            sys::signal_group(self.pid(), Signal::KILL);
        }
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

/// What the spawning thread is to start, all of its own.
struct Order {
    number: u64,
    path: String,
    words: Vec<String>,
    around: ProcessContext,
    dir: PathBuf,
    has_stdin: bool,
    memory_bytes: u64,
    /// The program itself, where `path` is what wraps it.
    program: Option<PathBuf>,
}

impl Order {
    fn of(launch: &Launch<'_>, lives: &Lives) -> Self {
        let number = lives.number();
        let mut around = launch.env.clone();
        around.set(crate::lives::TAG, lives.tag(number));
        let mut words = around.wrap.iter().chain(launch.argv).chain(&launch.args).cloned();
        let path = words.next().unwrap_or_default();
        let program = launch.argv.first().filter(|_| !around.wrap.is_empty()).map(PathBuf::from);
        let (dir, words) = (launch.dir.to_owned(), words.collect());
        let (has_stdin, memory_bytes) = (launch.has_stdin, launch.memory_bytes);
        Self { number, path, words, around, dir, has_stdin, memory_bytes, program }
    }

    fn start(self, lives: &Arc<Lives>) -> Result<(Process, Pipes), SpawnError> {
        let exhausted = |source| SpawnError::Exhausted { path: self.path.clone(), source };
        let gone = |why| SpawnError::Gone { path: self.path.clone(), why };
        if let Some(why) = self.program.as_deref().and_then(|it| unstartable(it, &self.around.env))
        {
            return Err(gone(why)); // the wrapper would say it in its own words, and who knows with which code
        }
        if let Whom::Unfound(name) = &self.around.whom {
            return Err(gone(format!("user {name}, whom it is to run as, has not been found")));
        }
        if let Some(user) = self.around.whom.user() {
            user.own(&self.dir).map_err(exhausted)?;
        }
        let words = self.words.iter().map(String::as_str);
        let variables = self.around.env.iter().map(|(name, value)| (&**name, &**value));
        let image = Image::new(&self.path, words, variables, self.around.whom.user());
        let image = image.map_err(|error| gone(error.to_string()))?;
        let mut command = Command::new(&self.path);
        command.current_dir(&self.dir);
        command.stdin(if self.has_stdin { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());

        let oom_kills_before = procfs::oom_kills();
        let group = lives.groups().and_then(|groups| groups.take(self.memory_bytes));
        let door = group.as_ref().and_then(|group| group.door().ok());
        let (mut child, pid) = match sys::spawn(command, image, door) {
            Ok(spawned) => spawned,
            // A directory that somebody has removed is no fault of the program.
            Err(source) if is_gone(&source) && self.dir.is_dir() => {
                let why = unstartable(Path::new(&self.path), &self.around.env);
                return Err(gone(why.unwrap_or_else(|| source.to_string())));
            }
            Err(source) => return Err(exhausted(source)),
        };
        let life = Life::begin(lives, self.number, pid);
        let footprint = Footprint::new(pid, self.memory_bytes, group);
        let death = sys::death(pid).ok();
        let tail = Tail::default();
        let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
        let stderr = child.stderr.take().expect("stderr was asked for as a pipe");
        let pipes = Pipes { stdin: child.stdin.take(), stdout };
        let readers = Vec::new();
        let mut process =
            Process { child, death, life, exit: None, readers, oom_kills_before, footprint, tail };
        let tail = process.tail.clone();
        process.listen(stderr, move |bytes| tail.push(bytes));
        Ok((process, pipes))
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
