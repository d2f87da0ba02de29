//! Chance: every draw of a world comes from its seed, and nothing else does.
//!
//! A world has many streams, one for each kind of thing that is drawn, so that a fault which is
//! left out moves as little as possible of the rest.

use std::time::Duration;

use oorandom::Rand64;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Chance(Rand64);

impl Chance {
    /// The stream of that number, of that seed.
    pub(crate) fn of(seed: u64, stream: u64) -> Self {
        Self(Rand64::new((u128::from(seed) << 64) | u128::from(stream)))
    }

    /// A number below `limit`; 0 where that is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.0.rand_range(0..limit) }
    }

    /// A number of `low..=high`.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in so many of a thousand.
    pub(crate) fn permille(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// True in half of all cases.
    pub(crate) fn flip(&mut self) -> bool {
        self.permille(500)
    }

    /// One of these; none of none.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.below(from.len() as u64);
        from.get(usize::try_from(index).ok()?)
    }

    /// A time of `low..=high` milliseconds, to the microsecond.
    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.within(low * 1000, high * 1000))
    }
}
