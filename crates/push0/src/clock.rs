//! The engine's clock: the wall clock, read once, and monotonic time from there.
//!
//! So it never goes back, whatever happens to the wall clock; and it begins no earlier than the
//! last time the log holds.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use push0_core::Timestamp;

/// A clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Timestamp,
    since: Instant,
}

impl Clock {
    /// A clock that shows the wall's time, or `last` if that is later.
    #[must_use]
    pub fn start(last: Timestamp) -> Self {
        Self { anchor: wall().max(last), since: Instant::now() }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.anchor + self.since.elapsed()
    }

    /// The moment at which it will show `at`.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.since + at.since(self.anchor)
    }
}

/// What the wall clock shows.
#[must_use]
pub fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX))
}
