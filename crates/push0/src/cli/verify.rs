//! `push0 verify`: checks a final proof as a stranger would.
//!
//! ```text
//!   bytes ──decode──▶ ProofFile ──split──▶ Envelope ──verifier──▶ verdict ──▶ exit 0, 1 or 2
//! ```
//!
//! Nothing that the file names is run: it picks among what lies beside push0, or what the caller
//! named.
//!
//! Not here: how a verifier is run (`verifier`), which one (`trust`), what is printed (`shown`).

mod shown;
mod trust;

use std::collections::BTreeSet;
use std::path::Path;

use push0_dispatch::{Artifact, Verdict};
use push0_prover::{Envelope, EnvelopeError, ProofFile, Vkey};
use serde_json::Value;

use self::trust::Trust;
use super::VerifyArgs;
use crate::bounded;
use crate::exit::Exit;
use crate::output::print;
use crate::tell;
use crate::verifier::{self, Places};

pub(super) fn verify(args: &VerifyArgs) -> Exit {
    let trust = match Trust::of(args) {
        Ok(trust) => trust,
        Err(error) => {
            tell::errors(error.lines());
            return Exit::from(&error);
        }
    };
    let mut warned = BTreeSet::new();
    let mut worst = Exit::Done;
    for (index, path) in args.proofs.iter().enumerate() {
        let judged = judge(&trust, path);
        for warning in judged.iter().flat_map(Accepted::warnings) {
            if warned.insert(warning.clone()) {
                tell::warn(warning);
            }
        }
        if let Err(why) = &judged {
            why.tell(path);
            worst = worse(worst, why.exit());
        }
        let result = match (&judged, args.json) {
            (Ok(accepted), true) => accepted.json(path),
            (Err(why), true) => why.json(path),
            (Ok(accepted), false) => {
                let gap = if index == 0 { "" } else { "\n" };
                gap.to_owned() + &accepted.table((args.proofs.len() > 1).then_some(path))
            }
            (Err(_), false) => continue,
        };
        let printed = Exit::of_print(print(&result));
        if printed != Exit::Done {
            return printed;
        }
    }
    worst
}

/// A refusal is worse than no verdict, and that than an acceptance.
const fn worse(left: Exit, right: Exit) -> Exit {
    match (left, right) {
        (Exit::Unproved, _) => left,
        (_, Exit::Done) => left,
        _ => right,
    }
}

/// A proof file that was accepted.
struct Accepted {
    file: ProofFile,
    proofs: Vec<Proof>,
}

/// One of its proofs.
struct Proof {
    stage: Option<String>,
    envelope: Envelope,
    under: Under,
    is_pinned: bool,
    /// What the verifier says it says.
    claim: Option<Value>,
}

/// The key that a proof was checked with.
#[derive(Clone, Copy)]
enum Under {
    /// The verifier names it.
    Reported(Vkey),
    /// Only the file does.
    Stated(Vkey),
    /// Nobody does.
    Unnamed,
}

/// Why a file is not accepted.
enum NotAccepted {
    /// The proof is no good.
    Refused(String),
    /// Whether it is any good is not known.
    NoVerdict(String),
    /// The command is no good. Lines that are shown as they are.
    Unusable(String),
}

fn judge(trust: &Trust, path: &Path) -> Result<Accepted, NotAccepted> {
    let bytes = bounded::read(path, bounded::PROOF_BYTES_MAX).map_err(|error| {
        let path = shown::name(path);
        NotAccepted::Unusable(format!("cannot read ({path}): {error}: name a proof file"))
    })?;
    let file = ProofFile::decode(&bytes).map_err(|error| {
        if matches!(error, EnvelopeError::Unsealed) && !bytes.starts_with(BEGINNING) {
            return NotAccepted::Unusable(format!(
                "not a proof file of push0, or written anew by another program (even its layout \
                 counts) ({}): name a file as `push0 run` wrote it",
                shown::name(path)
            ));
        }
        NotAccepted::Refused(push0_core::causes(&error))
    })?;
    let envelopes = match &file {
        ProofFile::One(envelope) => vec![(None, envelope.clone())],
        ProofFile::Joint(joint) => {
            let stages = joint.proofs.iter().map(|proof| Some(proof.stage.clone()));
            stages.zip(joint.split()).collect()
        }
    };
    trust.fits(&file, &envelopes)?;
    let proofs = envelopes.into_iter().map(|(stage, envelope)| prove(trust, stage, envelope));
    Ok(Accepted { proofs: proofs.collect::<Result<_, _>>()?, file })
}

/// The verdict on one proof.
fn prove(trust: &Trust, stage: Option<String>, envelope: Envelope) -> Result<Proof, NotAccepted> {
    let pinned = trust.pinned(&envelope)?;
    let stated = envelope.program.vkey;
    if let (Some(pinned), Some(stated)) = (pinned, stated)
        && pinned != stated
    {
        let why = format!("it was made under key {stated}, pinned is {pinned}");
        return Err(NotAccepted::Refused(why));
    }
    if envelope.mock {
        trust.allows_mock(&envelope)?;
        let under = stated.map_or(Under::Unnamed, Under::Stated);
        return Ok(Proof { stage, envelope, under, is_pinned: false, claim: None });
    }
    if Artifact::read(envelope.proof.0.clone()).is_ok_and(|proof| proof.says_mock()) {
        let why = "its proof says itself that it is a mock, and the file says that it is none";
        return Err(NotAccepted::Refused(why.to_owned()));
    }
    let verifier = trust.verifier(&envelope)?;
    let cache = verifier::kept();
    let places = Places { cache: cache.as_deref(), ..Places::default() };
    let (reported, claim) = match verifier::ask(&verifier, &envelope, places) {
        Verdict::Accepted { vkey, claim } => (vkey, claim),
        Verdict::Refused { words } => return Err(NotAccepted::Refused(words)),
        Verdict::Undecided { why } | Verdict::None { why } => {
            return Err(NotAccepted::NoVerdict(why));
        }
    };
    let under = agreed(pinned, stated, reported)?;
    if let (Some(stated), Some(derived)) = (&envelope.claim, &claim)
        && stated != derived
    {
        let why = format!("the file claims {stated}, the public values say {derived}");
        return Err(NotAccepted::Refused(why));
    }
    Ok(Proof { stage, envelope, under, is_pinned: pinned.is_some(), claim })
}

/// The key that the proof was checked with, if nobody contradicts another. A key that somebody
/// pinned must be the verifier's own: what the file says of itself binds nothing.
fn agreed(
    pinned: Option<Vkey>,
    stated: Option<Vkey>,
    reported: Option<Vkey>,
) -> Result<Under, NotAccepted> {
    match (pinned, stated, reported) {
        (_, Some(stated), Some(reported)) if reported != stated => Err(NotAccepted::Refused(
            format!("the file says key {stated}, the verifier has {reported}"),
        )),
        (Some(pinned), _, Some(reported)) if reported != pinned => Err(NotAccepted::Refused(
            format!("pinned is key {pinned}, the verifier has {reported}"),
        )),
        (Some(pinned), _, None) => Err(NotAccepted::NoVerdict(format!(
            "pinned is key {pinned}, and the verifier names none, so it may have used another: use one \
             that prints {{\"vkey\":…,\"claim\":…}}"
        ))),
        (_, _, Some(reported)) => Ok(Under::Reported(reported)),
        (None, Some(stated), None) => Ok(Under::Stated(stated)),
        (None, None, None) => Ok(Under::Unnamed),
    }
}

/// How a proof file begins, whatever follows.
const BEGINNING: &[u8] = br#"{"format":"push0.proof/1","#;
