//! How a process ended, and which class of failure that is (`docs/formats.md`).
//!
//! Not here: why it was ended, if somebody did (`reins`).

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use push0_core::FailureClass;

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// By SIGKILL, in whose time the kernel killed for memory.
    OutOfMemory,
    /// It, or what it had started, was killed by the kernel at the limit of its group. Unit: bytes.
    OverMemory(u64),
    /// Nobody knows.
    Unknown,
}

impl Exit {
    /// `had_oom`: whether the kernel killed something for memory while it ran.
    pub(crate) fn new(status: Option<ExitStatus>, had_oom: bool) -> Self {
        let Some(status) = status else { return Self::Unknown };
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(SIGKILL)) if had_oom => Self::OutOfMemory,
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }

    /// The class of an attempt whose prover ended so, without a result.
    pub(crate) const fn class(self) -> FailureClass {
        match self {
            Self::Code(75) => FailureClass::Transient,
            Self::Code(77) => FailureClass::Unprovable,
            Self::Code(137) | Self::OutOfMemory | Self::OverMemory(_) => FailureClass::Resource,
            Self::Code(_) | Self::Signal(_) | Self::Unknown => FailureClass::Failed,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(75) => f.write_str("exit 75: it asks to be tried again"),
            Self::Code(77) => f.write_str("exit 77: it cannot prove this, or a limit was passed"),
            Self::Code(137) => f.write_str("exit 137: out of memory"),
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => match NAMES.iter().find(|(number, _)| number == signal) {
                Some((_, name)) => write!(f, "killed by {name} (signal {signal})"),
                None => write!(f, "killed by signal {signal}"),
            },
            Self::OutOfMemory => f.write_str("killed by the kernel, which was out of memory"),
            Self::OverMemory(limit) => {
                let mib = limit >> 20;
                write!(f, "killed by the kernel for its memory, its program declares {mib} MiB")
            }
            Self::Unknown => f.write_str("ended, nobody knows how"),
        }
    }
}

const SIGKILL: i32 = 9;

/// The signals that end provers, as Linux numbers them.
const NAMES: &[(i32, &str)] = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (13, "SIGPIPE"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (31, "SIGSYS"),
];
