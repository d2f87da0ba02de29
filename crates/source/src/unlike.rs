//! A block whose hash is not that of its header: was it changed, or does its chain hash otherwise?
//!
//! One block alone does not say. Others of its file do: where one of them has the hash of its
//! header, the chain hashes as Ethereum does, and this block was changed.
//!
//! Not here: how a header is hashed (`header`).

use push0_core::BlockHash;

use super::Lie;

/// What is known of other blocks of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Others {
    /// One of them has the hash of its header.
    Hash,
    /// None of those that were looked at has.
    Differ,
    /// There is none.
    Absent,
}

/// What is said of it. `unknown` are its fields that are neither of a header nor of a body.
pub(super) fn lie(hash: BlockHash, claimed: BlockHash, others: Others, unknown: &[String]) -> Lie {
    let what = format!("the header hashes to {hash}, not to {claimed}");
    let newer = match unknown {
        [] => String::new(),
        some => format!(
            "; if {} is a field of the header since a newer fork, use a newer push0",
            some.iter()
                .map(|key| format!("`{}`", key.escape_debug()))
                .collect::<Vec<_>>()
                .join(" or ")
        ),
    };
    match others {
        Others::Hash => {
            let what =
                format!("{what}, and other blocks of the file have the hash of their header");
            Lie::field("hash", what, format!("a field was changed: fetch the block again{newer}"))
        }
        Others::Differ => {
            let what = format!("{what}, and so it is with the blocks after it");
            Lie::field("hash", what, format!("{OTHERWISE}: {TRUST}{newer}"))
        }
        Others::Absent => {
            let remedy = format!(
                "if a field was changed, write the block as its node gives it; if {OTHERWISE}, {TRUST}{newer}"
            );
            Lie::field("hash", what, remedy)
        }
    }
}

const OTHERWISE: &str = "the chain hashes its blocks otherwise than Ethereum, as ZKsync does";
const TRUST: &str = "write `hash = \"trusted\"` in [source] to take its hashes on the source's word, which every \
                     proof file then says";

/// How many blocks after one are looked at.
pub(super) const OTHERS_MAX: usize = 16;
