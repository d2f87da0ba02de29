//! What goes wrong in a cluster by itself, and what operators do meanwhile.

use std::time::Duration;

use push0_core::Input;

use super::node::{Cuts, Part};
use super::{Asked, Cluster, Happening, Healed, MISCHIEF};
use crate::fault::Fault;
use crate::pipelines;

impl Cluster {
    pub(super) fn mischief(&mut self) {
        self.agenda.after(MISCHIEF, Happening::Mischief);
        for node in 0..self.nodes.len() {
            self.trouble_of_node(node);
        }
        self.trouble_of_stream();
        for who in 0..self.crew.len() {
            self.trouble_of_dispatcher(who);
        }
        self.operate();
    }

    fn trouble_of_node(&mut self, node: usize) {
        if self.strikes(Fault::EngineKilled) && !self.is_down(node) {
            self.node_dies(node, "it is killed");
            let wait = self.faults.chance(Fault::EngineKilled).millis(20, 6_000);
            self.agenda.after(wait, Happening::NodeStarts { node });
        }
        if self.strikes(Fault::EngineStopped) && !self.is_down(node) {
            if self.lead(node).is_some() {
                self.lead_stops(node);
            } else {
                self.node_dies(node, "it was stopped");
                let wait = self.faults.chance(Fault::EngineStopped).millis(20, 3_000);
                self.agenda.after(wait, Happening::NodeStarts { node });
            }
        }
        if self.strikes(Fault::EngineFrozen) {
            let chance = self.faults.chance(Fault::EngineFrozen);
            let wait =
                if chance.flip() { chance.millis(50, 1_200) } else { chance.millis(4_500, 25_000) };
            let until = self.agenda.now() + wait;
            self.say(|| format!("engine {node} stands still for {wait:?}"));
            self.nodes.get_mut(node).into_iter().for_each(|one| one.frozen = one.frozen.max(until));
            self.deaf(node, wait);
        }
        let kinds = [Fault::LogOutOfReach, Fault::EngineMute, Fault::EngineDeaf];
        for kind in kinds {
            if !self.strikes(kind) {
                continue;
            }
            let wait = self.faults.chance(kind).millis(100, 12_000);
            self.say(|| format!("engine {node}: {kind} for {wait:?}"));
            if let Some(one) = self.nodes.get_mut(node) {
                one.cut.log |= kind == Fault::LogOutOfReach;
                one.cut.mute |= kind == Fault::EngineMute;
                one.cut.deaf |= kind == Fault::EngineDeaf;
            }
            self.agenda.after(wait, Happening::Heals(Healed::Node(node)));
        }
    }

    /// An engine that stands still hears nothing in this time, which is no fault of the
    /// dispatchers.
    fn deaf(&mut self, node: usize, wait: Duration) {
        let until = self.agenda.now() + wait;
        if let Some(lead) = self.lead(node).filter(|_| wait > DEAF) {
            lead.watch.hears_from(until);
        }
    }

    fn is_down(&self, node: usize) -> bool {
        self.nodes.get(node).is_none_or(|one| matches!(one.part, Part::Down | Part::Ended))
    }

    fn trouble_of_stream(&mut self) {
        let now = self.agenda.now();
        if self.strikes(Fault::Election) {
            let chance = self.faults.chance(Fault::Election);
            let (wait, loses) = (chance.millis(20, 5_000), chance.flip());
            let behind = chance.flip().then(|| (chance.millis(1, 900), chance.within(1, 3)));
            self.say(|| {
                format!("the stream elects a leader for {wait:?}, loses {loses}, {behind:?}")
            });
            self.stream.elects(now + wait, loses, behind);
        }
        if self.strikes(Fault::StreamFull) && !self.stream.is_full {
            let wait = self.faults.chance(Fault::StreamFull).millis(200, 8_000);
            self.stream.is_full = true;
            self.agenda.after(wait, Happening::Heals(Healed::Stream));
        }
        let is_back = self.strikes(Fault::SetBack);
        let is_new = self.strikes(Fault::MadeAgain);
        if (is_back || is_new) && !self.stream.is_another() && self.all_know() {
            let last = self.stream.last();
            let kept = self.faults.chance(Fault::SetBack).within(1, last.saturating_sub(1).max(1));
            self.say(|| {
                format!("the stream is another: of {last} records {kept} are left, new {is_new}")
            });
            self.stream.replace(now, (!is_new).then_some(kept));
            let wait = self.faults.chance(Fault::SetBack).millis(1_000, 70_000);
            self.agenda.after(wait, Happening::Heals(Healed::Restored));
        }
        if self.strikes(Fault::StoreDown) {
            let wait = self.faults.chance(Fault::StoreDown).millis(200, 6_000);
            self.store.set_down(true);
            self.agenda.after(wait, Happening::Heals(Healed::Store));
        }
        if self.strikes(Fault::ArtifactLost) {
            let count = self.store.len();
            let chance = self.faults.chance(Fault::ArtifactLost);
            let (index, is_gone) = (chance.below(count), chance.flip());
            let _ = self.store.lose(index, is_gone);
        }
    }

    /// Whether every engine that is there has read all of the log, so that it knows better than one
    /// that went back.
    fn all_know(&self) -> bool {
        let last = self.truth.last();
        last.0 > 0
            && self.nodes.iter().all(|one| match &one.part {
                Part::Down | Part::Ended => true,
                Part::Follows(follow) => follow.place.last() == last,
                Part::Leads(lead) => lead.place().last() == last && lead.engine.leads(),
                Part::Opens { .. } => false,
            })
    }

    fn trouble_of_dispatcher(&mut self, who: usize) {
        let now = self.agenda.now();
        if self.strikes(Fault::DispatcherKilled) {
            let wait = self.faults.chance(Fault::DispatcherKilled).millis(20, 12_000);
            self.dispatcher_dies(who, wait);
        }
        if self.strikes(Fault::DispatcherFrozen) {
            let wait = self.faults.chance(Fault::DispatcherFrozen).millis(50, 15_000);
            self.trouble(who, wait);
            self.crew.get_mut(who).into_iter().for_each(|one| {
                one.dispatcher.frozen = one.dispatcher.frozen.max(now + wait);
            });
        }
        for kind in [Fault::Mute, Fault::Deaf] {
            if !self.strikes(kind) {
                continue;
            }
            let wait = self.faults.chance(kind).millis(200, 15_000);
            if let Some(one) = self.crew.get_mut(who) {
                one.cut.up |= kind == Fault::Mute;
                one.cut.down |= kind == Fault::Deaf;
            }
            self.trouble(who, wait);
            self.agenda.after(wait, Happening::Heals(Healed::Dispatcher(who)));
        }
        if self.strikes(Fault::NoRoom) {
            let wait = self.faults.chance(Fault::NoRoom).millis(200, 8_000);
            self.crew.get_mut(who).into_iter().for_each(|one| one.dispatcher.is_open = false);
            self.agenda.after(wait, Happening::Heals(Healed::Dispatcher(who)));
        }
    }

    pub(super) fn heals(&mut self, healed: Healed) {
        self.say(|| format!("heals: {healed:?}"));
        match healed {
            Healed::Node(node) => {
                let now = self.agenda.now();
                if let Some(one) = self.nodes.get_mut(node) {
                    (one.cut, one.reached) = (Cuts::default(), now);
                }
            }
            Healed::Dispatcher(who) => {
                if let Some(one) = self.crew.get_mut(who) {
                    one.cut = super::crew::Cut::default();
                    one.dispatcher.is_open = true;
                }
            }
            Healed::Stream => self.stream.is_full = false,
            Healed::Store => self.store.set_down(false),
            Healed::Restored => {
                self.stream.restore();
                self.truth.whole_again = self.agenda.now();
            }
        }
    }

    /// Operators do what they do, whoever leads.
    fn operate(&mut self) {
        if self.strikes(Fault::Retried) {
            let parked: Vec<_> = self.truth.watch.ledger.parked().map(|(id, _)| *id).collect();
            let task = self.faults.chance(Fault::Retried).pick(&parked).copied();
            task.into_iter().for_each(|task| self.operator(Input::Retry(task)));
        }
        if self.strikes(Fault::RemadeByHand) {
            let accepted = self.truth.watch.ledger.tasks.iter();
            let accepted: Vec<_> =
                accepted.filter(|(_, it)| it.result.is_some()).map(|(id, _)| *id).collect();
            let task = self.faults.chance(Fault::RemadeByHand).pick(&accepted).copied();
            task.into_iter().for_each(|task| self.operator(Input::Remake(task)));
        }
        if self.strikes(Fault::Cordoned) {
            let ids: Vec<_> = self.crew.iter().map(|one| one.dispatcher.id.clone()).collect();
            let who = self.faults.chance(Fault::Cordoned).pick(&ids).cloned();
            let is_kept = self.faults.chance(Fault::Cordoned).flip();
            if let Some(dispatcher) = who {
                let (by, why) = ("op".to_owned(), String::new());
                self.operator(match is_kept {
                    true => Input::Cordon { dispatcher, by, why },
                    false => Input::Uncordon { dispatcher, by, why },
                });
            }
        }
        if self.strikes(Fault::Reconfigured) {
            let chance = self.faults.chance(Fault::Reconfigured);
            self.scenario.spec = pipelines::with_other_policy(&self.scenario.spec, chance);
            let spec = Box::new(self.scenario.spec.clone());
            self.operator(Input::Configure(spec));
        }
    }

    pub(super) fn operator(&mut self, input: Input) {
        self.ask_leaders(&Asked::Ask(0, input));
    }
}

/// What is below it is no gap to an engine, whose clock may be fast or slow.
const DEAF: Duration = Duration::from_secs(2);
