//! What is measured: something that takes tasks by number, and shows when each has a durable
//! result.
//!
//! ```text
//!   submit(n) ──▶ push0, or a baseline ──▶ done(n, at, ran)
//!       └──────────── overhead + ran ─────────────┘
//! ```
//!
//! Every system is driven through this face, so that none is measured otherwise than the others.
//!
//! Not here: how much is submitted when (`load`).

pub(crate) mod cluster;
pub(crate) mod fake;
pub(crate) mod file;
pub(crate) mod pipeline;
mod watch;

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use crate::fault::Fault;

/// A task's result, as the client sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// Which task.
    pub(crate) task: u64,
    /// When the client saw that its result is durable.
    pub(crate) at: Instant,
    /// How long its prover ran, by the dispatcher's clock.
    pub(crate) ran: Duration,
}

/// Begins to submit tasks and returns without their answers. The numbers follow those before them.
pub(crate) type Submit = Box<dyn FnMut(Range<u64>) + Send>;

/// Where results go, or what keeps more from coming.
pub(crate) type Told = Sender<Result<Done, Fault>>;

/// A system that runs. Dropped, all that it started ends.
pub(crate) struct Running {
    pub(crate) submit: Submit,
    pub(crate) done: Receiver<Result<Done, Fault>>,
    /// Ends what was started, last of all.
    pub(crate) _parts: Box<dyn Any>,
}

/// Who proves, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) dispatchers: u32,
    /// Of each dispatcher.
    pub(crate) slots: u32,
    pub(crate) prover: Prover,
    pub(crate) payload: Payload,
    /// Whether each block also opens a task of a program that nobody runs: they stay open.
    pub(crate) has_backlog: bool,
}

/// For a client and for dispatchers, with the time slices that the binary's own threads have.
///
/// # Errors
///
/// That no thread can be started.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(push0_dispatch::shorten_time_slice)
        .enable_all()
        .build()
}

/// What stands for a prover.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Prover {
    /// Answers at once, in the dispatcher.
    Echo,
    /// Answers after this time, in the dispatcher.
    Sleep(Duration),
    /// A process kept warm (the serve contract) that answers at once, under a real dispatcher.
    Serve,
    /// A process for each task (the file contract) that answers at once, under a real dispatcher.
    File,
}

/// What a task carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Payload {
    /// A digest: the bytes are in the store already, and nobody reads them.
    Reference,
    /// 500 bytes: the client stores them, the prover reads them, and makes as many.
    Bytes500,
}

impl Payload {
    /// As the results name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Bytes500 => "500B",
        }
    }
}

impl FromStr for Payload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "reference" => Ok(Self::Reference),
            "500B" => Ok(Self::Bytes500),
            _ => Err(format!("{text:?} is no payload: say reference or 500B")),
        }
    }
}

impl fmt::Display for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => f.write_str("echo"),
            Self::Sleep(time) => write!(f, "sleep:{}", humantime::format_duration(*time)),
            Self::Serve => f.write_str("serve"),
            Self::File => f.write_str("file"),
        }
    }
}

impl FromStr for Prover {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is no prover: say echo, sleep:TIME, serve or file");
        match text {
            "echo" => Ok(Self::Echo),
            "serve" => Ok(Self::Serve),
            "file" => Ok(Self::File),
            _ => {
                let time = text.strip_prefix("sleep:").ok_or_else(unknown)?;
                humantime::parse_duration(time).map(Self::Sleep).map_err(|_| unknown())
            }
        }
    }
}
