//! The serve contract: one process, many tasks, one JSON object a line.
//!
//! ```text
//!   stdin ──▶ reader thread ──prove──▶ queue ──▶ main thread: load, then prove one by one
//!                   └─────────cancel──▶ a flag that `Progress` shows ─┘      │
//!   stdout ◀──────────── ready, progress, done, failed ◀────────────────────┘
//! ```
//!
//! File descriptor 1 is moved away first and stderr put in its place, since libraries print.
//! Proving has the main thread, and with it the larger stack. The end of stdin ends the process at
//! once, whatever it is doing: whoever asked has gone.
//!
//! Not here: who starts the process, and when it is cancelled.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _};
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::around::{catch, fail, load};
use crate::replies::{Replies, complain};
use crate::wire::{ProveRequest, Reply, Request};
use crate::{Failure, Input, Progress, Prover, Task, output};

/// Serves until stdin ends. `args` are the program's own and go before those of each task.
pub(crate) fn serve<P: Prover>(args: Vec<String>) -> ExitCode {
    let replies = match Replies::take_stdout() {
        Ok(replies) => replies,
        Err(error) => return fail(&Failure::transient(format!("stdout: {error}"))),
    };
    let (queue, jobs) = mpsc::sync_channel(QUEUE_MAX);
    let desk = Desk { replies: replies.clone(), queue, cancels: Cancels::default() };
    let cancels = desk.cancels.clone();
    thread::spawn(move || process::exit(desk.read(io::stdin().lock())));

    let prover = match catch(load::<P>) {
        Ok(prover) => prover,
        Err(failure) => return fail(&failure),
    };
    replies.send(&Reply::Ready { vkey: prover.vkey() });
    while let Ok(job) = jobs.recv() {
        let attempt = job.request.attempt;
        let progress = Progress::serve(attempt, replies.clone(), job.cancelled.clone());
        let made = catch(|| prove(&prover, &args, job, &progress));
        let made = if progress.is_cancelled() { Err(Failure::cancelled()) } else { made };
        cancels.lock().remove(&attempt);
        replies.send(&match made {
            Ok(()) => Reply::Done { attempt },
            Err(Failure { class, message }) => Reply::Failed { attempt, class, message },
        });
    }
    ExitCode::SUCCESS
}

/// A task on its way to the main thread.
struct Job {
    request: ProveRequest,
    read_at: Instant,
    cancelled: Arc<AtomicBool>,
}

/// The attempts that are queued or running, each with its flag.
#[derive(Clone, Debug, Default)]
struct Cancels(Arc<Mutex<BTreeMap<u64, Arc<AtomicBool>>>>);

impl Cancels {
    fn lock(&self) -> impl std::ops::DerefMut<Target = BTreeMap<u64, Arc<AtomicBool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading side.
struct Desk {
    replies: Replies,
    queue: SyncSender<Job>,
    cancels: Cancels,
}

impl Desk {
    /// Reads lines until there are no more, and gives the process's exit code.
    fn read(&self, mut stdin: impl BufRead) -> i32 {
        loop {
            let mut line = Vec::new();
            match (&mut stdin).take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                Ok(0) => return 0,
                Ok(_) if line.last() == Some(&b'\n') => self.answer(&line),
                Ok(_) => {
                    complain("error: stdin ended in the middle of a line, or a line is too long");
                    return 1;
                }
                Err(error) => {
                    complain(&format!("error: stdin: {error}"));
                    return 1;
                }
            }
        }
    }

    fn answer(&self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(Request::Prove(request)) => self.enqueue(request),
            Ok(Request::Cancel { attempt }) => {
                if let Some(flag) = self.cancels.lock().get(&attempt) {
                    flag.store(true, Ordering::Relaxed);
                }
            }
            Err(error) => {
                let line = String::from_utf8_lossy(line);
                let shown: String = line.trim_end().chars().take(LINE_CHARS_SHOWN).collect();
                complain(&format!("error: line not understood ({error}): {shown}"));
            }
        }
    }

    fn enqueue(&self, request: ProveRequest) {
        let attempt = request.attempt;
        let cancelled = Arc::new(AtomicBool::new(false));
        if self.cancels.lock().contains_key(&attempt) {
            return complain(&format!("error: attempt {attempt} is already here"));
        }
        self.cancels.lock().insert(attempt, cancelled.clone());
        let job = Job { request, read_at: Instant::now(), cancelled };
        match self.queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.cancels.lock().remove(&attempt);
                let Failure { class, message } = Failure::transient("too many tasks are queued");
                self.replies.send(&Reply::Failed { attempt, class, message });
            }
            Err(TrySendError::Disconnected(_)) => {} // the process is about to end
        }
    }
}

fn prove<P: Prover>(
    prover: &P,
    args: &[String],
    job: Job,
    progress: &Progress,
) -> Result<(), Failure> {
    progress.check()?;
    let ProveRequest { task, attempt, stage, args: own, input, output, deadline_ms } = job.request;
    let deadline = deadline_ms.map(Duration::from_millis);
    let task = Task {
        id: task,
        attempt,
        stage,
        args: args.iter().cloned().chain(own).collect(),
        deadline: deadline.and_then(|left| job.read_at.checked_add(left)),
        input: Input::read(&input)?,
    };
    let made = prover.prove(&task, progress)?;
    progress.check()?;
    output::store(prover, made, &output)
}

/// Tasks that may wait behind the running one: a dispatcher sends the next when one has ended.
const QUEUE_MAX: usize = 64;

/// The longest line that is read: paths and arguments, never artifacts.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// How much of a line that makes no sense is shown.
const LINE_CHARS_SHOWN: usize = 200;
