//! The serve contract: a process kept warm across attempts, one at a time, a JSON object a line.
//!
//! ```text
//!   start ──ready──▶ idle ──prove──▶ proving ──done, failed──▶ idle …
//!                      └── a failure that is not the task's, or anything out of turn ──▶ ended, and replaced
//! ```
//!
//! Loading keys counts against the time of the attempt that started the process, and has a limit of
//! its own. An answer to an attempt that has ended already is ignored, since it is no fault of the
//! one that runs; the process is then not used again.
//!
//! Not here: which warm process an attempt gets (`pool`), and the lines themselves
//! (`push0-prover`).

pub mod fuzzing;
mod lines;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use push0_core::{AttemptId, FailureClass, Grant};
use push0_prover::wire::{self, ProveRequest, Reply, Request};
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use self::lines::{Line, class_of, is_of_the_task, shown};
use crate::context::Context;
use crate::exit::Exit;
use crate::file::{over_memory, start};
use crate::pool::Seat;
use crate::process::{Launch, Process};
use crate::reins::{Pull, Reins, after};
use crate::tail::Tail;
use crate::tried::{Tried, TryEnd};
use crate::{ProgramConfig, memory};

/// A process that serves one attempt after another.
#[derive(Debug)]
pub(crate) struct Warm {
    process: Process,
    requests: mpsc::Sender<Vec<u8>>,
    lines: mpsc::Receiver<Line>,
    dir: PathBuf,
    started: Instant,
    is_ready: bool,
    /// Set once it must not be used again.
    is_spoilt: bool,
    /// Set once it has ended while an attempt waited for its first word.
    has_died_silent: bool,
    /// The latest attempts that it has answered.
    answered: BTreeSet<u64>,
}

/// What a process did.
enum News {
    Reply(Reply),
    Bad(String),
    Ended(Exit),
}

impl Warm {
    /// Starts a process of `program` in `dir`, which must be there.
    pub(crate) async fn start(
        context: &Context,
        program: &ProgramConfig,
        seat: &Seat,
        dir: &Path,
        reins: &mut Reins,
    ) -> Result<Self, Tried> {
        let mut env = context.environment(program, Some(seat), dir);
        env.set("PUSH0_CONTRACT", "serve");
        let argv = &program.argv;
        let memory_bytes = program.memory_bytes;
        let launch = Launch { argv, args: Vec::new(), env, dir, has_stdin: true, memory_bytes };
        let (mut process, pipes) = start(context, &launch, reins).await?;
        let (to_lines, lines) = mpsc::channel(LINES_MAX);
        process.own(tokio::spawn(lines::read(pipes.stdout, to_lines)));
        let (requests, from_requests) = mpsc::channel(REQUESTS_MAX);
        if let Some(stdin) = pipes.stdin {
            tokio::spawn(write(stdin, from_requests));
        }
        Ok(Self {
            process,
            requests,
            lines,
            dir: dir.to_owned(),
            started: Instant::now(),
            is_ready: false,
            is_spoilt: false,
            has_died_silent: false,
            answered: BTreeSet::new(),
        })
    }

    /// Has it prove, and waits for the answer.
    pub(crate) async fn prove(
        &mut self,
        context: &Context,
        grant: &Grant,
        program: &ProgramConfig,
        (input, output): (&Path, &Path),
        reins: &mut Reins,
    ) -> TryEnd {
        let mut over = std::pin::pin!(memory::over(self.process.footprint()));
        if let Some(ended) = self.ready(program, reins, over.as_mut()).await {
            return ended;
        }
        let left = reins.deadline.saturating_duration_since(Instant::now());
        self.send(&Request::Prove(ProveRequest {
            task: grant.task.to_string(),
            attempt: grant.attempt.0,
            stage: grant.stage.to_string(),
            args: grant.args.clone(),
            input: input.to_owned(),
            output: output.to_owned(),
            deadline_ms: Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        }));
        loop {
            let heard = tokio::select! {
                biased;
                heard = self.hear() => heard,
                pull = reins.pulled() => return self.stop(context, grant, pull, reins).await,
                what = over.as_mut() => {
                    self.is_spoilt = true;
                    self.process.kill().await;
                    return over_memory(what);
                }
            };
            if let Some(ended) = self.answer(context, grant.attempt, heard) {
                return ended;
            }
        }
    }

    /// Whether it may be given another attempt: it is there, and has said nothing out of turn.
    pub(crate) fn is_sound(&mut self) -> bool {
        !self.is_spoilt
            && self.is_ready
            && !self.process.has_exited()
            && matches!(self.lines.try_recv(), Err(mpsc::error::TryRecvError::Empty))
    }

    /// Whether it has ended while an attempt waited for an answer.
    pub(crate) const fn has_died_silent(&self) -> bool {
        self.has_died_silent
    }

    /// Whether it was given no attempt yet.
    pub(crate) const fn is_fresh(&self) -> bool {
        !self.is_ready
    }

    /// Where it works.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The end of what it prints.
    pub(crate) fn tail(&self) -> &Tail {
        &self.process.tail
    }

    /// The end of its stdin, SIGTERM, `grace`, SIGKILL, for all of it. Its directory goes.
    pub(crate) async fn end(self, grace: Duration, mut reins: Reins) {
        let Self { mut process, requests, lines, dir, .. } = self;
        drop((requests, lines));
        process.terminate(grace, &mut reins).await;
        process.finish().await;
        crate::folder::remove(dir).await;
    }

    /// Waits until its keys are loaded; how the attempt ended if they are not.
    async fn ready(
        &mut self,
        program: &ProgramConfig,
        reins: &mut Reins,
        over: Pin<&mut impl Future<Output = String>>,
    ) -> Option<TryEnd> {
        if self.is_ready {
            return None;
        }
        let is_late = tokio::time::sleep_until(self.started + program.start);
        let failed = tokio::select! {
            biased;
            heard = self.hear() => match heard {
                News::Reply(Reply::Ready { vkey }) => {
                    self.is_ready = true;
                    return self.check_key(program, vkey);
                }
                News::Reply(reply) => (FailureClass::Failed, format!("its first line is not ready: {reply:?}")),
                News::Bad(what) => (FailureClass::Failed, what),
                News::Ended(exit) => (exit.class(), format!("it ended before it was ready: {exit}")),
            },
            pull = reins.pulled() => {
                self.is_spoilt = true;
                let exit = self.process.terminate(Duration::ZERO, reins).await;
                let how = format!("stopped before it was ready: {exit}");
                return Some(TryEnd::Pulled { pull, how, may_have_result: false });
            }
            what = over => {
                self.is_spoilt = true;
                self.process.kill().await;
                return Some(over_memory(what));
            }
            () = is_late => {
                let start = program.start;
                (FailureClass::Timeout, format!("it was not ready within {start:?} (`start` of its program)"))
            }
        };
        let (class, what) = failed;
        self.is_spoilt = true;
        Some(TryEnd::Failed { class, what })
    }

    fn check_key(&mut self, program: &ProgramConfig, vkey: Option<wire::Vkey>) -> Option<TryEnd> {
        let pinned = program.vkey?;
        let own = vkey?;
        if own.0.0 == pinned.0 {
            return None;
        }
        self.is_spoilt = true;
        let what = format!("its verification key is {own}, the pipeline pins {pinned}");
        Some(TryEnd::Misconfigured { what })
    }

    /// What a line means for the attempt that runs; `None`: it goes on.
    fn answer(&mut self, context: &Context, attempt: AttemptId, heard: News) -> Option<TryEnd> {
        let failed = |class, what| Some(TryEnd::Failed { class, what });
        match heard {
            News::Reply(Reply::Progress { attempt: of, fraction }) if of == attempt.0 => {
                context.board.progress(attempt, fraction);
                None
            }
            News::Reply(Reply::Done { attempt: of }) if of == attempt.0 => {
                self.remember(of);
                Some(TryEnd::Written)
            }
            News::Reply(Reply::Failed { attempt: of, class, message }) if of == attempt.0 => {
                self.remember(of);
                // A device that has failed once, say, fails everything from then on.
                self.is_spoilt |= !is_of_the_task(class);
                failed(class_of(class), format!("it says: {}", shown(&message)))
            }
            News::Reply(
                Reply::Progress { attempt: of, .. }
                | Reply::Done { attempt: of }
                | Reply::Failed { attempt: of, .. },
            ) => {
                self.is_spoilt = true;
                if self.answered.contains(&of) {
                    return None;
                }
                failed(
                    FailureClass::Failed,
                    format!("it answered attempt {of}, which it was never given"),
                )
            }
            News::Reply(Reply::Ready { .. }) => {
                self.is_spoilt = true;
                failed(FailureClass::Failed, "it said ready twice".to_owned())
            }
            News::Bad(what) => {
                self.is_spoilt = true;
                failed(FailureClass::Failed, what)
            }
            News::Ended(exit) => {
                self.is_spoilt = true;
                self.has_died_silent = true;
                // It was to stay; that it went in good order is no success.
                failed(exit.class(), format!("it ended without an answer: {exit}"))
            }
        }
    }

    /// Asks it to give the attempt up; ends it if it does not.
    async fn stop(
        &mut self,
        context: &Context,
        grant: &Grant,
        pull: Pull,
        reins: &mut Reins,
    ) -> TryEnd {
        if !matches!(pull, Pull::Stopped | Pull::Greedy(_)) {
            self.send(&Request::Cancel { attempt: grant.attempt.0 });
            let mut patience = reins.clone();
            let asked = async {
                loop {
                    let heard = self.hear().await;
                    if let Some(ended) = self.answer(context, grant.attempt, heard) {
                        return ended;
                    }
                }
            };
            let answer = tokio::select! {
                biased;
                answer = asked => Some(answer),
                () = patience.grace_over(grant.grace) => None,
            };
            match answer {
                Some(TryEnd::Written) => {
                    let how = "it had a result all the same".to_owned();
                    let may_have_result = pull == Pull::TimedOut;
                    return TryEnd::Pulled { pull, how, may_have_result };
                }
                Some(_) if !self.is_spoilt => {
                    let how = "told to stop, it did".to_owned();
                    return TryEnd::Pulled { pull, how, may_have_result: false };
                }
                Some(_) | None => {}
            }
        }
        self.is_spoilt = true;
        let grace = match pull {
            Pull::Stopped | Pull::Greedy(_) => pull.grace(grant.grace),
            Pull::TimedOut | Pull::Cancelled => grant.grace.min(LAST_GRACE),
        };
        let exit = self.process.terminate(grace, reins).await;
        TryEnd::Pulled {
            pull,
            how: format!("told to stop, it ended so: {exit}"),
            may_have_result: false,
        }
    }

    /// Waits for what it does next. Nothing is lost if this is given up.
    async fn hear(&mut self) -> News {
        let exit = tokio::select! {
            biased;
            line = self.lines.recv() => match line {
                Some(line) => return line.into(),
                None => match timeout(EXIT, self.process.exited()).await {
                    Ok(exit) => exit,
                    Err(_) => return News::Bad("it closed its stdout".to_owned()),
                },
            },
            exit = self.process.exited() => exit,
        };
        // Its last words may still be in the pipe.
        match timeout(EXIT, self.lines.recv()).await {
            Ok(Some(line)) => line.into(),
            Ok(None) | Err(_) => News::Ended(exit),
        }
    }

    fn send(&self, request: &Request) {
        let mut line = serde_json::to_vec(request).unwrap_or_default();
        line.push(b'\n');
        // Full: it has not read for several requests, and its time will run out.
        let _ = self.requests.try_send(line);
    }

    fn remember(&mut self, attempt: u64) {
        self.answered.insert(attempt);
        if self.answered.len() > ANSWERED_MAX {
            self.answered.pop_first();
        }
    }
}

impl From<Line> for News {
    fn from(line: Line) -> Self {
        match line {
            Line::Reply(reply) => Self::Reply(reply),
            Line::Bad(what) => Self::Bad(what),
        }
    }
}

/// The reins of a process that waits for an attempt: only the dispatcher's end shortens its grace.
pub(crate) fn idle_reins(reins: &Reins) -> Reins {
    reins.until(after(Duration::MAX))
}

async fn write(mut stdin: ChildStdin, mut requests: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = requests.recv().await {
        if stdin.write_all(&line).await.is_err() {
            return; // its end says more
        }
    }
}

/// How long the end of a process is waited for after the end of its output, and the other way
/// round.
const EXIT: Duration = Duration::from_millis(500);

/// From SIGTERM to SIGKILL for a process that was asked to stop before, and had its grace then.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// Lines that nobody has taken yet. A process that says more has to wait.
const LINES_MAX: usize = 16;

/// Requests that a process has not read yet.
const REQUESTS_MAX: usize = 4;

/// Attempts whose late answers are known as such.
const ANSWERED_MAX: usize = 64;
