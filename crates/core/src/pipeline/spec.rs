//! What a pipeline's file says, before it is checked. Absent keys are `None` or empty.
//!
//! Durations and sizes are parsed already; names, references and combinations are not checked.
//!
//! Not here: what is wrong with it (`check`), defaults (`check`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A whole file.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct PipelineSpec {
    /// The version of the format; 1.
    pub push0: Option<u64>,
    /// `name`.
    pub name: String,
    /// `order`.
    pub order: Option<String>,
    /// `window`.
    pub window: Option<u64>,
    /// `allow_mock`.
    pub allow_mock: bool,
    /// `[source]`.
    pub source: SourceSpec,
    /// `[programs.*]`.
    pub programs: BTreeMap<String, ProgramSpec>,
    /// `[stages.*]`.
    pub stages: BTreeMap<String, StageSpec>,
    /// `[release]`.
    pub release: ReleaseSpec,
}

/// `[source]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct SourceSpec {
    /// `kind`.
    pub kind: String,
    /// `path`.
    pub path: Option<String>,
    /// `chain`.
    pub chain: Option<u64>,
    /// `hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// `start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// `http`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// `from`: a word, or a number in decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `finality`, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finality: Option<String>,
    /// `poll`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Duration>,
    /// `payload`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// `heads`.
    #[serde(skip_serializing_if = "is_false")]
    pub heads: bool,
}

/// `[programs.*]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ProgramSpec {
    /// `command`.
    pub command: Vec<String>,
    /// `contract`.
    pub contract: Option<String>,
    /// `give`.
    pub give: Option<String>,
    /// `memory`. Unit: bytes.
    pub memory: Option<u64>,
    /// `gpus`.
    pub gpus: u64,
    /// `verifier`.
    pub verifier: Option<Vec<String>>,
    /// `verdict`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// `verifier_memory`. Unit: bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier_memory: Option<u64>,
    /// `verifier_timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier_timeout: Option<Duration>,
    /// `start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Duration>,
    /// `mock`.
    pub mock: bool,
    /// `vkey`.
    pub vkey: Option<String>,
    /// `env`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// `pass`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pass: Vec<String>,
    /// `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `wrap`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wrap: Vec<String>,
}

/// `[stages.*]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct StageSpec {
    /// `inputs`.
    pub inputs: Vec<String>,
    /// `collect`.
    pub collect: Option<String>,
    /// `max`.
    pub max: BTreeMap<String, u64>,
    /// `min`.
    pub min: BTreeMap<String, u64>,
    /// `age`.
    pub age: Option<Duration>,
    /// `arity`.
    pub arity: Option<u64>,
    /// `output`.
    pub output: Option<String>,
    /// `program`.
    pub program: Option<String>,
    /// `args`.
    pub args: Vec<String>,
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `grace`.
    pub grace: Option<Duration>,
    /// `retry`.
    pub retry: BTreeMap<String, u64>,
    /// `retry.backoff`: the first wait, and the longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<(Duration, Duration)>,
    /// `retry.patience`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<Duration>,
    /// `verify`.
    pub verify: Option<String>,
}

/// `[release]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ReleaseSpec {
    /// `inputs`.
    pub inputs: Vec<String>,
    /// `order`.
    pub order: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}
