//! The life of one attempt, from its grant to its report.
//!
//! ```text
//!   input ──▶ prover ──▶ output ──▶ verifier ──▶ store ──▶ report
//!     └──────────┴──────────┴──────────┴───────────┴─────────▶ report
//! ```
//!
//! What it started is ended and its seat is free before the report leaves: whoever hears the report
//! may count on the room. Its directory is gone by then too, or, after a proof, soon after.
//!
//! Not here: who may start (`desk`), how a prover is spoken to (`file`, `serve`), how its end is
//! weighed (`weigh`), and what becomes of its output (`settle`).

mod settle;
mod weigh;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use push0_core::{Contract, FailureClass, Give, Grant, Outcome, Output, Report};
use tokio::time::timeout;

use crate::board::Doing;
use crate::context::{Context, stays};
use crate::folder::{blocking, make, remove, remove_now};
use crate::input::InputError;
use crate::notice::word as class_word;
use crate::pool::{Admission, Seat};
use crate::reins::Reins;
use crate::retry::{Next, Patience};
use crate::room::is_full;
use crate::serve::{Warm, idle_reins};
use crate::tried::{Tried, TryEnd};
use crate::{AttemptFailed, Notice, ProgramConfig, file, input, logs, shelf};

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
    context.outputs.begin(grant.attempt);
    let mut attempt = Attempt { context, grant, program, seat, warm, reins, beside: None };
    let dir = attempt.context.work.join(format!("attempt-{}", attempt.grant.attempt.0));
    let (outcome, tried) = attempt.outcome(&dir).await;
    attempt.end(dir, outcome, tried).await;
}

/// An attempt that was not begun.
pub(crate) fn not_run(context: &Context, grant: &Grant, message: String) {
    report(context, grant, Outcome::NotRun { message }, Duration::ZERO);
}

/// Reports how an attempt ended, and tells it where it came to nothing.
pub(crate) fn report(context: &Context, grant: &Grant, outcome: Outcome, ran: Duration) {
    if let Some(failed) = AttemptFailed::of(grant, &outcome, ran) {
        context.notify(Notice::AttemptFailed(Box::new(failed)));
    }
    context.report(Report {
        dispatcher: context.config.id.clone(),
        incarnation: context.board.incarnation(),
        attempt: grant.attempt,
        task: grant.task,
        outcome,
        ran,
    });
}

struct Attempt {
    context: Arc<Context>,
    grant: Arc<Grant>,
    program: ProgramConfig,
    seat: Seat,
    warm: Option<Warm>,
    reins: Reins,
    /// How it failed, where its result was taken all the same.
    beside: Option<String>,
}

impl Attempt {
    async fn outcome(&mut self, dir: &Path) -> (Outcome, Option<Tried>) {
        if self.is_judged()
            && let Some(message) =
                self.context.judges.why_mute(&self.grant.program, &self.program).await
        {
            return (failed(FailureClass::Unjudged, message), None);
        }
        if let Some(outcome) = self.settle_former().await {
            return (outcome, None);
        }
        let input = match self.prepare(dir).await {
            Ok(input) => input,
            Err(outcome) => return (outcome, None),
        };
        let output = dir.join(OUTPUT);
        self.context.board.works_in(self.grant.attempt, dir);
        self.context.board.note(self.grant.attempt, Doing::Proving);
        let mut tried = match self.program.contract {
            Contract::File => {
                let Self { context, grant, program, seat, reins, .. } = self;
                file::prove(context, grant, program, seat, (dir, &input, &output), reins).await
            }
            Contract::Serve => self.serve(&input, &output).await,
        };
        let ended = std::mem::replace(&mut tried.ended, TryEnd::Written);
        let outcome = self.weigh(ended, &tried, &output).await;
        if weigh::is_suspect(&outcome)
            && let Some(warm) = self.warm.take()
        {
            warm.end(EVICTION, idle_reins(&self.reins)).await;
        }
        (outcome, Some(tried))
    }

    /// Writes the prover's input. A store that does not answer is asked again, for a while; then
    /// the attempt is given back. An input that alone cannot be read is tried again while half of
    /// the prover's time is left.
    async fn prepare(&self, dir: &Path) -> Result<PathBuf, Outcome> {
        let mut patience = Patience::new(self.context.retry, self.grant.timeout);
        loop {
            let (context, grant) = (Arc::clone(&self.context), Arc::clone(&self.grant));
            let (give, folder) = (self.program.give, dir.to_owned());
            let (whom, mut reins) = (context.whom(&self.program), self.reins.clone());
            let prepare = move || {
                let unwritten = |source| InputError::Write { path: folder.clone(), source };
                context.spares.place(&folder).map_err(unwritten)?;
                let input = input::write(&context.config, &grant, give, &folder)?;
                if let Some(user) = whom.user() {
                    user.own(&folder).map_err(unwritten)?;
                }
                Ok(input)
            };
            let prepared = match give {
                // A few bytes, and nothing from the store: to hand it over would take longer. The
                // disk has answered a moment ago.
                Give::Number if self.context.rooms.answers() => prepare(),
                Give::Number | Give::Raw | Give::Bundle => tokio::select! {
                    biased;
                    prepared = blocking(prepare) => prepared,
                    pull = reins.pulled() => {
                        return Err(settle::pulled(pull, "its input was not there in time"));
                    }
                },
            };
            let message = match prepared {
                Ok(input) => return Ok(input),
                Err(InputError::Lost(artifact, _)) => return Err(Outcome::InputLost { artifact }),
                Err(error) if error.is_full() => return Err(self.no_room(&error.to_string())),
                Err(error @ InputError::Write { .. }) => {
                    return Err(failed(FailureClass::Transient, error.to_string()));
                }
                Err(error @ InputError::Mock { .. }) => {
                    return Err(failed(FailureClass::InvalidInput, error.to_string()));
                }
                Err(error @ InputError::Store(_)) => error.to_string(),
            };
            let context = Arc::clone(&self.context);
            let is_away = tokio::select! {
                biased;
                is_away = blocking(move || context.away.look(&context)) => is_away,
                pull = reins.pulled() => return Err(settle::pulled(pull, &message)),
            };
            if is_away == Some(true) {
                return Err(Outcome::NotRun { message }); // another machine may have the store
            }
            let left = self.reins.deadline.saturating_duration_since(tokio::time::Instant::now());
            if left < self.grant.timeout / 2 {
                return Err(failed(FailureClass::Transient, message));
            }
            let attempt = self.grant.attempt.position();
            self.context.trouble("store", format!("attempt {attempt} waits: {message}"));
            match patience.pause(&self.reins).await {
                Next::Again => {}
                Next::Over => return Err(failed(FailureClass::Transient, message)),
                Next::Pulled(pull) => return Err(settle::pulled(pull, &message)),
            }
        }
    }

    /// Has a warm process prove, the one that waited or a new one.
    async fn serve(&mut self, input: &Path, output: &Path) -> Tried {
        let mut warm = match self.warm().await {
            Ok(warm) => warm,
            Err(tried) => return tried,
        };
        let (began, mut said) = (Instant::now(), warm.tail().position());
        // A process that has just started has said all that it ever said in this attempt.
        let was_fresh = warm.is_fresh();
        if was_fresh {
            said = 0;
        }
        let Self { context, grant, program, reins, .. } = self;
        context.outputs.prints(grant.attempt, warm.tail(), said);
        let ended = warm.prove(context, grant, program, (input, output), reins).await;
        let ran = began.elapsed();
        if !was_fresh && ran < DYING && warm.has_died_silent() {
            // It was on its way out when it was given this attempt, which has nothing to do with
            // that.
            warm.end(EVICTION, idle_reins(&self.reins)).await;
            return Box::pin(self.serve(input, output)).await;
        }
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
                self.context.board.works_in(self.grant.attempt, warm.dir());
                return Ok(warm);
            }
            warm.end(EVICTION, idle_reins(&self.reins)).await;
        }
        // Its number is that of the attempt that needed it first; it has no other name.
        let dir = self.context.work.join(format!("process-{}", self.grant.attempt.0));
        let folder = dir.clone();
        if let Err(error) = blocking(move || make(&folder)).await {
            if is_full(&error) {
                self.context.rooms.close(&self.context);
            }
            let what = format!("its directory could not be made: {error}");
            let ended = TryEnd::Failed { class: FailureClass::Transient, what };
            return Err(Tried { ended, ran: Duration::ZERO, output: Default::default() });
        }
        let Self { context, program, seat, reins, .. } = self;
        match Warm::start(context, program, seat, &dir, reins).await {
            Ok(warm) => {
                self.context.board.works_in(self.grant.attempt, warm.dir());
                Ok(warm)
            }
            Err(tried) => {
                remove(dir).await;
                Err(tried)
            }
        }
    }

    /// Nobody's fault, and nobody's budget.
    fn no_room(&self, message: &str) -> Outcome {
        self.context.rooms.close(&self.context);
        Outcome::NotRun { message: message.to_owned() }
    }

    /// Whether a verifier decides. A split proves nothing: what is made of its parts is verified.
    fn is_judged(&self) -> bool {
        !self.program.is_mock && self.grant.output == Output::Proof
    }

    /// Clears up, and reports. A proof is not kept waiting for what is cleared up after it.
    async fn end(self, dir: PathBuf, outcome: Outcome, tried: Option<Tried>) {
        let Self { context, grant, seat, warm, beside, .. } = self;
        context.board.note(grant.attempt, Doing::Ending);
        let has_run = tried.is_some();
        let (ran, output) = tried.map(|tried| (tried.ran, tried.output)).unwrap_or_default();
        let (desk, attempt) = (Arc::clone(&context), grant.attempt);
        let text = logs::text(&grant, &word(&outcome, beside), ran, &output);
        let is_proved = matches!(outcome, Outcome::Proved(_));
        let (keeper, of) = (Arc::clone(&context), (attempt, grant.task));
        let copy = (has_run && shelf::is_kept(&outcome)).then(|| text.clone());
        let shelve = async move {
            if let (Some(shelf), Some(text)) = (&keeper.shelf, copy) {
                shelf.put(of, text).await;
            }
        };
        // Before the process has another task: what it prints for that is not this one's.
        context.outputs.end(attempt);
        let clear_up = blocking(move || {
            desk.logs.keep(attempt, &text);
            if !remove_now(&dir) {
                desk.trouble("directories", stays(&dir));
            }
            desk.spares.add();
        });
        let give_back = move || {
            match warm {
                Some(warm) => context.pool.park(grant.program.clone(), warm, seat),
                None => drop(seat),
            }
            report(&context, &grant, outcome, ran);
        };
        if is_proved {
            give_back();
            clear_up.await;
        } else {
            // A disk that hangs keeps what is cleared up, and no report.
            let _ = timeout(CLEARED_MAX, async { tokio::join!(clear_up, shelve) }).await;
            give_back();
        }
    }
}

fn failed(class: FailureClass, message: String) -> Outcome {
    Outcome::Failed { class, message }
}

/// An attempt whose directories filled the disk.
fn greedy(bytes: u64) -> Outcome {
    let mib = bytes >> 20;
    let message = format!("killed: its directory held {mib} MiB, and the disk was nearly full");
    failed(FailureClass::Resource, message)
}

/// An outcome in a word, for the head of a log.
fn word(outcome: &Outcome, beside: Option<String>) -> String {
    match outcome {
        Outcome::Proved(_) => {
            beside.map_or_else(|| "proved".to_owned(), |how| format!("proved, {how}"))
        }
        Outcome::Rejected { message } => format!("rejected ({})", first_line(message)),
        Outcome::Failed { class, message } => {
            format!("{} ({})", class_word(*class), first_line(message))
        }
        Outcome::InputLost { artifact } => format!("not run (input {artifact} lost)"),
        Outcome::NotRun { message } => format!("not run ({})", first_line(message)),
        Outcome::Cancelled => "cancelled".to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

const OUTPUT: &str = "output";

/// How long a failure's report waits for its log and its directory: far longer than a disk that is
/// well takes.
const CLEARED_MAX: Duration = Duration::from_secs(5);

/// A warm process that ends without a word so soon was ending already.
const DYING: Duration = Duration::from_millis(500);

/// From SIGTERM to SIGKILL for a process that runs no attempt.
const EVICTION: Duration = Duration::from_secs(2);
