//! `push0 verify`: checks a final proof as a stranger would.
//!
//! ```text
//!   bytes ──decode──▶ ProofFile ──split──▶ Envelope ──verifier──▶ verdict ──▶ exit 0 or 1
//! ```
//!
//! Nothing that the file names is run: it picks among what lies beside push0, or what the caller named.
//!
//! Not here: how a verifier is run (`verifier`), which one (`trust`), what is printed (`shown`).

mod shown;
mod trust;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use push0_prover::{Envelope, ProofFile, Vkey};
use serde_json::Value;

use self::trust::Trust;
use super::output::{plain, print, say};
use super::{Exit, VerifyArgs};
use crate::verifier::{self, Verdict};

pub(super) fn verify(args: &VerifyArgs) -> Exit {
    match judge(args) {
        Ok(accepted) => Exit::of_print(print(&match args.json {
            true => accepted.json(),
            false => accepted.table(),
        })),
        Err(NotAccepted::Refused(why)) => {
            let why = plain_lines(&why);
            say(&format!("refused: {} ({})", why, args.proof.display()));
            if args.json {
                let _ = Exit::of_print(print(&shown::refused(&why)));
            }
            Exit::Unproved
        }
        Err(NotAccepted::NoVerdict(why)) => {
            say(&format!("error: no verdict: {}", plain_lines(&why)));
            Exit::Usage
        }
        Err(NotAccepted::Unusable(why)) => {
            say(&why);
            Exit::Usage
        }
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
    /// The key it was checked with.
    vkey: Option<Vkey>,
    is_pinned: bool,
    /// What the verifier says it says.
    claim: Option<Value>,
}

/// Why there is nothing to show.
enum NotAccepted {
    /// The proof is no good.
    Refused(String),
    /// Whether it is any good is not known.
    NoVerdict(String),
    /// The command is no good. Lines that are shown as they are.
    Unusable(String),
}

fn judge(args: &VerifyArgs) -> Result<Accepted, NotAccepted> {
    let trust = Trust::of(args)?;
    let bytes = read(&args.proof).map_err(|error| {
        let proof = args.proof.display();
        NotAccepted::Unusable(format!("error: cannot read ({proof}): {error}: name a proof file"))
    })?;
    let file = ProofFile::decode(&bytes).map_err(|error| NotAccepted::Refused(causes(&error)))?;
    let envelopes = match &file {
        ProofFile::One(envelope) => vec![(None, envelope.clone())],
        ProofFile::Joint(joint) => {
            let stages = joint.proofs.iter().map(|proof| Some(proof.stage.clone()));
            stages.zip(joint.split()).collect()
        }
    };
    trust.fits(&file, &envelopes)?;
    let proofs = envelopes.into_iter().map(|(stage, envelope)| prove(&trust, stage, envelope));
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
        let is_pinned = pinned.is_some() && pinned == stated;
        return Ok(Proof { stage, envelope, vkey: stated, is_pinned, claim: None });
    }
    let (reported, claim) = match verifier::ask(&trust.verifier(&envelope)?, &envelope, None) {
        Verdict::Accepted { vkey, claim } => (vkey, claim),
        Verdict::Refused { words } => return Err(NotAccepted::Refused(words)),
        Verdict::None { why } => return Err(NotAccepted::NoVerdict(why)),
    };
    let vkey = agreed(pinned, stated, reported)?;
    if let (Some(stated), Some(derived)) = (&envelope.claim, &claim)
        && stated != derived
    {
        let why = format!("the file claims {stated}, the public values say {derived}");
        return Err(NotAccepted::Refused(why));
    }
    Ok(Proof { stage, envelope, vkey, is_pinned: pinned.is_some(), claim })
}

/// The key that the proof was checked with, if nobody contradicts another. A verifier need not name one:
/// then the one in the envelope, which it was given, stands.
fn agreed(
    pinned: Option<Vkey>,
    stated: Option<Vkey>,
    reported: Option<Vkey>,
) -> Result<Option<Vkey>, NotAccepted> {
    let vkey = reported.or(stated);
    if let (Some(reported), Some(stated)) = (reported, stated)
        && reported != stated
    {
        let why = format!("the file says key {stated}, the verifier has {reported}");
        return Err(NotAccepted::Refused(why));
    }
    if let Some(pinned) = pinned
        && vkey != Some(pinned)
    {
        let own = vkey.map_or_else(|| "none".to_owned(), |vkey| vkey.to_string());
        let why = format!("pinned is key {pinned}, the verifier has {own}");
        return Err(NotAccepted::Refused(why));
    }
    if pinned.is_none() {
        let vkey =
            vkey.map_or_else(|| "the verifier names none".to_owned(), |vkey| vkey.to_string());
        say(&format!(
            "verification key not pinned: {vkey}: the verifier's own is trusted; pin it with --vkey if you \
             know it from elsewhere"
        ));
    }
    Ok(vkey)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(PROOF_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > PROOF_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any proof"));
    }
    Ok(bytes)
}

/// An error and its causes, on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Words from outside, which may have several lines; a terminal must not obey them.
fn plain_lines(words: &str) -> String {
    words.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// A result of the largest size in Base64, and its history.
const PROOF_BYTES_MAX: u64 = 512 << 20;
