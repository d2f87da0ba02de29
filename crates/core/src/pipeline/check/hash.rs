//! What decides what is proved, hashed: names and keys, never policy.
//!
//! Every part is preceded by its length and every list by its count, so no two pipelines write the
//! same bytes. The first part names what the hash is of.
//!
//! Not here: a task's id.

use crate::{
    BlockHashing, Collect, Digest, Inflow, Output, Pipeline, PipelineName, Program, Stage,
    StageIndex,
};

/// Covers the chain, whose word its hashes are taken on, every stage, what is released, and the
/// block fields that its log holds.
pub(crate) fn pipeline_digest(pipeline: &Pipeline) -> Digest {
    let mut parts = Parts::of("push0.pipeline/1");
    parts.bytes(pipeline.name.as_str().as_bytes());
    parts.number(pipeline.source.chain.0);
    parts.number(pipeline.stages.len() as u64);
    for stage in &pipeline.stages {
        parts.bytes(&stage.digest.0);
    }
    parts.number(pipeline.release.len() as u64);
    for index in &pipeline.release {
        parts.bytes(pipeline.stage(*index).name.as_str().as_bytes());
    }
    parts.number(pipeline.fields.len() as u64);
    for field in &pipeline.fields {
        parts.bytes(field.as_bytes());
    }
    match pipeline.source.hash {
        // As before there was a choice.
        BlockHashing::OfHeader => {}
        BlockHashing::Trusted => parts.bytes(b"trusted block hashes"),
    }
    parts.digest()
}

/// Covers the stage's name and place, how it groups, and what proves it; `input` is the digest of
/// the stage before, so everything before it too.
///
/// Whether the program is a mock counts: what it makes must never pass for another's.
pub(super) fn stage_digest(
    pipeline: &PipelineName,
    stage: &Stage,
    program: &Program,
    input: Option<Digest>,
) -> Digest {
    let mut parts = Parts::of("push0.stage/1");
    parts.bytes(pipeline.as_str().as_bytes());
    parts.bytes(stage.name.as_str().as_bytes());
    match stage.collect {
        Collect::Each => parts.bytes(b"each"),
        Collect::Parts => parts.bytes(b"parts"),
        Collect::Sequence(_) => parts.bytes(b"sequence"),
        Collect::Tree(arity, _) => {
            parts.bytes(b"tree");
            parts.number(arity.get().into());
        }
    }
    parts.bytes(match stage.output {
        Output::Proof => b"proof",
        Output::Parts => b"parts",
    });
    parts.bytes(stage.program.as_str().as_bytes());
    parts.bytes(program.vkey.as_ref().map_or(&[][..], |vkey| &vkey.0));
    parts.number(u64::from(program.is_mock));
    parts.number(stage.args.len() as u64);
    for arg in &stage.args {
        parts.bytes(arg.as_bytes());
    }
    match (stage.input, input) {
        (Inflow::Stage(StageIndex(_)), Some(digest)) => parts.bytes(&digest.0),
        (Inflow::Stage(_) | Inflow::Blocks, _) => parts.bytes(b""),
    }
    parts.digest()
}

struct Parts(Vec<u8>);

impl Parts {
    fn of(what: &str) -> Self {
        let mut parts = Self(Vec::new());
        parts.bytes(what.as_bytes());
        parts
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}
