//! Blocks from outside, checked before anything else sees them.
//!
//! A header proves itself: its hash is of its fields, and names the block before. So a source can
//! be believed, or caught, without asking anyone. What no header covers (transactions, the witness)
//! is passed on as it came, under the SHA-256 of its bytes. A chain that hashes its blocks
//! otherwise can be taken at its source's word, if the pipeline says so.
//!
//! Not here: which branch is canonical, and what is done with a block (`push0_core`).

mod file;
mod header;
mod json;
mod made;
mod node;
mod response;
mod unlike;
mod value;

use std::io;
use std::path::PathBuf;

use push0_core::Block;

pub use self::file::{BlockFile, Rules};
pub use self::made::made;
pub use self::node::{Given, HeadStep, NodeBlocks, NodeHeads, Step};

/// A block, and the bytes it came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceBlock {
    /// What the engine needs to know of it.
    pub block: Block,
    /// The JSON object itself: `block.payload` is its SHA-256.
    pub payload: Vec<u8>,
}

/// Why a source's blocks cannot be used. Exit 3.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file could not be opened or read on. Nothing is known of its blocks: try again once it
    /// can.
    #[error("{what} ({}): {remedy}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        what: String,
        /// What to do.
        remedy: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line is not the block it claims to be, or not the next one. Correct the file: the blocks
    /// before this line are good.
    #[error("{what} ({}:{line}{}): {remedy}", file.display(), after_comma(field.as_deref()))]
    Lies {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: u64,
        /// The field of the block, where it is one field's fault.
        field: Option<String>,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A node cannot be used, or contradicts what it is known to have had. Nothing was given out of
    /// it.
    #[error("{what} ({node}): {remedy}")]
    Node {
        /// Its address without what may be a key; or the setting that names it.
        node: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
}

fn after_comma(field: Option<&str>) -> String {
    field.map_or_else(String::new, |field| format!(", {}", field.escape_debug()))
}

/// What is wrong with a line, before it knows its file.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Lie {
    field: Option<String>,
    what: String,
    remedy: String,
}

impl Lie {
    fn line(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { field: None, what: what.into(), remedy: remedy.into() }
    }

    fn field(field: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::line(what, remedy) }
    }
}

#[cfg(test)]
mod tests;
