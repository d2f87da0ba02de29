//! Which events people are told of: as many as anybody keeps, and what goes wrong before all else.
//!
//! Not here: what is said of each, and who prints it.

use std::time::Duration;

use push0_core::{Event, Timestamp, Turn};

/// What people are told, in the order in which it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Announcement {
    /// This event of the turn.
    Event(usize),
    /// That more happens than is told: for a second only what does not happen to every task.
    More,
    /// How many events were not told.
    NotTold(u64),
}

/// How much may be told, and what was not.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    /// For what happens to every task.
    routine: Room,
    /// For all else.
    other: Room,
    not_told: u64,
    /// Until when nothing of the routine is told.
    quiet_until: Option<Timestamp>,
}

impl Telling {
    pub(crate) const fn new(now: Timestamp) -> Self {
        let room = Room { lines: LINES_MAX, since: now };
        Self { routine: room, other: room, not_told: 0, quiet_until: None }
    }

    /// What is told of a turn.
    pub(crate) fn told(&mut self, now: Timestamp, turn: &Turn) -> Vec<Announcement> {
        let mut told = Vec::new();
        if self.quiet_until.is_some_and(|until| until <= now) {
            told.push(Announcement::NotTold(std::mem::take(&mut self.not_told)));
            self.quiet_until = None;
        }
        for (index, event) in turn.events.iter().enumerate() {
            let (is_routine, is_quiet) = (is_routine(event), self.quiet_until.is_some());
            let room = if is_routine { &mut self.routine } else { &mut self.other };
            if !(is_routine && is_quiet) && room.take(now) {
                told.push(Announcement::Event(index));
                continue;
            }
            self.not_told += 1;
            if !is_quiet {
                self.quiet_until = Some(now + QUIET);
                told.push(Announcement::More);
            }
        }
        told
    }
}

/// Whether this happens to every block and task.
const fn is_routine(event: &Event) -> bool {
    matches!(
        event,
        Event::BlockSubmitted { .. }
            | Event::BatchClosed { .. }
            | Event::TaskOpened { .. }
            | Event::Granted { .. }
            | Event::Accepted { .. }
            | Event::Released { .. }
    )
}

/// Room for lines, which comes back with time.
#[derive(Clone, Copy, Debug)]
struct Room {
    lines: u32,
    /// Up to when it has come back.
    since: Timestamp,
}

impl Room {
    /// Takes a line's; `false` if there is none.
    fn take(&mut self, now: Timestamp) -> bool {
        let back = now.since(self.since).as_micros() / PER_LINE.as_micros();
        let back = u32::try_from(back).unwrap_or(LINES_MAX).min(LINES_MAX);
        self.lines = LINES_MAX.min(self.lines + back);
        self.since = if self.lines == LINES_MAX { now } else { self.since + PER_LINE * back };
        let has_room = self.lines > 0;
        self.lines = self.lines.saturating_sub(1);
        has_room
    }
}

/// Lines at once, and within [`BACK`]: what systemd's journal keeps by default, which drops the
/// rest (`RateLimitBurst=` and `RateLimitIntervalSec=`, man journald.conf).
const LINES_MAX: u32 = 10_000;

const BACK: Duration = Duration::from_secs(30);

/// How long room for one takes to come back.
const PER_LINE: Duration = BACK.checked_div(LINES_MAX).expect("lines are told");

/// How long the routine is left out once there is too much of it.
const QUIET: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use push0_core::{BlockHash, ChainId, Epoch, Height, Key, ReleaseNumber, Seq};

    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    const KEY: Key = Key {
        chain: ChainId(1),
        first: Height(5),
        last: Height(5),
        part: None,
        tip: BlockHash([7; 32]),
    };

    #[test]
    fn room_comes_back_with_time_and_no_more_than_there_was() {
        let start = START;
        let mut room = Room { lines: LINES_MAX, since: start };
        let taken = |room: &mut Room, now| (0..2 * LINES_MAX).filter(|_| room.take(now)).count();
        assert_eq!(taken(&mut room, start), LINES_MAX as usize);
        assert_eq!(taken(&mut room, start + PER_LINE * 7 / 2), 3);
        assert_eq!(taken(&mut room, start + PER_LINE * 4), 1);
        assert_eq!(taken(&mut room, start + BACK * 9), LINES_MAX as usize);
    }

    #[test]
    fn what_is_too_much_is_counted_and_what_is_not_routine_is_told_all_the_same() {
        let mut telling = Telling::new(START);
        let opened = || Event::Released { number: ReleaseNumber(1), key: KEY, tasks: Vec::new() };
        let ended = Event::SourceEnded { last: Height(7) };
        let mut told = |after: Duration, events: Vec<Event>| {
            let turn = Turn { epoch: Epoch(1), first: Seq(1), at: Timestamp(0), events };
            telling.told(START + after, &turn)
        };
        let many: Vec<_> = (0..LINES_MAX + 5).map(|_| opened()).collect();
        let first = told(Duration::ZERO, many);
        assert_eq!(first.len(), LINES_MAX as usize + 1);
        assert_eq!(first.last(), Some(&Announcement::More), "the last says so");
        assert_eq!(told(QUIET / 2, vec![opened(), ended, opened()]), [Announcement::Event(1)]);
        assert_eq!(told(QUIET, vec![opened()]), [Announcement::NotTold(7), Announcement::Event(0)]);
    }
}
