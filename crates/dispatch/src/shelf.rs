//! Has what an attempt printed that came to nothing outlive its machine: it goes into the store
//! before the report leaves.
//!
//! A failure is never kept waiting for long, and a store that hangs holds one thread, which does
//! nothing else. What does not fit is left out: the last lines are in the failure's message all the
//! same.
//!
//! Not here: where it is in the store (`store`), and what shows it (`push0 logs`).

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use push0_core::{AttemptId, Outcome, TaskId};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::aside::Aside;
use crate::{Config, Store};

/// The way into the store. Dropped, it has a moment for what is left.
#[derive(Debug)]
pub(crate) struct Shelf {
    aside: Aside,
    store: Store,
    /// How many may be put now, and since when that is so.
    room: Mutex<(f64, Instant)>,
}

impl Shelf {
    /// That of a dispatcher whose engine is another process; none where it is not.
    pub(crate) fn of(config: &Config) -> io::Result<Option<Self>> {
        config.keeps_results.then(|| Self::new(config.store.clone())).transpose()
    }

    fn new(store: Store) -> io::Result<Self> {
        let aside = Aside::start("outputs", WAITING_MAX)?;
        Ok(Self { aside, store, room: Mutex::new((AT_ONCE, Instant::now())) })
    }

    /// Keeps the text of an attempt, and waits until it is kept, for a moment.
    pub(crate) async fn put(&self, of: (AttemptId, TaskId), text: String) {
        if !self.takes(Instant::now()) {
            return;
        }
        let store = self.store.clone();
        let (done, is_done) = oneshot::channel();
        let is_begun = self.aside.run(move || {
            // Best effort: a store that takes nothing is told of by who needs it.
            let _ = store.put_output(of, text.as_bytes());
            let _ = done.send(());
        });
        if is_begun {
            let _ = timeout(PUT_MAX, is_done).await;
        }
    }

    /// Whether one more may be put: a machine that fails everything at once fills no store.
    fn takes(&self, now: Instant) -> bool {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *room;
        let left = (left + now.duration_since(since).as_secs_f64() * A_SECOND).min(AT_ONCE);
        let takes = left >= 1.0;
        *room = (if takes { left - 1.0 } else { left }, now);
        takes
    }
}

/// Whether it is worth keeping what an attempt printed that ended so.
pub(crate) const fn is_kept(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed { .. } | Outcome::Rejected { .. } | Outcome::NotRun { .. } => true,
        Outcome::Proved(_) | Outcome::InputLost { .. } | Outcome::Cancelled => false,
    }
}

/// How long a report waits for it: far longer than a store that is well takes.
const PUT_MAX: Duration = Duration::from_secs(2);

/// Texts that wait for the store, of some 64 KiB each.
const WAITING_MAX: usize = 64;

/// Texts that are put a second, for as long as it goes on.
const A_SECOND: f64 = 1.0;

/// Texts that are put at once, where none was for a while.
const AT_ONCE: f64 = 64.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_on_and_on_is_kept_now_and_then() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        let shelf = Shelf::new(store).expect("a thread");
        let begin = Instant::now();
        let taken = |at| (0..1_000).filter(|_| shelf.takes(at)).count();
        assert_eq!([taken(begin), taken(begin)], [64, 0]);
        assert_eq!(taken(begin + Duration::from_secs(10)), 10);
        assert_eq!(taken(begin + Duration::from_secs(10_000)), 64, "no more is saved up");
    }
}
