//! A look at the stream every moment, beside the appends: whether its beginning still stands, and
//! how full it is.
//!
//! Not here: what differs from the log that it was (`stream` of the crate), and who stops for what
//! is found (`nats`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::api::{Api, code};
use super::stream;
use crate::Room;
use crate::stream::Looks;

/// What is looked at, and what was found.
#[derive(Debug)]
pub(super) struct Watch {
    found: watch::Receiver<Findings>,
    known: Arc<StreamProgress>,
    task: JoinHandle<()>,
}

/// What this log knows of its stream.
#[derive(Debug, Default)]
struct StreamProgress {
    /// The sequence of the last message that is known to be there.
    message: AtomicU64,
    /// What this log has appended, as the stream counts it. Unit: bytes.
    appended: AtomicU64,
}

#[derive(Debug, Default)]
struct Findings {
    /// Why the stream is not the log that it was.
    other: Option<String>,
    room: Option<Room>,
    /// What had been appended by then: what has been since comes on top.
    appended: u64,
}

impl Watch {
    /// Looks from here on, until it is dropped.
    pub(super) fn begin(api: Api) -> Self {
        let (finder, found) = watch::channel(Findings::default());
        let known = Arc::new(StreamProgress::default());
        let task = tokio::spawn(look(api, Arc::clone(&known), finder));
        Self { found, known, task }
    }

    /// Notes that `message` is there, by an append of so many bytes.
    pub(super) fn appended(&self, message: u64, bytes: usize) {
        self.known.message.fetch_max(message, Ordering::Relaxed);
        let bytes = (bytes + MESSAGE_BYTES) as u64;
        self.known.appended.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that `message` is there.
    pub(super) fn knows(&self, message: u64) {
        self.known.message.fetch_max(message, Ordering::Relaxed);
    }

    /// Why the stream is not the log that it was, once that was seen.
    pub(super) fn other(&self) -> Option<String> {
        self.found.borrow().other.clone()
    }

    /// How full the stream is, if it has a bound and was seen.
    pub(super) fn room(&self) -> Option<Room> {
        let found = self.found.borrow();
        let mut room = found.room.clone()?;
        let appended = self.known.appended.load(Ordering::Relaxed);
        room.bytes += appended.saturating_sub(found.appended);
        Some(room)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(api: Api, known: Arc<StreamProgress>, finder: watch::Sender<Findings>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = Looks::default();
    loop {
        ticks.tick().await;
        let appended = known.appended.load(Ordering::Relaxed);
        let least = known.message.load(Ordering::Relaxed);
        let (other, room) = match stream::info(&api).await {
            Ok(info) => (looks.see(info.state.extent(), least), info.room(&api.stream)),
            Err(error) if error.code() == Some(code::NO_STREAM) => (looks.gone(), None),
            // Out of reach: the appends tell of that.
            Err(_) => continue,
        };
        let is_other = other.is_some();
        finder.send_modify(|found| {
            found.other = other;
            if room.is_some() {
                (found.room, found.appended) = (room, appended);
            }
        });
        if is_other {
            return;
        }
    }
}

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(2);

/// What a message takes in a stream beside its frames: subject, headers, and what the server writes
/// around them.
const MESSAGE_BYTES: usize = 512;
