//! Why a release is not in its file, and what to do about it.
//!
//! Not here: when it is tried again (`run`, `cluster`).

use std::path::PathBuf;

use push0_core::{ProgramName, StageName, TaskId};
use push0_dispatch::ReadError;

use crate::exit::Exit;

/// Why a release is not in its file. The file that was there, if any, is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Have the task's result made again, and publish again.
    #[error("the proof that {stage} made is lost: {source}")]
    ProofLost { task: TaskId, stage: StageName, source: Box<ReadError> },
    /// Publish again later: the store does not answer.
    #[error("the proof that {stage} made cannot be read: {source}")]
    Store { stage: StageName, source: Box<ReadError> },
    /// Correct the pipeline: this program has nothing to verify with here.
    #[error("there is no verifier for program {program}")]
    NoVerifier { program: ProgramName },
    /// Stop: it was accepted within the run, so one verifier or the other is wrong, or its
    /// dispatcher lied.
    #[error(
        "the verifier of program {program} refuses the proof for {file}, the result of task {}: {words}", task.short()
    )]
    Refused { task: TaskId, program: ProgramName, file: String, words: String },
    /// Stop: its dispatcher lied, or the store holds what is not its result.
    #[error("the proof for {file} that {stage} made, the result of task {}, is not what was accepted: {what}", task.short())]
    Disagrees { task: TaskId, stage: StageName, file: String, what: String },
    /// Allow mocks in the pipeline, or have the proof made by what is none.
    #[error(
        "the proof for {file} is a mock, or rests on one: it proves nothing, and allow_mock is not said"
    )]
    MockNotAllowed { file: String },
    /// Name the pipeline's own file.
    #[error("the proof for {file} is of another pipeline than this file's: {what}")]
    OtherPipeline { file: String, what: String },
    /// Publish again later: the verifier itself failed.
    #[error("the verifier of program {program} has no verdict on the proof for {file}: {why}")]
    NoVerdict { program: ProgramName, file: String, why: String },
    /// Publish again when there is room, and the right to write.
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    /// Name another directory for this pipeline's proofs: a file there is of another.
    #[error("{} holds a proof of pipeline {pipeline}; name another --out", path.display())]
    Occupied { path: PathBuf, pipeline: String },
}

impl From<&PublishError> for Exit {
    fn from(error: &PublishError) -> Self {
        match error {
            PublishError::NoVerifier { .. }
            | PublishError::Occupied { .. }
            | PublishError::OtherPipeline { .. } => Self::Usage,
            PublishError::Refused { .. }
            | PublishError::Disagrees { .. }
            | PublishError::MockNotAllowed { .. } => Self::Unproved,
            PublishError::ProofLost { .. }
            | PublishError::Store { .. }
            | PublishError::NoVerdict { .. }
            | PublishError::Write { .. } => Self::OutOfReach,
        }
    }
}

impl PublishError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Refused { task, .. } => format!(
                "if that verifier is right, `push0 discard {task} --why …` has the proof made again, with all that was made of it"
            ),
            Self::Disagrees { task, .. } => format!(
                "see to the dispatcher that reported it; `push0 discard {task} --why …` has the proof made again, with all that \
                 was made of it"
            ),
            Self::MockNotAllowed { .. } => {
                "write `allow_mock = true` if mocks are meant to pass, or use a real prover"
                    .to_owned()
            }
            Self::OtherPipeline { .. } => {
                "name the file that the engines were started with".to_owned()
            }
            Self::NoVerifier { .. } => "use the pipeline that has this program".to_owned(),
            Self::Occupied { .. } => "what is proved is kept".to_owned(),
            Self::ProofLost { .. }
            | Self::Store { .. }
            | Self::NoVerdict { .. }
            | Self::Write { .. } => {
                "what is proved is kept; the same command delivers it".to_owned()
            }
        }
    }
}
