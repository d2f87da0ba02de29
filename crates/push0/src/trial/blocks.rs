//! Which blocks a trial takes: those that are named, else the first of the pipeline's source, else
//! made-up ones.

use std::path::PathBuf;

use push0_core::{Collect, Pipeline, SourceKind};
use push0_source::{BlockFile, Rules, SourceBlock, made};

use super::{Teller, Trial};
use crate::finding::Finding;
use crate::tell::counted;

impl Trial<'_> {
    /// As many as it takes until every stage has a task, within bounds.
    pub(super) fn take_blocks(&self, tell: &mut Teller<'_>) -> Result<Vec<SourceBlock>, Finding> {
        let pipeline = &self.loaded.pipeline;
        let wanted = wanted(pipeline);
        let rules = Rules::of(pipeline);
        let Some(path) = self.blocks_path() else {
            let blocks = made_up(wanted, &rules)?;
            let said = format!(
                "{}, with right headers and nothing in them",
                counted(blocks.len(), "made-up block")
            );
            tell(Finding::ok("blocks", said));
            return Ok(blocks);
        };
        let wrong = |error: push0_source::SourceError| {
            Finding::fail("blocks", error.to_string(), "or name others with --blocks FILE")
        };
        let file = BlockFile::open(&path, &rules).map_err(wrong)?;
        let blocks = file.take(wanted).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let count = counted(blocks.len(), "block");
        let first = count.strip_prefix("1 ").unwrap_or(&count); // the first block, the first 2 blocks
        tell(Finding::ok("blocks", format!("the first {first} of {}", path.display())));
        Ok(blocks)
    }

    /// Whether what a prover gets was made up.
    pub(super) fn is_made_up(&self) -> bool {
        self.blocks_path().is_none()
    }

    fn blocks_path(&self) -> Option<PathBuf> {
        let named = self.blocks.map(ToOwned::to_owned);
        named.or_else(|| match &self.loaded.pipeline.source.kind {
            SourceKind::File { path } => Some(self.loaded.dir.join(path)),
            SourceKind::Submit | SourceKind::Node(_) => None,
        })
    }
}

/// Two neighbours for each tree on the way, or as many as it joins.
fn wanted(pipeline: &Pipeline) -> usize {
    let arities = pipeline.stages.iter().filter_map(|stage| match &stage.collect {
        Collect::Tree(arity, _) => usize::try_from(arity.get()).ok(),
        Collect::Each | Collect::Parts | Collect::Sequence(_) => None,
    });
    arities.max().unwrap_or(1).min(BLOCKS_MAX)
}

fn made_up(count: usize, rules: &Rules) -> Result<Vec<SourceBlock>, Finding> {
    let failed = |what: String| Finding::fail("blocks", what, "name real ones with --blocks FILE");
    let dir = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let path = dir.path().join("blocks.jsonl");
    let lines = made(FIRST, count as u64, &rules.fields).join("\n");
    std::fs::write(&path, lines).map_err(|error| failed(error.to_string()))?;
    let file = BlockFile::open(&path, rules).map_err(|error| failed(error.to_string()))?;
    file.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))
}

/// A tree that joins more at once is tried with as many.
const BLOCKS_MAX: usize = 16;

/// The number of the first made-up block.
const FIRST: u64 = 1_000_000;
