//! Exit codes: the table (README), and the one place where an error gets its code.
//!
//! Not here: what is said about the error.

use std::io;
use std::process::ExitCode;

use push0_dispatch::StartError;
use push0_log::{AppendError, NatsError, OpenError, ReadError};
use push0_pipeline::PipelineFileError;

use crate::cluster::ClusterError;
use crate::data::DataError;
use crate::engine::EngineError;
use crate::publish::PublishError;
use crate::run::RunError;
use crate::tell;

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[repr(u8)]
pub enum Exit {
    /// Everything is released; the proof is accepted; the pipeline is valid.
    Done = 0,
    /// It ended, but a block is parked or missed; the proof is refused; it is not alive; the machine is not fit.
    Unproved = 1,
    /// The command line or the pipeline is wrong.
    Usage = 2,
    /// A block file lies or cannot be read.
    Source = 3,
    /// The data directory is damaged, of a newer version, or of another pipeline.
    Data = 4,
    /// Another engine writes the log, or another dispatcher has the name.
    Busy = 5,
    /// Something is out of reach or full; the same command may work later.
    OutOfReach = 6,
    /// A bug in push0.
    Bug = 70,
    /// Interrupted with work left; the same command goes on.
    Interrupted = 130,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What printing a result came to. A result that nobody could be given is not done.
    pub(crate) fn of_print(printed: io::Result<()>) -> Self {
        match printed {
            Ok(()) => Self::Done,
            Err(error) => {
                tell::error(format_args!(
                    "cannot write to stdout: {error}: make room, and try again"
                ));
                Self::OutOfReach
            }
        }
    }
}

impl From<&PipelineFileError> for Exit {
    fn from(error: &PipelineFileError) -> Self {
        match error {
            PipelineFileError::Unreadable { .. } | PipelineFileError::Faulty(_) => Self::Usage,
        }
    }
}

impl From<&DataError> for Exit {
    fn from(error: &DataError) -> Self {
        match error {
            DataError::Absent { .. } | DataError::Foreign { .. } => Self::Usage,
            DataError::Log { source } => Self::from(source),
            DataError::Illegal { .. } => Self::Data,
            DataError::Unreadable { .. } => Self::OutOfReach,
        }
    }
}

impl From<&ReadError> for Exit {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::Damaged { .. }
            | ReadError::Newer { .. }
            | ReadError::DamagedRecord { .. }
            | ReadError::NewerRecord { .. }
            | ReadError::Replaced { .. } => Self::Data,
            // Unavailable, and what a later log adds.
            ReadError::Unavailable(_) | _ => Self::OutOfReach,
        }
    }
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

impl From<&RunError> for Exit {
    fn from(error: &RunError) -> Self {
        match error {
            RunError::Pipeline(_)
            | RunError::Submitted { .. }
            | RunError::Foreign(_)
            | RunError::Dispatcher(StartError::Foreign(_))
            | RunError::Program { .. }
            | RunError::Unoffered(_)
            | RunError::Memory { .. } => Self::Usage,
            RunError::Source(_) | RunError::NoSuchBlock { .. } => Self::Source,
            RunError::Submit { .. }
            | RunError::OtherChain { .. }
            | RunError::Illegal(_)
            | RunError::Begin(_)
            | RunError::OtherPipeline { .. }
            | RunError::LogGone { .. }
            | RunError::StoreOfOther { .. }
            | RunError::Changed { .. } => Self::Data,
            RunError::Log(OpenError::Busy { .. })
            | RunError::Dispatcher(StartError::Locked { .. }) => Self::Busy,
            RunError::Log(OpenError::Unreadable(error)) => Self::from(error),
            RunError::Engine(EngineError::Append(AppendError::Fenced { .. })) => Self::Busy,
            RunError::Engine(EngineError::Append(AppendError::Replaced { .. })) => Self::Data,
            RunError::Engine(EngineError::Bug(_)) | RunError::Gone(_) | RunError::Wedged => {
                Self::Bug
            }
            RunError::Store(error) if error.is_final() => Self::Usage,
            RunError::Log(_)
            | RunError::NoRoom(_)
            | RunError::Dir { .. }
            | RunError::Removed { .. }
            | RunError::Store(_)
            | RunError::Dispatcher(_)
            | RunError::Thread(_)
            | RunError::Engine(_) => Self::OutOfReach,
            RunError::Data(error) => Self::from(error),
            RunError::NotDone(_) => Self::Usage,
            RunError::Remake { .. } => Self::Unproved,
            RunError::Deliver(error) => Self::from(error),
        }
    }
}

impl From<&ClusterError> for Exit {
    fn from(error: &ClusterError) -> Self {
        match error {
            ClusterError::Pipeline(_)
            | ClusterError::Nowhere
            | ClusterError::NotConfirmed
            | ClusterError::NothingRuns
            | ClusterError::NotDone(_)
            | ClusterError::NobodyNamed
            | ClusterError::Forbidden { .. }
            | ClusterError::Setting { .. }
            | ClusterError::FromFile { .. }
            | ClusterError::Program { .. }
            | ClusterError::OtherStore { .. }
            | ClusterError::StoreOfOther { .. }
            | ClusterError::StoreOfUnknown { .. }
            | ClusterError::StoreEmpty { .. }
            | ClusterError::Foreign(_)
            | ClusterError::Dispatcher(StartError::Foreign(_))
            | ClusterError::Nats(
                NatsError::Config { .. }
                | NatsError::Forbidden { .. }
                | NatsError::Old { .. }
                | NatsError::SmallPayload { .. }
                | NatsError::Setting { .. },
            )
            | ClusterError::SmallPayload { .. } => Self::Usage,
            ClusterError::Source(_) => Self::Source,
            ClusterError::Nats(NatsError::Unreadable(error)) | ClusterError::Read(error) => {
                Self::from(error)
            }
            ClusterError::Illegal(_)
            | ClusterError::OtherPipeline { .. }
            | ClusterError::Refused { .. }
            | ClusterError::Mark { .. }
            | ClusterError::Engine(EngineError::Append(AppendError::Replaced { .. })) => Self::Data,
            ClusterError::Dispatcher(StartError::Locked { .. })
            | ClusterError::NameTaken(_)
            | ClusterError::NotClaimed(_) => Self::Busy,
            ClusterError::Engine(EngineError::Bug(_)) => Self::Bug,
            ClusterError::Unwritten { .. } | ClusterError::Beside { .. } => Self::Unproved,
            ClusterError::Deliver(error) => Self::from(error),
            ClusterError::Store(error) if error.is_final() => Self::Usage,
            ClusterError::Nats(_)
            | ClusterError::LogFull { .. }
            | ClusterError::Engine(_)
            | ClusterError::Store(_)
            | ClusterError::Dispatcher(_)
            | ClusterError::NoEngine(_)
            | ClusterError::NotLeaving(_)
            | ClusterError::LogSilent
            | ClusterError::Dir { .. }
            | ClusterError::Thread(_) => Self::OutOfReach,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table, for `push0 --help`.
pub(crate) const HELP: &str = "\
Example, from a clone of the repository:
  push0 run examples/scroll/pipeline.toml       20 blocks, one proof
  push0 verify scroll.push0/proofs/*.proof.json

Exit codes:
    0  done: everything released; proof accepted; pipeline valid
    1  ended, but a block is parked or missed; verify: refused; alive: it is not; doctor: a failure
    2  usage or pipeline wrong
    3  a block file lies or cannot be read
    4  data directory damaged, of a newer version, or of another pipeline
    5  another engine writes this log, or another dispatcher has this name
    6  out of reach or full: the same command later
   70  a bug in push0
  130  interrupted, work left: the same command resumes";
