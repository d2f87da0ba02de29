//! How much the store of a cluster holds, for who asks: counted aside, and seldom, since it is as
//! long as the store is large.
//!
//! It is counted only while somebody asks how far the cluster is. A count of a directory asks a
//! disk for each file, and one of a bucket asks S3 for each thousand, which costs money: so a
//! bucket is counted once an hour at the most.
//!
//! Not here: what is left on its disk (`glance`), and what of it may go (`sweep`).

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use push0_dispatch::Store;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::status::StoreUsage;

/// What was counted last, and a count that is under way.
#[derive(Debug, Default)]
pub(super) struct Count {
    last: Option<(Instant, StoreUsage)>,
    under_way: Option<JoinHandle<(Duration, io::Result<StoreUsage>)>>,
    /// No count begins before.
    next: Option<Instant>,
    /// With it a count under way ends.
    asked: Arc<()>,
}

impl Count {
    /// What is known of it at `now`. Begins a count that is due, and waits for a moment: a small
    /// store is known at once.
    pub(super) async fn look(&mut self, now: Instant, store: &Store) -> Option<StoreUsage> {
        let is_due = self.under_way.is_none() && self.next.is_none_or(|next| next <= now);
        if is_due {
            let (store, asked) = (store.clone(), Arc::downgrade(&self.asked));
            self.under_way = Some(tokio::task::spawn_blocking(move || {
                let (began, counted) = (Instant::now(), count(&store, &asked));
                (began.elapsed(), counted)
            }));
        }
        // Only who has it begun waits: others ask meanwhile.
        let wait = if is_due { WAIT_MAX } else { Duration::ZERO };
        if let Some(counting) = &mut self.under_way
            && let Ok(ended) = timeout(wait, counting).await
        {
            self.under_way = None;
            let (took, counted) =
                ended.unwrap_or_else(|_| (Duration::ZERO, Err(io::ErrorKind::Other.into())));
            let each = if store.dir().is_some() { DIR_EACH } else { BUCKET_EACH };
            self.next = Some(now + each.max(took.saturating_mul(SHARE)));
            // One that failed leaves what was known before.
            if let Ok(counted) = counted {
                self.last = Some((now, counted));
            }
        }
        let (at, counted) = self.last?;
        Some(StoreUsage { seconds: now.saturating_duration_since(at).as_secs(), ..counted })
    }
}

/// Walks through all of it, unless nobody wants to know any more.
fn count(store: &Store, asked: &Weak<()>) -> io::Result<StoreUsage> {
    let mut counted = StoreUsage::default();
    store.walk(&mut |file| {
        if asked.strong_count() == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        counted.bytes = counted.bytes.saturating_add(file.bytes);
        counted.files += 1;
        Ok(())
    })?;
    Ok(counted)
}

/// How long who asks waits for a count.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// From one count of a directory to the next.
const DIR_EACH: Duration = Duration::from_secs(60);

/// From one count of a bucket to the next: a million artifacts are a thousand requests.
const BUCKET_EACH: Duration = Duration::from_secs(3_600);

/// A count takes no more than this share of the time.
const SHARE: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_counted_once_and_again_when_that_is_due() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(counted());
    }

    async fn counted() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        store.put(b"abc").expect("stored");
        let (mut count, begin) = (Count::default(), Instant::now());
        let first = loop {
            if let Some(counted) = count.look(begin, &store).await {
                break counted;
            }
        };
        assert_eq!((first.bytes, first.files, first.seconds), (3, 1, 0));
        store.put(b"de").expect("stored");
        let soon = count.look(begin + Duration::from_secs(59), &store).await.expect("known");
        assert_eq!((soon.files, soon.seconds), (1, 59), "as it was counted");
        let later = begin + Duration::from_secs(60);
        while count.look(later, &store).await.is_none_or(|counted| counted.files < 2) {}
    }
}
