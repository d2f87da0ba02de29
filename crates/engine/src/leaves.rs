//! What leaves an engine, and when: grants once it leads, all else once what it rests on is
//! durable.

use push0_core::{Effect, Epoch, Life, Seq, Timestamp, ToDispatcher};

use crate::audit::Audit;
use crate::engine::Engine;
use crate::gathered::Gathered;
use crate::output::{Durable, Output};
use crate::request::Askers;
use crate::waiting::WaitingTurn;

impl<A: Askers> Engine<A> {
    /// The log is durable up to here: lets go of what rests on it.
    pub fn handle_landed(&mut self, now: Timestamp, durable: Seq, audit: &mut impl Audit) {
        self.durable = durable;
        self.begun = self.begun.max(durable);
        while let Some(effect) = self.scheduler.poll_effect(durable) {
            self.perform(now, effect, durable, audit);
        }
        while let Some(decided) = self.waiting.pop_durable(durable) {
            self.let_go(now, decided, audit);
        }
        self.release_grants(now, audit);
    }

    /// Whether the log is to be asked something that changes nothing, for who wants to know that
    /// this engine leads still. Not while an append is under way: what becomes of that comes first.
    /// [`handle_probed`](Self::handle_probed) has the answer.
    #[must_use]
    pub fn wants_probe(&self) -> bool {
        !self.probes.is_empty() && self.begun <= self.durable
    }

    /// Whether the log has answered. Where it has not, nobody is told that it is well.
    pub fn handle_probed(&mut self, is_well: bool) {
        let (epoch, durable) = (self.scheduler.epoch(), self.durable);
        for asker in self.probes.drain(..).filter(|_| is_well) {
            self.outputs.push_back(Output::Probed(asker, epoch, durable));
        }
    }

    /// What is to be sent next: all that this life of a dispatcher is told now. A message may be
    /// lost: nothing depends on one, since each beat of a dispatcher, and its answer, carry the
    /// whole truth.
    pub fn poll_transmit(&mut self, now: Timestamp) -> Option<(Life, Vec<ToDispatcher>)> {
        if self.letters.is_empty() {
            self.letters.extend(self.mail.take(now));
        }
        self.letters.pop_front()
    }

    /// Has everything that waits for company leave with the next
    /// [`poll_transmit`](Self::poll_transmit): the engine ends.
    pub fn handle_end(&mut self) {
        let all = self.mail.take_all();
        self.letters.extend(all);
    }

    /// What is to be answered or told next.
    pub fn poll_output(&mut self) -> Option<Output<A>> {
        self.outputs.pop_front()
    }

    /// Lets grants go whose record is not durable yet: one that is lost with it costs work, and
    /// breaks no promise. Not before the claim is durable, for until then another engine may lead.
    pub(crate) fn release_grants(&mut self, now: Timestamp, audit: &mut impl Audit) {
        if !self.leads() {
            return;
        }
        let cause = self.scheduler.last();
        while let Some(grant) = self.scheduler.poll_grant() {
            self.perform(now, grant, cause, audit);
        }
    }

    fn perform(&mut self, now: Timestamp, effect: Effect, cause: Seq, audit: &mut impl Audit) {
        let (to, message) = match effect {
            Effect::Grant(to, grant) => (to, ToDispatcher::Grant(grant)),
            Effect::Cancel(to, attempt) => (to, ToDispatcher::Cancel(attempt)),
            Effect::AskSource(block) => {
                return self.outputs.push_back(Output::AskSource(block));
            }
            Effect::Release(_) => return, // read by cursor, at the pulse
        };
        // To the life of a dispatcher that was heard last; one that was not heard of says with its
        // first beat what it lacks.
        if let Some(life) = self.fleet.life(&to) {
            audit.leaves(&message, self.epoch(), cause);
            self.mail.add(now, life, message);
        }
    }

    fn let_go(&mut self, now: Timestamp, decided: WaitingTurn<A>, audit: &mut impl Audit) {
        let WaitingTurn { turn, allows, last } = decided;
        let Gathered { answers, taken, messages, accepted, looks, probes, .. } = allows;
        for (to, message) in messages {
            audit.leaves(&message, self.epoch(), last);
            self.mail.add(now, to, message);
        }
        if !(answers.is_empty() && taken.is_empty()) {
            audit.answers(last);
        }
        let outputs = &mut self.outputs;
        outputs.extend(answers.into_iter().map(|(asker, answer)| Output::Answered(asker, answer)));
        outputs.extend(taken.into_iter().map(|(asker, taken)| Output::Added(asker, taken)));
        let (epoch, durable) = (self.scheduler.epoch(), self.durable);
        outputs.extend(probes.into_iter().map(|asker| Output::Probed(asker, epoch, durable)));
        if let Some(turn) = turn {
            self.trouble = None; // a log that takes more and makes none of it durable is still in trouble
            let told = self.telling.as_mut().map(|telling| telling.told(now, &turn));
            let told = told.unwrap_or_default();
            outputs.push_back(Output::Durable(Durable { turn, told, accepted }));
        }
        outputs.extend(looks.into_iter().map(Output::Look)); // nothing was decided behind it
    }

    const fn epoch(&self) -> Epoch {
        self.scheduler.epoch()
    }
}
