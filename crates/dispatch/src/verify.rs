//! Has a result judged by its program's verifier, before anybody hears of it.
//!
//! The verifier is a process of its own, in a directory of its own, with copies of the inputs that the
//! prover never saw, so that its word is bound to the task. Only a verdict counts: a verifier that
//! fails is asked again, and if it has no verdict then either, the attempt failed for the moment.
//!
//! Not here: what a proof is (the verifier knows), and mocks, which nobody verifies.

use std::io;
use std::path::Path;

use push0_core::{Grant, Vkey};
use push0_prover::{Envelope, EnvelopeFormat, Program, wire};

use crate::ProgramConfig;
use crate::context::Context;
use crate::exit::Exit;
use crate::input;
use crate::output::{Form, Made};
use crate::process::{Launch, Process, SpawnError};
use crate::reins::{Pull, Reins, after};
use crate::tail::{Tail, with_output};

/// What came of it.
#[derive(Debug)]
pub(crate) enum Judged {
    /// The proof is good, under this key, if the verifier names one.
    Accepted { vkey: Option<Vkey> },
    /// It is not; in the verifier's words.
    Refused { message: String },
    /// Nobody knows.
    NoVerdict { message: String },
    /// There is no verifier to be run.
    Misconfigured { message: String },
    /// The attempt is to end.
    Pulled(Pull),
}

/// Asks the verifier, more than once if it has no verdict.
pub(crate) async fn judge(
    context: &Context,
    grant: &Grant,
    program: &ProgramConfig,
    made: &Made,
    dir: &Path,
    reins: &Reins,
) -> Judged {
    let envelope = dir.join(ENVELOPE);
    let (written, asked) = (write(context, grant, program, made, dir), &envelope);
    if let Err(message) = written {
        return Judged::NoVerdict { message };
    }
    let limit = context.retry.limit.max(grant.timeout / LIMIT_SHARE);
    let mut tries = 1;
    loop {
        let judged = ask(context, program, asked, dir, &mut reins.until(after(limit))).await;
        if !matches!(judged, Judged::NoVerdict { .. }) || tries == TRIES {
            return judged;
        }
        // The attempt's own time may be over: the prover was done in it.
        match reins.until(after(context.retry.pause * tries)).pulled().await {
            Pull::TimedOut => tries += 1,
            pull @ (Pull::Cancelled | Pull::Stopped) => return Judged::Pulled(pull),
        }
    }
}

/// Writes the envelope, with copies of the inputs beside it. Blocks; small files, read from a cache.
fn write(
    context: &Context,
    grant: &Grant,
    program: &ProgramConfig,
    made: &Made,
    dir: &Path,
) -> Result<(), String> {
    let items = input::items(&context.config.store, &grant.inputs, dir);
    let items = items.map_err(|error| error.to_string())?;
    let envelope = envelope(context, grant, program, made, items);
    let written = envelope.encode().map_err(io::Error::from);
    let written = written.and_then(|bytes| std::fs::write(dir.join(ENVELOPE), bytes));
    written.map_err(|error| format!("the envelope could not be written: {error}"))
}

fn envelope(
    context: &Context,
    grant: &Grant,
    program: &ProgramConfig,
    made: &Made,
    items: Vec<wire::BundleItem>,
) -> Envelope {
    let pinned = program.vkey.map(|vkey| wire::Vkey(wire::Digest(vkey.0)));
    let (public_values, proof) = match &made.form {
        Form::Result(result) => (result.public_values.clone(), result.proof.clone()),
        Form::Other | Form::Parts(_) => (wire::Hex::default(), wire::Base64(made.bytes.clone())),
    };
    Envelope {
        format: EnvelopeFormat::V1,
        pipeline: context.config.pipeline.to_string(),
        key: input::wire_key(grant.key),
        program: Program { name: grant.program.to_string(), vkey: pinned.or_else(|| made.vkey()) },
        mock: false,
        claim: None,
        public_values,
        proof,
        history: Vec::new(),
        inputs: Some(items),
    }
}

async fn ask(
    context: &Context,
    program: &ProgramConfig,
    envelope: &Path,
    dir: &Path,
    reins: &mut Reins,
) -> Judged {
    let args = vec!["--input-path".to_owned(), envelope.to_string_lossy().into_owned()];
    let env = context.environment(program, None, dir);
    let launch = Launch { argv: &program.verifier, args, env, dir, has_stdin: false };
    let (mut process, pipes) = match Process::spawn(&context.lives, &launch) {
        Ok(spawned) => spawned,
        Err(error @ SpawnError::Gone { .. }) => {
            return Judged::Misconfigured { message: format!("verifier {error}") };
        }
        Err(error @ SpawnError::Exhausted { .. }) => {
            return Judged::NoVerdict { message: format!("verifier {error}") };
        }
    };
    let stdout = Tail::default();
    let (words, all) = (stdout.clone(), process.tail.clone());
    process.listen(pipes.stdout, move |bytes| {
        words.push(bytes);
        all.push(bytes);
    });
    let ended = tokio::select! {
        biased;
        exit = process.exited() => Ok(exit),
        pull = reins.pulled() => Err(pull),
    };
    let output = process.finish().await.since(0);
    match ended {
        Ok(Exit::Code(0)) => accepted(program, &stdout.since(0).text),
        Ok(Exit::Code(1)) => {
            Judged::Refused { message: with_output("the verifier refused the proof", &output) }
        }
        Ok(exit) => {
            let message = with_output(&format!("the verifier gave no verdict: {exit}"), &output);
            Judged::NoVerdict { message }
        }
        Err(Pull::TimedOut) => {
            let message = with_output("the verifier gave no verdict in time", &output);
            Judged::NoVerdict { message }
        }
        Err(pull @ (Pull::Cancelled | Pull::Stopped)) => Judged::Pulled(pull),
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

/// How often a verifier is asked.
const TRIES: u32 = 3;

/// A verifier may take this part of the prover's time, where that is more than its least.
const LIMIT_SHARE: u32 = 10;
