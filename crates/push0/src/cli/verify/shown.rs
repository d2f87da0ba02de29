//! What `push0 verify` prints of a proof file: a table or an object, and words for stderr.
//!
//! Not here: whether it is accepted.

use std::path::Path;

use push0_core::{plain, plain_lines, without_secrets};
use push0_prover::wire::Key;
use push0_prover::{BlockHashes, ProofFile};
use serde_json::{Value, json};

use super::{Accepted, NotAccepted, Proof, Under};
use crate::cli::Exit;
use crate::tell::{self, Level, Line};

impl Accepted {
    /// `path` is told where there are several.
    pub(super) fn table(&self, path: Option<&Path>) -> String {
        let (pipeline, key) = self.head();
        let Key { chain, first, last, tip, .. } = key;
        let verdict = if self.is_mock() { "mock, PROVES NOTHING" } else { "accepted" };
        let of = path.map(|path| format!(" ({})", name(path))).unwrap_or_default();
        let mut lines = vec![
            format!("{verdict}: blocks {first} to {last} of chain {chain}{of}"),
            row("tip", &tip.to_string()),
            row("pipeline", &plain(pipeline)),
        ];
        match self.block_hashes() {
            Some(BlockHashes::Trusted) => lines.push(row("hashes", HASHES_TRUSTED)),
            None => {}
        }
        for proof in &self.proofs {
            lines.extend(proof.rows());
        }
        let bound = match (self.is_mock(), self.is_bound()) {
            (true, _) => NOTHING_BOUND,
            (false, true) => BOUND,
            (false, false) => BOUND_BY_THE_VERIFIER,
        };
        lines.push(bound.to_owned());
        lines.join("\n")
    }

    pub(super) fn json(&self, path: &Path) -> String {
        let (pipeline, key) = self.head();
        let bound: &[&str] = if self.is_bound() { &["key", "public_values", "proof"] } else { &[] };
        json!({
            "format": FORMAT,
            "file": without_secrets(&path.to_string_lossy()),
            "accepted": true,
            "pipeline": pipeline,
            "key": key,
            "block_hashes": self.block_hashes(),
            "proofs": self.proofs.iter().map(Proof::json).collect::<Vec<_>>(),
            "bound_by_cryptography": bound,
        })
        .to_string()
    }

    /// What was not checked because nobody asked for it.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let unpinned = self.proofs.iter().filter(|proof| !proof.is_pinned && !proof.envelope.mock);
        unpinned.map(|proof| {
            let trusted = match proof.under {
                Under::Reported(_) => {
                    ": the verifier's own is trusted; pin it with --vkey if you know it from elsewhere"
                }
                Under::Stated(_) | Under::Unnamed => {
                    "; pin a key (--vkey) only if your verifier names it"
                }
            };
            format!("verification key not pinned: {}{trusted}", proof.under.words())
        })
    }

    fn is_mock(&self) -> bool {
        self.proofs.iter().any(|proof| proof.envelope.mock)
    }

    /// Whether each verifier has shown that it knows what it checks.
    fn is_bound(&self) -> bool {
        let shows = |proof: &Proof| {
            !proof.envelope.mock
                && (matches!(proof.under, Under::Reported(_)) || proof.claim.is_some())
        };
        self.proofs.iter().all(shows)
    }

    const fn block_hashes(&self) -> Option<BlockHashes> {
        match &self.file {
            ProofFile::One(envelope) => envelope.block_hashes,
            ProofFile::Joint(joint) => joint.block_hashes,
        }
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
        let vkey = match (self.under, self.envelope.mock) {
            (Under::Reported(vkey), _) if self.is_pinned => format!("{vkey} (pinned)"),
            (Under::Reported(vkey), _) => format!("{vkey} (not pinned)"),
            (Under::Stated(vkey), true) => format!("{vkey} (the file's word)"),
            (Under::Unnamed, true) => "none".to_owned(),
            (under, false) => under.words(),
        };
        let mut rows = vec![
            row("program", &format!("{program}{}", of.unwrap_or_default())),
            row("vkey", &vkey),
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
            None if self.envelope.mock => rows.push(row("claim", "none: a mock proves nothing")),
            None => rows.push(row("claim", "none: the verifier does not say what is proved")),
        }
        rows
    }

    fn json(&self) -> Value {
        let (vkey, from) = match self.under {
            Under::Reported(vkey) => (Some(vkey), Some("verifier")),
            Under::Stated(vkey) => (Some(vkey), Some("file")),
            Under::Unnamed => (None, None),
        };
        json!({
            "stage": self.stage,
            "program": self.envelope.program.name,
            "vkey": vkey,
            "vkey_from": from,
            "pinned": self.is_pinned,
            "mock": self.envelope.mock,
            "claim": self.claim,
            "public_values": self.envelope.public_values,
        })
    }
}

impl Under {
    fn words(self) -> String {
        match self {
            Self::Reported(vkey) => vkey.to_string(),
            Self::Stated(vkey) => {
                format!("the file says {vkey}, and the verifier did not say which key it used")
            }
            Self::Unnamed => "the verifier did not say which key it used".to_owned(),
        }
    }
}

impl NotAccepted {
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) => Exit::Unproved,
            Self::NoVerdict(_) | Self::Unusable(_) => Exit::Usage,
        }
    }

    /// Tells people.
    pub(super) fn tell(&self, path: &Path) {
        let path = name(path);
        match self {
            Self::Refused(why) => {
                let line = Line::new(Level::Error, format!("refused: {why} ({path})"));
                tell::tell(&[line.says_its_level()]);
            }
            Self::NoVerdict(why) => tell::error(format_args!("no verdict ({path}): {why}")),
            Self::Unusable(why) => tell::error(why),
        }
    }

    /// For programs. `accepted` is null where there is no verdict.
    pub(super) fn json(&self, path: &Path) -> String {
        let (accepted, why) = match self {
            Self::Refused(why) => (Some(false), plain_lines(why).into_owned()),
            Self::NoVerdict(why) => (None, plain_lines(why).into_owned()),
            Self::Unusable(why) => (None, why.clone()),
        };
        let file = path.to_string_lossy();
        let file = without_secrets(&file);
        json!({"format": FORMAT, "file": file, "accepted": accepted, "why": why}).to_string()
    }
}

/// A file's name, on one line.
pub(super) fn name(path: &Path) -> String {
    plain(&without_secrets(&path.to_string_lossy())).into_owned()
}

fn row(name: &str, value: &str) -> String {
    format!("  {name:<9} {value}")
}

fn shown(value: &Value) -> String {
    plain(&value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)).into_owned()
}

const FORMAT: &str = "push0.verify/1";
const HASHES_TRUSTED: &str =
    "of the blocks: on their source's word, not computed from their headers (hash = \"trusted\")";
const BOUND: &str = "\
Only key (the blocks above), public values and proof are bound by cryptography. The rest, such as the
names and the history of how it came to be, is the word of whoever ran push0.";
const BOUND_BY_THE_VERIFIER: &str = "\
Key (the blocks above), public values and proof are bound only as far as your verifier checks: it named
neither a key nor a claim. The rest is the word of whoever ran push0.";
const NOTHING_BOUND: &str =
    "Nothing here is bound by cryptography: it is the word of whoever ran push0.";
