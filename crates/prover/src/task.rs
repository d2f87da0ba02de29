//! What a prover is given: a task, its input, and the items in it.
//!
//! Not here: who asks for the task (`file`, `serve`), and what the input looks like as a file
//! ([`wire`](crate::wire)).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::wire::{Bundle, BundleItem, Digest, Key, ResultFile};
use crate::{Failure, Refusal};

/// One attempt at one task.
#[derive(Clone, Debug)]
pub struct Task {
    /// The task's id, in hex; empty where nobody gave one.
    pub id: String,
    /// The attempt's id; 0 where nobody gave one.
    pub attempt: u64,
    /// The stage of the pipeline; empty where nobody gave one.
    pub stage: String,
    /// The program's arguments, then the stage's; the same under both contracts.
    pub args: Vec<String>,
    /// When the attempt is over, whatever it has reached. Absent: no limit.
    pub deadline: Option<Instant>,
    /// What to prove.
    pub input: Input,
}

/// What to prove.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// The task's inputs in key order, each with what it is about (`give = "bundle"`).
    Bundle(Vec<Item>),
    /// Bytes of the pipeline's own: one item, a JSON array of several, or a bare block number
    /// (`give = "raw"` or `"number"`).
    Raw(Vec<u8>),
}

impl Input {
    /// The items of a bundle.
    ///
    /// # Errors
    ///
    /// [`InputError::NotABundle`]: the pipeline should say `give = "bundle"`.
    pub fn items(&self) -> Result<&[Item], InputError> {
        match self {
            Self::Bundle(items) => Ok(items),
            Self::Raw(_) => Err(InputError::NotABundle),
        }
    }

    /// The block number that `give = "number"` gives.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Bundle(_) => None,
            Self::Raw(bytes) => str::from_utf8(bytes).ok()?.trim().parse().ok(),
        }
    }

    /// Reads what is at `path`; in a bundle, every item, each checked against its digest.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = fs::read(path)
            .map_err(|error| Failure::transient(format!("input {}: {error}", path.display())))?;
        if !looks_like_a_bundle(&bytes) {
            return Ok(Self::Raw(bytes));
        }
        let bundle: Bundle = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::invalid_input(format!("bundle: {error}")))?;
        if bundle.push0 != Bundle::VERSION {
            let version = bundle.push0;
            return Err(Failure::invalid_input(format!("bundle of version {version}, not 1")));
        }
        let items: Result<_, ItemError> = bundle.items.into_iter().map(Item::read).collect();
        // Whoever made the bundle checks its files again before the next attempt.
        Ok(Self::Bundle(items.map_err(|error| Failure::transient(error.to_string()))?))
    }
}

/// One input of a task, with its bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// What it is about.
    pub key: Key,
    /// The task that made it, in hex. Absent: a block from the source.
    pub task: Option<String>,
    /// The program that made it. Absent: a block from the source.
    pub program: Option<String>,
    /// The public values of an earlier result, where they are known.
    pub public_values: Option<Vec<u8>>,
    /// A block's JSON, or what the earlier task's prover wrote.
    pub bytes: Vec<u8>,
}

impl Item {
    /// Reads the bytes as JSON: a block, or a part of one.
    ///
    /// # Errors
    ///
    /// [`InputError::Json`], with the blocks it is about.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, InputError> {
        serde_json::from_slice(&self.bytes).map_err(|source| InputError::Json {
            first: self.key.first,
            last: self.key.last,
            source,
        })
    }

    /// Reads the bytes as the result of an earlier task, made by a prover of this SDK.
    ///
    /// # Errors
    ///
    /// [`InputError::NotAResult`] for a block from the source, else as [`json`](Self::json).
    pub fn result(&self) -> Result<ResultFile, InputError> {
        match self.task {
            Some(_) => self.json(),
            None => Err(InputError::NotAResult { first: self.key.first }),
        }
    }

    pub(crate) fn read(item: BundleItem) -> Result<Self, ItemError> {
        let BundleItem { key, task, program, path, sha256, public_values } = item;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(ItemError::Read { path, source }),
        };
        let found = Digest::of(&bytes);
        if found != sha256 {
            return Err(ItemError::Damaged { path, stated: sha256, found });
        }
        let public_values = public_values.map(|values| values.0);
        Ok(Self { key, task, program, public_values, bytes })
    }
}

/// Why an input is not what a prover needs. Becomes a failure of class `invalid_input`, or a
/// refusal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// Say `give = "bundle"` in the pipeline.
    #[error("the input is not a bundle: this prover needs give = \"bundle\"")]
    NotABundle,
    /// Give this stage the results of another, not blocks.
    #[error("item {first} is a block from the source, not a result")]
    NotAResult { first: u64 },
    /// The bytes say something else.
    #[error("item {first}..={last} cannot be read: {source}")]
    Json { first: u64, last: u64, source: serde_json::Error },
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

impl From<InputError> for Refusal {
    fn from(error: InputError) -> Self {
        Self(error.to_string())
    }
}

/// Why the bytes of an item cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ItemError {
    /// Try again, or make it again.
    #[error("item {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Make it again.
    #[error("item {}: SHA-256 is {found}, not {stated}", path.display())]
    Damaged { path: PathBuf, stated: Digest, found: Digest },
}

fn looks_like_a_bundle(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Sniff {
        #[serde(rename = "push0")]
        _push0: u32,
        #[serde(rename = "items")]
        _items: IgnoredAny,
    }
    serde_json::from_slice::<Sniff>(bytes).is_ok()
}
