//! How a dispatcher is told to leave, and how it leaves.
//!
//! ```text
//!   works ──SIGTERM, SIGHUP, SIGUSR1, Ctrl-C, a notice, push0 drain──▶ leaves ──nothing runs, nothing is held──▶ has left
//!                                                               │
//!                                          a second signal, or its time is over
//!                                                               ▼
//!                                                  stops: what runs is given to others
//! ```
//!
//! Not here: what it says and hears meanwhile (`dispatch`).

use std::time::{Duration, Instant};

use push0_core::plain;
use push0_dispatch::{Dispatcher, Reclaim};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::error::ClusterError;
use crate::interrupts::Hangup;
use crate::tell::{self, counted};

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
    hangup: Hangup,
    reclaim: Signal,
    notices: mpsc::Receiver<String>,
}

/// What this process is told.
pub(super) enum StopNotice {
    /// To leave; said again, to stop.
    Signal(&'static str),
    /// To leave: its terminal has gone, which hurries nobody.
    Hangup,
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
                let _ = sender.send(notice.comes(|words| tell::warn(words)).await).await;
            });
        }
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: Hangup::new().map_err(ClusterError::Thread)?,
            reclaim: on(SignalKind::user_defined1())?,
            notices,
        })
    }

    pub(super) async fn comes(&mut self) -> StopNotice {
        tokio::select! {
            _ = self.interrupt.recv() => StopNotice::Signal("an interrupt"),
            _ = self.terminate.recv() => StopNotice::Signal("SIGTERM"),
            () = self.hangup.comes() => StopNotice::Hangup,
            _ = self.reclaim.recv() => StopNotice::Notice("SIGUSR1".to_owned()),
            Some(notice) = self.notices.recv() => StopNotice::Notice(notice),
        }
    }
}

/// Whether a dispatcher leaves: takes nothing new, ends what it runs, hands over its results, and
/// goes.
pub(super) struct Leaving<'a> {
    dispatcher: &'a Dispatcher,
    ends: Ends,
    /// How long what runs is waited for, once it leaves.
    until: Option<Instant>,
    /// Whether it is to stop at once.
    is_hurried: bool,
}

impl<'a> Leaving<'a> {
    /// It works.
    pub(super) const fn new(dispatcher: &'a Dispatcher, ends: Ends) -> Self {
        Self { dispatcher, ends, until: None, is_hurried: false }
    }

    /// Takes what this process is told.
    pub(super) fn told(&mut self, told: StopNotice) {
        match told {
            StopNotice::Signal(_) if self.has_begun() => self.is_hurried = true,
            StopNotice::Signal(why) => self.begin(why),
            StopNotice::Hangup => self.begin("SIGHUP"),
            StopNotice::Notice(why) => self.begin(&format!("this machine is taken back ({why})")),
        }
    }

    /// Takes an operator's word.
    pub(super) fn asked(&mut self, by: &str) {
        self.begin(&format!("{} asked for it", plain(by)));
    }

    fn begin(&mut self, why: &str) {
        if self.has_begun() {
            return;
        }
        self.until = Some(Instant::now() + self.ends.drain);
        self.dispatcher.leave();
        let drain = humantime::format_duration(self.ends.drain);
        let waits = match self.dispatcher.counts() {
            (0, 0) => String::new(),
            (0, held) => {
                let results = counted(held, "result");
                format!(": waits up to {drain} for an engine to take {results}; {AT_ONCE}")
            }
            (running, _) => {
                let runs = counted(running, "attempt");
                format!(": takes nothing new, and waits up to {drain} for {runs}; {AT_ONCE}")
            }
        };
        let id = self.dispatcher.life().dispatcher;
        tell::info(format_args!("{id}: leaves, since {why}{waits}"));
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.until.is_some()
    }

    /// Whether nothing is left to do, or its time is over.
    pub(super) fn is_over(&self) -> bool {
        self.is_hurried || self.is_late() || self.dispatcher.counts() == (0, 0)
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// From SIGTERM to SIGKILL for what still runs: whoever stops it at once is in a hurry.
    pub(super) fn grace(&self) -> Duration {
        if self.is_late() { self.ends.grace } else { STOP_GRACE }
    }
}

/// What is said of attempts that run still, and of results that wait for a verdict, when a
/// dispatcher stops.
pub(super) fn stops((running, held): (usize, usize)) -> String {
    if (running, held) == (0, 0) {
        return "leaves: nothing is left to do".to_owned();
    }
    let are = if running == 1 { "is" } else { "are" };
    let kept = match held {
        0 => String::new(),
        held => format!(", and {} kept for its next life", counted(held, "result")),
    };
    format!("stops: {} {are} taken back{kept}", counted(running, "attempt"))
}

const AT_ONCE: &str = "SIGTERM or Ctrl-C stops at once";

/// For provers that are stopped while they work.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(2);
