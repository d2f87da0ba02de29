//! Which log a store belongs to.
//!
//! A sweep removes what its log does not refer to. So a store belongs to one log: the first engine
//! that uses it writes the log's identity there, which nobody replaces, and every other log is
//! refused.
//!
//! Not here: where it is written (`dir`, `s3`).

use std::io;

use serde::{Deserialize, Serialize};

/// The log that a store belongs to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owner {
    /// The log's identity: 32 hexadecimal digits.
    pub log: String,
    /// The name of its pipeline, for a person.
    pub pipeline: String,
}

/// Why a store is not a log's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TieError {
    /// Name another place for this log's artifacts.
    #[error("it belongs to another log ({}, pipeline {})", owner.log, owner.pipeline)]
    Other { owner: Owner },
    /// Try again: it does not answer.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl Owner {
    /// As it is written.
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// As it was written.
    pub(super) fn decode(bytes: &[u8]) -> io::Result<Self> {
        serde_json::from_slice(bytes)
            .map_err(|error| io::Error::other(format!("{OWNER} cannot be read: {error}")))
    }

    /// What it means for this log that `there` was found.
    pub(super) fn meets(&self, there: Self) -> Result<(), TieError> {
        if there.log == self.log { Ok(()) } else { Err(TieError::Other { owner: there }) }
    }
}

/// The file or object that holds it.
pub(super) const OWNER: &str = "owner";
