//! What is true in a world: what a task's public values are, and into how many parts it splits.
//! Provers say it, checks hold them to it.

use push0_core::{Digest, Key, Output, ProgramName, ResultRef, Stage, Vkey};

/// The public values of a task.
pub(crate) fn values(stage: &str, key: &Key) -> Digest {
    Digest::of(format!("values of {stage} {key} {:?}", key.part).as_bytes())
}

/// How many parts a span splits into.
pub(crate) fn parts(stage: &Stage, key: &Key) -> u32 {
    match stage.output {
        Output::Proof => 0,
        Output::Parts => u32::try_from(1 + (key.first.0 * 5 + key.last.0) % 3).unwrap_or(1),
    }
}

/// One of these parts.
pub(crate) fn part(stage: &str, key: &Key, part: u32) -> Digest {
    Digest::of(format!("part {part} of {stage} {key}").as_bytes())
}

/// The key that a program's proofs verify under.
pub(crate) fn vkey(program: &ProgramName) -> Vkey {
    Vkey(Digest::of(program.as_str().as_bytes()).0)
}

/// Whether nobody can object to a result.
pub(crate) fn is_fit(stage: &Stage, key: &Key, result: &ResultRef) -> bool {
    !result.mock
        && result.vkey == Some(vkey(&stage.program))
        && result.statement == values(stage.name.as_str(), key)
        && result.parts.len() as u64 == u64::from(parts(stage, key))
}
