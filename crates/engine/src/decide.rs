//! What a turn decides: what was asked, and what follows without being asked.

use push0_core::{Block, FromDispatcher, IllegalEvent, Input, Rejection, SourceKind, Timestamp};

use crate::audit::Audit;
use crate::engine::Engine;
use crate::gathered::Gathered;
use crate::request::{Admission, Askers, Request, Work};
use crate::room::no_room;

/// What became of some inputs: the first refusal, and those that found no room.
type Decided = (Result<(), Rejection>, Vec<Input>);

impl<A: Askers> Engine<A> {
    /// Decides one request.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        work: Work<A>,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<(), IllegalEvent> {
        let request = match work {
            Work::Asked(request) => request,
            Work::Rest(inputs, asked) => {
                let (answer, rest) = self.decide_some(now, inputs, gathered, audit)?;
                let asked = asked.map(|(asker, before)| (asker, before.and(answer)));
                match (asked, rest.is_empty()) {
                    (Some(asked), true) => gathered.answers.push(asked),
                    (None, true) => {}
                    (asked, false) => self.left.push(Work::Rest(rest, asked)),
                }
                return Ok(());
            }
        };
        match request {
            Request::Ask(inputs, asker) => {
                let (answer, rest) = self.decide_some(now, inputs, gathered, audit)?;
                match rest.is_empty() {
                    true => gathered.answers.push((asker, answer)),
                    false => self.left.push(Work::Rest(rest, Some((asker, answer)))),
                }
            }
            Request::Add(blocks, asker) => {
                let taken = self.add(now, blocks, gathered, audit)?;
                gathered.taken.push((asker, taken));
            }
            Request::Heard(said) => self.hear(now, said, gathered, audit)?,
            Request::Departed(dispatcher, since) => {
                let lost = self.fleet.departed(&dispatcher, since, &self.scheduler);
                self.decide_all(now, lost, gathered, audit)?;
            }
            Request::Look(asker) => gathered.looks.push(asker),
            Request::Probe(asker) => gathered.probes.push(asker),
            Request::Drain => self.is_draining = true,
        }
        Ok(())
    }

    fn hear(
        &mut self,
        now: Timestamp,
        said: Vec<FromDispatcher>,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<(), IllegalEvent> {
        let mut said = said.into_iter();
        while let Some(message) = said.next() {
            match message {
                FromDispatcher::Report(report) => self.heard(now, report, gathered, audit)?,
                FromDispatcher::Beat(beat) => self.beaten(now, beat, gathered, audit)?,
            }
            if gathered.is_full() && said.len() > 0 {
                self.left.push(Work::Asked(Request::Heard(said.collect())));
                break;
            }
        }
        Ok(())
    }

    /// Adds blocks, up to the first that is refused.
    fn add(
        &mut self,
        now: Timestamp,
        blocks: Vec<Block>,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<Admission, IllegalEvent> {
        let mut taken = Admission::default();
        if let SourceKind::Node(_) = self.scheduler.pipeline().source.kind {
            taken.refused = Some(Rejection::NotSubmitted);
            return Ok(taken);
        }
        for block in blocks {
            let arrival = self.scheduler.chain().arrival(&block);
            match self.decide(now, &Input::Submit(Box::new(block)), gathered, audit)? {
                Ok(()) => taken.arrivals.push(arrival),
                Err(refused) => {
                    taken.refused = Some(refused);
                    break;
                }
            }
            if gathered.is_full() {
                break; // whoever asks sees how many were taken
            }
        }
        Ok(taken)
    }

    /// Decides what follows without being asked: silence, what is due, what can be granted.
    pub(crate) fn follow_up(
        &mut self,
        now: Timestamp,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<(), IllegalEvent> {
        if !self.has_claimed {
            return Ok(());
        }
        let silent = self.fleet.silent(now, &self.scheduler);
        self.decide_all(now, silent, gathered, audit)?;
        for times in 0.. {
            if gathered.is_full() || !audit.may_go_on(times) {
                break;
            }
            let before = gathered.events.len();
            let _ = self.decide(now, &Input::Wake, gathered, audit)?;
            if gathered.events.len() == before {
                audit.settled(now);
                break;
            }
        }
        if !self.is_draining && !gathered.is_overfull() {
            audit.assigns(&self.fleet, &self.scheduler);
            let offers = self.fleet.offers_at(now, &self.scheduler);
            let _ = self.decide(now, &Input::Assign(offers), gathered, audit)?;
        }
        if !gathered.is_full() {
            audit.sleeps(now, self.scheduler.poll_timeout(now));
        }
        Ok(())
    }

    /// Decides what nobody waits for: what a turn has no room for is the next one's.
    pub(crate) fn decide_all(
        &mut self,
        now: Timestamp,
        inputs: Vec<Input>,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<(), IllegalEvent> {
        let (_, rest) = self.decide_some(now, inputs, gathered, audit)?;
        if !rest.is_empty() {
            self.left.push(Work::Rest(rest, None));
        }
        Ok(())
    }

    /// Decides as many as the turn has room for.
    fn decide_some(
        &mut self,
        now: Timestamp,
        inputs: Vec<Input>,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<Decided, IllegalEvent> {
        let (mut answer, mut inputs) = (Ok(()), inputs.into_iter());
        for input in inputs.by_ref() {
            self.has_claimed |= matches!(input, Input::Claim(_));
            answer = answer.and(self.decide(now, &input, gathered, audit)?);
            if gathered.is_full() {
                break;
            }
        }
        Ok((answer, inputs.collect()))
    }

    pub(crate) fn decide(
        &mut self,
        now: Timestamp,
        input: &Input,
        gathered: &mut Gathered<A>,
        audit: &mut impl Audit,
    ) -> Result<Result<(), Rejection>, IllegalEvent> {
        if let Some(refused) = self.has_no_room_for(input) {
            return Ok(Err(refused));
        }
        let decided = self.scheduler.decide(now, input);
        audit.decided(now, input, decided.as_deref());
        Ok(match decided {
            Err(rejection) => Err(rejection),
            Ok(events) => {
                self.scheduler.apply_all(now, &events)?;
                if matches!(input, Input::Claim(_)) {
                    self.claim = Some(self.scheduler.last());
                }
                gathered.add(events);
                Ok(())
            }
        })
    }

    /// Why a block is not taken, where the log has not enough room for what it leads to.
    fn has_no_room_for(&self, input: &Input) -> Option<Rejection> {
        let Input::Submit(block) = input else { return None };
        let room = self.room?;
        if self.scheduler.chain().block(&block.hash).is_some() {
            return None; // at most its payload is delivered again
        }
        no_room(room, self.waiting.bytes(), &self.scheduler)
    }
}
