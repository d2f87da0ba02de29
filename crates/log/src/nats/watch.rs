//! A look at the stream every moment, beside the appends: whether its beginning still stands, and how full it is.
//!
//! An append sees the end of the stream alone. What somebody removes before it (a purge, an older copy that was put back)
//! would else be found at the next start, when all that was appended meanwhile is lost with it.
//!
//! Not here: what is appended (`append`), and who stops for what is found (`nats`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use push0_core::counted;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::api::{Api, code};
use super::stream::{self, State};
use crate::Room;

/// What is looked at, and what was found.
#[derive(Debug)]
pub(super) struct Watch {
    found: watch::Receiver<Found>,
    known: Arc<Known>,
    task: JoinHandle<()>,
}

/// What this log knows of its stream.
#[derive(Debug, Default)]
struct Known {
    /// The sequence of the last message that is known to be there.
    message: AtomicU64,
    /// What this log has appended, as the stream counts it. Unit: bytes.
    appended: AtomicU64,
}

#[derive(Debug, Default)]
struct Found {
    /// Why the stream is not the log that it was.
    other: Option<String>,
    room: Option<Room>,
    /// What had been appended by then: what has been since comes on top.
    appended: u64,
}

impl Watch {
    /// Looks from here on, until it is dropped.
    pub(super) fn begin(api: Api) -> Self {
        let (finder, found) = watch::channel(Found::default());
        let known = Arc::new(Known::default());
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

async fn look(api: Api, known: Arc<Known>, finder: watch::Sender<Found>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut short = 0;
    loop {
        ticks.tick().await;
        let appended = known.appended.load(Ordering::Relaxed);
        let least = known.message.load(Ordering::Relaxed);
        let (other, room) = match stream::info(&api).await {
            Ok(info) => (fault(&info.state, least, &mut short), info.room(&api.stream)),
            Err(error) if error.code() == Some(code::NO_STREAM) => {
                short += 1;
                ((short >= SHORT_MAX).then(|| "it is gone".to_owned()), None)
            }
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

/// How the stream differs from one that holds all up to the message `least`.
fn fault(state: &State, least: u64, short: &mut u32) -> Option<String> {
    if state.first_seq > 1 {
        let gone = state.first_seq - 1;
        return Some(format!("{} at its beginning went", counted(gone, "record")));
    }
    if state.num_deleted > 0 {
        return Some(format!("{} in it went", counted(state.num_deleted, "record")));
    }
    // One that was just elected may be behind for a moment.
    *short = if state.last_seq < least { *short + 1 } else { 0 };
    let ends = state.last_seq;
    (*short >= SHORT_MAX)
        .then(|| format!("it ends at record {ends}, and record {least} was there: it was set back"))
}

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(2);

/// So many looks in a row a stream may be shorter than it was, which is longer than a new leader takes to catch up.
const SHORT_MAX: u32 = 4;

/// What a message takes in a stream beside its frames: subject, headers, and what the server writes around them.
const MESSAGE_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_lost_its_beginning_is_another_at_once_and_one_that_is_short_after_a_while() {
        let state =
            |first_seq, last_seq, num_deleted| State { bytes: 1, first_seq, last_seq, num_deleted };
        let mut short = 0;
        assert_eq!(fault(&state(1, 9, 0), 9, &mut short), None);
        for whole in [state(1, 8, 0), state(1, 12, 0)] {
            for _ in 1..SHORT_MAX {
                assert_eq!(fault(&whole, 9, &mut short), None);
            }
        }
        let told = |state: &State, short: &mut u32| fault(state, 9, short).expect("it is another");
        assert!(told(&state(5, 9, 0), &mut short).contains("4 records at its beginning"));
        assert!(told(&state(1, 9, 2), &mut short).contains("2 records in it"));
        short = SHORT_MAX - 1;
        assert!(told(&state(1, 8, 0), &mut short).contains("set back"));
    }
}
