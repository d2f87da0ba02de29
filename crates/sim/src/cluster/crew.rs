//! Dispatchers of a cluster: which engine each follows, and how it goes on.

use std::time::Duration;

use push0_core::{AttemptId, Epoch, ToDispatcher};
use push0_engine::{BeatMeaning, Followed, Reign};

use super::{Cluster, Happening};
use crate::agenda::Step;
use crate::check::{Check, holds};
use crate::dispatcher::{Act, Around, Dispatcher};
use crate::fault::Fault;

/// A dispatcher, and the engine that it follows.
pub(super) struct Member {
    pub(super) dispatcher: Dispatcher,
    followed: Option<Followed>,
    /// The latest epoch of which it obeyed anything.
    obeyed: Epoch,
    pub(super) cut: Cut,
}

/// Which ways nothing passes between a dispatcher and the engines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut {
    pub(super) up: bool,
    pub(super) down: bool,
}

impl Member {
    pub(super) fn new(dispatcher: Dispatcher) -> Self {
        Self { dispatcher, followed: None, obeyed: Epoch(0), cut: Cut::default() }
    }

    pub(super) fn words(&self) -> String {
        self.dispatcher.words()
    }
}

impl Cluster {
    pub(super) fn dispatcher_starts(&mut self, who: usize) {
        let Some(one) = self.crew.get_mut(who).filter(|one| !one.dispatcher.is_up) else { return };
        one.dispatcher.start();
        (one.followed, one.obeyed) = (None, Epoch(0));
        let life = one.dispatcher.life;
        self.trouble(who, Duration::ZERO);
        self.say(|| format!("dispatcher {who} starts, life {life}"));
        self.agenda.after(Duration::from_millis(1), Happening::Beats { who, life });
    }

    pub(super) fn dispatcher_dies(&mut self, who: usize, wait: Duration) {
        let keeps_held = self.strikes(Fault::HeldKept);
        let Some(one) = self.crew.get_mut(who).filter(|one| one.dispatcher.is_up) else { return };
        one.dispatcher.die(keeps_held);
        let id = one.dispatcher.id.clone();
        self.trouble(who, wait);
        self.say(|| format!("{id} dies, keeps what it holds {keeps_held}"));
        if self.chance.flip() {
            self.tell_leaders_of_end(who);
        }
        self.agenda.after(wait, Happening::DispatcherStarts { who });
    }

    /// An engine says that it leads.
    pub(super) fn leader_heard(&mut self, who: usize, reign: Reign) {
        let now = self.agenda.now();
        let Some(one) = self.crew.get_mut(who).filter(|one| one.dispatcher.is_up) else { return };
        if now < one.dispatcher.frozen {
            let frozen = one.dispatcher.frozen;
            return self.agenda.at(frozen, Happening::LeaderHeard { who, reign });
        }
        let Some(followed) = &mut one.followed else {
            one.followed = Some(Followed::new(now, reign));
            return;
        };
        match followed.beat(now, reign) {
            BeatMeaning::Known => {}
            BeatMeaning::Successor => {
                let acts = one.dispatcher.beat(now);
                self.act(who, acts);
            }
            BeatMeaning::OtherHistory => {
                self.say(|| format!("dispatcher {who} begins another life: the log is another"));
                self.dispatcher_dies(who, Duration::from_millis(1));
            }
        }
    }

    /// What was sent to another life of it is not for this one, nor what an engine says that leads
    /// no more.
    pub(super) fn dispatcher_hears(
        &mut self,
        to: usize,
        life: u64,
        epoch: Epoch,
        message: ToDispatcher,
    ) {
        let now = self.agenda.now();
        let is_it = |one: &&mut Member| one.dispatcher.is_up && one.dispatcher.life == life;
        let Some(one) = self.crew.get_mut(to).filter(is_it) else { return };
        if now < one.dispatcher.frozen {
            let frozen = one.dispatcher.frozen;
            return self.agenda.at(frozen, Happening::ToDispatcher { to, life, epoch, message });
        }
        // It takes nothing before it knows whom it follows.
        if !one.followed.as_mut().is_some_and(|followed| followed.takes(epoch)) {
            return;
        }
        let obeyed = one.obeyed.max(epoch);
        one.obeyed = obeyed;
        self.note(holds(Check::StaleEpoch, epoch == obeyed, || {
            format!("dispatcher {to} obeys an engine of {epoch} after one of {obeyed}")
        }));
        self.say(|| format!("dispatcher {to} hears of {epoch}: {message:?}"));
        let acts = self.with(to, |one, around| one.hear(message, around));
        self.act(to, acts);
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

    fn act(&mut self, who: usize, acts: Vec<Act>) {
        let Some(life) = self.crew.get(who).map(|one| one.dispatcher.life) else { return };
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
            watch: &mut self.truth.watch,
            poison: &mut self.poison,
            all_fail: (Duration::ZERO, None),
            proving_max: self.scenario.proving_max,
        };
        act(&mut one.dispatcher, &mut around)
    }

    fn alive(&mut self, who: usize, life: u64) -> Option<&mut Dispatcher> {
        let one = self.crew.get_mut(who).map(|one| &mut one.dispatcher);
        one.filter(|one| one.is_up && one.life == life)
    }
}

/// As often as the real ones.
const HEARTBEAT: Duration = Duration::from_secs(1);
