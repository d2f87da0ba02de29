//! Clocks: how a party sees virtual time.
//!
//! An engine's clock is the wall's at its start, or the log's if that is later, and runs on by
//! itself from there, fast or slow.

use std::time::Duration;

use push0_core::Timestamp;

/// An engine's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    anchor: Timestamp,
    since: Duration,
    rate: Rate,
}

/// How fast a clock runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Its microseconds in a thousand of virtual time.
    permille: u32,
}

impl Rate {
    pub(crate) const TRUE: Self = Self { permille: 1000 };

    pub(crate) const fn permille(permille: u32) -> Self {
        Self { permille }
    }

    /// What it shows of a virtual time.
    pub(crate) fn shown(self, elapsed: Duration) -> Duration {
        elapsed * self.permille / 1000
    }

    /// The virtual time after which it shows that much, to the microsecond above.
    pub(crate) fn elapsed(self, shown: Duration) -> Duration {
        shown * 1000 / self.permille + Duration::from_micros(1)
    }
}

impl Clock {
    pub(crate) const fn start(anchor: Timestamp, since: Duration, rate: Rate) -> Self {
        Self { anchor, since, rate }
    }

    /// What it shows, to the microsecond.
    pub(crate) fn now(&self, virtual_now: Duration) -> Timestamp {
        self.anchor + self.rate.shown(virtual_now.saturating_sub(self.since))
    }

    /// The virtual time at which it shows `at`.
    pub(crate) fn when(&self, at: Timestamp) -> Duration {
        self.since + self.rate.elapsed(at.since(self.anchor))
    }
}
