//! The id of a task: the hash of what is asked, and never of a proof's bytes.
//!
//! Provers are not deterministic; the same work has the same id whoever made its inputs, and asking
//! twice is once.

use sha2::{Digest as _, Sha256};

use crate::{InputId, Key, Program, ProgramName, Stage, TaskId};

impl TaskId {
    /// The id of proving `key` from `inputs` at `stage`.
    #[must_use]
    pub fn of(
        stage: &Stage,
        name: &ProgramName,
        program: &Program,
        key: &Key,
        inputs: &[InputId],
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"push0.task/1");
        hash.update(stage.digest.0);
        hash.update((name.as_str().len() as u64).to_be_bytes());
        hash.update(name.as_str());
        hash.update(program.vkey.map_or([0; 32], |vkey| vkey.0));
        for number in [key.chain.0, key.first.0, key.last.0] {
            hash.update(number.to_be_bytes());
        }
        hash.update(key.part.map_or(u64::MAX, u64::from).to_be_bytes());
        hash.update(key.tip.0);
        for input in inputs {
            hash.update(input.bytes());
        }
        Self(hash.finalize().into())
    }
}
