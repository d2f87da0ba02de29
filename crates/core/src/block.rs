//! Blocks: the unit a source delivers.
//!
//! Not here: whether a header's hash is right (the source checks that), which branch is canonical
//! (`chain`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BlockHash, Digest, Height};

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
