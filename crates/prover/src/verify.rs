//! The verifier: given an envelope and nothing else that it would have to believe, accepts or
//! refuses.
//!
//! What it finds it says in a line on stdout ([`VerifierLine`]): a verdict with exit 0, a refusal
//! with exit 1, and with exit 2 that it cannot tell, since the proof may be good and this process
//! at fault. The line counts: a process may end with 1 or 2 for any reason, and one that does so
//! without a word has said nothing of the proof.
//!
//! Not here: the mathematics ([`Prover::verify`], [`Prover::fits`]), and which key to trust.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use serde_json::Value;

use crate::around::{USAGE, catch, load};
use crate::replies::{complain, take_stdout};
use crate::wire::{Verdict, VerifierLine};
use crate::{Envelope, Failure, Item, Prover, Refusal};

/// Verifies the envelope at `path`.
pub(crate) fn verify<P: Prover>(path: &Path) -> ExitCode {
    let mut stdout = match take_stdout() {
        Ok(stdout) => stdout,
        Err(error) => {
            complain(&format!("error: no verdict: stdout: {error}"));
            return ExitCode::from(NO_VERDICT);
        }
    };
    let (said, code) = match catch(|| judge::<P>(path)) {
        Ok(Ok(verdict)) => (VerifierLine::Verdict(verdict), ExitCode::SUCCESS),
        Ok(Err(Refusal(refused))) => {
            complain(&format!("refused: {refused}"));
            (VerifierLine::Refused { refused }, ExitCode::FAILURE)
        }
        Err(failure) => {
            complain(&format!("error: no verdict: {failure}"));
            (VerifierLine::Undecided { undecided: failure.message }, ExitCode::from(NO_VERDICT))
        }
    };
    let line = said.line().map_err(io::Error::from);
    match line.and_then(|line| stdout.write_all(&line)) {
        Ok(()) => code,
        Err(error) => {
            complain(&format!("error: no verdict: stdout: {error}"));
            ExitCode::from(NO_VERDICT)
        }
    }
}

/// The verdict; a [`Failure`] is none.
fn judge<P: Prover>(path: &Path) -> Result<Result<Verdict, Refusal>, Failure> {
    let lost = |error: io::Error| Failure::transient(format!("{}: {error}", path.display()));
    let bytes = fs::read(path).map_err(lost)?;
    let envelope = match open::<P>(&bytes) {
        Ok(envelope) => envelope,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let items = envelope.inputs.clone().map(|items| items.into_iter().map(Item::read).collect());
    let items: Option<Vec<Item>> =
        items.transpose().map_err(|error| Failure::transient(error.to_string()))?;
    let prover = load::<P>()?;
    let claim = check(&prover, &envelope, items.as_deref());
    Ok(claim.map(|claim| Verdict { vkey: prover.vkey(), claim }))
}

/// What can be refused without keys.
fn open<P: Prover>(bytes: &[u8]) -> Result<Envelope, Refusal> {
    let envelope = Envelope::decode(bytes).map_err(|error| Refusal::new(chain(&error)))?;
    if P::IS_MOCK {
        return Err(Refusal::new("a mock proves nothing"));
    }
    if envelope.mock {
        return Err(Refusal::new("the envelope says mock: it proves nothing"));
    }
    Ok(envelope)
}

fn check<P: Prover>(
    prover: &P,
    envelope: &Envelope,
    inputs: Option<&[Item]>,
) -> Result<Value, Refusal> {
    let pinned = envelope.program.vkey;
    if pinned.is_some() && pinned != prover.vkey() {
        let shown = |vkey: Option<_>| vkey.map_or_else(|| "none".into(), |vkey| format!("{vkey}"));
        let (pinned, own) = (shown(pinned), shown(prover.vkey()));
        return Err(Refusal(format!("made under key {pinned}, this verifier has {own}")));
    }
    let claim = prover.verify(&envelope.public_values.0, &envelope.proof.0)?;
    let derived = serde_json::to_value(&claim)
        .map_err(|error| Refusal(format!("the claim cannot be written: {error}")))?;
    prover.fits(&claim, &envelope.key, inputs)?;
    match &envelope.claim {
        Some(stated) if *stated != derived => {
            Err(Refusal(format!("the envelope claims {stated}, the public values say {derived}")))
        }
        Some(_) | None => Ok(derived),
    }
}

/// An error and its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// As every program that could not do what it was asked.
const NO_VERDICT: u8 = USAGE;
