//! How long a result in hand waits for who fails it: a verifier without a verdict, a full disk.
//!
//! A proof may have taken an hour; a verifier's failure, or the store's, is no reason to make it
//! again. So what failed is tried again, with growing pauses, for as long as the engine's lease
//! leaves room.
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
    pause: Duration,
    until: Instant,
    /// The same once there is a verdict: who waits for a store has waited for a verifier before.
    at_last: Instant,
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
        let until = after(retry.total.saturating_add(timeout / SHARE * SHARES));
        Self { retry, pause: retry.pause, until, at_last: until }
    }

    /// The same, with a verifier first that may take `ask` each time. It is not waited for as long
    /// as the lease lasts: that would be hours of a slot for a verifier that only hangs.
    pub(crate) fn with_verifier(retry: Retry, timeout: Duration, ask: Duration) -> Self {
        let whole = Self::new(retry, timeout);
        let verdict = retry.total.max(ask.saturating_mul(VERIFICATIONS));
        Self { until: after(verdict).min(whole.at_last), ..whole }
    }

    /// When a verifier that is asked now, and may take `ask`, is given up.
    pub(crate) fn limit(&self, ask: Duration) -> Instant {
        after(ask).min(self.until)
    }

    /// Whether its time is over: what was ended now may have had less than its own.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Begins with short pauses again: something else is tried.
    pub(crate) fn turn(&mut self) {
        self.pause = self.retry.pause;
        self.until = self.at_last;
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

/// The engine's lease is longer than the attempt by three tenths of its time (`push0-core`,
/// `assign`).
const SHARE: u32 = 10;
const SHARES: u32 = 3;

/// A verifier may take all its time twice (`verify`).
const VERIFICATIONS: u32 = 2;
