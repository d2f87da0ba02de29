//! What a dispatcher has to say of itself.
//!
//! Not here: who tells people.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use push0_core::{AttemptId, FailureClass, Grant, Key, Outcome, ProgramName, StageName};

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
    /// An attempt came to nothing. Told once of each, however often it is reported.
    AttemptFailed(Box<AttemptFailed>),
    /// Nothing new is begun: the store does not answer. What waits for an input is given back.
    StoreAway { store: String, message: String },
    /// It answers again: work is begun.
    StoreBack,
    /// A GPU is not offered: another process of this machine has it.
    GpuElsewhere { gpu: String, by: String },
    /// It is offered: the other has let go of it.
    GpuFree { gpu: String },
    /// A result waits, for a verifier that has no verdict or a store that does not take it: see to
    /// that. Told of each program and of the store at most once a minute.
    Trouble { message: String },
}

/// How an attempt came to nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttemptFailed {
    /// Which.
    pub attempt: AttemptId,
    /// Of which stage its task is.
    pub stage: StageName,
    /// What was to be proved.
    pub key: Key,
    /// How it ended, as the log names it: a class, `rejected`, `input_lost` or `not_run`.
    pub how: String,
    /// What is known of why, in as many lines as it takes.
    pub message: String,
    /// How long its prover ran.
    pub ran: Duration,
}

impl AttemptFailed {
    /// What is told of an attempt that ends so; nothing of one that was proved, or that somebody
    /// took back.
    pub(crate) fn of(grant: &Grant, outcome: &Outcome, ran: Duration) -> Option<Self> {
        let (how, message) = match outcome {
            Outcome::Failed { class, message } => (word(*class), message.clone()),
            Outcome::Rejected { message } => ("rejected".to_owned(), message.clone()),
            Outcome::NotRun { message } => ("not_run".to_owned(), message.clone()),
            Outcome::InputLost { artifact } => {
                ("input_lost".to_owned(), format!("the store does not have its input {artifact}"))
            }
            Outcome::Proved(_) | Outcome::Cancelled => return None,
        };
        let Grant { attempt, stage, key, .. } = grant;
        Some(Self { attempt: *attempt, stage: stage.clone(), key: *key, how, message, ran })
    }
}

impl fmt::Display for AttemptFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt, stage, key, how, message, ran } = self;
        let (attempt, ran) = (attempt.position(), ran.as_secs_f64());
        write!(
            f,
            "{stage} {key}: attempt {attempt} came to nothing after {ran:.1}s: {how}: {message}"
        )
    }
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
            | Self::AttemptFailed(_)
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
            Self::AttemptFailed(failed) => write!(f, "{failed}"),
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
pub(crate) fn word(class: FailureClass) -> String {
    let word = serde_json::to_value(class).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}
