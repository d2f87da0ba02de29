//! How much of what others send is taken, and a word on what is not: one at once, then one a minute, with the count.
//!
//! Not here: what it is a bound on (`asked`, `present`).

use std::time::{Duration, Instant};

/// A bound on how many messages of one kind are taken a second. What was not used is kept for one second.
#[derive(Debug)]
pub(super) struct Bound {
    a_second: u32,
    /// So many are taken at once.
    room: f64,
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
        Self { a_second, room: f64::from(a_second), at, left_out: LeftOut::default() }
    }

    /// Whether one more is taken. One that is not is counted.
    pub(super) fn takes(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        let most = f64::from(self.a_second);
        (self.room, self.at) = ((self.room + since * most).min(most), now);
        let takes = self.room >= 1.0;
        match takes {
            true => self.room -= 1.0,
            false => self.left_out.add(1),
        }
        takes
    }

    /// Counts one that is not taken whatever room there is: `false`, as [`takes`](Self::takes) says it.
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
}
