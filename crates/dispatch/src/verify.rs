//! Has a result judged by its program's verifier, before anybody hears of it.
//!
//! The verifier is a process of its own, in a directory of its own, with limits of its own, and
//! with copies of the inputs that the prover never saw, so that its word is bound to the task. Only
//! a verdict counts (`verdict`).
//!
//! | a verifier that | is asked again |
//! |---|---|
//! | fails, and has given a verdict before, or cannot be started | for as long as there is patience (`retry`) |
//! | passes a limit: its time, its memory, its output | once |
//! | was only guessed to be one, and has never given a verdict | twice |
//! | ends with exit 0, says nothing, and never has | not at all: that is no outage |
//!
//! An input that is lost by then is to be made again.
//!
//! Not here: what a proof is (the verifier knows), and mocks, which nobody verifies.

mod trouble;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use push0_core::{Believes, Digest, Grant, Vkey, plain_lines};
use push0_prover::{Envelope, EnvelopeFormat, Program, wire};
use tokio::time::{MissedTickBehavior, interval};

use self::trouble::{Spent, Trouble, TryNotes};
use crate::ProgramConfig;
use crate::board::Doing;
use crate::context::Context;
use crate::exit::Exit;
use crate::folder::{blocking, make};
use crate::input::{self, InputError};
use crate::memory;
use crate::output::{Form, ProverOutput};
use crate::process::{Launch, Process, SpawnError};
use crate::reins::{Pull, Reins};
use crate::retry::{Next, Patience};
use crate::tail::{Output, Tail, with_output};
use crate::verdict::{Ending, NAME_ONE, Verdict, VerdictReader};

/// What came of it.
#[derive(Debug)]
pub(crate) enum Judged {
    /// The proof is good, under this key, if the verifier names one.
    Accepted { vkey: Option<Vkey> },
    /// It is not; in the verifier's words.
    Refused { message: String },
    /// Nobody can tell without this input, which is not in the store any more.
    InputLost { artifact: Digest },
    /// Nobody knows.
    NoVerdict { message: String },
    /// The attempt is to end.
    Pulled(Pull),
}

/// What is judged, and where.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) context: Arc<Context>,
    pub(crate) grant: Arc<Grant>,
    pub(crate) program: ProgramConfig,
    pub(crate) made: Arc<ProverOutput>,
    /// The verifier's own, made here.
    pub(crate) dir: PathBuf,
}

/// How often a verifier is asked about one result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tries {
    /// Again and again, within bounds.
    Patient,
    /// Once: its prover did not even say that it is done.
    Once,
}

/// Asks the verifier, as often as `tries` and its own troubles leave sense in it.
pub(crate) async fn judge(
    case: &Arc<Case>,
    tries: Tries,
    patience: &mut Patience,
    reins: &Reins,
) -> Judged {
    let (mut is_written, mut spent) = (false, Spent::default());
    let mut told = TryNotes::default();
    loop {
        let trouble = match case.try_once(&mut is_written, patience, reins).await {
            Ok(judged) => return judged,
            Err(trouble) => trouble,
        };
        let is_last = spent.is_last(case, &trouble).await;
        let message = told.message(trouble, patience.is_over());
        if tries == Tries::Once || is_last {
            return Judged::NoVerdict { message };
        }
        let (program, attempt) = (&case.grant.program, case.grant.attempt.position());
        let kept = format!(
            "the proof of attempt {attempt} is kept, and the verifier of {program} is asked again: \
             {message}"
        );
        case.context.trouble(program.as_str(), kept);
        case.context.board.note(case.grant.attempt, Doing::Unjudged);
        match patience.pause(reins).await {
            Next::Again => case.context.board.note(case.grant.attempt, Doing::Verifying),
            Next::Over => return Judged::NoVerdict { message },
            Next::Pulled(pull) => return Judged::Pulled(pull),
        }
    }
}

impl Case {
    async fn try_once(
        self: &Arc<Self>,
        is_written: &mut bool,
        patience: &Patience,
        reins: &Reins,
    ) -> Result<Judged, Trouble> {
        let mut reins = reins.until(patience.limit(self.program.asking.timeout));
        if !*is_written {
            let case = Arc::clone(self);
            let written = tokio::select! {
                biased;
                written = blocking(move || case.write()) => written,
                pull = reins.pulled() => return Ok(unwritten(pull)),
            };
            match written {
                Ok(()) => *is_written = true,
                Err(InputError::Lost(artifact, _)) => return Ok(Judged::InputLost { artifact }),
                Err(error @ InputError::Mock { .. }) => {
                    return Ok(Judged::NoVerdict { message: error.to_string() });
                }
                Err(error @ (InputError::Store(_) | InputError::Write { .. })) => {
                    return Err(Trouble::Failed(error.to_string()));
                }
            }
        }
        self.ask(&mut reins.until(patience.limit(self.program.asking.timeout))).await
    }

    /// Writes the envelope, with copies of the inputs beside it. Blocks: a proof may be large.
    fn write(&self) -> Result<(), InputError> {
        let unwritten = |path: PathBuf| move |source| InputError::Write { path, source };
        make(&self.dir).map_err(unwritten(self.dir.clone()))?;
        let items = input::items(&self.context.config, &self.grant.inputs, &self.dir)?;
        let path = self.dir.join(ENVELOPE);
        let envelope = self.envelope(items);
        let written =
            File::create(&path).and_then(|file| envelope.write(file).map_err(io::Error::from));
        written.map_err(unwritten(path))
    }

    fn envelope(&self, items: Vec<wire::BundleItem>) -> Envelope {
        let Self { context, grant, program, made, .. } = self;
        let pinned = program.vkey.map(|vkey| wire::Vkey(wire::Digest(vkey.0)));
        let (public_values, proof) = match &made.form {
            Form::Result(result) => (result.public_values.clone(), result.proof.clone()),
            Form::Other { .. } | Form::Parts(_) => {
                (wire::Hex::default(), wire::Base64(made.bytes.clone()))
            }
        };
        Envelope {
            format: EnvelopeFormat::V1,
            pipeline: context.config.pipeline.to_string(),
            key: input::wire_key(grant.key),
            block_hashes: None, // whose word they are on is the pipeline's, of which nothing is known here
            program: Program {
                name: grant.program.to_string(),
                vkey: pinned.or_else(|| made.vkey()),
            },
            mock: false,
            claim: None,
            public_values,
            proof,
            history: Vec::new(),
            inputs: Some(items),
        }
    }

    async fn ask(&self, reins: &mut Reins) -> Result<Judged, Trouble> {
        let Self { context, grant, program, dir, .. } = self;
        let envelope = dir.join(ENVELOPE).to_string_lossy().into_owned();
        let args = vec!["--input-path".to_owned(), envelope];
        let env = context.environment(program, None, dir);
        let memory_bytes = program.asking.memory_bytes;
        let argv = &program.verifier;
        let launch = Launch { argv, args, env, dir, has_stdin: false, memory_bytes };
        let spawned = tokio::select! {
            biased;
            spawned = Process::spawn(&context.lives, &launch) => spawned,
            pull = reins.pulled() => return not_asked(pull),
        };
        let (mut process, pipes) = match spawned {
            Ok(spawned) => spawned,
            Err(error) => {
                let message = format!("verifier {error}");
                if matches!(error, SpawnError::Gone { .. }) {
                    // It may come back in time for this result; until then no other is begun.
                    context.withdraw(&grant.program, &message).await;
                }
                return Err(Trouble::Failed(message));
            }
        };
        let heard = Arc::new(Mutex::new(VerdictReader::default()));
        let (words, all) = (Arc::clone(&heard), process.tail.clone());
        process.listen(pipes.stdout, move |bytes| {
            words.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
            all.push(bytes);
        });
        let over = memory::over(process.footprint());
        let flooded = flooded(process.tail.clone());
        let ended = tokio::select! {
            biased;
            exit = process.exited() => Ok(exit),
            pull = reins.pulled() => Err(pull),
            what = over => {
                process.finish().await;
                let what = format!("the verifier gave no verdict: {what}");
                return Err(Trouble::Limit(self.past_limit(&what)));
            }
            what = flooded => {
                let output = process.finish().await.since(0);
                return Err(Trouble::Limit(with_output(&self.past_limit(&what), &output)));
            }
        };
        let output = process.finish().await.since(0);
        match ended {
            Ok(exit) => {
                let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                self.read(exit, &heard, &output)
            }
            Err(Pull::TimedOut) => {
                let what = self.past_limit("the verifier gave no verdict in time");
                Err(Trouble::Limit(with_output(&what, &output)))
            }
            Err(pull @ (Pull::Cancelled | Pull::Stopped | Pull::Greedy(_))) => {
                Ok(Judged::Pulled(pull))
            }
        }
    }

    /// What is said of a limit that was passed: of a guess that never gave a verdict, what to do
    /// too.
    fn past_limit(&self, what: &str) -> String {
        let is_guess = self.program.asking.believes == Believes::LineOfGuess;
        match is_guess && !self.context.judges.has_spoken(&self.grant.program) {
            true => format!("{what}{NAME_ONE}"),
            false => what.to_owned(),
        }
    }

    /// What its end says.
    fn read(&self, exit: Exit, heard: &VerdictReader, output: &Output) -> Result<Judged, Trouble> {
        let Self { context, grant, program, .. } = self;
        let code = match exit {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) | Exit::OutOfMemory | Exit::OverMemory(_) | Exit::Unknown => None,
        };
        let (how, lines) = (exit.to_string(), output.last_lines().unwrap_or_default());
        let ending = Ending { code, how: &how, heard, output: &lines };
        let judged = match Verdict::read(program.asking.believes, program.vkey, &ending) {
            Verdict::Accepted { vkey, .. } => {
                Ok(Judged::Accepted { vkey: vkey.map(|vkey| Vkey(vkey.0.0)) })
            }
            Verdict::Refused { words } => Ok(Judged::Refused { message: refusal(&words) }),
            Verdict::Undecided { why } => {
                Err(Trouble::Failed(format!("the verifier cannot tell: {}", plain_lines(&why))))
            }
            Verdict::None { why } if matches!(exit, Exit::OutOfMemory | Exit::OverMemory(_)) => {
                return Err(Trouble::Limit(why));
            }
            Verdict::None { why } => return Err(Trouble::Silent(code, why)),
        };
        context.judges.spoke(&grant.program);
        judged
    }
}

/// What comes of it where the disk hangs on which its envelope is written. It is not written again:
/// the write that hangs may go on meanwhile, under a verifier that reads.
fn unwritten(pull: Pull) -> Judged {
    match pull {
        Pull::TimedOut => Judged::NoVerdict {
            message: "the verifier's envelope was not written in time: see to the disk".to_owned(),
        },
        Pull::Cancelled | Pull::Stopped | Pull::Greedy(_) => Judged::Pulled(pull),
    }
}

/// What a verifier comes to that is pulled back before it runs: its time says nothing of the proof
/// then.
fn not_asked(pull: Pull) -> Result<Judged, Trouble> {
    match pull {
        Pull::TimedOut => Err(Trouble::Unstarted),
        Pull::Cancelled | Pull::Stopped | Pull::Greedy(_) => Ok(Judged::Pulled(pull)),
    }
}

/// A refusal, of bounded length.
fn refusal(words: &str) -> String {
    let words: String = words.chars().take(REFUSAL_CHARS_MAX).collect();
    format!("the verifier refused the proof: {}", plain_lines(&words))
}

/// Waits until a process has printed more than a verifier may, and says so.
async fn flooded(tail: Tail) -> String {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while tail.position() <= OUTPUT_BYTES_MAX {
        ticks.tick().await;
    }
    let mib = OUTPUT_BYTES_MAX >> 20;
    format!("the verifier gave no verdict: it was ended, for it had printed more than {mib} MiB")
}

const ENVELOPE: &str = "envelope.json";

/// What a verifier may print.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;

/// From one look at that to the next.
const INTERVAL: Duration = Duration::from_millis(250);

/// Of a refusal's words so many characters are kept.
const REFUSAL_CHARS_MAX: usize = 2048;
