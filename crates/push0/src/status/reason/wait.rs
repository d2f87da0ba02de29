//! Why a block waits that no task is about, or whose task waits for another.

use serde::{Deserialize, Serialize};

use super::long;
use crate::tell::counted;

/// Why a block waits that no task is about, or whose task waits for another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(in crate::status) enum Wait {
    /// The source has not delivered it.
    Undelivered,
    /// It waits in a stage for others of its batch.
    Batch { stage: String },
    /// Its batch takes more blocks: it closes once it is full, at this time, or when no block
    /// follows.
    Blocks {
        stage: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closes_at: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
    },
    /// It is too far ahead of the lowest that is proved: so many are worked on at once.
    Window { blocks: u64 },
    /// Its next task is about to be opened.
    Unopened,
    /// It is proved, and goes out after this one.
    Behind { block: u64 },
    /// It is proved, and may still leave the chain: it goes out once it is final. The last that is.
    Final {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<u64>,
    },
}

impl Wait {
    /// In words, of one block or of several.
    pub(in crate::status) fn words(&self, are_several: bool) -> String {
        let of = |one, several| if are_several { several } else { one };
        match self {
            Self::Undelivered => {
                let it = of("it", "them");
                format!("the source has not delivered {it}")
            }
            Self::Batch { stage } => {
                let proof = of("its proof waits", "their proofs wait");
                format!("{proof} at stage {stage} for the rest of the batch")
            }
            Self::Blocks { stage, closes_at, seconds } => {
                let proof = of("its proof waits", "their proofs wait");
                let closes = match (seconds, closes_at) {
                    (Some(seconds), _) => format!("in {}", long(*seconds)),
                    (None, Some(at)) => format!("at {at}"),
                    (None, None) => "when it is full, or by `push0 finish`".to_owned(),
                };
                format!("{proof} at stage {stage} for more blocks: the batch closes {closes}")
            }
            Self::Window { blocks } => {
                let blocks = counted(blocks, "block");
                format!("not begun: the window is {blocks}, from the lowest that is not proved")
            }
            Self::Unopened => {
                let task = of("its next task is", "their next tasks are");
                format!("{task} about to be opened")
            }
            Self::Final { last } => {
                let (is, goes, it) = (of("is", "are"), of("goes", "go"), of("it is", "they are"));
                let last = last.map_or_else(
                    || "no block is yet".to_owned(),
                    |last| format!("block {last} is the last that is"),
                );
                format!("{is} proved, and {goes} out once {it} final on the chain; {last}")
            }
            Self::Behind { block } => {
                let (is, goes) = (of("is", "are"), of("goes", "go"));
                format!("{is} proved, and {goes} out after block {block}")
            }
        }
    }
}
