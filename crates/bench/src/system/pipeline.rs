//! The pipeline that is measured: a stage that proves each block, whose proofs are released.

use std::collections::BTreeMap;

use push0_core::{
    Block, BlockHash, Capacity, Digest, DispatcherId, Height, PipelineSpec, ProgramName,
    ProgramSpec, StageSpec,
};

use super::{Prover, Shape};

/// What is configured, where the engine is in this process.
pub(crate) fn spec(window: u64, shape: Shape) -> PipelineSpec {
    let mut spec = PipelineSpec { push0: Some(1), name: NAME.into(), ..PipelineSpec::default() };
    (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
    spec.window = Some(window);
    spec.allow_mock = true;
    let contract = if shape.prover == Prover::File { "file" } else { "serve" };
    let program = ProgramSpec {
        command: vec![PROGRAM.into()],
        contract: Some(contract.into()),
        memory: Some(1),
        mock: true,
        ..ProgramSpec::default()
    };
    let stage = |program: &str| StageSpec {
        inputs: vec!["blocks".into()],
        collect: Some("each".into()),
        program: Some(program.into()),
        ..StageSpec::default()
    };
    spec.stages = BTreeMap::from([("leaf".into(), stage(PROGRAM))]);
    if shape.has_backlog {
        spec.programs.insert(NOBODY.into(), program.clone());
        spec.stages.insert("later".into(), stage(NOBODY));
        spec.release.inputs.push("later".into());
    }
    spec.programs.insert(PROGRAM.into(), program);
    spec.release.inputs.push("leaf".into());
    spec
}

/// The same as a file, for engines that are processes; dispatchers that are run `command`.
pub(crate) fn file(window: u64, has_backlog: bool, command: &[&str]) -> String {
    let (program, stage, released) = match has_backlog {
        true => (
            format!(
                "{NOBODY} = {{ command = [\"{NOBODY}\"], contract = \"serve\", memory = \"1MiB\", mock = true }}\n"
            ),
            format!("later = {{ inputs = [\"blocks\"], program = \"{NOBODY}\" }}\n"),
            ", \"later\"",
        ),
        false => Default::default(),
    };
    format!(
        "push0 = 1\nname = \"{NAME}\"\nwindow = {window}\nallow_mock = true\n\
         source = {{ kind = \"submit\", chain = 1 }}\n[programs]\n\
         {PROGRAM} = {{ command = {command:?}, contract = \"serve\", memory = \"1MiB\", mock = true }}\n\
         {program}[stages]\nleaf = {{ inputs = [\"blocks\"], program = \"{PROGRAM}\" }}\n{stage}\
         [release]\ninputs = [\"leaf\"{released}]\n"
    )
}

/// The block that is the task of this number.
pub(crate) fn block(number: u64, payload: Option<Digest>) -> Block {
    let hash = |number: u64| BlockHash(Digest::of(&number.to_be_bytes()).0);
    Block {
        number: Height(number),
        hash: hash(number),
        parent: hash(number.wrapping_sub(1)),
        payload: payload.unwrap_or_else(|| Digest(hash(number).0)),
        bytes: 500,
        fields: BTreeMap::new(),
    }
}

pub(crate) fn capacity(slots: u32) -> Capacity {
    let programs = std::iter::once(program()).collect();
    Capacity { programs, slots, memory_bytes: 1 << 40, gpus: 0 }
}

pub(crate) fn program() -> ProgramName {
    PROGRAM.parse().expect("it is a name")
}

pub(crate) fn dispatcher(number: u32) -> DispatcherId {
    format!("bench-{number}").parse().expect("it is a name")
}

pub(crate) const NAME: &str = "bench";
pub(crate) const PROGRAM: &str = "push0-bench";

/// A program that no dispatcher offers.
const NOBODY: &str = "nobody";
