//! Which exit code an error of a cluster has.
//!
//! Not here: what is said about it (`error`).

use push0_dispatch::StartError;
use push0_log::{AppendError, NatsError};

use super::error::ClusterError;
use crate::engine::EngineError;
use crate::exit::Exit;

impl From<&ClusterError> for Exit {
    fn from(error: &ClusterError) -> Self {
        match error {
            ClusterError::Pipeline(_)
            | ClusterError::Nowhere
            | ClusterError::NobodyToAsk
            | ClusterError::NotConfirmed
            | ClusterError::NothingRuns
            | ClusterError::NotDone(_)
            | ClusterError::NobodyNamed
            | ClusterError::Forbidden { .. }
            | ClusterError::Setting { .. }
            | ClusterError::OfFile { .. }
            | ClusterError::Program { .. }
            | ClusterError::OtherStore { .. }
            | ClusterError::StoreOfOther { .. }
            | ClusterError::StoreOfUnknown { .. }
            | ClusterError::StoreEmpty { .. }
            | ClusterError::NoLocks { .. }
            | ClusterError::Foreign(_)
            | ClusterError::Dispatcher(StartError::Foreign(_))
            | ClusterError::Nats(
                NatsError::Config { .. }
                | NatsError::Forbidden { .. }
                | NatsError::Old { .. }
                | NatsError::SmallPayload { .. }
                | NatsError::Setting { .. },
            )
            | ClusterError::SmallPayload { .. }
            | ClusterError::Metrics(_) => Self::Usage,
            ClusterError::Source(_) => Self::Source,
            ClusterError::Nats(NatsError::Unreadable(error)) | ClusterError::Read(error) => {
                Self::from(error)
            }
            ClusterError::Illegal(_)
            | ClusterError::OtherPipeline { .. }
            | ClusterError::Refused { .. }
            | ClusterError::Mark { .. }
            | ClusterError::RecallMark { .. }
            | ClusterError::Engine(EngineError::Append(AppendError::Replaced { .. })) => Self::Data,
            ClusterError::Dispatcher(StartError::Locked { .. })
            | ClusterError::NameTaken(_)
            | ClusterError::OutInUse { .. }
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
            | ClusterError::NotLeaving { .. }
            | ClusterError::LogSilent
            | ClusterError::Dir { .. }
            | ClusterError::Thread(_) => Self::OutOfReach,
        }
    }
}
