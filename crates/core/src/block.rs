//! Blocks: the unit a source delivers.
//!
//! Not here: whether a header's hash is right (the source checks that), which branch is canonical
//! (`chain`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BlockHash, Digest, Height, weight};

/// A block as its source delivered it, the payload by reference.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Block {
    /// Its number.
    pub number: Height,
    /// Its hash.
    pub hash: BlockHash,
    /// The hash of the block before.
    pub parent: BlockHash,
    /// The SHA-256 of its payload.
    pub payload: Digest,
    /// The payload's size.
    pub bytes: u64,
    /// Its numeric fields that the pipeline weighs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, u64>,
}

impl Block {
    /// The most bytes that it takes in a record. What says that it was submitted takes a few more.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        weight::bytes_max(self)
    }
}
