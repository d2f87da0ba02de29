//! How a cluster's world ends: faults stop, one engine leads, and everything comes to its end
//! within a stated time.

use std::time::Duration;

use push0_core::Input;

use super::crew::Cut;
use super::node::{Cuts, Part};
use super::{Cluster, Happening};
use crate::check::{Check, holds};
use crate::model;

/// How far a cluster's world is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Faults strike.
    Cruel,
    /// They do not any more.
    Settling { until: Duration },
    /// Everything is said.
    Over,
}

impl Cluster {
    /// From here on nothing goes wrong, and what did is mended.
    pub(super) fn quiet(&mut self) {
        self.say(|| "faults stop".to_owned());
        let now = self.agenda.now();
        self.faults.stop();
        self.store.set_down(false);
        self.stream.is_full = false;
        for one in &mut self.nodes {
            one.cut = Cuts::default();
        }
        for one in &mut self.crew {
            one.cut = Cut::default();
            one.dispatcher.is_open = true;
            one.dispatcher.bad = None;
        }
        self.poison.values_mut().for_each(|poison| *poison = None);
        let tasks = self.scenario.blocks.len() * self.scenario.spec.stages.len() * 4;
        let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
        self.phase = Phase::Settling { until: now + RUNNING_OUT + PER_TASK * tasks };
        for who in self.crew.iter().map(|one| one.dispatcher.id.clone()).collect::<Vec<_>>() {
            let (by, why) = ("op".to_owned(), String::new());
            self.operator(Input::Uncordon { dispatcher: who, by, why });
        }
        self.agenda.after(OPERATES, Happening::Operates);
    }

    /// A person opens what is parked again, until nothing is.
    pub(super) fn operates(&mut self) {
        // Not in step with what happens as regularly.
        let wait = OPERATES + self.chance.millis(0, 300);
        self.agenda.after(wait, Happening::Operates);
        let parked: Vec<_> = self.truth.watch.ledger.parked().map(|(id, _)| *id).collect();
        parked.into_iter().for_each(|task| self.operator(Input::Retry(task)));
        for who in self.crew.iter().map(|one| one.dispatcher.id.clone()).collect::<Vec<_>>() {
            let (by, why) = ("op".to_owned(), String::new());
            self.operator(Input::Uncordon { dispatcher: who, by, why });
        }
        self.check_ending();
    }

    pub(super) fn check_bound(&mut self) {
        let Phase::Settling { until } = self.phase else { return };
        if self.agenda.now() > until {
            let mut state = self.state();
            let stages = self.truth.watch.shadow().stages();
            state.extend(stages.map(|stage| format!("{stage:?}")));
            state.extend(self.is_missing());
            let state = state.join("; ");
            self.note(Err((Check::Settles, format!("it does not come to its end: {state}"))));
        }
    }

    /// What is missing yet: all is released, one leads, and everybody else knows it all.
    fn is_missing(&self) -> Option<String> {
        let truth = &self.truth;
        if !truth.watch.shadow().is_complete() || !self.source.has_ended {
            return Some("not all is released".to_owned());
        }
        let (last, epoch) = (truth.last(), truth.watch.ledger.epoch);
        let mut leaders = 0;
        for (node, one) in self.nodes.iter().enumerate() {
            let is_there = match &one.part {
                Part::Leads(lead) => {
                    leaders += 1;
                    lead.epoch == epoch && !lead.engine.has_undurable()
                }
                Part::Follows(_) => self.read_to(node) == Some(last),
                Part::Down | Part::Opens { .. } | Part::Ended => false,
            };
            if !is_there {
                return Some(format!("engine {node} is not where it should be"));
            }
        }
        (leaders != 1).then(|| format!("{leaders} engines lead"))
    }

    fn check_ending(&mut self) {
        if self.is_missing().is_some() {
            return;
        }
        for one in &self.nodes {
            let scheduler = match &one.part {
                Part::Follows(follow) => &follow.scheduler,
                Part::Leads(lead) => lead.engine.scheduler(),
                Part::Down | Part::Opens { .. } | Part::Ended => continue,
            };
            let is_same = self.truth.watch.shadow() == scheduler;
            let words = || format!("engine {} holds something else than the log", one.name);
            self.truth.watch.note(holds(Check::ReplayEqualsLive, is_same, words));
        }
        let ledger = &self.truth.watch.ledger;
        let agreed = model::check(ledger, &self.scenario.blocks, &self.scenario.limits);
        self.note(agreed);
        self.say(|| "everything is released".to_owned());
        self.phase = Phase::Over;
    }
}

/// Leases with their grace, silences, backoff and ages of batches, several in a row.
const RUNNING_OUT: Duration = Duration::from_secs(900);

/// The longest that a prover takes, with what is around it.
const PER_TASK: Duration = Duration::from_secs(4);

/// From one round of an operator to the next.
const OPERATES: Duration = Duration::from_secs(2);
