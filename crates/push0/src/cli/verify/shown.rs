//! What `push0 verify` prints of a proof that was accepted.
//!
//! Not here: whether it is.

use push0_prover::ProofFile;
use push0_prover::wire::Key;
use serde_json::{Value, json};

use super::{Accepted, Proof};
use crate::cli::output::plain;

impl Accepted {
    pub(super) fn table(&self) -> String {
        let (pipeline, key) = self.head();
        let Key { chain, first, last, tip, .. } = key;
        let is_mock = self.proofs.iter().any(|proof| proof.envelope.mock);
        let verdict = if is_mock { "mock, PROVES NOTHING" } else { "accepted" };
        let mut lines = vec![
            format!("{verdict}: blocks {first} to {last} of chain {chain}"),
            row("tip", &tip.to_string()),
            row("pipeline", &plain(pipeline)),
        ];
        for proof in &self.proofs {
            lines.extend(proof.rows());
        }
        lines.push(if is_mock { NOTHING_BOUND } else { BOUND }.to_owned());
        lines.join("\n")
    }

    pub(super) fn json(&self) -> String {
        let (pipeline, key) = self.head();
        let is_mock = self.proofs.iter().any(|proof| proof.envelope.mock);
        let bound: &[&str] = if is_mock { &[] } else { &["key", "public_values", "proof"] };
        json!({
            "format": FORMAT,
            "accepted": true,
            "pipeline": pipeline,
            "key": key,
            "proofs": self.proofs.iter().map(Proof::json).collect::<Vec<_>>(),
            "bound_by_cryptography": bound,
        })
        .to_string()
    }

    const fn head(&self) -> (&String, &Key) {
        match &self.file {
            ProofFile::One(envelope) => (&envelope.pipeline, &envelope.key),
            ProofFile::Joint(joint) => (&joint.pipeline, &joint.key),
        }
    }
}

impl Proof {
    fn rows(&self) -> Vec<String> {
        let program = plain(&self.envelope.program.name);
        let of = self.stage.as_ref().map(|stage| format!(", stage {}", plain(stage)));
        let pinned = if self.is_pinned { "pinned" } else { "not pinned" };
        let vkey = self.vkey.map_or_else(|| "none named".to_owned(), |vkey| vkey.to_string());
        let mut rows = vec![
            row("program", &format!("{program}{}", of.unwrap_or_default())),
            row("vkey", &format!("{vkey} ({pinned})")),
        ];
        match &self.claim {
            Some(Value::Object(claim)) => {
                let width = claim.keys().map(|name| name.chars().count()).max().unwrap_or_default();
                rows.push("  claim".to_owned());
                for (name, value) in claim {
                    rows.push(format!("    {:<width$}  {}", plain(name), shown(value)));
                }
            }
            Some(claim) => rows.push(row("claim", &shown(claim))),
            None => rows.push(row("claim", "none: the verifier does not say what is proved")),
        }
        rows
    }

    fn json(&self) -> Value {
        json!({
            "stage": self.stage,
            "program": self.envelope.program.name,
            "vkey": self.vkey,
            "pinned": self.is_pinned,
            "mock": self.envelope.mock,
            "claim": self.claim,
            "public_values": self.envelope.public_values,
        })
    }
}

/// A refusal, for programs.
pub(super) fn refused(why: &str) -> String {
    json!({"format": FORMAT, "accepted": false, "why": why}).to_string()
}

fn row(name: &str, value: &str) -> String {
    format!("  {name:<9} {value}")
}

fn shown(value: &Value) -> String {
    plain(&value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
}

const FORMAT: &str = "push0.verify/1";
const BOUND: &str = "\
Only key (the blocks above), public values and proof are bound by cryptography. The rest, such as the
names and the history of how it came to be, is the word of whoever ran push0.";
const NOTHING_BOUND: &str =
    "Nothing here is bound by cryptography: it is the word of whoever ran push0.";
