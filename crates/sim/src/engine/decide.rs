//! What is asked and heard, decided; and what follows without being asked.

use push0_core::{
    FromDispatcher, Input, Life, Outcome, Rejection, Report, Timestamp, ToDispatcher, Verdict,
};

use super::gathered::Gathered;
use super::{Answer, Ended, Engine, Request};
use crate::broken::Broken;
use crate::watch::Watch;

impl Engine {
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        request: Request,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<(), Ended> {
        match request {
            Request::Ask(asker, inputs) => {
                let mut answer = Ok(());
                for input in inputs {
                    self.has_claimed |= matches!(input, Input::Claim(_));
                    answer = answer.and(self.decide(now, &input, gathered, watch)?);
                }
                gathered.answers.push((asker, answer));
            }
            Request::Heard(FromDispatcher::Report(report)) => {
                self.heard(now, report, gathered, watch)?;
            }
            Request::Heard(FromDispatcher::Beat(beat)) => {
                let (mut inputs, mut again) = self.fleet.beat(now, &beat, &self.scheduler);
                if self.broken == Some(Broken::GrantSentOnce) {
                    again.retain(|message| !matches!(message, ToDispatcher::Grant(_)));
                    inputs.retain(|input| !matches!(input, Input::Withdraw { .. }));
                }
                let (dispatcher, incarnation) = (beat.dispatcher.clone(), beat.incarnation);
                let to = Life { dispatcher, incarnation };
                let to = |message| (to.clone(), message);
                watch.hears(now, &beat, &again);
                gathered.messages.extend(again.into_iter().map(to));
                self.decide_all(now, inputs, gathered, watch)?;
                watch.beat(&beat);
            }
        }
        Ok(())
    }

    fn heard(
        &mut self,
        now: Timestamp,
        report: Report,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<(), Ended> {
        self.fleet.ended(&report);
        watch.ended(&report);
        if self.fleet.awaits(now, &report, &self.scheduler) {
            return Ok(());
        }
        let (dispatcher, incarnation) = (report.dispatcher.clone(), report.incarnation);
        let (attempt, to) = (report.attempt, Life { dispatcher, incarnation });
        let is_result = matches!(report.outcome, Outcome::Proved(_));
        let is_holder = self.scheduler.is_holders(&report);
        let before = gathered.events.len();
        let verdict = match self.decide(now, &Input::Report(report), gathered, watch)? {
            Err(Rejection::Answered(verdict)) => verdict,
            Err(_) => Verdict::Unwanted,
            Ok(()) => gathered.verdict(before, self.scheduler.last()),
        };
        debug_assert!(is_result || !matches!(verdict, Verdict::Accepted(_)), "only results are");
        if is_holder && matches!(verdict, Verdict::Accepted(_)) {
            self.fleet.proved(&to);
        }
        gathered.messages.push((to, ToDispatcher::Verdict(attempt, verdict)));
        Ok(())
    }

    pub(super) fn follow_up(
        &mut self,
        now: Timestamp,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<(), Ended> {
        if !self.has_claimed {
            return Ok(());
        }
        let silent = self.fleet.silent(now, &self.scheduler);
        self.decide_all(now, silent, gathered, watch)?;
        for times in 0.. {
            if gathered.is_full() || !watch.wakes(times) {
                break;
            }
            let before = gathered.events.len();
            let _ = self.decide(now, &Input::Wake, gathered, watch)?;
            if gathered.events.len() == before {
                watch.settled(now);
                break;
            }
        }
        watch.offered(self.fleet.offers(&self.scheduler));
        let offers = self.fleet.offers_at(now, &self.scheduler);
        let _ = self.decide(now, &Input::Assign(offers), gathered, watch)?;
        if !gathered.is_full() {
            watch.sleeps(now, self.scheduler.poll_timeout(now));
        }
        Ok(())
    }

    fn decide_all(
        &mut self,
        now: Timestamp,
        inputs: Vec<Input>,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<(), Ended> {
        for input in inputs {
            let _ = self.decide(now, &input, gathered, watch)?;
        }
        Ok(())
    }

    fn decide(
        &mut self,
        now: Timestamp,
        input: &Input,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<Answer, Ended> {
        let decided = self.scheduler.decide(now, input);
        watch.decided(now, input, decided.as_deref());
        Ok(match decided {
            Err(rejection) => Err(rejection),
            Ok(events) => {
                self.scheduler.apply_all(now, &events).map_err(Ended::Bug)?;
                if matches!(input, Input::Claim(_)) {
                    self.claim = Some(self.scheduler.last());
                }
                gathered.add(events);
                Ok(())
            }
        })
    }
}
