//! What a dispatcher says, decided; and what it is told of it.

use push0_core::{
    Beat, IllegalEvent, Input, Life, Outcome, Rejection, Report, Timestamp, ToDispatcher, Verdict,
};

use crate::audit::Audit;
use crate::engine::Engine;
use crate::gathered::Gathered;
use crate::request::Askers;

impl<A: Askers> Engine<A> {
    /// Takes a beat, and answers what its dispatcher lacks.
    pub(crate) fn beaten(
        &mut self,
        now: Timestamp,
        beat: Beat,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<(), IllegalEvent> {
        let (inputs, again) = self.fleet.beat(now, &beat, &self.scheduler);
        audit.hears(now, &beat, &again);
        let to = Life { dispatcher: beat.dispatcher.clone(), incarnation: beat.incarnation };
        gathered.messages.extend(again.into_iter().map(|message| (to.clone(), message)));
        let before = self.left.len();
        self.decide_all(now, inputs, gathered, audit)?;
        audit.heard(&beat, self.left.len() == before);
        Ok(())
    }

    /// Decides a report, and what its dispatcher is told of it.
    pub(crate) fn heard(
        &mut self,
        now: Timestamp,
        report: Report,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<(), IllegalEvent> {
        self.fleet.ended(&report);
        audit.reported(&report);
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
        let verdict = match self.decide(now, &Input::Report(report), gathered, audit)? {
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
