//! The id of a task, as the ledger makes it.

use push0_core::{Digest, InputId, Key, Pipeline, StageIndex, TaskId};

/// What is asked, hashed, from what is written about it.
pub(super) fn id(
    pipeline: &Pipeline,
    index: StageIndex,
    key: &Key,
    inputs: &[InputId],
) -> Option<TaskId> {
    let stage = pipeline.stage(index);
    let program = pipeline.programs.get(&stage.program)?;
    let name = stage.program.as_str();
    let mut text = b"push0.task/1".to_vec();
    text.extend(stage.digest.0);
    text.extend((name.len() as u64).to_be_bytes());
    text.extend(name.bytes());
    text.extend(program.vkey.map_or([0; 32], |vkey| vkey.0));
    text.extend([key.chain.0, key.first.0, key.last.0].map(u64::to_be_bytes).concat());
    text.extend(key.part.map_or(u64::MAX, u64::from).to_be_bytes());
    text.extend(key.tip.0);
    for input in inputs {
        let (kind, hash, part) = match input {
            InputId::Block(hash) => (0, hash.0, 0),
            InputId::Task(task) => (1, task.0, 0),
            InputId::Part(task, part) => (2, task.0, *part),
        };
        text.push(kind);
        text.extend(hash);
        text.extend(part.to_be_bytes());
    }
    Some(TaskId(Digest::of(&text).0))
}
