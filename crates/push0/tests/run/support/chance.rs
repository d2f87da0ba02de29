//! Chance that can be repeated: every number follows from a seed, which is printed.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::time::Duration;

/// Numbers that follow from a seed (Steele et al., splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    /// With the seed that `PUSH0_TEST_SEED` gives, or another each time. Printed, for the next
    /// time.
    pub(crate) fn new() -> Self {
        let given = std::env::var("PUSH0_TEST_SEED").ok().map(|seed| seed.parse().expect("a seed"));
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one("push0") >> 32);
        // To stderr itself: a test that passes keeps what it prints to itself.
        let _ = writeln!(io::stderr(), "PUSH0_TEST_SEED={seed}");
        Self(seed)
    }

    /// From 0 up to `end`, which is left out.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = (mixed ^ (mixed >> 31)) % end as u64;
        usize::try_from(drawn).expect("below a usize")
    }

    pub(crate) fn millis(&mut self, end: usize) -> Duration {
        Duration::from_millis(self.below(end) as u64)
    }
}

/// How many kills: what `PUSH0_TEST_KILLS` says, for a longer look by hand.
pub(crate) fn kills(usual: usize) -> usize {
    let given = std::env::var("PUSH0_TEST_KILLS").ok();
    given.map_or(usual, |kills| kills.parse().expect("a number of kills"))
}
