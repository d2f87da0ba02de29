//! How much of what others send is taken, and a word on what is not: one at once, then one a
//! minute, with the count.
//!
//! Not here: what it is a bound on (`asked`, `present`).

use std::time::{Duration, Instant};

/// A bound on how many messages of one kind are taken a second, and on their bytes where that is
/// said. What was not used is kept for one second.
#[derive(Debug)]
pub(super) struct Bound {
    a_second: u32,
    bytes_a_second: Option<u32>,
    /// So many are taken at once.
    room: f64,
    /// Likewise of their bytes.
    bytes: f64,
    at: Instant,
    left_out: LeftOut,
}

/// Messages that were left out, as people are told of them.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    count: u64,
    told: Option<Instant>,
}

impl Bound {
    pub(super) fn new(a_second: u32) -> Self {
        let at = Instant::now();
        let (room, left_out) = (f64::from(a_second), LeftOut::default());
        Self { a_second, bytes_a_second: None, room, bytes: 0.0, at, left_out }
    }

    /// The same, and no more than so many bytes a second.
    pub(super) fn of_bytes(self, a_second: u32) -> Self {
        Self { bytes_a_second: Some(a_second), bytes: f64::from(a_second), ..self }
    }

    /// Whether one more is taken. One that is not is counted.
    pub(super) fn takes(&mut self, now: Instant) -> bool {
        self.takes_of(now, 0)
    }

    /// Whether one more of so many bytes is taken. One that is not is counted.
    pub(super) fn takes_of(&mut self, now: Instant, bytes: u32) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        let refilled = |room: f64, most: f64| since.mul_add(most, room).min(most);
        let (most, bytes) = (f64::from(self.a_second), f64::from(bytes));
        (self.room, self.at) = (refilled(self.room, most), now);
        if let Some(most) = self.bytes_a_second {
            self.bytes = refilled(self.bytes, f64::from(most));
        }
        let takes = self.room >= 1.0 && (self.bytes_a_second.is_none() || self.bytes >= bytes);
        match takes {
            true => (self.room, self.bytes) = (self.room - 1.0, self.bytes - bytes),
            false => self.left_out.add(1),
        }
        takes
    }

    /// Counts one that is not taken whatever room there is: `false`, as [`takes`](Self::takes) says
    /// it.
    pub(super) const fn leaves_out(&mut self) -> bool {
        self.left_out.add(1);
        false
    }

    /// How many were left out since it was last told, where it is time to tell.
    pub(super) fn tell(&mut self, now: Instant) -> Option<u64> {
        self.left_out.tell(now)
    }
}

impl LeftOut {
    pub(super) const fn add(&mut self, count: u64) {
        self.count = self.count.saturating_add(count);
    }

    /// How many there were since it was last told, where it is time to tell.
    pub(super) fn tell(&mut self, now: Instant) -> Option<u64> {
        let is_time = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EACH);
        if self.count == 0 || !is_time {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

/// So often is a person told of what goes on and on.
const TELL_EACH: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_and_what_is_left_out_is_told_once_then_counted() {
        let mut bound = Bound::new(10);
        let begin = bound.at;
        let taken = |bound: &mut Bound, at: Instant| (0..1_000).filter(|_| bound.takes(at)).count();
        assert_eq!(taken(&mut bound, begin), 10);
        assert_eq!(bound.tell(begin), Some(990));
        assert_eq!(taken(&mut bound, begin + Duration::from_millis(500)), 5);
        assert_eq!(bound.tell(begin + Duration::from_secs(1)), None, "it was told a moment ago");
        assert_eq!(
            taken(&mut bound, begin + Duration::from_secs(3_600)),
            10,
            "no more is saved up"
        );
        assert_eq!(bound.tell(begin + Duration::from_secs(3_600)), Some(995 + 990));
        assert_eq!(
            bound.tell(begin + Duration::from_secs(7_200)),
            None,
            "there is nothing to tell"
        );
    }

    #[test]
    fn bytes_are_bounded_beside_the_count_and_what_has_few_is_taken_still() {
        let mut bound = Bound::new(10).of_bytes(1_000);
        let begin = bound.at;
        let sizes = [600, 600, 400, 1, 0];
        let taken = sizes.map(|bytes| bound.takes_of(begin, bytes));
        assert_eq!(taken, [true, false, true, false, true]);
        assert_eq!(bound.tell(begin), Some(2));
        let later = begin + Duration::from_millis(500);
        assert_eq!([501, 500].map(|bytes| bound.takes_of(later, bytes)), [false, true]);
        let much_later = begin + Duration::from_secs(60);
        assert_eq!([1_001, 1_000].map(|bytes| bound.takes_of(much_later, bytes)), [false, true]);
    }
}
