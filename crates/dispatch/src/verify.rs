//! Has a result judged by its program's verifier, before anybody hears of it.
//!
//! The verifier is a process of its own, in a directory of its own, with copies of the inputs that the
//! prover never saw, so that its word is bound to the task. Only a verdict counts: a verifier that
//! fails, or that is not there, is asked again for as long as there is patience (`retry`); one that
//! takes all its time does so three times. An input that is lost by then is to be made again.
//!
//! Not here: what a proof is (the verifier knows), and mocks, which nobody verifies.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use push0_core::{Digest, Grant, Vkey};
use push0_prover::{Envelope, EnvelopeFormat, Program, wire};

use crate::ProgramConfig;
use crate::context::Context;
use crate::exit::Exit;
use crate::folder::{blocking, make};
use crate::input::{self, InputError};
use crate::memory;
use crate::output::{Form, Made};
use crate::process::{Launch, Process, SpawnError};
use crate::reins::{Pull, Reins};
use crate::retry::{Next, Patience};
use crate::tail::{Tail, with_output};

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
    pub(crate) made: Arc<Made>,
    /// The verifier's own, made here.
    pub(crate) dir: PathBuf,
}

/// Asks the verifier, again and again if it has no verdict.
pub(crate) async fn judge(case: &Arc<Case>, patience: &mut Patience, reins: &Reins) -> Judged {
    let (mut is_written, mut timeouts) = (false, 0);
    loop {
        let message = match case.try_once(&mut is_written, patience, reins).await {
            Ok(judged) => return judged,
            Err(Trouble::Failed(message)) => message,
            Err(Trouble::TimedOut(message)) => {
                timeouts += 1;
                message
            }
        };
        if timeouts == TIMEOUTS_MAX {
            return Judged::NoVerdict { message };
        }
        let (program, attempt) = (&case.grant.program, case.grant.attempt.0);
        let kept = format!(
            "the proof of attempt {attempt} is kept, and the verifier of {program} is asked again: \
             {message}"
        );
        case.context.trouble(program.as_str(), kept);
        match patience.pause(reins).await {
            Next::Again => {}
            Next::Over => return Judged::NoVerdict { message },
            Next::Pulled(pull) => return Judged::Pulled(pull),
        }
    }
}

/// Why there is no verdict, this time.
enum Trouble {
    Failed(String),
    /// It took all the time that it may.
    TimedOut(String),
}

impl Case {
    async fn try_once(
        self: &Arc<Self>,
        is_written: &mut bool,
        patience: &Patience,
        reins: &Reins,
    ) -> Result<Judged, Trouble> {
        if !*is_written {
            let case = Arc::clone(self);
            match blocking(move || case.write()).await {
                Ok(()) => *is_written = true,
                Err(InputError::Lost(artifact, _)) => return Ok(Judged::InputLost { artifact }),
                Err(error @ (InputError::Store(_) | InputError::Write { .. })) => {
                    return Err(Trouble::Failed(error.to_string()));
                }
            }
        }
        self.ask(&mut reins.until(patience.limit())).await
    }

    /// Writes the envelope, with copies of the inputs beside it. Blocks: a proof may be large.
    fn write(&self) -> Result<(), InputError> {
        let unwritten = |path: PathBuf| move |source| InputError::Write { path, source };
        make(&self.dir).map_err(unwritten(self.dir.clone()))?;
        let items = input::items(&self.context.config.store, &self.grant.inputs, &self.dir)?;
        let path = self.dir.join(ENVELOPE);
        let encoded = self.envelope(items).encode().map_err(io::Error::from);
        encoded.and_then(|bytes| std::fs::write(&path, bytes)).map_err(unwritten(path))
    }

    fn envelope(&self, items: Vec<wire::BundleItem>) -> Envelope {
        let Self { context, grant, program, made, .. } = self;
        let pinned = program.vkey.map(|vkey| wire::Vkey(wire::Digest(vkey.0)));
        let (public_values, proof) = match &made.form {
            Form::Result(result) => (result.public_values.clone(), result.proof.clone()),
            Form::Other | Form::Parts(_) => {
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
        let memory_bytes = program.memory_bytes;
        let argv = &program.verifier;
        let launch = Launch { argv, args, env, dir, has_stdin: false, memory_bytes };
        let (mut process, pipes) = match Process::spawn(&context.lives, &launch).await {
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
        let stdout = Tail::default();
        let (words, all) = (stdout.clone(), process.tail.clone());
        process.listen(pipes.stdout, move |bytes| {
            words.push(bytes);
            all.push(bytes);
        });
        let over = memory::over(process.footprint());
        let ended = tokio::select! {
            biased;
            exit = process.exited() => Ok(exit),
            pull = reins.pulled() => Err(pull),
            what = over => {
                process.finish().await;
                return Err(Trouble::Failed(format!("the verifier gave no verdict: {what}")));
            }
        };
        let output = process.finish().await.since(0);
        match ended {
            Ok(Exit::Code(0)) => Ok(accepted(program, &stdout.since(0).text)),
            Ok(Exit::Code(1)) => {
                let message = with_output("the verifier refused the proof", &output);
                Ok(Judged::Refused { message })
            }
            Ok(exit) => {
                let what = format!("the verifier gave no verdict: {exit}");
                Err(Trouble::Failed(with_output(&what, &output)))
            }
            Err(Pull::TimedOut) => {
                let what = "the verifier gave no verdict in time";
                Err(Trouble::TimedOut(with_output(what, &output)))
            }
            Err(pull @ (Pull::Cancelled | Pull::Stopped | Pull::Greedy(_))) => {
                Ok(Judged::Pulled(pull))
            }
        }
    }
}

fn accepted(program: &ProgramConfig, stdout: &str) -> Judged {
    // A verifier that prints no verdict names no key; that is its right.
    let verdict =
        stdout.lines().rev().find_map(|line| serde_json::from_str::<wire::Verdict>(line).ok());
    let vkey = verdict.and_then(|verdict| verdict.vkey).map(|vkey| Vkey(vkey.0.0));
    match (program.vkey, vkey) {
        (Some(pinned), Some(own)) if pinned != own => Judged::Refused {
            message: format!("it verifies under key {own}, the pipeline pins {pinned}"),
        },
        (_, vkey) => Judged::Accepted { vkey },
    }
}

const ENVELOPE: &str = "envelope.json";

/// How often a verifier may take all its time.
const TIMEOUTS_MAX: u32 = 3;
