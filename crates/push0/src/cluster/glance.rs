//! How far it is, as many may ask: the engine is looked at once a second at the most, whoever asks,
//! and not at all while it waits for room.
//!
//! Not here: what is shown (`status`), and who may ask.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use push0_core::{Epoch, Fleet, Scheduler};
use push0_dispatch::Store;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};

use super::bound::Bound;
use super::count::Count;
use crate::engine::{EngineGone, Handle};
use crate::status::{Space, Status, Subject};

/// The last look, for all who ask. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Glance(Arc<Mutex<GlanceState>>, Store);

/// What a look has shown.
#[derive(Clone, Debug)]
pub(super) struct ClusterView {
    pub(super) status: Status,
    /// In which it is led.
    pub(super) epoch: Epoch,
}

#[derive(Debug)]
struct GlanceState {
    last: Option<(Instant, ClusterView)>,
    /// A look that is under way, and until when it is waited for: all who ask share that.
    looks: Option<(tokio::time::Instant, JoinHandle<Result<ClusterView, EngineGone>>)>,
    /// What is left of the store's disk, as it was seen last.
    space: Option<Space>,
    /// A look at that, which a disk that hangs may hold.
    spaces: Option<JoinHandle<Option<Space>>>,
    /// What the store holds.
    count: Count,
    /// How often single things are looked at.
    abouts: Bound,
}

impl Default for GlanceState {
    fn default() -> Self {
        let abouts = Bound::new(ABOUTS_A_SECOND);
        let count = Count::default();
        Self { last: None, looks: None, space: None, spaces: None, count, abouts }
    }
}

impl Glance {
    pub(super) fn of(store: Store) -> Self {
        Self(Arc::default(), store)
    }

    /// The state as it was within the last second; or as it was last seen, where the engine has no
    /// time or no room. None where it was never seen: who asks asks again.
    pub(super) async fn status(&self, handle: &Handle) -> Option<ClusterView> {
        let mut looked = self.0.lock().await;
        let is_new = |(at, _): &&(Instant, ClusterView)| at.elapsed() < LOOK_EACH;
        if looked.last.as_ref().filter(is_new).is_none() {
            looked.look(handle).await;
            looked.look_at_disk(&self.1).await;
        }
        let counted = looked.count.look(Instant::now(), &self.1).await;
        let (at, mut seen) = looked.last.clone()?;
        // The engine may have had no room to be looked at for long.
        seen.status.grow_older(at.elapsed());
        seen.status.space.clone_from(&looked.space);
        seen.status.store = counted;
        drop(looked);
        seen.status.log = handle.room().map(Into::into);
        Some(seen)
    }
}

impl Glance {
    /// Why one thing is where it is. No answer where the engine has no time, or is asked so more
    /// often than it may be: who asks asks again.
    pub(super) async fn about(&self, handle: &Handle, subject: Subject) -> Option<Status> {
        if !self.0.lock().await.abouts.takes(Instant::now()) {
            return None;
        }
        let look = move |scheduler: &Scheduler, fleet: &Fleet| {
            Status::about(scheduler, Some(fleet), subject)
        };
        timeout(LOOK_MAX, handle.see(look)).await.ok()?.ok()
    }
}

impl GlanceState {
    async fn look(&mut self, handle: &Handle) {
        let begin = || {
            let handle = handle.clone();
            let looks = tokio::spawn(async move {
                let look = |scheduler: &Scheduler, fleet: &Fleet| {
                    let (status, epoch) = (Status::sent(scheduler, fleet), scheduler.epoch());
                    ClusterView { status, epoch }
                };
                handle.see(look).await
            });
            (tokio::time::Instant::now() + LOOK_MAX, looks)
        };
        let (until, looks) = self.looks.get_or_insert_with(begin);
        let Ok(seen) = timeout_at(*until, looks).await else { return };
        self.looks = None;
        if let Ok(Ok(seen)) = seen {
            self.last = Some((Instant::now(), seen));
        }
    }
}

impl GlanceState {
    /// At that of a directory; of a bucket nobody knows what is left.
    async fn look_at_disk(&mut self, store: &Store) {
        let Some(dir) = store.dir().map(Path::to_owned) else { return };
        let begin = || tokio::task::spawn_blocking(move || Space::of_store(&dir));
        let looks = self.spaces.get_or_insert_with(begin);
        let Ok(seen) = timeout(DISK_MAX, looks).await else { return };
        (self.spaces, self.space) = (None, seen.ok().flatten());
    }
}

/// From one look to the next.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// So long after it was begun a look is waited for, which is shorter than who asks waits.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Looks at single things a second: a person asks about one, and a look takes an engine of a
/// thousand dispatchers some milliseconds.
const ABOUTS_A_SECOND: u32 = 10;

/// How long the store's disk is waited for: it is told of as it was seen last, or not at all.
const DISK_MAX: Duration = Duration::from_millis(100);
