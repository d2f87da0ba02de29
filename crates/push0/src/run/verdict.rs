//! Whether, and how, a run is over.

use std::time::Instant;

use super::standing::Standing;
use super::{Run, RunError, STUCK_MIN, UNOFFERED_MAX};
use crate::exit::Exit;

impl Run {
    /// Whether, and how, the run is over.
    pub(super) fn verdict(&mut self, standing: &Standing) -> Result<Option<Exit>, RunError> {
        let is_delivered = self.published.len() as u64 == standing.releases;
        if standing.is_complete && is_delivered && self.feed.is_some() {
            return Ok(Some(Exit::Done));
        }
        if self.interrupts > 0 && standing.running == 0 {
            return Ok(Some(Exit::Interrupted));
        }
        let is_delivering = self.deliverer.cursor().0 > self.published.len() as u64;
        if let Some(no_room) = &self.no_room
            && standing.running == 0
        {
            no_room.check()?;
        }
        let is_fed = self.feed.is_some() || self.waits.for_engine();
        let waits_for_disk = self.no_room.is_some() || self.waits.for_disk();
        if !standing.is_stuck() || is_delivering || !is_fed || waits_for_disk {
            self.stuck = None;
        } else if self.stuck.get_or_insert_with(Instant::now).elapsed() >= STUCK_MIN {
            return self.stuck(standing);
        }
        match self.is_out_of_patience(standing) {
            true => Ok(Some(Exit::Unproved)),
            false => self.check_offers(standing),
        }
    }

    /// How it has ended, by what it stands at then: it may have come to its end while it was being
    /// ended.
    pub(super) fn ended_as(&self, watched: Exit, standing: &Standing) -> Exit {
        let is_delivered = self.published.len() as u64 >= standing.releases;
        match watched == Exit::Interrupted && standing.is_complete && is_delivered {
            true => Exit::Done,
            false => watched,
        }
    }

    /// Whether a program has been held for too long, with nothing proved meanwhile.
    fn is_out_of_patience(&mut self, standing: &Standing) -> bool {
        let accepted = standing.totals.accepted;
        if standing.held.is_empty() {
            self.held = None;
            return false;
        }
        let since = self.held.filter(|(_, before)| *before == accepted);
        let (since, _) = *self.held.insert(since.unwrap_or_else(|| (Instant::now(), accepted)));
        since.elapsed() >= self.patience && standing.running == 0
    }

    /// How the run is over where nothing more will happen.
    fn stuck(&mut self, standing: &Standing) -> Result<Option<Exit>, RunError> {
        match self.deliverer.take_failure() {
            _ if !standing.parked.is_empty() => Ok(Some(Exit::Unproved)),
            Some(error) => Err(error),
            None if standing.is_complete => Ok(None), // the next look hands over what is left
            None => Err(RunError::Wedged),
        }
    }

    /// Gives up where only programs are wanted that cannot be run.
    fn check_offers(&mut self, standing: &Standing) -> Result<Option<Exit>, RunError> {
        if standing.running > 0 || !standing.wants_only_unoffered {
            self.unoffered = None;
        } else if self.unoffered.get_or_insert_with(Instant::now).elapsed() > UNOFFERED_MAX {
            let words =
                self.gone.iter().map(|(program, words)| format!("program {program}: {words}"));
            return Err(RunError::Unoffered(words.collect::<Vec<_>>().join("; ")));
        }
        Ok(None)
    }
}
