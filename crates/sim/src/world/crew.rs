//! Dispatchers in the world: what passes between them and the engine, and when they go on.

use std::time::Duration;

use push0_core::{AttemptId, FromDispatcher, Life, Outcome, Report, TaskId, ToDispatcher};

use super::{Way, World};
use crate::agenda::{Happening, Step};
use crate::dispatcher::{Act, Around, Dispatcher};
use crate::engine::Request;
use crate::fault::Fault;

impl World {
    pub(super) fn dispatcher_starts(&mut self, who: usize) {
        let Some(one) = self.crew.get_mut(who).filter(|one| !one.is_up) else { return };
        one.start();
        let (id, life) = (one.id.clone(), one.life);
        self.watch.trouble(&id);
        self.say(|| format!("{id} starts, life {life}"));
        self.agenda.after(Duration::from_millis(1), Happening::Beats { who, life });
    }

    pub(super) fn dispatcher_dies(&mut self, who: usize) {
        let Some(one) = self.crew.get_mut(who).filter(|one| one.is_up) else { return };
        let keeps_held = self.faults.strikes(self.agenda.now(), Fault::HeldKept);
        one.die(keeps_held);
        let id = one.id.clone();
        self.watch.trouble(&id);
        self.say(|| format!("{id} dies, keeps what it holds {keeps_held}"));
        // Where there are servers between them, its engine may hear of it from those.
        if !self.scenario.is_one_process && self.chance.flip() {
            let now = self.agenda.now();
            self.watch.departs(&id);
            self.request(Request::Departed(id, now));
        }
    }

    pub(super) fn beats(&mut self, who: usize, life: u64) {
        let now = self.agenda.now();
        let Some(one) = self.alive(who, life) else { return };
        if now < one.frozen {
            let frozen = one.frozen;
            return self.agenda.at(frozen, Happening::Beats { who, life });
        }
        let (acts, wait) = (one.beat(now), one.rate.elapsed(HEARTBEAT));
        self.agenda.after(wait, Happening::Beats { who, life });
        self.act(who, acts);
    }

    pub(super) fn goes(&mut self, who: usize, life: u64, attempt: AttemptId, step: Step) {
        let now = self.agenda.now();
        let Some(one) = self.alive(who, life) else { return };
        if now < one.frozen {
            let frozen = one.frozen;
            return self.agenda.at(frozen, Happening::Goes { who, life, attempt, step });
        }
        let acts = self.with(who, |one, around| one.goes(attempt, step, around));
        self.act(who, acts);
    }

    /// What was sent to another life of it is not for this one.
    pub(super) fn dispatcher_hears(&mut self, to: usize, life: u64, message: ToDispatcher) {
        let now = self.agenda.now();
        let is_it = |one: &&Dispatcher| one.is_up && one.life == life;
        let Some(one) = self.crew.get(to).filter(is_it) else { return };
        if now < one.frozen {
            return self.agenda.at(one.frozen, Happening::ToDispatcher { to, life, message });
        }
        let id = one.id.clone();
        self.say(|| format!("{id} hears {}", words_down(&message)));
        let acts = self.with(to, |one, around| one.hear(message, around));
        self.act(to, acts);
    }

    pub(super) fn engine_hears(&mut self, from: usize, message: FromDispatcher) {
        let Some(engine) = &mut self.engine else { return };
        engine.ask(Request::Heard(message.clone()));
        let who = self.crew.get(from).map(|one| one.id.clone());
        self.say(|| format!("engine hears {who:?}: {}", words_up(&message)));
        let now = self.agenda.now();
        self.look_by(now);
    }

    /// Sends what the engine lets go.
    pub(super) fn send_down(&mut self, to: &Life, message: ToDispatcher) {
        let life = to.incarnation;
        let Some(to) = self.crew.iter().position(|one| one.id == to.dispatcher) else { return };
        self.say(|| format!("engine sends to {to}: {}", words_down(&message)));
        let is_lost = match &message {
            ToDispatcher::Grant(grant) => self.is_too_large(grant.task, Way::Down),
            ToDispatcher::Cancel(_) | ToDispatcher::Verdict(..) => false,
        };
        if is_lost || self.cut.get(to).is_some_and(|cut| cut.down) {
            return;
        }
        for wait in self.ways(to, false) {
            let message = message.clone();
            self.agenda.after(wait, Happening::ToDispatcher { to, life, message });
        }
    }

    fn send_up(&mut self, from: usize, message: &FromDispatcher) {
        let is_lost = match message {
            FromDispatcher::Report(Report { task, outcome: Outcome::Proved(_), .. }) => {
                self.is_too_large(*task, Way::Up)
            }
            FromDispatcher::Report(_) | FromDispatcher::Beat(_) => false,
        };
        if is_lost || self.cut.get(from).is_some_and(|cut| cut.up) {
            return;
        }
        for wait in self.ways(from, true) {
            let message = message.clone();
            self.agenda.after(wait, Happening::ToEngine { from, message });
        }
    }

    /// Whether what is said of a task is more than the bus takes: that is so each time, until
    /// somebody sees to it.
    fn is_too_large(&mut self, task: TaskId, way: Way) -> bool {
        let now = self.agenda.now();
        let faults = &mut self.faults;
        let found = self.too_large.entry(task).or_insert_with(|| {
            let is_large = faults.strikes(now, Fault::TooLarge);
            let is_up = is_large && faults.chance(Fault::TooLarge).flip();
            is_large.then_some(if is_up { Way::Up } else { Way::Down })
        });
        *found == Some(way)
    }

    /// How long each copy of a message takes; a message that is lost has none.
    fn ways(&mut self, who: usize, is_up: bool) -> Vec<Duration> {
        let now = self.agenda.now();
        let id = self.crew.get(who).map(|one| one.id.clone());
        let mut ways = vec![Duration::from_micros(self.chance.within(50, 2_000))];
        let mut trouble = None;
        if self.faults.strikes(now, Fault::MessageLost) {
            ways.clear();
            trouble = Some(now);
        } else if self.faults.strikes(now, Fault::MessageLate) {
            let late = self.faults.chance(Fault::MessageLate).millis(2, 5_000);
            ways = vec![late];
            trouble = Some(now + late);
        }
        if self.faults.strikes(now, Fault::MessageDoubled) {
            ways.push(self.faults.chance(Fault::MessageDoubled).millis(0, 3_000));
        }
        if let (Some(id), Some(until), true) = (id, trouble, is_up) {
            self.watch.trouble_until(&id, until);
        }
        ways
    }

    pub(super) fn act(&mut self, who: usize, acts: Vec<Act>) {
        let Some(life) = self.crew.get(who).map(|one| one.life) else { return };
        for act in acts {
            match act {
                Act::Send(message) => self.send_up(who, &message),
                Act::Wait(wait, attempt, step) => {
                    self.agenda.after(wait, Happening::Goes { who, life, attempt, step });
                }
            }
        }
    }

    fn with(
        &mut self,
        who: usize,
        act: impl FnOnce(&mut Dispatcher, &mut Around<'_>) -> Vec<Act>,
    ) -> Vec<Act> {
        let Some(one) = self.crew.get_mut(who) else { return Vec::new() };
        let mut around = Around {
            now: self.agenda.now(),
            faults: &mut self.faults,
            store: &mut self.store,
            watch: &mut self.watch,
            poison: &mut self.poison,
            all_fail: self.all_fail,
            proving_max: self.scenario.proving_max,
        };
        act(one, &mut around)
    }

    fn alive(&mut self, who: usize, life: u64) -> Option<&mut Dispatcher> {
        self.crew.get_mut(who).filter(|one| one.is_up && one.life == life)
    }
}

fn words_down(message: &ToDispatcher) -> String {
    match message {
        ToDispatcher::Grant(grant) => {
            format!("grant {} {} {}", grant.attempt, grant.stage, grant.key)
        }
        ToDispatcher::Cancel(attempt) => format!("cancel {attempt}"),
        ToDispatcher::Verdict(attempt, verdict) => format!("verdict {attempt} {verdict:?}"),
    }
}

fn words_up(message: &FromDispatcher) -> String {
    match message {
        FromDispatcher::Beat(beat) => {
            let running: Vec<_> = beat.running.keys().map(|attempt| attempt.0).collect();
            let held: Vec<_> = beat.held.keys().map(|attempt| attempt.0).collect();
            format!("beat of life {}, runs {running:?}, holds {held:?}", beat.incarnation)
        }
        FromDispatcher::Report(report) => format!("{}: {:?}", report.attempt, report.outcome),
    }
}

/// As often as the real ones.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
