//! Why a process of a cluster ends, what is said of it, and its exit code.

use std::io;
use std::path::{Path, PathBuf};

use push0_core::IllegalEvent;
use push0_dispatch::mark::MarkError;
use push0_dispatch::{Owner, StartError, StoreError, remedy_for};
use push0_log::{AppendError, NatsError, ReadError};
use push0_pipeline::PipelineFileError;
use push0_source::SourceError;

use crate::engine::EngineError;
use crate::exit::Exit;
use crate::programs::MissingProgram;
use crate::telemetry::NoEndpoint;
use crate::tell;

/// Why a process of a cluster ends without a result. Each is told as `error: WHAT (WHERE): WHAT TO
/// DO`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error("{0}")]
    Pipeline(#[from] PipelineFileError),
    /// What is wrong, and what to write instead.
    #[error("{what}{}", place(.file.as_deref(), *.line))]
    Setting { file: Option<PathBuf>, line: Option<usize>, what: String },
    #[error("{}: {}", push0_core::causes(.0), .0.remedy())]
    Nats(#[from] NatsError),
    #[error("{}: {}", push0_core::causes(.0), crate::data::remedy(.0))]
    Read(#[from] ReadError),
    #[error(
        "{0}: the log is not one that push0 wrote; restore it from a copy, or name another stream"
    )]
    Illegal(#[from] IllegalEvent),
    #[error("{}: {}", push0_core::causes(.0), engine_remedy(.0))]
    Engine(#[from] EngineError),
    #[error(
        "the log is of another pipeline ({}): name another stream, or serve the pipeline it was begun \
         with\n{difference}", pipeline.display()
    )]
    OtherPipeline { pipeline: PathBuf, difference: String },
    #[error(
        "the source is a file ({}, source.kind): a cluster takes blocks from `push0 submit` or from nodes; use kind = \
         \"submit\" or \"node\", or `push0 run`", pipeline.display()
    )]
    OfFile { pipeline: PathBuf },
    #[error("{}: {}", .0, .0.remedy())]
    Store(#[from] StoreError),
    #[error(
        "the store {store} holds artifacts that this log knows nothing of, and says not whose they are: name \
         another directory, or another prefix of the bucket (--store), or start the engine of their log first; if that \
         log is gone for good, remove the store"
    )]
    StoreOfUnknown { store: String },
    #[error(
        "the store {store} is empty, and this log's artifacts were in one: mount it again, or name it (--store); \
         if it is lost for good, begin with this one (--store-lost): what was not released is proved again, once its \
         blocks are submitted again"
    )]
    StoreEmpty { store: String },
    #[error("{0}")]
    Foreign(#[from] MarkError),
    #[error(
        "the store {store} belongs to another log ({}, of pipeline {}), and a sweep of this one would remove what \
         that needs: name another directory, or another prefix of the bucket (--store); if that log is gone for good, \
         remove `owner` from the store", owner.log, owner.pipeline
    )]
    StoreOfOther { store: String, owner: Owner },
    #[error(
        "this store is {own}, and that of the engines is {theirs} ({store}): share one directory, or one bucket"
    )]
    OtherStore { store: String, own: String, theirs: String },
    #[error("program {program} cannot be run ({}, programs.{program}): {what}", pipeline.display())]
    Program { pipeline: PathBuf, program: String, what: String },
    #[error("{0}")]
    Dispatcher(#[from] StartError),
    #[error("{0}")]
    Source(#[from] SourceError),
    #[error("{reason} (block {block}): no engine takes it; the blocks before it were taken")]
    Refused { block: String, reason: String },
    #[error(
        "{reason} (block {block}); the blocks before it were taken, and the same command goes on once there is room"
    )]
    LogFull { block: String, reason: String },
    #[error("{0}; nothing was changed")]
    NotDone(String),
    #[error(
        "{words}: {right} needs a user who may publish there and hear the answer (docs/nats.md, Roles)"
    )]
    Forbidden { words: String, right: String },
    #[error("the log was not taken over: {0}: start this engine again, and it stands by")]
    NotClaimed(String),
    #[error(
        "another dispatcher is named {0}, and is at work: give each a name of its own (--id, or id in [dispatch]); \
         by default it is the machine's"
    )]
    NameTaken(push0_core::DispatcherId),
    #[error(
        "{count} of the blocks are never proved, block {first} is the first: another block is canonical at \
         their heights, which came before; submit the blocks that follow it, or use another log for this branch"
    )]
    Beside { count: usize, first: String },
    #[error(
        "nothing says which run or cluster is meant: name a data directory (--data), or a cluster (--nats, \
         --config)"
    )]
    Nowhere,
    #[error("nothing was changed: there is no terminal to ask on; give --yes")]
    NobodyToAsk,
    #[error("nothing was changed: the answer was no")]
    NotConfirmed,
    #[error(
        "no dispatcher is named: name some, or all of them (--all); to say that no block follows, use `push0 finish`"
    )]
    NobodyNamed,
    #[error("{missed}; {there}")]
    NotLeaving { missed: String, there: String },
    #[error("the log does not answer: see to the NATS servers, and try again")]
    LogSilent,
    #[error("the log has no pipeline yet: start an engine with it (`push0 serve`)")]
    NothingRuns,
    #[error("no engine has answered for {} s: start one with `push0 serve`; the same command goes on", .0.as_secs())]
    NoEngine(std::time::Duration),
    #[error("{source} ({}): {}", path.display(), remedy_for(source.kind()))]
    Dir { path: PathBuf, source: io::Error },
    #[error("{}: {}", .0, crate::publish::PublishError::remedy(.0))]
    Deliver(#[from] crate::publish::PublishError),
    #[error(
        "nobody knows how far the hook came in this log: {what} ({}): name another directory for this log's proofs \
         (--out); or write `{log} N` and an end of line into that file, where N is the last release of this log that the \
         hook was run for (0 for none)",
        path.display()
    )]
    Mark { path: PathBuf, log: String, what: String },
    #[error(
        "nobody knows what was seen to of what was taken back: {what} ({}): remove that file, and all of it is seen to \
         again", path.display()
    )]
    RecallMark { path: PathBuf, what: String },
    #[error(
        "another `push0 proofs` writes to {}, and two would run the hook twice: end it, or name another directory (--out)",
        out.display()
    )]
    OutInUse { out: PathBuf },
    #[error(
        "the file system of {} knows no locks ({source}), and two readers would run the hook twice: name a directory on \
         another (--out)", out.display()
    )]
    NoLocks { out: PathBuf, source: io::Error },
    #[error(
        "a proof that was lost is not made again, since task {task} is parked: {why}: see to that, then push0 \
         retry {task}"
    )]
    Unwritten { task: String, why: String },
    #[error(
        "a task of stage {stage} has up to {inputs} inputs, too many for a message of the NATS servers, which take \
         {found} bytes (max_payload): set `max_payload: {needed}` or more in their configuration, or lower `max` of \
         the stage"
    )]
    SmallPayload { stage: String, inputs: usize, found: usize, needed: usize },
    #[error("{0}")]
    Metrics(#[from] NoEndpoint),
    #[error("no thread to be had ({0}): try again")]
    Thread(#[source] io::Error),
}

/// Tells how a command ended, and answers its exit code.
pub(super) fn told(done: Result<(), ClusterError>) -> Exit {
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            if let ClusterError::Pipeline(faults) = &error {
                tell::errors(faults.lines());
            } else {
                tell::error(&error);
            }
            Exit::from(&error)
        }
    }
}

impl ClusterError {
    /// A program of `pipeline` that is not on this machine.
    pub(super) fn missing(pipeline: &Path) -> impl FnOnce(MissingProgram) -> Self {
        let pipeline = pipeline.to_owned();
        move |missing| Self::Program {
            pipeline,
            program: missing.program.to_string(),
            what: missing.to_string(),
        }
    }
}

fn place(file: Option<&Path>, line: Option<usize>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!(" ({}:{line}): correct that line", file.display()),
        (Some(file), None) => format!(" ({})", file.display()),
        (None, _) => String::new(),
    }
}

const fn engine_remedy(error: &EngineError) -> &'static str {
    match error {
        EngineError::Append(AppendError::Replaced { .. }) => {
            "nothing was written to what is there; restore the stream from a copy"
        }
        EngineError::Append(AppendError::TooLarge { .. }) => {
            "nothing of it was recorded; report it, with what was asked last"
        }
        EngineError::Append(AppendError::Fenced { .. }) => "it goes on there; this one has stopped",
        EngineError::Append(AppendError::Full(_)) => "make room; then the same command goes on",
        EngineError::Append(AppendError::Unavailable(_)) => {
            "see to the NATS servers; then the same command goes on"
        }
        EngineError::Append(_) => "the same command reads the log again and goes on",
        EngineError::Bug(_) => "nothing of it was recorded: report it",
    }
}
