//! What a dispatcher says, decided; and what it is told of it.

use push0_core::{Beat, Input, Life, Outcome, Rejection, Report, Timestamp, ToDispatcher, Verdict};
use push0_log::Log;

use super::gathered::Gathered;
use super::{Engine, EngineError};

impl<L: Log> Engine<L> {
    /// Takes a beat, and answers what its dispatcher lacks.
    pub(super) fn beaten(
        &mut self,
        now: Timestamp,
        beat: Beat,
        gathered: &mut Gathered,
    ) -> Result<(), EngineError> {
        let (inputs, again) = self.fleet.beat(now, &beat, &self.scheduler);
        let to = Life { dispatcher: beat.dispatcher, incarnation: beat.incarnation };
        gathered.messages.extend(again.into_iter().map(|message| (to.clone(), message)));
        self.decide_all(now, inputs, gathered)
    }

    /// Decides a report, and what its dispatcher is told of it.
    pub(super) fn heard(
        &mut self,
        now: Timestamp,
        report: Report,
        gathered: &mut Gathered,
    ) -> Result<(), EngineError> {
        self.fleet.ended(&report);
        if self.fleet.awaits(now, &report, &self.scheduler) {
            return Ok(());
        }
        let (attempt, ran) = (report.attempt, report.ran);
        let (dispatcher, incarnation) = (report.dispatcher.clone(), report.incarnation);
        let is_result = matches!(report.outcome, Outcome::Proved(_));
        let lives = self.scheduler.attempts_at(report.task).next();
        // When what is tried was granted, and whether this is its word.
        let lives = lives.map(|lives| (lives.since, self.scheduler.is_holders(&report)));
        let before = gathered.events.len();
        let verdict = match self.decide(now, &Input::Report(report), gathered)? {
            Err(Rejection::Answered(verdict)) => verdict,
            Err(_) => Verdict::Unwanted,
            Ok(()) => gathered.verdict(before, self.scheduler.last()),
        };
        let to = Life { dispatcher, incarnation };
        if let (Verdict::Accepted(_), true, Some((since, is_its))) = (verdict, is_result, lives) {
            gathered.accepted.push((since, ran));
            if is_its {
                self.fleet.proved(&to);
            }
        }
        gathered.messages.push((to, ToDispatcher::Verdict(attempt, verdict)));
        Ok(())
    }
}
