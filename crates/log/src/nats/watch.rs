//! A look at the stream every moment, beside the appends: whether its beginning still stands, and
//! how full it is.
//!
//! Not here: what differs from the log that it was (`stream` of the crate), and who stops for what
//! is found (`nats`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::api::{Api, code};
use super::stream;
use crate::Room;
use crate::frame::LogId;
use crate::stream::Looks;

/// What is looked at, and what was found.
#[derive(Debug)]
pub(super) struct Watch {
    found: watch::Receiver<Findings>,
    known: Known,
    task: JoinHandle<()>,
}

/// What a process knows of its log's stream, however often it opens it: one that is of another log,
/// or shorter, is not the log that it was.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<StreamProgress>);

impl Known {
    /// The sequence of the last message that is known to be there; 0 where none is.
    #[must_use]
    pub fn message(&self) -> u64 {
        self.0.message.load(Ordering::Relaxed)
    }

    /// How a log differs from the one that is known; the first that comes is.
    pub(super) fn differs(&self, log: LogId) -> Option<String> {
        let known = *self.0.log.get_or_init(|| log);
        (known != log).then(|| format!("it is of log {log}, not of {known}"))
    }
}

/// What this log knows of its stream.
#[derive(Debug, Default)]
struct StreamProgress {
    /// Whose it is.
    log: OnceLock<LogId>,
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
    pub(super) fn begin(api: Api, known: Known) -> Self {
        let (finder, found) = watch::channel(Findings::default());
        let task = tokio::spawn(look(api, Arc::clone(&known.0), finder));
        Self { found, known, task }
    }

    /// Notes that `message` is there, by an append of so many bytes.
    pub(super) fn appended(&self, message: u64, bytes: usize) {
        self.known.0.message.fetch_max(message, Ordering::Relaxed);
        let bytes = (bytes + MESSAGE_BYTES) as u64;
        self.known.0.appended.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that `message` is there.
    pub(super) fn knows(&self, message: u64) {
        self.known.0.message.fetch_max(message, Ordering::Relaxed);
    }

    /// Why the stream is not the log that it was, once that was seen.
    pub(super) fn other(&self) -> Option<String> {
        self.found.borrow().other.clone()
    }

    /// How full the stream is, if it has a bound and was seen.
    pub(super) fn room(&self) -> Option<Room> {
        let found = self.found.borrow();
        let mut room = found.room.clone()?;
        let appended = self.known.0.appended.load(Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_log_and_how_far_it_was_though_it_is_opened_again() {
        let (known, own, other) = (Known::default(), LogId([7; 16]), LogId([8; 16]));
        assert_eq!((known.message(), known.differs(own)), (0, None));
        let again = known.clone();
        known.0.message.fetch_max(9, Ordering::Relaxed);
        assert_eq!((again.message(), known.differs(own)), (9, None));
        let why = again.differs(other).expect("it is another");
        assert!(why.contains(&other.to_string()) && why.contains(&own.to_string()), "{why}");
    }
}
