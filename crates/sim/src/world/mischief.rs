//! What goes wrong by itself, and what operators do.

use std::time::Duration;

use push0_core::{FailureClass, FromDispatcher, Input, Outcome, Report, TaskId, TaskState};

use super::{Cut, MISCHIEF, World};
use crate::agenda::{Happening, Healed};
use crate::clock::Rate;
use crate::engine::Asker;
use crate::fault::Fault;
use crate::pipelines;

impl World {
    /// Some clocks run fast or slow, for good.
    pub(super) fn draw_rates(&mut self) {
        let mut draw = || match self.faults.strikes(Duration::ZERO, Fault::ClockDrift) {
            true => {
                let permille = self.faults.chance(Fault::ClockDrift).within(920, 1080);
                Rate::permille(u32::try_from(permille).unwrap_or(1000))
            }
            false => Rate::TRUE,
        };
        self.rate = draw();
        self.crew.iter_mut().for_each(|one| one.rate = draw());
    }

    pub(super) fn mischief(&mut self) {
        self.agenda.after(MISCHIEF, Happening::Mischief);
        self.trouble_of_engine();
        self.trouble_of_store();
        self.trouble_of_all();
        for who in 0..self.crew.len() {
            self.trouble_of_dispatcher(who);
            self.lie_of_dispatcher(who);
            self.claim_of_dispatcher(who);
        }
        self.operate();
        self.audit();
    }

    fn trouble_of_engine(&mut self) {
        if self.strikes(Fault::EngineKilled) {
            self.crash(false, "it is killed");
        }
        if self.strikes(Fault::PowerLost) {
            self.crash(true, "the power goes");
        }
        if self.engine.is_some() && self.damage.is_none() && self.strikes(Fault::SectorDamaged) {
            self.crash(false, "its disk fails");
            self.damage = self.disk.damage();
            let words = self.damage.as_ref().map(|damage| (damage.name.clone(), damage.offset));
            self.say(|| format!("damaged: {words:?}"));
        }
        if self.strikes(Fault::EngineFrozen) {
            let wait = self.long_or_short(Fault::EngineFrozen, 25_000);
            self.say(|| format!("engine stands still for {wait:?}"));
            self.frozen = self.frozen.max(self.agenda.now() + wait);
            self.deaf_until(wait);
        }
        if self.strikes(Fault::DiskFull) {
            self.disk.fill(true);
            self.heals_after(Fault::DiskFull, 8_000, Healed::Disk);
        }
    }

    fn trouble_of_store(&mut self) {
        if self.strikes(Fault::StoreDown) {
            self.store.set_down(true);
            self.heals_after(Fault::StoreDown, 6_000, Healed::Store);
        }
        if self.strikes(Fault::ArtifactLost) {
            let count = self.store.len();
            let chance = self.faults.chance(Fault::ArtifactLost);
            let (index, is_gone) = (chance.below(count), chance.flip());
            let lost = self.store.lose(index, is_gone);
            self.say(|| format!("the store loses {lost:?}"));
        }
    }

    /// A driver was updated everywhere, or a node is away.
    fn trouble_of_all(&mut self) {
        if !self.strikes(Fault::FleetFails) {
            return;
        }
        let chance = self.faults.chance(Fault::FleetFails);
        let ways = [
            Some(FailureClass::Failed),
            Some(FailureClass::Transient),
            Some(FailureClass::Unjudged),
            None,
        ];
        let way = chance.pick(&ways).copied().flatten();
        self.all_fail = (self.agenda.now() + chance.millis(2_000, 30_000), way);
    }

    fn trouble_of_dispatcher(&mut self, who: usize) {
        let Some(one) = self.crew.get(who).filter(|one| one.is_up) else { return };
        let (id, programs) = (one.id.clone(), one.capacity.programs.clone());
        let now = self.agenda.now();
        if !self.scenario.is_one_process && self.strikes(Fault::DispatcherKilled) {
            self.dispatcher_dies(who);
            let wait = self.faults.chance(Fault::DispatcherKilled).millis(20, 15_000);
            self.watch.trouble_until(&id, now + wait);
            self.agenda.after(wait, Happening::DispatcherStarts { who });
        }
        if self.strikes(Fault::DispatcherFrozen) {
            let wait = self.faults.chance(Fault::DispatcherFrozen).millis(50, 20_000);
            self.say(|| format!("{id} stands still for {wait:?}"));
            self.watch.trouble_until(&id, now + wait);
            self.crew
                .get_mut(who)
                .into_iter()
                .for_each(|one| one.frozen = one.frozen.max(now + wait));
        }
        if self.strikes(Fault::Partition) {
            self.cut_off(who, Fault::Partition, Cut { up: true, down: true });
        }
        if self.strikes(Fault::Mute) {
            self.cut_off(who, Fault::Mute, Cut { up: true, down: false });
        }
        if self.strikes(Fault::Deaf) {
            self.cut_off(who, Fault::Deaf, Cut { up: false, down: true });
        }
        if self.strikes(Fault::NoRoom) {
            self.crew.get_mut(who).into_iter().for_each(|one| one.is_open = false);
            self.heals_after(Fault::NoRoom, 8_000, Healed::Room(who));
        }
        if self.strikes(Fault::ProgramGone) {
            let programs: Vec<_> = programs.iter().cloned().collect();
            let gone = self.faults.chance(Fault::ProgramGone).pick(&programs).cloned();
            self.crew.get_mut(who).into_iter().for_each(|one| one.withdrawn.extend(gone.clone()));
            self.heals_after(Fault::ProgramGone, 8_000, Healed::Program(who));
        }
    }

    fn cut_off(&mut self, who: usize, fault: Fault, ways: Cut) {
        let wait = self.heals_after(fault, 20_000, Healed::Link(who));
        self.cut.get_mut(who).into_iter().for_each(|cut| *cut = ways);
        let id = self.crew.get(who).map(|one| one.id.clone());
        if let Some(id) = id.filter(|_| ways.up) {
            let until = self.agenda.now() + wait;
            self.watch.trouble_until(&id, until);
        }
    }

    /// What a dispatcher says that is not so.
    fn lie_of_dispatcher(&mut self, who: usize) {
        let (Some(one), Some(engine)) = (self.crew.get(who).filter(|one| one.is_up), &self.engine)
        else {
            return;
        };
        let (dispatcher, incarnation) = (one.id.clone(), one.life);
        let others =
            engine.scheduler().attempts().filter(|attempt| attempt.dispatcher != dispatcher);
        let others: Vec<_> = others.map(|attempt| (attempt.task, attempt.id)).collect();
        if others.is_empty() || !self.strikes(Fault::SpeaksForOther) {
            return;
        }
        let chance = self.faults.chance(Fault::SpeaksForOther);
        let message = "said by another".to_owned();
        let class = FailureClass::Unprovable;
        let ends = [
            Outcome::Failed { class, message: message.clone() },
            Outcome::Rejected { message: message.clone() },
            Outcome::NotRun { message },
            Outcome::Cancelled,
        ];
        let (Some((task, attempt)), Some(outcome)) =
            (chance.pick(&others).copied(), chance.pick(&ends).cloned())
        else {
            return;
        };
        let ran = Duration::ZERO;
        let report = Report { dispatcher, incarnation, attempt, task, outcome, ran };
        self.engine_hears(who, FromDispatcher::Report(report));
    }

    /// What a dispatcher claims that it does not have.
    fn claim_of_dispatcher(&mut self, who: usize) {
        let now = self.agenda.now();
        if self.strikes(Fault::Boasts) {
            let until = now + self.faults.chance(Fault::Boasts).millis(1_000, 10_000);
            self.crew.get_mut(who).into_iter().for_each(|one| one.boasts_until = until);
        }
        let id = self.crew.get(who).map(|one| one.id.clone());
        if let Some(id) = id.filter(|_| self.strikes(Fault::OwnKey)) {
            self.watch.has_own_key(&id);
            self.crew.get_mut(who).into_iter().for_each(|one| one.has_own_key = true);
        }
    }

    /// Takes back what was accepted and is false; by mistake, what is true.
    fn audit(&mut self) {
        let Some(engine) = &self.engine else { return };
        let scheduler = engine.scheduler();
        let all = scheduler.tasks().filter(|(_, task)| task.result.is_some());
        let all: Vec<_> = all.map(|(id, _)| *id).collect();
        let lies = self.lies();
        let discard = |task| {
            let (by, why) = ("an auditor".to_owned(), "it is false".to_owned());
            Input::Discard { task, by, why }
        };
        if let Some(lie) = lies.first().copied()
            && (!self.is_cruel() || self.strikes(Fault::Audited))
        {
            self.ask(Asker::Operator, vec![discard(lie)]);
        } else if !all.is_empty() && self.strikes(Fault::Mistaken) {
            let task = self.faults.chance(Fault::Mistaken).pick(&all).copied();
            self.ask(Asker::Operator, task.map(discard).into_iter().collect());
        }
    }

    /// The tasks whose result is false, where an engine is there to take one back.
    pub(super) fn lies(&self) -> Vec<TaskId> {
        let tasks = self.engine.as_ref().map(|_| &self.watch.ledger.tasks);
        let lies = tasks.into_iter().flatten();
        lies.filter(|(_, entry)| entry.result.is_some() && entry.is_lie)
            .map(|(id, _)| *id)
            .collect()
    }

    fn operate(&mut self) {
        let Some(engine) = &self.engine else { return };
        let scheduler = engine.scheduler();
        let parked: Vec<_> = scheduler.parked().map(|(id, _)| *id).collect();
        let is_accepted = |state: &TaskState| *state == TaskState::Accepted;
        let accepted = scheduler.tasks().filter(|(_, task)| is_accepted(&task.state));
        let accepted: Vec<_> = accepted.map(|(id, _)| *id).collect();
        let leases: Vec<_> = scheduler.attempts().map(|attempt| attempt.id).collect();
        if !parked.is_empty() && self.strikes(Fault::Retried) {
            let task = self.faults.chance(Fault::Retried).pick(&parked).copied();
            self.ask(Asker::Operator, task.map(Input::Retry).into_iter().collect());
        }
        if !accepted.is_empty() && self.strikes(Fault::RemadeByHand) {
            let task = self.faults.chance(Fault::RemadeByHand).pick(&accepted).copied();
            self.ask(Asker::Operator, task.map(Input::Remake).into_iter().collect());
        }
        if !leases.is_empty() && self.strikes(Fault::TakenBack) {
            let attempt = self.faults.chance(Fault::TakenBack).pick(&leases).copied();
            let message = "its program was updated".to_owned();
            let withdraw = attempt.map(|attempt| Input::Withdraw { attempt, message, cause: None });
            self.ask(Asker::Operator, withdraw.into_iter().collect());
        }
        self.cordon();
        if self.strikes(Fault::Reconfigured) {
            self.spec =
                pipelines::with_other_policy(&self.spec, self.faults.chance(Fault::Reconfigured));
            let configure = Input::Configure(Box::new(self.spec.clone()));
            self.ask(Asker::Operator, vec![configure]);
        }
    }

    /// Keeps new work from a dispatcher, and lets it have some again.
    fn cordon(&mut self) {
        let cordoned = self.engine.iter().flat_map(|engine| engine.scheduler().cordons());
        let cordoned: Vec<_> = cordoned.map(|(id, _)| id.clone()).collect();
        let said = || ("an operator".to_owned(), "a disk is changed".to_owned());
        for dispatcher in cordoned {
            if !self.is_cruel() || self.faults.chance(Fault::Cordoned).below(8) == 0 {
                let (by, why) = said();
                self.ask(Asker::Operator, vec![Input::Uncordon { dispatcher, by, why }]);
            }
        }
        if self.strikes(Fault::Cordoned) {
            let who = self.faults.chance(Fault::Cordoned).pick(&self.crew);
            let cordon = who.map(|one| {
                let ((by, why), dispatcher) = (said(), one.id.clone());
                Input::Cordon { dispatcher, by, why }
            });
            self.ask(Asker::Operator, cordon.into_iter().collect());
        }
    }

    fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.faults.strikes(self.agenda.now(), fault);
        if strikes {
            self.say(|| format!("fault: {fault}"));
        }
        strikes
    }

    fn heals_after(&mut self, fault: Fault, most: u64, healed: Healed) -> Duration {
        let wait = self.faults.chance(fault).millis(200, most);
        self.agenda.after(wait, Happening::Heals(healed));
        wait
    }
}
