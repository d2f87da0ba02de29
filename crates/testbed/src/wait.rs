//! Waiting for something to become so, with a bound.
//!
//! Not here: what to wait for.

use std::thread;
use std::time::{Duration, Instant};

/// Waits until `look` finds something, and gives what it found.
///
/// # Panics
///
/// If that takes longer than [`PATIENCE`]; `what` says what did not happen.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// How long anything is waited for: far longer than an election takes on a busy machine (seconds).
pub const PATIENCE: Duration = Duration::from_secs(60);

const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
