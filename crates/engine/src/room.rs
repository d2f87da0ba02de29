//! What an engine does about a log that fills: it takes no more blocks before it could not finish
//! those it has, and says so in time.
//!
//! Not here: how full a log is, and what it does while there is no room at all (`trouble`).

use std::time::Duration;

use push0_core::{Rejection, Scheduler, Timestamp};

/// How full a log is that has a bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// What it takes.
    pub bytes: u64,
    /// What it may take.
    pub bytes_max: u64,
}

/// A log that fills, for people: there is time to act.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Filling {
    /// How full it is.
    pub room: Room,
    /// How long the rest lasts at the present rate; none where it does not grow.
    pub lasts: Option<Duration>,
}

/// How fast a log fills, and whether somebody was told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fill {
    /// When it was first looked at, and what it took then.
    since: Option<(Timestamp, u64)>,
    told: Option<Timestamp>,
}

impl Room {
    /// So many percent of what there may be.
    const fn share(self, percent: u64) -> u64 {
        self.bytes_max / 100 * percent
    }

    /// Whether there is so little that no block is taken.
    #[must_use]
    pub const fn is_short(self) -> bool {
        self.bytes >= self.share(BLOCKS_SHARE)
    }
}

impl Fill {
    /// What is to be said now, if anything.
    pub(crate) fn told(&mut self, now: Timestamp, room: Room) -> Option<Filling> {
        let (since, before) = *self.since.get_or_insert((now, room.bytes));
        if room.bytes < room.share(WARN_SHARE) {
            self.told = None;
            return None;
        }
        let elapsed = now.since(since);
        let was_told = |told| now.since(told) < TELL_EACH;
        if elapsed < RATE_MIN || self.told.is_some_and(was_told) {
            return None;
        }
        self.told = Some(now);
        let grown = room.bytes.saturating_sub(before);
        let left = room.bytes_max.saturating_sub(room.bytes);
        Some(Filling { room, lasts: lasts(elapsed, left, grown) })
    }
}

/// Why no block is taken. `waiting` is decided and not in the log yet.
pub(crate) fn no_room(room: Room, waiting: usize, scheduler: &Scheduler) -> Option<Rejection> {
    let (bytes, bytes_max) = (room.bytes + waiting as u64, room.bytes_max);
    if bytes >= room.share(BLOCKS_SHARE) {
        return Some(Rejection::NoRoom { bytes, bytes_max });
    }
    let open = scheduler.open_blocks();
    let stages = scheduler.pipeline().stages.len() as u64;
    let each = BLOCK_BYTES + stages * TASK_BYTES;
    let left = room.share(PROMISED_SHARE).saturating_sub(bytes);
    let limit = usize::try_from(left / each).unwrap_or(usize::MAX).max(1);
    (open >= limit).then_some(Rejection::Full { open, limit })
}

/// How long what is `left` lasts, where so much was `grown` in this time.
fn lasts(elapsed: Duration, left: u64, grown: u64) -> Option<Duration> {
    let us = elapsed.as_micros() * u128::from(left) / u128::from((grown > 0).then_some(grown)?);
    Some(Duration::from_micros(u64::try_from(us).unwrap_or(u64::MAX)))
}

/// From here on people are warned, with time to act. Unit: percent.
const WARN_SHARE: u64 = 70;

/// Here blocks end: the rest is for the acceptances of those that were taken, for claims, and for
/// what operators do. Unit: percent.
pub const BLOCKS_SHARE: u64 = 80;

/// What was taken is finished within this, or it is not taken. Unit: percent.
const PROMISED_SHARE: u64 = 95;

/// What a block takes until it is released, beside its tasks: submitted, closed, released, each in
/// a record that others share.
const BLOCK_BYTES: u64 = 1_024;

/// What a task takes: opened, granted, accepted, and the records around these where nothing shares
/// them.
const TASK_BYTES: u64 = 2_048;

/// A rate is known after so long.
const RATE_MIN: Duration = Duration::from_secs(10);

/// A person is told so often.
const TELL_EACH: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use push0_core::Limits;

    use super::*;

    const fn room(bytes: u64) -> Room {
        Room { bytes, bytes_max: 10 << 20 }
    }

    #[test]
    fn at_70_percent_a_person_is_told_once_an_hour_with_the_days_that_are_left() {
        let (mut fill, start) = (Fill::default(), Timestamp(0));
        assert_eq!(fill.told(start, room(5 << 20)), None);
        assert_eq!(fill.told(start + RATE_MIN, room(6 << 20)), None);
        let day = Duration::from_secs(24 * 3600);
        let told = fill.told(start + day, room(8 << 20)).expect("it is past 70 %");
        assert_eq!((told.room, told.lasts), (room(8 << 20), Some(day * 2 / 3)));
        assert_eq!(fill.told(start + day + RATE_MIN, room(8 << 20)), None);
        assert!(fill.told(start + day + TELL_EACH, room(8 << 20)).is_some());
    }

    #[test]
    fn no_block_is_taken_past_80_percent_nor_one_that_could_not_be_finished() {
        let scheduler = Scheduler::new(Limits::default());
        assert_eq!(no_room(room(8_380_000), 0, &scheduler), None);
        let (bytes, bytes_max) = (8_400_000, 10 << 20);
        let refused = no_room(room(8_380_000), 20_000, &scheduler);
        assert_eq!(refused, Some(Rejection::NoRoom { bytes, bytes_max }));
        assert!(room(bytes).is_short() && !room(8_380_000).is_short());
    }
}
