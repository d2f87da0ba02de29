//! Which life of a dispatcher this is: a number above that of every life before.
//!
//! An engine that hears a late beat of a life that is over can tell. The number is the wall
//! clock's, and one more than the last where the clock has gone back; where neither is to be had,
//! the engine gives the former life up after its silence, as if it were another dispatcher's.
//!
//! Not here: what an engine makes of it (`push0_core::Fleet`).

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::bounded::{self, LINE_BYTES_MAX};
use crate::folder::write_own;

/// The number of a life that begins now. Best effort: a disk that is full keeps no dispatcher from
/// starting.
pub(crate) fn next(dir: &Path) -> u64 {
    let path = dir.join(FILE);
    let next = wall().max(last_life(dir).map_or(0, |last| last.saturating_add(1)));
    let new = dir.join("incarnation.new");
    let _ = write_own(&new, format!("{next}\n")).and_then(|()| fs::rename(&new, &path));
    next
}

/// The life that this directory had last. Whoever has the directory's lock knows that it is over.
#[must_use]
pub fn last_life(dir: &Path) -> Option<u64> {
    bounded::read_text(&dir.join(FILE), LINE_BYTES_MAX).ok()?.trim().parse().ok()
}

/// Unit: milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "no clock decides here: a number that grows is wanted"
)]
fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

const FILE: &str = "incarnation";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_is_above_the_one_before_whatever_the_clock_says() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = next(dir.path());
        assert!(first >= wall() - 1_000 && next(dir.path()) > first);
        let ahead = wall() + 3_600_000;
        fs::write(dir.path().join(FILE), format!("{ahead}\n")).expect("a writable directory");
        assert_eq!([(); 2].map(|()| next(dir.path())), [ahead + 1, ahead + 2]);
        fs::write(dir.path().join(FILE), "no number").expect("a writable directory");
        assert!(next(dir.path()) < ahead);
    }
}
