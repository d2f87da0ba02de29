//! Which engine a dispatcher follows, and whether its log is still the one that it was.
//!
//! Epochs and positions of one history of a log only grow. Where the log was put back to an older copy, or made again, the
//! engines go on with epochs and attempts' numbers that were used before: to obey none of them for that would be to stand
//! idle for ever, so another history is another life of the dispatcher.
//!
//! Not here: what a new life begins with (`dispatch`).

use std::time::{Duration, Instant};

use push0_core::{Epoch, Seq};

use super::wire::LeaderBeat;

/// The leader that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    epoch: Epoch,
    /// The latest of whoever said anything: its first beat may come behind its first grant.
    said: Epoch,
    log: String,
    history: String,
    /// How far its log was durable.
    last: Seq,
    heard: Instant,
    /// Beats in a row of an engine that cannot be of this history.
    strange: u32,
}

/// What a beat means for who follows another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    /// The same leader goes on, or it is late.
    Known,
    /// Another leads in its stead.
    Successor,
    /// The log is another history of itself, or another log.
    OtherHistory,
}

impl Followed {
    pub(super) fn new(now: Instant, beat: &LeaderBeat) -> Self {
        let LeaderBeat { epoch, last, log, history, .. } = beat.clone();
        Self { epoch, said: epoch, log, history, last, heard: now, strange: 0 }
    }

    /// The latest epoch: what an engine of an earlier one says was decided without knowing what is.
    pub(super) const fn latest(&self) -> Epoch {
        self.said
    }

    /// Takes a message of this epoch's leader.
    pub(super) fn hear_of(&mut self, epoch: Epoch) {
        self.said = self.said.max(epoch);
    }

    pub(super) fn beat(&mut self, now: Instant, beat: &LeaderBeat) -> Heard {
        if self.is_of_this_history(beat) {
            let is_new = beat.epoch > self.epoch || beat.history != self.history;
            *self = Self { said: self.said.max(beat.epoch), ..Self::new(now, beat) };
            return if is_new { Heard::Successor } else { Heard::Known };
        }
        // One that leads no more may be late by a beat. It beats no more once its log has told it so.
        let is_late =
            beat.epoch < self.epoch && now.saturating_duration_since(self.heard) < LATE_MAX;
        self.strange += 1;
        match is_late || self.strange < STRANGE_MIN {
            true => Heard::Known,
            false => Heard::OtherHistory,
        }
    }

    fn is_of_this_history(&self, beat: &LeaderBeat) -> bool {
        let is_told = !self.log.is_empty() && !beat.log.is_empty(); // not by engines of before
        if is_told && beat.log != self.log {
            return false;
        }
        let is_same = beat.history == self.history || !is_told;
        match beat.epoch.cmp(&self.epoch) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => is_same,
            // What was durable stays so: one that has less of it writes another history.
            std::cmp::Ordering::Greater => beat.last >= self.last,
        }
    }
}

/// A beat that comes so long after those of a later leader is not late.
const LATE_MAX: Duration = Duration::from_secs(2);

/// So many beats in a row are not by mistake.
const STRANGE_MIN: u32 = 3;

#[cfg(test)]
mod tests {
    use push0_core::Timestamp;

    use super::*;

    fn beat(epoch: u64, last: u64, history: &str) -> LeaderBeat {
        LeaderBeat {
            epoch: Epoch(epoch),
            engine: "e".to_owned(),
            last: Seq(last),
            store: "s".to_owned(),
            at: Timestamp(0),
            log: "log".to_owned(),
            history: history.to_owned(),
        }
    }

    #[test]
    fn the_next_leader_of_the_same_log_is_a_successor_and_the_last_ones_late_beat_is_nothing() {
        let start = Instant::now();
        let mut followed = Followed::new(start, &beat(1, 10, "a"));
        assert_eq!(followed.beat(start, &beat(1, 12, "a")), Heard::Known);
        followed.hear_of(Epoch(2));
        assert_eq!(followed.beat(start, &beat(1, 12, "a")), Heard::Known);
        assert_eq!(followed.beat(start, &beat(2, 13, "b")), Heard::Successor);
        for _ in 0..5 {
            assert_eq!(followed.beat(start, &beat(1, 12, "a")), Heard::Known);
        }
        assert_eq!(followed.beat(start, &beat(2, 13, "b")), Heard::Known);
        assert_eq!(followed.latest(), Epoch(2));
    }

    #[test]
    fn a_log_that_was_put_back_is_another_history_whatever_its_epoch() {
        let start = Instant::now();
        let other_log = LeaderBeat { log: "other".to_owned(), ..beat(9, 99, "z") };
        for other in [beat(2, 6, "z"), beat(4, 6, "z"), beat(5, 6, "z"), other_log] {
            let mut followed = Followed::new(start, &beat(4, 50, "d"));
            let mut heard = |after| followed.beat(start + LATE_MAX + after, &other);
            let came: Vec<_> = (0..3).map(|after| heard(Duration::from_millis(after))).collect();
            assert_eq!(came, [Heard::Known, Heard::Known, Heard::OtherHistory], "{other:?}");
        }
    }

    #[test]
    fn engines_of_before_which_name_no_log_are_followed_as_they_were() {
        let start = Instant::now();
        let of_before = |epoch| LeaderBeat {
            log: String::new(),
            history: String::new(),
            ..beat(epoch, 10, "")
        };
        let mut followed = Followed::new(start, &of_before(1));
        assert_eq!(followed.beat(start, &of_before(1)), Heard::Known);
        assert_eq!(followed.beat(start, &of_before(2)), Heard::Successor);
        assert_eq!(followed.beat(start, &beat(3, 11, "c")), Heard::Successor);
    }
}
