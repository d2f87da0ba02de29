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
    /// Set once nobody waits for it any more.
    pub(crate) cancel: watch::Receiver<bool>,
    /// Set, with a grace, once the dispatcher ends.
    pub(crate) stop: watch::Receiver<Option<Duration>>,
}

/// Why an attempt is to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pull {
    /// Its deadline passed.
    TimedOut,
    /// Nobody waits for it.
    Cancelled,
    /// The dispatcher ends.
    Stopped,
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
            () = cancelled(&mut self.cancel) => Pull::Cancelled,
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

async fn cancelled(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|is_cancelled| *is_cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// `duration` from now on; a time that no clock reaches is a year.
pub(crate) fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + YEAR)
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
