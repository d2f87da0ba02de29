//! How whoever submits blocks reads them, which is to be as the log's pipeline has it.
//!
//! A proof file says whether block hashes were computed again, by the log's pipeline. So a client
//! asks whether it reads blocks by the same rules before it submits the first: its own file may say
//! otherwise.
//!
//! Not here: what a client with the right to submit does that does not ask (`docs/security.md`).

use push0_core::{BlockHashing, ChainId, Pipeline, PipelineName};
use serde::{Deserialize, Serialize};

/// By which rules a client reads blocks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Submitter {
    /// The name of its pipeline.
    pipeline: PipelineName,
    /// The chain that its blocks are of.
    chain: ChainId,
    /// Whether it takes their hashes on the source's word.
    trusts_hashes: bool,
}

impl Submitter {
    /// One that reads by this pipeline.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        Self {
            pipeline: pipeline.name.clone(),
            chain: pipeline.source.chain,
            trusts_hashes: pipeline.source.hash == BlockHashing::Trusted,
        }
    }

    /// In what it reads otherwise than the log's pipeline has it, and what to do.
    pub(super) fn differs(&self, log: &Pipeline) -> Option<String> {
        let own = Self::of(log);
        let hashes = |of: &Self| match of.trusts_hashes {
            true => "are taken on the source's word (hash = \"trusted\")",
            false => "are computed again",
        };
        let what = if self.pipeline != own.pipeline {
            format!(
                "the log is of pipeline {}, and the file of pipeline {} (name)",
                own.pipeline, self.pipeline
            )
        } else if self.chain != own.chain {
            format!(
                "the log's blocks are of chain {}, and the file's of chain {} (source.chain)",
                own.chain, self.chain
            )
        } else if self.trusts_hashes != own.trusts_hashes {
            format!(
                "by the log's pipeline block hashes {}, and by the file they {} (source.hash)",
                hashes(&own),
                hashes(self)
            )
        } else {
            return None;
        };
        Some(format!("{what}: submit with the pipeline that `push0 serve` was given"))
    }
}
