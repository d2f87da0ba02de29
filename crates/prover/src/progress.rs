//! How a running proof tells how far it is, and learns that nobody wants it any more.
//!
//! Not here: who listens (`file`, `serve`).

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::replies::Replies;
use crate::wire::Reply;

/// A handle on the attempt that is being proved. Cheap to clone, and may go to other threads.
#[derive(Clone, Debug)]
pub struct Progress {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    listener: Listener,
    cancelled: Arc<AtomicBool>,
    last: Mutex<Option<Instant>>,
}

#[derive(Debug)]
enum Listener {
    Nobody,
    Stdout,
    Serve { attempt: u64, replies: Replies },
}

impl Progress {
    /// Tells nobody: for a prover's own tests.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(Listener::Nobody, Arc::default())
    }

    pub(crate) fn stdout() -> Self {
        Self::new(Listener::Stdout, Arc::default())
    }

    pub(crate) fn serve(attempt: u64, replies: Replies, cancelled: Arc<AtomicBool>) -> Self {
        Self::new(Listener::Serve { attempt, replies }, cancelled)
    }

    /// Tells how far the proof is, from 0 to 1. May be called as often as is handy: what comes
    /// within a tenth of a second of the last is not passed on.
    pub fn fraction(&self, fraction: f64) {
        if !fraction.is_finite() || !self.is_due() {
            return;
        }
        let fraction = fraction.clamp(0.0, 1.0);
        match &self.shared.listener {
            Listener::Nobody => {}
            Listener::Stdout => {
                // Nobody may be reading; the proof goes on.
                let _ = writeln!(std::io::stdout(), "progress {fraction:.4}");
            }
            Listener::Serve { attempt, replies } => {
                replies.send(&Reply::Progress { attempt: *attempt, fraction });
            }
        }
    }

    /// Whether the proof is no longer wanted. Return [`Failure::cancelled`] soon.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    /// The same as an error, for `progress.check()?` between two steps.
    ///
    /// # Errors
    ///
    /// [`Failure::cancelled`] once the proof is no longer wanted.
    pub fn check(&self) -> Result<(), Failure> {
        if self.is_cancelled() { Err(Failure::cancelled()) } else { Ok(()) }
    }

    fn new(listener: Listener, cancelled: Arc<AtomicBool>) -> Self {
        Self { shared: Arc::new(Shared { listener, cancelled, last: Mutex::new(None) }) }
    }

    fn is_due(&self) -> bool {
        let mut last = self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= INTERVAL_MIN);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

/// The shortest time between two reports of one attempt: finer ones only cost the listener.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
