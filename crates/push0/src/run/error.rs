//! Why a run ends without a result, what is said of it, and its exit code.

use std::io;
use std::path::PathBuf;

use push0_core::{BlockHash, Height, IllegalEvent, Rejection, TaskId};
use push0_dispatch::mark::MarkError;
use push0_dispatch::{Owner, StartError, StoreError, remedy_for};
use push0_log::{AppendError, OpenError};
use push0_pipeline::PipelineFileError;
use push0_source::SourceError;

use crate::data::DataError;
use crate::engine::{EngineError, EngineGone};
use crate::publish::PublishError;
use crate::telemetry::NoEndpoint;

/// Why a run ends without a result. Each is told as `error: WHAT (WHERE): WHAT TO DO`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("{0}")]
    Pipeline(#[from] PipelineFileError),
    #[error(
        "blocks of this source are submitted to a cluster ({}, source.kind): `push0 run` reads blocks from a file or \
         from nodes; use kind = \"file\" or \"node\", or push0 serve", pipeline.display()
    )]
    Submitted { pipeline: PathBuf },
    #[error("program {program} cannot be run ({}, programs.{program}): {what}", pipeline.display())]
    Program { pipeline: PathBuf, program: String, what: String },
    #[error("no program can be run that is needed: {0}")]
    Unoffered(String),
    #[error("{what} (--memory): {remedy}")]
    Memory { what: String, remedy: &'static str },
    #[error("{0}")]
    Metrics(#[from] NoEndpoint),
    #[error("{0}")]
    Source(#[from] SourceError),
    #[error("{refused} ({from}): use another --data, or the source this one was begun with")]
    Submit { from: String, refused: Rejection },
    #[error(
        "block {number}, {hash}, is on another branch than the log ({from}): use another --data, or the \
         source this one was begun with"
    )]
    OtherChain { from: String, number: Height, hash: BlockHash },
    #[error("block {hash} is needed again and not to be had any more ({from}): put it back")]
    NoSuchBlock { from: String, hash: BlockHash },
    #[error("--until, where blocks are of a file ({}): remove it; the file has an end of its own", pipeline.display())]
    Until { pipeline: PathBuf },
    #[error("{}: {}", push0_core::causes(.0), log_remedy(.0))]
    Log(#[source] OpenError),
    #[error("{0}")]
    Data(#[from] DataError),
    #[error("{0}: nothing was changed by it")]
    NotDone(String),
    #[error("the log cannot be taken over: {0}: use another --data")]
    Begin(#[source] Rejection),
    #[error(
        "{0}: the log is not one that push0 wrote; restore it from a copy, or use another --data"
    )]
    Illegal(#[from] IllegalEvent),
    #[error(
        "the data directory is of another pipeline ({}): use another --data\n{difference}",
        data.display()
    )]
    OtherPipeline { data: PathBuf, difference: String },
    #[error(
        "the pipeline differs from the one that ran here ({}): repeat with --apply to go on with \
         the file's\n{difference}", data.display()
    )]
    Changed { data: PathBuf, difference: String },
    #[error(
        "the log is gone, and what was proved is still there ({}, {}): restore the log from a copy, \
         or use another --data", log.display(), store.display()
    )]
    LogGone { log: PathBuf, store: PathBuf },
    #[error("{0}")]
    Foreign(#[from] MarkError),
    #[error(
        "the store belongs to another log ({}, of pipeline {}): use another --data, or restore the log of that \
         name; if it is gone for good, remove `owner` from the store", store.display(), owner.pipeline
    )]
    StoreOfOther { store: PathBuf, owner: Owner },
    #[error(
        "the data directory was removed or replaced while this run used it ({}): what was proved since is lost; \
         restore it, or begin again with the same command", log.display()
    )]
    Removed { log: PathBuf },
    #[error(
        "the disk does not answer ({}): see to it; the same command goes on, and makes again what was not recorded",
        log.display()
    )]
    Hangs { log: PathBuf },
    #[error("{source} ({}): {remedy}", path.display())]
    Dir { path: PathBuf, source: io::Error, remedy: &'static str },
    #[error("{}: {}", .0, .0.remedy())]
    Store(#[from] StoreError),
    #[error("{0}")]
    Dispatcher(#[from] StartError),
    #[error("{0}; nothing could run for ten minutes: the same command goes on")]
    NoRoom(String),
    #[error("no thread to be had ({0}): try again")]
    Thread(#[source] io::Error),
    #[error("{}: {}", push0_core::causes(.0), remedy(.0))]
    Engine(EngineError),
    #[error("{0}")]
    Gone(EngineGone),
    #[error("{}: {}", .0, crate::publish::PublishError::remedy(.0))]
    Deliver(#[source] PublishError),
    #[error("the result of task {} cannot be made again: {refused}", task.short())]
    Remake { task: TaskId, refused: Rejection },
    #[error(
        "a bug in push0: work is left, nothing runs, and nothing is parked: report it with the log"
    )]
    Wedged,
}

fn log_remedy(error: &OpenError) -> &'static str {
    match error {
        OpenError::Busy { .. } => "wait until it has ended, or use another --data",
        OpenError::Unreadable(error) => crate::data::remedy(error),
        OpenError::Full(error) | OpenError::Unavailable(error) => remedy_for(error.kind()),
        _ => "see to that; then the same command goes on",
    }
}

const fn remedy(error: &EngineError) -> &'static str {
    match error {
        EngineError::Append(AppendError::Fenced { .. }) => "it goes on there; this one has stopped",
        EngineError::Append(AppendError::Poisoned(_)) => {
            "what is on disk is unknown until it is read again; the same command reads it and goes on"
        }
        EngineError::Append(AppendError::Full(_)) => "make room; the same command goes on",
        EngineError::Append(AppendError::Replaced { .. }) => {
            "nothing was written to what is there; restore the stream from a copy"
        }
        EngineError::Append(_) => "the same command goes on",
        EngineError::Bug(_) => "a bug in push0: report it with the log; nothing of it was recorded",
    }
}
