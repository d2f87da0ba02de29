//! Which engine a dispatcher follows, and whether its log is still the one that it was.
//!
//! Epochs and positions of one history of a log only grow. Where the log was put back to an older
//! copy, or made again, the engines go on with epochs and attempts' numbers that were used before:
//! to obey none of them for that would be to stand idle for ever, so another history is another
//! life of the dispatcher.
//!
//! Not here: what a new life begins with, and when it does.

use std::time::Duration;

use push0_core::{Epoch, Seq};

/// What a leader says of itself and of its log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reign {
    /// In which epoch it leads.
    pub epoch: Epoch,
    /// How far its log was durable.
    pub last: Seq,
    /// Which log; empty from an engine of before.
    pub log: String,
    /// Which history of that log: another one since it claimed it.
    pub history: String,
}

/// The leader that is followed. Times are those of a clock that never goes back, from any
/// beginning.
#[derive(Clone, Debug)]
pub struct Followed {
    reign: Reign,
    /// The latest of whoever said anything: its first beat may come behind its first grant.
    said: Epoch,
    heard: Duration,
    /// Beats in a row of an engine that cannot be of this history.
    strange: u32,
}

/// What a beat means for who follows another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BeatMeaning {
    /// The same leader goes on, or it is late.
    Known,
    /// Another leads in its stead.
    Successor,
    /// The log is another history of itself, or another log.
    OtherHistory,
}

impl Followed {
    /// Follows whoever says so.
    #[must_use]
    pub const fn new(now: Duration, reign: Reign) -> Self {
        Self { said: reign.epoch, reign, heard: now, strange: 0 }
    }

    /// Whether a message of an engine in this epoch counts: what one says that leads no more was
    /// decided without knowing what is.
    pub fn takes(&mut self, epoch: Epoch) -> bool {
        let counts = epoch >= self.said;
        self.said = self.said.max(epoch);
        counts
    }

    /// Takes a leader's beat.
    pub fn beat(&mut self, now: Duration, reign: Reign) -> BeatMeaning {
        if self.is_of_this_history(&reign) {
            let was = &self.reign;
            let is_new = reign.epoch > was.epoch || reign.history != was.history;
            let said = self.said.max(reign.epoch);
            *self = Self { said, ..Self::new(now, reign) };
            return if is_new { BeatMeaning::Successor } else { BeatMeaning::Known };
        }
        // One that leads no more may be late by a beat. It beats no more once its log has told it
        // so.
        let is_late = reign.epoch < self.reign.epoch && now.saturating_sub(self.heard) < LATE_MAX;
        self.strange += 1;
        match is_late || self.strange < STRANGE_MIN {
            true => BeatMeaning::Known,
            false => BeatMeaning::OtherHistory,
        }
    }

    fn is_of_this_history(&self, reign: &Reign) -> bool {
        let was = &self.reign;
        let is_told = !was.log.is_empty() && !reign.log.is_empty(); // not by engines of before
        if is_told && reign.log != was.log {
            return false;
        }
        let is_same = reign.history == was.history || !is_told;
        match reign.epoch.cmp(&was.epoch) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => is_same,
            // What was durable stays so: one that has less of it writes another history.
            std::cmp::Ordering::Greater => reign.last >= was.last,
        }
    }
}

/// A beat that comes so long after those of a later leader is not late.
const LATE_MAX: Duration = Duration::from_secs(2);

/// So many beats in a row are not by mistake.
const STRANGE_MIN: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(epoch: u64, last: u64, history: &str) -> Reign {
        let (log, history) = ("log".to_owned(), history.to_owned());
        Reign { epoch: Epoch(epoch), last: Seq(last), log, history }
    }

    #[test]
    fn the_next_leader_of_the_same_log_is_a_successor_and_the_last_ones_late_beat_is_nothing() {
        let start = Duration::from_secs(5);
        let mut followed = Followed::new(start, beat(1, 10, "a"));
        assert_eq!(followed.beat(start, beat(1, 12, "a")), BeatMeaning::Known);
        assert!(followed.takes(Epoch(2)) && !followed.takes(Epoch(1)));
        assert_eq!(followed.beat(start, beat(1, 12, "a")), BeatMeaning::Known);
        assert_eq!(followed.beat(start, beat(2, 13, "b")), BeatMeaning::Successor);
        for _ in 0..5 {
            assert_eq!(followed.beat(start, beat(1, 12, "a")), BeatMeaning::Known);
        }
        assert_eq!(followed.beat(start, beat(2, 13, "b")), BeatMeaning::Known);
        assert!(followed.takes(Epoch(2)) && !followed.takes(Epoch(1)));
    }

    #[test]
    fn a_log_that_was_put_back_is_another_history_whatever_its_epoch() {
        let start = Duration::from_secs(5);
        let other_log = Reign { log: "other".to_owned(), ..beat(9, 99, "z") };
        for other in [beat(2, 6, "z"), beat(4, 6, "z"), beat(5, 6, "z"), other_log] {
            let mut followed = Followed::new(start, beat(4, 50, "d"));
            let mut heard = |after| followed.beat(start + LATE_MAX + after, other.clone());
            let came: Vec<_> = (0..3).map(|after| heard(Duration::from_millis(after))).collect();
            assert_eq!(
                came,
                [BeatMeaning::Known, BeatMeaning::Known, BeatMeaning::OtherHistory],
                "{other:?}"
            );
        }
    }

    #[test]
    fn engines_of_before_which_name_no_log_are_followed_as_they_were() {
        let start = Duration::from_secs(5);
        let of_before =
            |epoch| Reign { log: String::new(), history: String::new(), ..beat(epoch, 10, "") };
        let mut followed = Followed::new(start, of_before(1));
        assert_eq!(followed.beat(start, of_before(1)), BeatMeaning::Known);
        assert_eq!(followed.beat(start, of_before(2)), BeatMeaning::Successor);
        assert_eq!(followed.beat(start, beat(3, 11, "c")), BeatMeaning::Successor);
    }
}
