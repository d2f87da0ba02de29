//! The verifier: given an envelope and nothing else that it would have to believe, accepts or refuses.
//!
//! Exit 0 accepts and prints a [`Verdict`]; exit 1 refuses, with the reason on stderr; any other
//! exit is no verdict, since the proof may be good and this process at fault.
//!
//! Not here: the mathematics ([`Prover::verify`], [`Prover::fits`]), and which key to trust.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use serde_json::Value;

use crate::cli::{USAGE, catch, complain, load};
use crate::serve::take_stdout;
use crate::wire::Verdict;
use crate::{Envelope, Failure, Item, Prover, Refusal};

/// Verifies the envelope at `path`.
pub(crate) fn verify<P: Prover>(path: &Path) -> ExitCode {
    match catch(|| judge::<P>(path)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(refusal)) => {
            complain(&format!("refused: {refusal}"));
            ExitCode::FAILURE
        }
        Err(failure) => {
            complain(&format!("error: no verdict: {failure}"));
            ExitCode::from(NO_VERDICT)
        }
    }
}

/// The verdict, printed if it accepts; a [`Failure`] is none.
fn judge<P: Prover>(path: &Path) -> Result<Result<(), Refusal>, Failure> {
    let lost = |what: &str, error: io::Error| Failure::transient(format!("{what}: {error}"));
    let mut stdout = take_stdout().map_err(|error| lost("stdout", error))?;
    let bytes = fs::read(path).map_err(|error| lost(&path.display().to_string(), error))?;
    let envelope = match open::<P>(&bytes) {
        Ok(envelope) => envelope,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let items = envelope.inputs.clone().map(|items| items.into_iter().map(Item::read).collect());
    let items: Option<Vec<Item>> =
        items.transpose().map_err(|error| Failure::transient(error.to_string()))?;
    let prover = load::<P>()?;
    let claim = match check(&prover, &envelope, items.as_deref()) {
        Ok(claim) => claim,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut line = serde_json::to_vec(&Verdict { vkey: prover.vkey(), claim })
        .map_err(|error| Failure::failed(error.to_string()))?;
    line.push(b'\n');
    stdout.write_all(&line).map_err(|error| lost("stdout", error))?;
    Ok(Ok(()))
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

/// Any exit but 0 and 1 says nothing about the proof.
const NO_VERDICT: u8 = USAGE;
