//! Which events people are told of, each with a line: as many as anybody keeps, and what goes wrong before all else.
//!
//! Not here: what a line says (`lines`), and who prints it (`Ports::turns`).

use std::time::{Duration, Instant};

use push0_core::{Event, Scheduler, Turn};

use crate::lines::line;
use crate::tell::{Level, Line};

/// How much may be told, and what was not.
pub(super) struct Telling {
    /// For what happens to every task.
    routine: Room,
    /// For all else.
    other: Room,
    not_told: u64,
    /// Until when nothing of the routine is told.
    quiet_until: Option<Instant>,
}

impl Telling {
    pub(super) const fn new(now: Instant) -> Self {
        let room = Room { lines: LINES_MAX, since: now };
        Self { routine: room, other: room, not_told: 0, quiet_until: None }
    }

    /// The lines of a turn.
    pub(super) fn lines(&mut self, now: Instant, scheduler: &Scheduler, turn: &Turn) -> Vec<Line> {
        let mut lines = Vec::new();
        let note = |level, words: String| Line::new(level, words).at(turn.at);
        if self.quiet_until.is_some_and(|until| until <= now) {
            let not_told = std::mem::take(&mut self.not_told);
            let words = match not_told {
                1 => "(1 event was not told: the log has it)".to_owned(),
                _ => format!("({not_told} events were not told: the log has them)"),
            };
            lines.push(note(Level::Warn, words));
            self.quiet_until = None;
        }
        for event in &turn.events {
            let (is_routine, is_quiet) = (is_routine(event), self.quiet_until.is_some());
            let room = if is_routine { &mut self.routine } else { &mut self.other };
            if !(is_routine && is_quiet) && room.take(now) {
                lines.push(line(scheduler, turn.at, event));
                continue;
            }
            self.not_told += 1;
            if !is_quiet {
                self.quiet_until = Some(now + QUIET);
                let words = "(more happens than is told: for a second only what is not routine)";
                lines.push(note(Level::Warn, words.to_owned()));
            }
        }
        lines
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
    since: Instant,
}

impl Room {
    /// Takes a line's; `false` if there is none.
    fn take(&mut self, now: Instant) -> bool {
        let back = now.saturating_duration_since(self.since).as_micros() / PER_LINE.as_micros();
        let back = u32::try_from(back).unwrap_or(LINES_MAX).min(LINES_MAX);
        self.lines = LINES_MAX.min(self.lines + back);
        self.since = if self.lines == LINES_MAX { now } else { self.since + PER_LINE * back };
        let has_room = self.lines > 0;
        self.lines = self.lines.saturating_sub(1);
        has_room
    }
}

/// Lines at once, and within [`BACK`]: what systemd's journal keeps by default, which drops the rest
/// (`RateLimitBurst=` and `RateLimitIntervalSec=`, man journald.conf).
const LINES_MAX: u32 = 10_000;

const BACK: Duration = Duration::from_secs(30);

/// How long room for one takes to come back.
const PER_LINE: Duration = BACK.checked_div(LINES_MAX).expect("lines are told");

/// How long the routine is left out once there is too much of it.
const QUIET: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use push0_core::{
        BlockHash, ChainId, Epoch, Height, Key, Limits, ReleaseNumber, Seq, Timestamp,
    };

    use super::*;

    const KEY: Key = Key {
        chain: ChainId(1),
        first: Height(5),
        last: Height(5),
        part: None,
        tip: BlockHash([7; 32]),
    };

    #[test]
    fn room_comes_back_with_time_and_no_more_than_there_was() {
        let start = Instant::now();
        let mut room = Room { lines: LINES_MAX, since: start };
        let taken = |room: &mut Room, now| (0..2 * LINES_MAX).filter(|_| room.take(now)).count();
        assert_eq!(taken(&mut room, start), LINES_MAX as usize);
        assert_eq!(taken(&mut room, start + PER_LINE * 7 / 2), 3);
        assert_eq!(taken(&mut room, start + PER_LINE * 4), 1);
        assert_eq!(taken(&mut room, start + BACK * 9), LINES_MAX as usize);
    }

    #[test]
    fn what_is_too_much_is_counted_and_what_is_not_routine_is_told_all_the_same() {
        let (start, scheduler) = (Instant::now(), Scheduler::new(Limits::default()));
        let mut telling = Telling::new(start);
        let opened = || Event::Released { number: ReleaseNumber(1), key: KEY, tasks: Vec::new() };
        let ended = Event::SourceEnded { last: Height(7) };
        let mut told = |after: Duration, events: Vec<Event>| {
            let turn = Turn { epoch: Epoch(1), first: Seq(1), at: Timestamp(0), events };
            telling.lines(start + after, &scheduler, &turn)
        };
        let many: Vec<_> = (0..LINES_MAX + 5).map(|_| opened()).collect();
        let lines = told(Duration::ZERO, many);
        assert_eq!(lines.len(), LINES_MAX as usize + 1);
        assert!(
            lines.last().is_some_and(|last| last.shown().contains("more happens")),
            "the last says so"
        );

        let lines = told(QUIET / 2, vec![opened(), ended, opened()]);
        assert_eq!(lines.iter().map(Line::shown).collect::<Vec<_>>(), ["source_ended last=7"]);

        let lines = told(QUIET, vec![opened()]);
        let said: Vec<_> = lines.iter().map(Line::shown).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(
            said.first().map(String::as_str),
            Some("(7 events were not told: the log has them)")
        );
    }
}
