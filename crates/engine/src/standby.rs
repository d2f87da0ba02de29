//! An engine that stands by: when it claims the log.
//!
//! It follows the log, and hears whoever leads. A leader that says nothing for long enough has
//! gone; but silence that this engine could not have heard is none, and an engine that has not read
//! all of the log, or whose clock is off, leaves the lead to others. A claim too early costs work
//! and breaks nothing: its append decides.
//!
//! Not here: what a claim is (`push0_core`), and how the log is followed.

use std::time::Duration;

use push0_core::{Epoch, Seq};

/// An engine that stands by. Its times are those of a clock that never goes back, from any
/// beginning.
#[derive(Clone, Debug)]
pub struct Standby {
    patience: Duration,
    /// Since when silence counts.
    since: Duration,
    /// When it last went on.
    looked: Duration,
    /// The last word of another engine that leads.
    seen: Option<Beat>,
}

/// What a leader says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// In which epoch it leads.
    pub epoch: Epoch,
    /// How far its log was durable.
    pub last: Seq,
    /// How far the wall clocks are apart, with the way of the message.
    pub clocks_apart: Duration,
    /// When it was heard.
    pub at: Duration,
}

/// What came of reading on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadOutcome {
    /// Turns did.
    Turns,
    /// The log answers, and has no more.
    Nothing,
    /// The log does not answer.
    Silence,
}

/// Whether it is to claim the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claims {
    /// Not now.
    No,
    /// Nobody leads, and it would, but for its wall clock, which is so far off the last leader's.
    ClockApart(Duration),
    /// Once the log itself says that nothing is behind what was read.
    Yes,
}

impl Standby {
    /// One that begins now, and takes a leader for gone after `patience`.
    #[must_use]
    pub const fn new(now: Duration, patience: Duration) -> Self {
        Self { patience, since: now, looked: now, seen: None }
    }

    /// Takes the word of a leader. One of an epoch before the latest says nothing.
    pub fn handle_beat(&mut self, beat: Beat) {
        if self.seen.is_none_or(|seen| seen.epoch <= beat.epoch) {
            self.seen = Some(beat);
        }
    }

    /// Takes what came of reading on for at most [`STEP`]: what was read goes up to `last`.
    pub fn handle_read(&mut self, now: Duration, came: ReadOutcome, last: Seq) -> Claims {
        // What was not heard while this engine stood still is no silence.
        if now.saturating_sub(self.looked) > STEP * GAP || came == ReadOutcome::Silence {
            self.since = now;
        }
        self.looked = now;
        let heard = self.seen.map_or(self.since, |seen| seen.at.max(self.since));
        let silent = now.saturating_sub(heard);
        let is_behind = self.seen.is_some_and(|seen| last < seen.last);
        if came != ReadOutcome::Nothing || is_behind || silent < self.patience {
            return Claims::No;
        }
        match self.seen.map(|seen| seen.clocks_apart).filter(|apart| *apart > APART_MAX) {
            Some(apart) if silent < APART_PATIENCE => Claims::ClockApart(apart),
            Some(_) | None => Claims::Yes,
        }
    }

    /// The latest epoch that is known by word alone: a claim is above it.
    #[must_use]
    pub fn above(&self) -> Epoch {
        self.seen.map_or(Epoch(0), |seen| seen.epoch)
    }
}

/// How long a standby waits for the log at once.
pub const STEP: Duration = Duration::from_millis(50);

/// So many steps late, it was this engine that stood still.
const GAP: u32 = 4;

/// From one beat of a leader to the next.
pub const LEADER_BEAT: Duration = Duration::from_millis(100);

/// A leader that says nothing for so long has gone: three beats, and some for the wire.
pub const LEADER_SILENCE: Duration = Duration::from_millis(350);

/// Wall clocks that are set by the network are milliseconds apart.
const APART_MAX: Duration = Duration::from_secs(5);

/// After so long an engine with another clock leads too: it is better than none.
pub const APART_PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = LEADER_SILENCE;

    fn beat(epoch: u64, last: u64, at: Duration) -> Beat {
        Beat { epoch: Epoch(epoch), last: Seq(last), clocks_apart: Duration::ZERO, at }
    }

    /// Reads nothing, step by step, from `from` on for so long.
    fn reads(standby: &mut Standby, from: Duration, wait: Duration, last: u64) -> Claims {
        let mut now = from;
        loop {
            let claims = standby.handle_read(now, ReadOutcome::Nothing, Seq(last));
            if now >= from + wait {
                return claims;
            }
            now += STEP;
        }
    }

    #[test]
    fn a_leader_that_is_silent_is_followed_and_one_that_beats_is_not() {
        let mut standby = Standby::new(Duration::ZERO, SILENCE);
        standby.handle_beat(beat(3, 9, Duration::ZERO));
        assert_eq!(reads(&mut standby, Duration::ZERO, STEP * 6, 9), Claims::No);
        standby.handle_beat(beat(3, 9, STEP * 6));
        assert_eq!(reads(&mut standby, STEP * 7, STEP * 5, 9), Claims::No);
        assert_eq!(reads(&mut standby, STEP * 13, STEP, 9), Claims::Yes);
        assert_eq!(standby.above(), Epoch(3));
    }

    #[test]
    fn what_it_could_not_hear_is_no_silence() {
        let late = Duration::from_secs(60);
        let mut frozen = Standby::new(Duration::ZERO, SILENCE);
        assert_eq!(frozen.handle_read(late, ReadOutcome::Nothing, Seq(0)), Claims::No);
        let mut cut = Standby::new(Duration::ZERO, SILENCE);
        for step in 1..100 {
            assert_eq!(cut.handle_read(STEP * step, ReadOutcome::Silence, Seq(0)), Claims::No);
        }
        assert_eq!(reads(&mut cut, STEP * 100, STEP * 5, 0), Claims::No);
    }

    #[test]
    fn who_has_not_read_what_the_leader_had_does_not_claim() {
        let mut standby = Standby::new(Duration::ZERO, SILENCE);
        standby.handle_beat(beat(3, 9, Duration::ZERO));
        assert_eq!(reads(&mut standby, Duration::ZERO, SILENCE * 9, 8), Claims::No);
        assert_eq!(reads(&mut standby, SILENCE * 9 + STEP, STEP, 9), Claims::Yes);
    }

    #[test]
    fn an_engine_whose_clock_is_off_leaves_the_lead_to_others_for_a_while() {
        let apart = Duration::from_secs(3_600);
        let mut standby = Standby::new(Duration::ZERO, SILENCE);
        standby.handle_beat(Beat { clocks_apart: apart, ..beat(3, 9, Duration::ZERO) });
        let early = reads(&mut standby, Duration::ZERO, APART_PATIENCE - STEP, 9);
        assert_eq!(early, Claims::ClockApart(apart));
        assert_eq!(reads(&mut standby, APART_PATIENCE, STEP, 9), Claims::Yes);
    }

    #[test]
    fn a_late_beat_of_an_earlier_epoch_says_nothing() {
        let mut standby = Standby::new(Duration::ZERO, SILENCE);
        standby.handle_beat(beat(4, 9, Duration::ZERO));
        standby.handle_beat(beat(3, 90, STEP * 8));
        assert_eq!(reads(&mut standby, STEP, STEP * 8, 9), Claims::Yes);
        assert_eq!(standby.above(), Epoch(4));
    }
}
