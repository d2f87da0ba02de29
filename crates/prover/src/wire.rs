//! What push0 and its provers write and read, as types: keys, bundles, results and serve frames.
//!
//! All of it is JSON. Enums are tagged by name; unknown fields are tolerated, so that a newer push0
//! can tell an older prover more. Paths are absolute.
//!
//! Not here: the envelope of a final proof (`envelope`), and who sends what when (`serve`).

mod said;
mod text;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use said::{REFUSED, VerifierLine};
pub use text::{Base64, Digest, Hash32, Hex, TextError, Vkey};

/// What an item is about: a span of blocks of one chain, or a part of one block.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Key {
    /// The chain's id.
    pub chain: u64,
    /// Number of the first block.
    pub first: u64,
    /// Number of the last block, included.
    pub last: u64,
    /// Which part of the block, where a task was split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u64>,
    /// Hash of the last block.
    pub tip: Hash32,
}

/// The inputs of one task, in key order; what a prover reads under `give = "bundle"`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bundle {
    /// Version of this format: [`Bundle::VERSION`].
    pub push0: u32,
    /// One for each input.
    pub items: Vec<BundleItem>,
}

impl Bundle {
    /// The version that this crate reads and writes.
    pub const VERSION: u32 = 1;

    /// A bundle of the version of this crate.
    #[must_use]
    pub const fn new(items: Vec<BundleItem>) -> Self {
        Self { push0: Self::VERSION, items }
    }
}

/// One input of a task, by reference.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BundleItem {
    /// What it is about.
    pub key: Key,
    /// The task that made it, in hex. Absent: a block from the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The program that made it, by its name in the pipeline. Absent: a block from the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Where its bytes are: a block's JSON, or what the earlier task's prover wrote.
    pub path: PathBuf,
    /// SHA-256 of those bytes.
    pub sha256: Digest,
    /// The public values of an earlier result, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_values: Option<Hex>,
}

/// What a prover of this SDK writes to its output path when it has made a proof.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ResultFile {
    /// Names the format and its version.
    pub format: ResultFormat,
    /// The verification key that the proof is checked with; null where a prover has none.
    pub vkey: Option<Vkey>,
    /// Whether this proves nothing.
    pub mock: bool,
    /// What is proved, in the prover's own encoding.
    pub public_values: Hex,
    /// The proof, in the prover's own encoding.
    pub proof: Base64,
}

/// The versions of [`ResultFile`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum ResultFormat {
    /// The first.
    #[default]
    #[serde(rename = "push0.result/1")]
    V1,
}

/// A line that a prover under the serve contract reads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Make a proof, and answer `done` or `failed`.
    Prove(ProveRequest),
    /// Give an attempt up. One that is not running has ended: nothing is answered.
    Cancel { attempt: u64 },
}

/// One attempt at one task.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProveRequest {
    /// The task's id, in hex.
    pub task: String,
    /// The attempt's id, unique.
    pub attempt: u64,
    /// The stage of the pipeline.
    pub stage: String,
    /// The stage's arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Where to read the input.
    pub input: PathBuf,
    /// Where to write the result.
    pub output: PathBuf,
    /// Time left, in milliseconds, from when this line was written. Absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// A line that a prover under the serve contract writes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The keys are loaded. The first line, once.
    Ready { vkey: Option<Vkey> },
    /// How far an attempt is, from 0 to 1.
    Progress { attempt: u64, fraction: f64 },
    /// The result is at the output path.
    Done { attempt: u64 },
    /// There is no result.
    Failed { attempt: u64, class: FailureClass, message: String },
}

/// Why an attempt came to nothing, as far as a prover can tell; each class has a policy of its own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Try again: it may well work.
    Transient,
    /// Out of memory or disk: try again where there is more.
    Resource,
    /// Its time ran out.
    Timeout,
    /// It went wrong, and nobody knows why.
    Failed,
    /// There is no proof of this, or it is over a limit of the prover: never try again as it is.
    Unprovable,
    /// The input is not what it should be.
    InvalidInput,
    /// It was told to stop.
    Cancelled,
}

/// What a verifier prints, on one line, when it accepts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Verdict {
    /// The verification key that the proof was checked with.
    pub vkey: Option<Vkey>,
    /// What the public values say.
    pub claim: Value,
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_written_as_the_formats_say() {
        let tip = Hash32([0xab; 32]);
        let hex = "ab".repeat(32);
        let key = Key { chain: 534_352, first: 1, last: 2, part: None, tip };
        round_trips(&key, &format!(r#"{{"chain":534352,"first":1,"last":2,"tip":"0x{hex}"}}"#));
        let part = Key { part: Some(3), ..key };
        let text = format!(r#"{{"chain":534352,"first":1,"last":2,"part":3,"tip":"0x{hex}"}}"#);
        round_trips(&part, &text);
    }

    #[test]
    fn bundles_are_written_as_the_formats_say() {
        let key = Key { chain: 1, first: 1, last: 1, part: None, tip: Hash32([0; 32]) };
        let block = BundleItem {
            key,
            task: None,
            program: None,
            path: "/blocks/1".into(),
            sha256: Digest([0xcd; 32]),
            public_values: None,
        };
        let proof = BundleItem {
            task: Some("2a".into()),
            program: Some("chain".into()),
            public_values: Some(Hex(vec![1, 255])),
            ..block.clone()
        };
        let zeros = "00".repeat(32);
        let key = format!(r#"{{"chain":1,"first":1,"last":1,"tip":"0x{zeros}"}}"#);
        let file = format!(r#""path":"/blocks/1","sha256":"{}""#, "cd".repeat(32));
        let text = format!(
            r#"{{"push0":1,"items":[{{"key":{key},{file}}},{{"key":{key},"task":"2a","program":"chain",{file},"public_values":"0x01ff"}}]}}"#
        );
        round_trips(&Bundle::new(vec![block, proof]), &text);
    }

    #[test]
    fn results_are_written_as_the_formats_say() {
        let result = ResultFile {
            format: ResultFormat::V1,
            vkey: Some(Vkey(Digest([0xef; 32]))),
            mock: false,
            public_values: Hex(vec![0]),
            proof: Base64(vec![1, 2, 3, 4]),
        };
        let vkey = "ef".repeat(32);
        let text = format!(
            r#"{{"format":"push0.result/1","vkey":"sha256:{vkey}","mock":false,"public_values":"0x00","proof":"AQIDBA=="}}"#
        );
        round_trips(&result, &text);
        assert!(serde_json::from_str::<ResultFile>(&text.replace("/1", "/2")).is_err());
    }

    #[test]
    fn serve_frames_are_written_as_the_formats_say() {
        let prove = Request::Prove(ProveRequest {
            task: "2a".into(),
            attempt: 17,
            stage: "leaf".into(),
            args: vec!["leaf".into()],
            input: "/in".into(),
            output: "/out".into(),
            deadline_ms: Some(3_600_000),
        });
        round_trips(
            &prove,
            r#"{"prove":{"task":"2a","attempt":17,"stage":"leaf","args":["leaf"],"input":"/in","output":"/out","deadline_ms":3600000}}"#,
        );
        round_trips(&Request::Cancel { attempt: 17 }, r#"{"cancel":{"attempt":17}}"#);
        round_trips(&Reply::Ready { vkey: None }, r#"{"ready":{"vkey":null}}"#);
        let progress = Reply::Progress { attempt: 17, fraction: 0.4 };
        round_trips(&progress, r#"{"progress":{"attempt":17,"fraction":0.4}}"#);
        round_trips(&Reply::Done { attempt: 17 }, r#"{"done":{"attempt":17}}"#);
    }

    #[test]
    fn every_failure_class_has_its_name() {
        for (class, name) in [
            (FailureClass::Transient, "transient"),
            (FailureClass::Resource, "resource"),
            (FailureClass::Timeout, "timeout"),
            (FailureClass::Failed, "failed"),
            (FailureClass::Unprovable, "unprovable"),
            (FailureClass::InvalidInput, "invalid_input"),
            (FailureClass::Cancelled, "cancelled"),
        ] {
            let failed = Reply::Failed { attempt: 1, class, message: "why".into() };
            let text = format!(r#"{{"failed":{{"attempt":1,"class":"{name}","message":"why"}}}}"#);
            round_trips(&failed, &text);
        }
    }

    #[test]
    fn a_verdict_holds_any_claim() {
        let verdict = Verdict { vkey: None, claim: json!({"first": 1, "root": "0x00"}) };
        round_trips(&verdict, r#"{"vkey":null,"claim":{"first":1,"root":"0x00"}}"#);
    }

    #[test]
    fn fields_from_a_newer_version_are_tolerated() {
        let cancel = r#"{"cancel":{"attempt":17,"why":"reorg"}}"#;
        let read: Request = serde_json::from_str(cancel).expect("one field more");
        assert_eq!(read, Request::Cancel { attempt: 17 });
    }

    #[test]
    fn text_that_is_not_what_it_should_be_is_refused() {
        let bare = "ab".repeat(32);
        assert_eq!(bare.parse::<Vkey>(), Err(TextError::Prefix("sha256:")));
        assert_eq!("ab".parse::<Hex>(), Err(TextError::Prefix("0x")));
        assert!(matches!("0xab".parse::<Hash32>(), Err(TextError::Hex(_))));
        assert!(matches!("0xa".parse::<Hex>(), Err(TextError::Hex(_))));
        assert!(matches!("AQIDBA".parse::<Base64>(), Err(TextError::Base64(_))));
        assert_eq!("0x".parse(), Ok(Hex(Vec::new())));
    }

    fn round_trips<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, text: &str) {
        assert_eq!(serde_json::to_string(value).expect("plain values"), text);
        assert_eq!(&serde_json::from_str::<T>(text).expect("what was written"), value);
    }
}
