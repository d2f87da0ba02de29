//! The life of one attempt, from its grant to its report.
//!
//! ```text
//!   input ──▶ prover ──▶ output ──▶ verifier ──▶ store ──▶ report
//!     └──────────┴──────────┴──────────┴───────────┴─────────▶ report
//! ```
//!
//! What it started is ended, its directories are gone and its seat is free before the report leaves:
//! whoever hears the report may count on the room.
//!
//! Not here: who may start (`desk`), and how a prover is spoken to (`file`, `serve`).

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use push0_core::{Contract, FailureClass, Grant, Outcome, Output, Report, ResultRef, Vkey};

use crate::board::Doing;
use crate::context::Context;
use crate::input::InputError;
use crate::output::{Form, Made};
use crate::pool::{Admission, Seat};
use crate::reins::{Pull, Reins};
use crate::serve::{Warm, idle_reins};
use crate::tail::with_output;
use crate::tried::{Ended, Tried};
use crate::verify::Judged;
use crate::{ProgramConfig, StoreError, file, input, verify};

/// Runs an attempt from its admission to its report.
pub(crate) async fn run(
    context: Arc<Context>,
    grant: Arc<Grant>,
    program: ProgramConfig,
    admission: Admission,
    reins: Reins,
) {
    let Admission { seat, warm, evicted } = admission;
    for warm in evicted {
        warm.end(EVICTION, idle_reins(&reins)).await;
    }
    let mut attempt = Attempt { context, grant, program, seat, warm, reins };
    let dir = attempt.context.work.join(format!("attempt-{}", attempt.grant.attempt.0));
    let (outcome, tried) = attempt.outcome(&dir).await;
    attempt.end(dir, outcome, tried).await;
}

/// An attempt that was not begun.
pub(crate) fn not_run(context: &Context, grant: &Grant, message: String) {
    report(context, grant, Outcome::NotRun { message }, Duration::ZERO);
}

/// Reports how an attempt ended.
pub(crate) fn report(context: &Context, grant: &Grant, outcome: Outcome, ran: Duration) {
    context.report(Report {
        dispatcher: context.config.id.clone(),
        attempt: grant.attempt,
        task: grant.task,
        outcome,
        ran,
    });
}

/// Removes a directory with all that a prover left in it. Best effort: what stays goes at the next
/// start.
pub(crate) async fn remove(dir: PathBuf) {
    blocking(move || remove_now(&dir)).await;
}

/// As [`remove`], on this thread.
pub(crate) fn remove_now(dir: &Path) {
    if fs::remove_dir_all(dir).is_err() && dir.exists() {
        // A prover may have taken the right to remove things from it.
        open_up(dir, 0);
        let _ = fs::remove_dir_all(dir);
    }
}

struct Attempt {
    context: Arc<Context>,
    grant: Arc<Grant>,
    program: ProgramConfig,
    seat: Seat,
    warm: Option<Warm>,
    reins: Reins,
}

impl Attempt {
    async fn outcome(&mut self, dir: &Path) -> (Outcome, Option<Tried>) {
        let (store, grant) = (self.context.config.store.clone(), Arc::clone(&self.grant));
        let (give, folder) = (self.program.give, dir.to_owned());
        let prepared = blocking(move || {
            make(&folder).map_err(|source| InputError::Write { path: folder.clone(), source })?;
            input::write(&store, &grant, give, &folder)
        });
        let input = match prepared.await {
            Ok(input) => input,
            Err(InputError::Lost(artifact, _)) => return (Outcome::InputLost { artifact }, None),
            Err(error @ (InputError::Store(_) | InputError::Write { .. })) => {
                return (failed(FailureClass::Transient, error.to_string()), None);
            }
        };
        let output = dir.join(OUTPUT);
        self.context.board.note(self.grant.attempt, Doing::Proving);
        let mut tried = match self.program.contract {
            Contract::File => {
                let Self { context, grant, program, seat, reins, .. } = self;
                file::prove(context, grant, program, seat, (dir, &input, &output), reins).await
            }
            Contract::Serve => self.serve(&input, &output).await,
        };
        let ended = std::mem::replace(&mut tried.ended, Ended::Written);
        (self.weigh(ended, &tried, &output).await, Some(tried))
    }

    /// Has a warm process prove, the one that waited or a new one.
    async fn serve(&mut self, input: &Path, output: &Path) -> Tried {
        let mut warm = match self.warm().await {
            Ok(warm) => warm,
            Err(tried) => return tried,
        };
        let (began, said) = (Instant::now(), warm.tail().position());
        // A process that has just started has said all that it ever said in this attempt.
        let said = if warm.is_fresh() { 0 } else { said };
        let Self { context, grant, program, reins, .. } = self;
        let ended = warm.prove(context, grant, program, (input, output), reins).await;
        let ran = began.elapsed();
        let tail = warm.tail().clone();
        if warm.is_sound() {
            self.warm = Some(warm);
        } else {
            let reins = idle_reins(&self.reins);
            warm.end(EVICTION, reins).await;
        }
        Tried { ended, ran, output: tail.since(said) }
    }

    async fn warm(&mut self) -> Result<Warm, Tried> {
        if let Some(mut warm) = self.warm.take() {
            if warm.is_sound() {
                return Ok(warm);
            }
            warm.end(EVICTION, idle_reins(&self.reins)).await;
        }
        // Its number is that of the attempt that needed it first; it has no other name.
        let dir = self.context.work.join(format!("process-{}", self.grant.attempt.0));
        if let Err(error) = make(&dir) {
            let what = format!("its directory could not be made: {error}");
            let ended = Ended::Failed { class: FailureClass::Transient, what };
            return Err(Tried { ended, ran: Duration::ZERO, output: Default::default() });
        }
        match Warm::start(&self.context, &self.program, &self.seat, &dir) {
            Ok(warm) => Ok(warm),
            Err(error) => {
                remove(dir).await;
                Err(file::not_started(&error))
            }
        }
    }

    /// What a try comes to.
    async fn weigh(&mut self, ended: Ended, tried: &Tried, output: &Path) -> Outcome {
        match ended {
            Ended::Written => self.judge(tried, output).await,
            Ended::Failed { class, what } => failed(class, with_output(&what, &tried.output)),
            Ended::Misconfigured { what } => {
                self.context.withdraw(&self.grant.program, &what);
                Outcome::NotRun { message: with_output(&what, &tried.output) }
            }
            Ended::Pulled { pull, how, may_have_result } => {
                // A proof in hand is a proof, however late, if somebody can tell that it is one.
                if may_have_result
                    && self.is_judged()
                    && let proved @ Outcome::Proved(_) = self.judge(tried, output).await
                {
                    return proved;
                }
                self.pulled(pull, &how, tried)
            }
        }
    }

    fn pulled(&self, pull: Pull, how: &str, tried: &Tried) -> Outcome {
        match pull {
            Pull::Cancelled => Outcome::Cancelled,
            Pull::Stopped => Outcome::NotRun { message: "its dispatcher was stopped".to_owned() },
            Pull::TimedOut => {
                let what = format!("its time of {:?} was over; {how}", self.grant.timeout);
                failed(FailureClass::Timeout, with_output(&what, &tried.output))
            }
        }
    }

    /// Whether a verifier decides. A split proves nothing: what is made of its parts is verified.
    fn is_judged(&self) -> bool {
        !self.program.is_mock && self.grant.output == Output::Proof
    }

    /// Reads what was made, has it verified, and stores it.
    async fn judge(&mut self, tried: &Tried, path: &Path) -> Outcome {
        let (path, output, is_judged) = (path.to_owned(), self.grant.output, self.is_judged());
        let made = match blocking(move || Made::read(&path, output, is_judged)).await {
            Ok(made) => made,
            Err(error) => {
                let what = with_output(&format!("it says it is done, {error}"), &tried.output);
                return failed(FailureClass::Failed, what);
            }
        };
        if let Some(message) = self.lie(&made) {
            return Outcome::Rejected { message };
        }
        let mut vkey = made.vkey().map(|vkey| Vkey(vkey.0.0));
        if is_judged {
            match self.verify(&made).await {
                Ok(own) => vkey = vkey.or(own),
                Err(outcome) => return outcome,
            }
        }
        self.context.board.note(self.grant.attempt, Doing::Storing);
        let (store, is_mock) = (self.context.config.store.clone(), self.program.is_mock);
        match blocking(move || keep(&store, &made, vkey, is_mock)).await {
            Ok(result) => Outcome::Proved(result),
            Err(error) => failed(FailureClass::Transient, error.to_string()),
        }
    }

    /// What needs no verifier to be refused.
    fn lie(&self, made: &Made) -> Option<String> {
        if made.says_mock() && !self.program.is_mock {
            let program = &self.grant.program;
            return Some(format!("the result is a mock, program {program} is not declared as one"));
        }
        let (own, pinned) = (made.vkey()?, self.program.vkey?);
        (own.0.0 != pinned.0).then(|| format!("made under key {own}, the pipeline pins {pinned}"))
    }

    async fn verify(&mut self, made: &Made) -> Result<Option<Vkey>, Outcome> {
        let Self { context, grant, program, reins, .. } = self;
        context.board.note(grant.attempt, Doing::Verifying);
        let dir = context.work.join(format!("verify-{}", grant.attempt.0));
        if let Err(error) = make(&dir) {
            let message = format!("the verifier's directory could not be made: {error}");
            return Err(failed(FailureClass::Transient, message));
        }
        let judged = verify::judge(context, grant, program, made, &dir, reins).await;
        remove(dir).await;
        Err(match judged {
            Judged::Accepted { vkey } => return Ok(vkey),
            Judged::Refused { message } => Outcome::Rejected { message },
            Judged::NoVerdict { message } => failed(FailureClass::Transient, message),
            Judged::Misconfigured { message } => {
                context.withdraw(&grant.program, &message);
                Outcome::NotRun { message }
            }
            Judged::Pulled(Pull::Cancelled) => Outcome::Cancelled,
            Judged::Pulled(Pull::Stopped) => {
                Outcome::NotRun { message: "its dispatcher was stopped".to_owned() }
            }
            Judged::Pulled(Pull::TimedOut) => {
                let message = "the verifier gave no verdict in time".to_owned();
                failed(FailureClass::Transient, message)
            }
        })
    }

    /// Clears up, and reports.
    async fn end(self, dir: PathBuf, outcome: Outcome, tried: Option<Tried>) {
        let Self { context, grant, seat, warm, .. } = self;
        context.board.note(grant.attempt, Doing::Ending);
        let (ran, output) = tried.map(|tried| (tried.ran, tried.output)).unwrap_or_default();
        let (desk, of, ended) = (Arc::clone(&context), Arc::clone(&grant), word(&outcome));
        blocking(move || {
            desk.logs.keep(&of, &ended, ran, &output);
            remove_now(&dir);
        })
        .await;
        match warm {
            Some(warm) => context.pool.park(grant.program.clone(), warm, seat),
            None => drop(seat),
        }
        report(&context, &grant, outcome, ran);
    }
}

/// Puts what was made into the store.
fn keep(
    store: &crate::Store,
    made: &Made,
    vkey: Option<Vkey>,
    is_mock: bool,
) -> Result<ResultRef, StoreError> {
    let parts = match &made.form {
        Form::Parts(parts) => parts.iter().map(|part| store.put(part)).collect::<Result<_, _>>()?,
        Form::Result(_) | Form::Other => Vec::new(),
    };
    Ok(ResultRef {
        output: store.put(&made.bytes)?,
        bytes: made.bytes.len() as u64,
        statement: made.statement(),
        vkey,
        mock: is_mock,
        parts,
    })
}

fn failed(class: FailureClass, message: String) -> Outcome {
    Outcome::Failed { class, message }
}

/// An outcome in a word, for the head of a log.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Proved(_) => "proved".to_owned(),
        Outcome::Rejected { message } => format!("rejected ({})", first_line(message)),
        Outcome::Failed { class, message } => format!("{class:?} ({})", first_line(message)),
        Outcome::InputLost { artifact } => format!("not run (input {artifact} lost)"),
        Outcome::NotRun { message } => format!("not run ({})", first_line(message)),
        Outcome::Cancelled => "cancelled".to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Makes a fresh directory for nobody but this user.
fn make(dir: &Path) -> io::Result<()> {
    remove_now(dir);
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Gives back the rights on directories that are needed to remove them.
fn open_up(dir: &Path, depth: usize) {
    let is_directory = fs::symlink_metadata(dir).is_ok_and(|metadata| metadata.is_dir());
    if !is_directory || depth > DEPTH_MAX {
        return;
    }
    let _ = fs::set_permissions(dir, Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        open_up(&entry.path(), depth + 1);
    }
}

/// Does what blocks where nothing else waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only when the runtime ends, and then nobody polls this.
            Err(_) => std::future::pending().await,
        },
    }
}

const OUTPUT: &str = "output";

/// From SIGTERM to SIGKILL for a process that runs no attempt.
const EVICTION: Duration = Duration::from_secs(2);

/// How deep directories are looked into.
const DEPTH_MAX: usize = 64;
