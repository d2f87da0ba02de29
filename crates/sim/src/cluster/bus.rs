//! The bus: what engines, dispatchers and the client say to each other, and what of it is lost or
//! late.

use std::time::Duration;

use push0_core::{Epoch, FromDispatcher, Life, Seq, ToDispatcher};
use push0_engine::{Admission, Reign};

use super::{Asked, Cluster, Goes, Happening};
use crate::fault::Fault;

impl Cluster {
    /// An engine leads, by its log's word: it says so to everybody.
    pub(super) fn says_that_it_leads(&mut self, node: usize, epoch: Epoch, last: Seq) {
        self.check_says(node, epoch);
        let at = self.wall_of(node);
        let Some(lead) = self.lead(node) else { return };
        lead.beats = None;
        let (log, history) = ("log".to_owned(), lead.history.clone());
        let reign = Reign { epoch, last, log, history };
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            for wait in self.between(node, Some(other)) {
                self.node_after(other, wait, Goes::Beat { epoch, last, at });
            }
        }
        for who in 0..self.crew.len() {
            for wait in self.down(node, who) {
                let reign = reign.clone();
                self.agenda.after(wait, Happening::LeaderHeard { who, reign });
            }
        }
    }

    /// An engine says something to a dispatcher.
    pub(super) fn send_down(
        &mut self,
        node: usize,
        to: &Life,
        epoch: Epoch,
        message: ToDispatcher,
    ) {
        let (id, life) = (&to.dispatcher, to.incarnation);
        let Some(to) = self.crew.iter().position(|one| one.dispatcher.id == *id) else { return };
        for wait in self.down(node, to) {
            let message = message.clone();
            self.agenda.after(wait, Happening::ToDispatcher { to, life, epoch, message });
        }
    }

    /// A dispatcher says something to whoever leads.
    pub(super) fn send_up(&mut self, who: usize, message: &FromDispatcher) {
        if self.crew.get(who).is_some_and(|one| one.cut.up) {
            return;
        }
        for node in 0..self.nodes.len() {
            if self.nodes.get(node).is_some_and(|one| one.cut.deaf) {
                self.trouble(who, Duration::ZERO);
                continue;
            }
            let (ways, late) = self.ways();
            if let Some(late) = late {
                self.trouble(who, late);
            }
            for wait in ways {
                let asked = Asked::Heard(message.clone());
                self.node_after(node, wait, Goes::Asked(asked));
            }
        }
    }

    /// The servers tell whoever leads that a connection has ended: soon, or not at all.
    pub(super) fn tell_leaders_of_end(&mut self, who: usize) {
        let now = self.agenda.now();
        let Some(id) = self.crew.get(who).map(|one| one.dispatcher.id.clone()) else { return };
        for node in 0..self.nodes.len() {
            if self.nodes.get(node).is_some_and(|one| !one.cut.deaf) {
                let asked = Asked::Departed(id.clone(), now);
                let wait = Duration::from_micros(self.chance.within(50, 2_000));
                self.node_after(node, wait, Goes::Asked(asked));
            }
        }
    }

    /// Somebody asks something of whoever leads.
    pub(super) fn ask_leaders(&mut self, asked: &Asked) {
        for node in 0..self.nodes.len() {
            for wait in self.between(node, None) {
                self.node_after(node, wait, Goes::Asked(asked.clone()));
            }
        }
    }

    /// An engine answers the client.
    pub(super) fn added(&mut self, node: usize, token: u64, taken: Admission) {
        self.check_added(token, &taken);
        if self.nodes.get(node).is_none_or(|one| one.cut.mute) {
            return;
        }
        let wait = Duration::from_micros(self.chance.within(50, 2_000));
        self.agenda.after(wait, Happening::SourceAnswered { token, taken });
    }

    /// An engine answers whoever asked; nobody waits for most of it.
    pub(super) fn answer(&mut self, node: usize, token: Option<u64>, is_done: bool) {
        let is_heard = self.nodes.get(node).is_some_and(|one| !one.cut.mute);
        let Some(token) = token.filter(|_| is_heard) else { return };
        let wait = Duration::from_micros(self.chance.within(50, 2_000));
        self.agenda.after(wait, Happening::SourceEnds { token, is_done });
    }

    /// A dispatcher could not be heard just now, or will be heard late.
    pub(super) fn trouble(&mut self, who: usize, wait: Duration) {
        let Some(id) = self.crew.get(who).map(|one| one.dispatcher.id.clone()) else { return };
        let until = self.agenda.now() + wait;
        self.truth.watch.trouble_until(&id, until);
        for node in 0..self.nodes.len() {
            if let Some(lead) = self.lead(node) {
                lead.watch.trouble_until(&id, until);
            }
        }
    }

    /// How long each copy of a message takes from an engine to another, or from the client to it.
    fn between(&mut self, node: usize, other: Option<usize>) -> Vec<Duration> {
        let hears = |node: usize| self.nodes.get(node).is_some_and(|one| !one.cut.deaf);
        let is_through = match other {
            Some(other) => self.nodes.get(node).is_some_and(|one| !one.cut.mute) && hears(other),
            None => hears(node),
        };
        if is_through { self.ways().0 } else { Vec::new() }
    }

    /// How long each copy of a message takes from an engine to a dispatcher.
    fn down(&mut self, node: usize, who: usize) -> Vec<Duration> {
        let is_mute = self.nodes.get(node).is_none_or(|one| one.cut.mute);
        let is_deaf = self.crew.get(who).is_none_or(|one| one.cut.down);
        if is_mute || is_deaf { Vec::new() } else { self.ways().0 }
    }

    /// How long each copy of a message takes; and how late it is, where it is lost or late.
    fn ways(&mut self) -> (Vec<Duration>, Option<Duration>) {
        let mut ways = vec![Duration::from_micros(self.chance.within(50, 2_000))];
        let mut late = None;
        if self.strikes(Fault::MessageLost) {
            ways.clear();
            late = Some(Duration::ZERO);
        } else if self.strikes(Fault::MessageLate) {
            let wait = self.faults.chance(Fault::MessageLate).millis(2, 5_000);
            ways = vec![wait];
            late = Some(wait);
        }
        if self.strikes(Fault::MessageDoubled) {
            ways.push(self.faults.chance(Fault::MessageDoubled).millis(0, 3_000));
        }
        (ways, late)
    }
}
