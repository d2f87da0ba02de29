//! Which exit code an error of a run has.
//!
//! Not here: what is said about it (`error`).

use push0_dispatch::StartError;
use push0_log::{AppendError, OpenError};

use super::error::RunError;
use crate::engine::EngineError;
use crate::exit::Exit;

impl From<&RunError> for Exit {
    fn from(error: &RunError) -> Self {
        match error {
            RunError::Pipeline(_)
            | RunError::Submitted { .. }
            | RunError::Until { .. }
            | RunError::Foreign(_)
            | RunError::Dispatcher(StartError::Foreign(_))
            | RunError::Program { .. }
            | RunError::Unoffered(_)
            | RunError::Memory { .. }
            | RunError::Metrics(_) => Self::Usage,
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
            | RunError::Hangs { .. }
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
