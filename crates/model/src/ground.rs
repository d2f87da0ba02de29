//! What every world stands on: its pipeline, its blocks, who is in it, and what time is.
//!
//! Not here: how many of each a world has, and what may go wrong in it (`setting`).

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{
    Block, BlockHash, Capacity, Digest, DispatcherId, Height, Limits, PipelineSpec, ProgramSpec,
    ResultRef, StageSpec, TaskId, Timestamp,
};

/// One stage, which proves block by block, and each proof is released: so blocks are tasks, and
/// tasks are releases.
pub(crate) fn spec() -> PipelineSpec {
    let mut spec = PipelineSpec { push0: Some(1), name: "small".into(), ..PipelineSpec::default() };
    (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
    spec.source.start = Some(FIRST);
    let program = ProgramSpec {
        command: vec![PROGRAM.into()],
        contract: Some("serve".into()),
        memory: Some(1),
        ..ProgramSpec::default()
    };
    spec.programs = BTreeMap::from([(PROGRAM.into(), program)]);
    let (inputs, program) = (vec!["blocks".into()], Some(PROGRAM.into()));
    let stage = StageSpec { inputs, program, ..StageSpec::default() };
    spec.stages = BTreeMap::from([("prove".into(), stage)]);
    spec.release.inputs = vec!["prove".into()];
    spec
}

pub(crate) fn limits() -> Limits {
    let limits = Limits::default();
    limits.within(limits.record_bytes_max)
}

/// The block so many places after the first.
pub(crate) fn block(nth: usize) -> Block {
    let number = FIRST + nth as u64;
    let hash = |number: u64| BlockHash(Digest::of(&number.to_be_bytes()).0);
    Block {
        number: Height(number),
        hash: hash(number),
        parent: hash(number - 1),
        payload: Digest::of(b"payload"),
        bytes: 1,
        fields: BTreeMap::new(),
    }
}

/// What proving a task makes, whoever does.
pub(crate) fn result(task: TaskId) -> ResultRef {
    let (output, statement) = (Digest::of(&task.0), Digest::of(b"values"));
    ResultRef { output, bytes: 5, statement, vkey: None, mock: false, parts: Vec::new() }
}

pub(crate) fn capacity(slots: u32) -> Capacity {
    let programs = std::iter::once(PROGRAM.parse().expect("it is a name")).collect();
    Capacity { programs, slots, memory_bytes: 1 << 30, gpus: 0 }
}

pub(crate) fn dispatcher(nth: usize) -> DispatcherId {
    let name = NAMES.get(nth).copied().unwrap_or("omega");
    name.parse().expect("it is a name")
}

/// What all clocks show after so many seconds: they agree, and go on only by whole seconds.
pub(crate) fn at(seconds: u8) -> Timestamp {
    Timestamp(BEGIN) + SECOND * u32::from(seconds)
}

/// The height of the first block.
pub(crate) const FIRST: u64 = 100;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

const PROGRAM: &str = "prover";

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// When a world begins. Unit: microseconds since 1970.
const BEGIN: u64 = 1_000_000_000_000_000;
