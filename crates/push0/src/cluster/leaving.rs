//! How a dispatcher is told to leave, and how it leaves.
//!
//! ```text
//!   works ──SIGTERM, SIGUSR1, Ctrl-C, a notice, push0 drain──▶ leaves ──nothing runs, nothing is held──▶ has left
//!                                                               │
//!                                          a second signal, or its time is over
//!                                                               ▼
//!                                                  stops: what runs is given to others
//! ```
//!
//! Not here: what it says and hears meanwhile (`dispatch`).

use std::time::{Duration, Instant};

use push0_dispatch::{Dispatcher, Reclaim};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::error::ClusterError;
use crate::run::say;

/// How it ends what it runs.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    /// How long what runs is waited for.
    pub(super) drain: Duration,
    /// From SIGTERM to SIGKILL for what has not ended by then.
    pub(super) grace: Duration,
}

/// What tells this process to leave, and to stop.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    reclaim: Signal,
    notices: mpsc::Receiver<String>,
}

/// What this process is told.
pub(super) enum Told {
    /// To leave; said again, to stop.
    Signal(&'static str),
    /// That the machine is taken back.
    Notice(String),
}

impl Stop {
    /// Listens from here on.
    pub(super) fn new(notice: Option<Reclaim>) -> Result<Self, ClusterError> {
        let on = |kind| signal(kind).map_err(ClusterError::Thread);
        let (sender, notices) = mpsc::channel(1);
        if let Some(notice) = notice {
            tokio::spawn(async move {
                let _ = sender.send(notice.comes(say).await).await;
            });
        }
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            reclaim: on(SignalKind::user_defined1())?,
            notices,
        })
    }

    pub(super) async fn comes(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Signal("an interrupt"),
            _ = self.terminate.recv() => Told::Signal("SIGTERM"),
            _ = self.reclaim.recv() => Told::Notice("SIGUSR1".to_owned()),
            Some(notice) = self.notices.recv() => Told::Notice(notice),
        }
    }
}

/// That it takes nothing new, ends what it runs, hands over its results, and goes.
pub(super) struct Leaving {
    /// How long that is waited for.
    pub(super) until: Instant,
}

impl Leaving {
    /// From here on; `why` is for a person.
    pub(super) fn begin(dispatcher: &Dispatcher, ends: Ends, why: &str) -> Self {
        dispatcher.leave();
        let (running, _) = dispatcher.counts();
        if running > 0 {
            let (runs, drain) =
                (counted(running, "attempt"), humantime::format_duration(ends.drain));
            say(&format!(
                "leaves, since {why}: takes nothing new, and waits up to {drain} for {runs}; SIGTERM or Ctrl-C stops at once"
            ));
        } else {
            say(&format!("leaves, since {why}"));
        }
        Self { until: Instant::now() + ends.drain }
    }
}

/// `1 attempt`, `2 attempts`.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

pub(super) fn kept(held: usize) -> String {
    match held {
        0 => String::new(),
        held => format!(", and {} wait for its next life", counted(held, "result")),
    }
}
