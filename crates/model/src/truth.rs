//! What truly stands in the log, read as it is taken, and checked in words of its own.
//!
//! Its print is that of the log: of every record, and who wrote it. All that is here follows from
//! that.

use std::collections::BTreeSet;

use push0_core::{Event, Height, Scheduler, TaskId, Turn};
use push0_log::stream::{Position, Stored};
use push0_sim::Check;

use crate::ground;
use crate::print::Print;

/// A check that does not hold, and what was found.
pub(crate) type Found = (Check, String);

/// The log, read.
#[derive(Clone)]
pub(crate) struct Truth {
    pub(crate) position: Position,
    /// What the log alone leads to.
    pub(crate) scheduler: Scheduler,
    writer: String,
    accepted: BTreeSet<TaskId>,
    pub(crate) released: Vec<Height>,
    pub(crate) print: Print,
}

impl Truth {
    /// That of a log that holds its genesis record alone.
    pub(crate) fn new(genesis: &Stored) -> Self {
        Self {
            position: Position::begin(genesis).expect("it is a genesis record"),
            scheduler: Scheduler::new(ground::limits()),
            writer: genesis.subject.clone(),
            accepted: BTreeSet::new(),
            released: Vec::new(),
            print: Print::default(),
        }
    }

    /// Reads one more record.
    pub(crate) fn read(&mut self, record: &Stored) -> Result<(), Found> {
        let (before, mut turns) = (self.position.epoch(), Vec::new());
        let read = self.position.follow(record, &mut |turn| turns.push(turn));
        let sequence = record.sequence;
        read.map_err(|why| (Check::OneWriter, format!("record {sequence}: {}", why.reason())))?;
        self.print = Print::of((self.print, &record.subject, Print::of_bytes(&record.payload)));
        let begins = turns.first().and_then(|turn| turn.events.first());
        let claims = matches!(begins, Some(Event::Claimed { epoch, .. }) if *epoch > before);
        let is_another = record.subject != self.writer;
        holds(Check::OneWriter, !is_another || claims, || {
            format!("record {sequence} is another engine's, and does not begin with its claim")
        })?;
        self.writer.clone_from(&record.subject);
        for turn in &turns {
            holds(Check::StaleEpoch, turn.epoch >= before, || {
                format!("a turn of {} stands behind one of {before}", turn.epoch)
            })?;
            self.take(turn)?;
        }
        Ok(())
    }

    fn take(&mut self, turn: &Turn) -> Result<(), Found> {
        for event in &turn.events {
            if let Event::Accepted { task, .. } = event {
                let is_first = self.accepted.insert(*task);
                holds(Check::AcceptedOnce, is_first, || format!("{task} is accepted again"))?;
            }
            if let Event::Released { number, key, .. } = event {
                let known = self.released.len() as u64;
                let is_next = number.0 == known + 1 && key.first.0 == ground::FIRST + known;
                holds(Check::GaplessPrefix, is_next, || {
                    format!("{number} is of {}, behind {known} others", key.first)
                })?;
                self.released.push(key.first);
            }
        }
        let replayed = self.scheduler.replay_turn(turn);
        replayed.map_err(|error| (Check::Legal, format!("the log cannot be replayed: {error}")))
    }
}

/// Answers `check` with these words unless it holds.
pub(crate) fn holds(
    check: Check,
    it_holds: bool,
    what: impl FnOnce() -> String,
) -> Result<(), Found> {
    if it_holds { Ok(()) } else { Err((check, what())) }
}
