//! What a dispatcher has to say of itself.
//!
//! Not here: who tells people.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use push0_core::{AttemptId, FailureClass, ProgramName};

use crate::Room;

/// Something that an operator should know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// A program cannot be run here, and is not offered until its file changes.
    ProgramGone { program: ProgramName, message: String },
    /// A program is offered again.
    ProgramBack { program: ProgramName },
    /// Processes that a former life of this dispatcher left behind were ended.
    LeftoversEnded { processes: usize },
    /// Nothing new is begun: a disk is nearly full, or takes nothing. What runs goes on.
    NoRoom { room: Room },
    /// Work is begun again.
    RoomAgain,
    /// Nothing new is begun: a disk has not answered for so long. What runs goes on.
    DiskSilent { path: PathBuf, silence: Duration },
    /// Work is begun again: it answers.
    DiskAgain,
    /// A prover did not end well, and its proof was there: judged, accepted and taken.
    ProofThere { program: ProgramName, attempt: AttemptId, class: FailureClass, how: String },
    /// Nothing new is begun: the store does not answer. What waits for an input is given back.
    StoreAway { store: String, message: String },
    /// It answers again: work is begun.
    StoreBack,
    /// A GPU is not offered: another process of this machine has it.
    GpuElsewhere { gpu: String, by: String },
    /// It is offered: the other has let go of it.
    GpuFree { gpu: String },
    /// A result waits, for a verifier that has no verdict or a store that does not take it: see to that.
    /// Told of each program and of the store at most once a minute.
    Trouble { message: String },
}

impl Notice {
    /// Whether somebody should see to it.
    #[must_use]
    pub const fn is_trouble(&self) -> bool {
        match self {
            Self::ProgramGone { .. }
            | Self::NoRoom { .. }
            | Self::DiskSilent { .. }
            | Self::ProofThere { .. }
            | Self::StoreAway { .. }
            | Self::GpuElsewhere { .. }
            | Self::Trouble { .. } => true,
            Self::ProgramBack { .. }
            | Self::LeftoversEnded { .. }
            | Self::RoomAgain
            | Self::DiskAgain
            | Self::GpuFree { .. }
            | Self::StoreBack => false,
        }
    }
}

impl fmt::Display for Notice {
    /// For a person, in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProgramGone { program, message } => {
                write!(f, "program {program} cannot be run: {message}")
            }
            Self::ProgramBack { program } => write!(f, "program {program} can be run again"),
            Self::LeftoversEnded { processes } => match processes {
                1 => f.write_str("1 process was left over from before, and was ended"),
                _ => write!(f, "{processes} processes were left over from before, and were ended"),
            },
            Self::NoRoom { room } => {
                write!(f, "nothing new is begun, what runs goes on: {room}")
            }
            Self::ProofThere { program, attempt, class, how } => {
                let (attempt, class) = (attempt.position(), word(*class));
                write!(
                    f,
                    "attempt {attempt} of {program} did not end well ({class}), and its proof was there, \
                     whole: it was verified, and is taken: {how}"
                )
            }
            Self::RoomAgain => f.write_str("there is room again: work goes on"),
            Self::DiskSilent { path, silence } => write!(
                f,
                "nothing new is begun, what runs goes on: the disk of {} has not answered for {} s: see to \
                 its mount or its server",
                path.display(),
                silence.as_secs()
            ),
            Self::DiskAgain => f.write_str("the disk answers again: work goes on"),
            Self::StoreAway { store, message } => {
                write!(f, "nothing new is begun: {store} does not answer: {message}")
            }
            Self::StoreBack => f.write_str("the store answers again: work goes on"),
            Self::GpuElsewhere { gpu, by } => write!(
                f,
                "GPU {gpu} is not offered: on this machine {by} has it; it is offered once that lets go of it"
            ),
            Self::GpuFree { gpu } => write!(f, "GPU {gpu} is free: it is offered"),
            Self::Trouble { message } => write!(f, "{message}"),
        }
    }
}

/// A class as the log names it.
fn word(class: FailureClass) -> String {
    let word = serde_json::to_value(class).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}
