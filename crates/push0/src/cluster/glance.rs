//! How far it is, as many may ask: the engine is looked at once a second at the most, whoever asks, and not at all while
//! it waits for room.
//!
//! Not here: what is shown (`status`), and who may ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout_at;

use crate::engine::{Gone, Handle};
use crate::status::Status;

/// The last look, for all who ask. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Glance(Arc<Mutex<Looked>>);

#[derive(Debug, Default)]
struct Looked {
    last: Option<(Instant, Status)>,
    /// A look that is under way, and until when it is waited for: all who ask share that.
    looks: Option<(tokio::time::Instant, JoinHandle<Result<Status, Gone>>)>,
}

impl Glance {
    /// The state as it was within the last second; or as it was last seen, where the engine has no time or no room. None
    /// where it was never seen: who asks asks again.
    pub(super) async fn status(&self, handle: &Handle) -> Option<Status> {
        let mut looked = self.0.lock().await;
        let is_new = |(at, _): &&(Instant, Status)| at.elapsed() < LOOK_EACH;
        if looked.last.as_ref().filter(is_new).is_none() {
            looked.look(handle).await;
        }
        let mut status = looked.last.as_ref().map(|(_, status)| status.clone())?;
        drop(looked);
        status.log = handle.room().map(Into::into);
        Some(status)
    }
}

impl Looked {
    async fn look(&mut self, handle: &Handle) {
        let begin = || {
            let handle = handle.clone();
            let looks = tokio::spawn(async move { handle.see(Status::sent).await });
            (tokio::time::Instant::now() + LOOK_MAX, looks)
        };
        let (until, looks) = self.looks.get_or_insert_with(begin);
        let Ok(seen) = timeout_at(*until, looks).await else { return };
        self.looks = None;
        if let Ok(Ok(status)) = seen {
            self.last = Some((Instant::now(), status));
        }
    }
}

/// From one look to the next.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// So long after it was begun a look is waited for, which is shorter than who asks waits.
const LOOK_MAX: Duration = Duration::from_secs(1);
