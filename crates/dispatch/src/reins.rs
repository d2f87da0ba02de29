//! What may end an attempt from outside: its deadline, a cancel, the dispatcher's own end.
//!
//! Not here: how a process is then ended (`process`).

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Held by an attempt, to feel when it is to end.
#[derive(Clone, Debug)]
pub(crate) struct Reins {
    /// When its time is over.
    pub(crate) deadline: Instant,
    /// Set once it is to end before its time.
    pub(crate) cancel: watch::Receiver<Option<Cut>>,
    /// Set, with a grace, once the dispatcher ends.
    pub(crate) stop: watch::Receiver<Option<Duration>>,
}

/// Why an attempt is to end before its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cut {
    /// Nobody waits for it.
    Unwanted,
    /// It fills the disk that all attempts share.
    Greedy {
        /// What its directories hold.
        bytes: u64,
    },
}

/// Why an attempt is to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pull {
    /// Its deadline passed.
    TimedOut,
    /// Nobody waits for it.
    Cancelled,
    /// It fills the disk that all attempts share, with so many bytes.
    Greedy(u64),
    /// The dispatcher ends.
    Stopped,
}

impl Pull {
    /// Of the grace that a process has, what it has when it is ended so.
    pub(crate) const fn grace(self, grace: Duration) -> Duration {
        match self {
            // Each moment costs the others.
            Self::Greedy(_) => Duration::ZERO,
            Self::TimedOut | Self::Cancelled | Self::Stopped => grace,
        }
    }
}

impl Reins {
    /// The same reins with another deadline.
    pub(crate) fn until(&self, deadline: Instant) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Waits until the attempt is to end.
    pub(crate) async fn pulled(&mut self) -> Pull {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => Pull::Stopped,
            cut = cut(&mut self.cancel) => match cut {
                Cut::Unwanted => Pull::Cancelled,
                Cut::Greedy { bytes } => Pull::Greedy(bytes),
            },
            () = sleep_until(self.deadline) => Pull::TimedOut,
        }
    }

    /// Waits for `grace`, or less where the dispatcher's end leaves less.
    pub(crate) async fn grace_over(&mut self, grace: Duration) {
        let now = Instant::now();
        let mut until = after(grace);
        loop {
            if let Some(left) = *self.stop.borrow_and_update() {
                until = until.min(now.checked_add(left).unwrap_or(until));
            }
            tokio::select! {
                biased;
                () = sleep_until(until) => return,
                changed = self.stop.changed() => if changed.is_err() {
                    return sleep_until(until).await;
                }
            }
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<Option<Duration>>) {
    if stop.wait_for(Option::is_some).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn cut(cancel: &mut watch::Receiver<Option<Cut>>) -> Cut {
    let cut = cancel.wait_for(Option::is_some).await.ok().and_then(|cut| *cut);
    match cut {
        Some(cut) => cut,
        None => std::future::pending().await,
    }
}

/// `duration` from now on; a time that no clock reaches is a year.
pub(crate) fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + YEAR)
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
