//! Time as the log tells it: microseconds since 1970, never going back.
//!
//! Not here: a clock. Time is an argument of the core.

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment. Unit: microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How long after `earlier` this is; nothing if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the end of time.
    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// A moment at which the caller must send [`Input::Wake`](crate::Input::Wake), and the reason, for
/// people.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// For people; never branched on.
    pub why: &'static str,
}
