//! Exit codes: the table (README).
//!
//! Not here: which code an error has, which stands beside the error, and what is said about it.

use std::io;
use std::process::ExitCode;

use push0_log::ReadError;
use push0_pipeline::PipelineFileError;

use crate::tell;

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[repr(u8)]
pub enum Exit {
    /// Everything is released; the proof is accepted; the pipeline is valid.
    Done = 0,
    /// It ended, but a block is parked, missed or beside the chain, or a program is held; the proof
    /// is refused; it is not alive; the machine is not fit.
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
    1  ended, but a block is parked or missed, or a program held; submit: a block is never proved;
       verify: refused; alive: it is not; doctor: a failure
    2  usage or pipeline wrong
    3  a block file lies or cannot be read
    4  data directory damaged, of a newer version, or of another pipeline
    5  another engine writes this log, or another dispatcher has this name
    6  out of reach or full: the same command later
   70  a bug in push0
  130  interrupted, work left: the same command resumes";
