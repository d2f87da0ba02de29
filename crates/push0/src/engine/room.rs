//! What an engine does about a log that fills: it takes no more blocks before it could not finish those it has, says so in
//! time, and stays who leads while there is no room.
//!
//! Not here: how full a log is (`push0_log`).

use std::time::{Duration, Instant};

use push0_core::{Input, Rejection, Scheduler};
use push0_log::{AppendError, Log, Room};

use super::ports::Seen;
use super::{Engine, EngineError, INBOX_MAX, ROOM_PAUSE, Request};

/// How fast a log fills, and whether somebody was told.
#[derive(Debug, Default)]
pub(super) struct Filling {
    /// When it was first looked at, and what it took then.
    since: Option<(Instant, u64)>,
    told: Option<Instant>,
}

impl Filling {
    /// What is to be said now, if anything.
    fn word(&mut self, now: Instant, room: &Room) -> Option<String> {
        let (since, before) = *self.since.get_or_insert((now, room.bytes));
        if room.bytes < share(room, WARN_SHARE) {
            self.told = None;
            return None;
        }
        let elapsed = now.saturating_duration_since(since);
        let was_told = |told| now.saturating_duration_since(told) < TELL_EACH;
        if elapsed < RATE_MIN || self.told.is_some_and(was_told) {
            return None;
        }
        self.told = Some(now);
        let grown = room.bytes.saturating_sub(before);
        let left = room.bytes_max.saturating_sub(room.bytes);
        let lasts = match grown {
            0 => "it does not grow at present".to_owned(),
            grown => format!("at the present rate it is full in {}", days(elapsed, left, grown)),
        };
        Some(format!(
            "{}: {lasts}; from {BLOCKS_SHARE} % on no block is taken: {}",
            used(room),
            raise(room)
        ))
    }
}

impl<L: Log> Engine<L> {
    /// Why a block is not taken, where the log has not enough room for what it leads to.
    pub(super) fn has_no_room_for(&self, input: &Input) -> Option<Rejection> {
        let Input::Submit(block) = input else { return None };
        let room = self.log.room()?;
        if self.scheduler.chain().block(&block.hash).is_some() {
            return None; // at most its payload is delivered again
        }
        no_room(&room, self.waiting.bytes(), &self.scheduler)
    }

    /// Shows how full the log is to who asks, and warns people in time.
    pub(super) fn show_room(&mut self) {
        let room = self.log.room();
        if let Some(word) = room.as_ref().and_then(|it| self.filling.word(Instant::now(), it)) {
            let _ = self.ports.turns.try_send(Seen { warning: Some(word), ..Seen::default() });
        }
        self.rooms.send_if_modified(|shown| {
            let is_other = *shown != room;
            *shown = room;
            is_other
        });
    }

    /// What a person can do about a log that takes nothing for want of room.
    pub(super) fn make_room(&self) -> String {
        self.log.room().map_or_else(|| "make room".to_owned(), |room| raise(&room))
    }

    /// Waits a moment for room. It still leads, and says so: no other engine would find more.
    pub(super) async fn await_room(&mut self) -> Result<(), EngineError> {
        let until = tokio::time::sleep(ROOM_PAUSE);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return Ok(()),
                Some(request) = self.inbox.recv(), if self.left.len() < INBOX_MAX => match request {
                    Request::Probe(reply) if self.leads() => match self.log.probe().await {
                        Ok(()) => {
                            let _ = reply.send((self.scheduler.epoch(), self.log.last()));
                        }
                        Err(AppendError::Unavailable(_)) => {} // nobody is told that it is well
                        Err(error) => return Err(error.into()),
                    },
                    Request::Probe(_) | Request::Heard(_) => {} // the next beat brings what matters again
                    other @ (Request::Ask(..)
                    | Request::Rest(..)
                    | Request::InOrder(..)
                    | Request::Departed(..)
                    | Request::Look(_)
                    | Request::Drain
                    | Request::Stop) => self.left.push(other),
                },
            }
        }
    }

    /// Whether its claim is durable.
    pub(super) fn leads(&self) -> bool {
        self.claim.is_some_and(|claim| claim <= self.log.last())
    }
}

/// Why no block is taken. `waiting` is decided and not in the log yet.
fn no_room(room: &Room, waiting: usize, scheduler: &Scheduler) -> Option<Rejection> {
    let (bytes, bytes_max) = (room.bytes + waiting as u64, room.bytes_max);
    if bytes >= share(room, BLOCKS_SHARE) {
        return Some(Rejection::NoRoom { bytes, bytes_max });
    }
    let open = scheduler.open_blocks();
    let stages = scheduler.pipeline().stages.len() as u64;
    let each = BLOCK_BYTES + stages * TASK_BYTES;
    let left = share(room, PROMISED_SHARE).saturating_sub(bytes);
    let limit = usize::try_from(left / each).unwrap_or(usize::MAX).max(1);
    (open >= limit).then_some(Rejection::Full { open, limit })
}

/// So many percent of what there may be.
const fn share(room: &Room, percent: u64) -> u64 {
    room.bytes_max / 100 * percent
}

/// Whether a log has so little room that no block is taken.
pub(crate) const fn is_short(room: &Room) -> bool {
    room.bytes >= share(room, BLOCKS_SHARE)
}

/// How full it is, for a person.
pub(crate) fn used(room: &Room) -> String {
    let percent = u128::from(room.bytes) * 100 / u128::from(room.bytes_max.max(1));
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let (bytes, bytes_max, name) = (mib(room.bytes), mib(room.bytes_max), &room.name);
    format!("the log has {bytes} of the {bytes_max} MiB of stream {name} (max_bytes), {percent} %")
}

/// What a person can do about it.
pub(crate) fn raise(room: &Room) -> String {
    let name = &room.name;
    format!(
        "raise max_bytes (`nats stream edit {name} --max-bytes SIZE`), and max_file_store of the servers where that is less"
    )
}

/// How long what is `left` lasts, where so much was `grown` in this time.
fn days(elapsed: Duration, left: u64, grown: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "days, for a person")]
    let days = elapsed.as_secs_f64() * (left as f64 / grown as f64) / (24.0 * 3600.0);
    format!("{days:.1} days")
}

/// From here on people are warned, with time to act. Unit: percent.
const WARN_SHARE: u64 = 70;

/// Here blocks end: the rest is for the acceptances of those that were taken, for claims, and for what operators do.
const BLOCKS_SHARE: u64 = 80;

/// What was taken is finished within this, or it is not taken.
const PROMISED_SHARE: u64 = 95;

/// What a block takes until it is released, beside its tasks: submitted, closed, released, each in a record that others
/// share.
const BLOCK_BYTES: u64 = 1_024;

/// What a task takes: opened, granted, accepted, and the records around these where nothing shares them.
const TASK_BYTES: u64 = 2_048;

/// A rate is known after so long.
const RATE_MIN: Duration = Duration::from_secs(10);

/// A person is told so often.
const TELL_EACH: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use push0_core::Limits;

    use super::*;

    fn room(bytes: u64) -> Room {
        Room { bytes, bytes_max: 10 << 20, name: "push0".into() }
    }

    #[test]
    fn at_70_percent_a_person_is_told_once_an_hour_with_the_days_that_are_left() {
        let (mut filling, start) = (Filling::default(), Instant::now());
        assert_eq!(filling.word(start, &room(5 << 20)), None);
        assert_eq!(filling.word(start + RATE_MIN, &room(6 << 20)), None);
        let day = Duration::from_secs(24 * 3600);
        let told = filling.word(start + day, &room(8 << 20)).expect("it is past 70 %");
        assert!(told.contains("full in 0.7 days") && told.contains("max_bytes"), "{told}");
        assert!(told.contains("8 of the 10 MiB of stream push0"), "{told}");
        assert_eq!(filling.word(start + day + RATE_MIN, &room(8 << 20)), None);
        assert!(filling.word(start + day + TELL_EACH, &room(8 << 20)).is_some());
    }

    #[test]
    fn no_block_is_taken_past_80_percent_nor_one_that_could_not_be_finished() {
        let scheduler = Scheduler::new(Limits::default());
        assert_eq!(no_room(&room(8_380_000), 0, &scheduler), None);
        let (bytes, bytes_max) = (8_400_000, 10 << 20);
        let refused = no_room(&room(8_380_000), 20_000, &scheduler);
        assert_eq!(refused, Some(Rejection::NoRoom { bytes, bytes_max }));
        assert!(is_short(&room(bytes)) && !is_short(&room(8_380_000)));
    }
}
