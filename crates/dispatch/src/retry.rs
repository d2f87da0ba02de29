//! How long a result in hand waits for who fails it: a verifier without a verdict, a full disk.
//!
//! A proof may have taken an hour; a verifier's failure, or the store's, is no reason to make it again.
//! So what failed is tried again, with growing pauses, for as long as the engine's lease leaves room.
//!
//! Not here: what is tried (`verify`, `attempt/settle`).

use std::time::Duration;

use tokio::time::Instant;

use crate::Retry;
use crate::reins::{Pull, Reins, after};

/// The patience with one result.
#[derive(Debug)]
pub(crate) struct Patience {
    retry: Retry,
    limit: Duration,
    pause: Duration,
    until: Instant,
}

/// What comes after a try that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// Another.
    Again,
    /// Nothing: its time is over.
    Over,
    /// Nothing: the attempt is to end.
    Pulled(Pull),
}

impl Patience {
    /// From now on, for a result whose prover had `timeout`.
    pub(crate) fn new(retry: Retry, timeout: Duration) -> Self {
        let share = timeout / LIMIT_SHARE;
        let until = after(retry.total.saturating_add(share.saturating_mul(VERIFIERS)));
        Self { retry, limit: retry.limit.max(share), pause: retry.pause, until }
    }

    /// When a verifier that is asked now is given up.
    pub(crate) fn limit(&self) -> Instant {
        after(self.limit).min(self.until)
    }

    /// Begins with short pauses again: something else is tried.
    pub(crate) fn turn(&mut self) {
        self.pause = self.retry.pause;
    }

    /// Waits before another try. The attempt's own time may be over; its prover was done in it.
    pub(crate) async fn pause(&mut self, reins: &Reins) -> Next {
        let again = after(self.pause);
        if again >= self.until {
            return Next::Over;
        }
        self.pause = self.pause.saturating_mul(2).min(self.retry.pause_max);
        match reins.until(again).pulled().await {
            Pull::TimedOut => Next::Again,
            pull @ (Pull::Cancelled | Pull::Stopped | Pull::Greedy(_)) => Next::Pulled(pull),
        }
    }
}

/// A verifier may take this part of the prover's time, where that is more than its least.
const LIMIT_SHARE: u32 = 10;

/// So many of these parts are there in all.
const VERIFIERS: u32 = 3;
