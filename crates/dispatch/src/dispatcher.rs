//! The dispatcher's face: started with a configuration, spoken to in messages, and shut down.
//!
//! Not here: what its threads do (`desk`, `beat`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use push0_core::{Capacity, FromDispatcher, ProgramName, ToDispatcher};
use tokio::sync::{mpsc, watch};

use crate::board::{Board, View};
use crate::config::random;
use crate::{Config, StoreError};

/// A dispatcher that runs, and the ends of its channels.
#[derive(Debug)]
pub struct Started {
    /// Owns its threads.
    pub dispatcher: Dispatcher,
    /// To it. When full, leave the message out: what matters is sent again.
    pub to: mpsc::Sender<ToDispatcher>,
    /// From it. When full, messages are left out: the next beat brings what matters again.
    pub from: mpsc::Receiver<FromDispatcher>,
    /// What an operator should know. When full, notices are left out.
    pub notices: mpsc::Receiver<Notice>,
}

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
    /// Something of the dispatcher's own went wrong that no attempt's report tells.
    Trouble { message: String },
}

/// A dispatcher that runs. Dropped, it ends everything at once.
#[derive(Debug)]
pub struct Dispatcher {
    board: Arc<Board>,
    stop: watch::Sender<Option<Duration>>,
    threads: Vec<JoinHandle<()>>,
}

impl Dispatcher {
    /// What it does at the moment.
    #[must_use]
    pub fn view(&self) -> View {
        View(Arc::clone(&self.board))
    }

    /// Starts to end everything: SIGTERM to all provers, SIGKILL after `grace`. Returns at once; said
    /// again, the shorter grace counts. Attempts that this ends are reported as not run.
    pub fn begin_shutdown(&self, grace: Duration) {
        self.stop
            .send_modify(|stop| *stop = Some(stop.map_or(grace, |earlier| earlier.min(grace))));
    }

    /// Ends everything and waits until nothing is left: no process, no thread, no attempt's directory.
    /// Blocks for about as long as `grace`.
    pub fn shutdown(mut self, grace: Duration) {
        self.end(grace);
    }

    fn end(&mut self, grace: Duration) {
        self.begin_shutdown(grace);
        for thread in self.threads.drain(..) {
            // A panic there was printed; nothing more can be done about it here.
            let _ = thread.join();
        }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Why a dispatcher cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Wait for the other to end, or use another directory.
    #[error("another dispatcher uses {}", dir.display())]
    Locked { dir: PathBuf },
    /// Mend the directory.
    #[error("{}: {source}", path.display())]
    Dir { path: PathBuf, source: io::Error },
    /// Mend the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Try again: the system has no thread or memory to give.
    #[error("no thread to be had: {0}")]
    Thread(#[source] io::Error),
}

/// Starts a dispatcher. What a former life of it left behind is ended first.
///
/// # Errors
///
/// [`StartError`]; nothing runs then.
pub fn start(config: Config) -> Result<Started, StartError> {
    let incarnation = random::<8>().map(u64::from_le_bytes).map_err(StartError::Thread)?;
    let capacity = Capacity {
        programs: config.programs.keys().cloned().collect(),
        slots: config.slots,
        memory_bytes: config.memory_bytes,
        gpus: config.gpus,
    };
    let board = Arc::new(Board::new(config.id.clone(), incarnation, capacity));
    let (to, _) = mpsc::channel(TO_MAX);
    let (_, from) = mpsc::channel(FROM_MAX);
    let (_, notices) = mpsc::channel(NOTICES_MAX);
    let (stop, _) = watch::channel(None);
    let dispatcher = Dispatcher { board, stop, threads: Vec::new() };
    Ok(Started { dispatcher, to, from, notices })
}

/// Messages on their way to it.
const TO_MAX: usize = 1024;

/// Messages on their way from it.
const FROM_MAX: usize = 1024;

/// Notices that nobody has read.
const NOTICES_MAX: usize = 256;
