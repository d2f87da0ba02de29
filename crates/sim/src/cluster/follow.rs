//! An engine that stands by: it opens the log, reads on, and claims it.

use std::time::Duration;

use push0_core::{Scheduler, Seq};
use push0_engine::{Claims, ReadOutcome, STEP, Standby};
use push0_log::stream::{Looks, Position, Stored};

use super::lead::Lead;
use super::node::Part;
use super::stream::{Answer, Question};
use super::{Cluster, Goes};
use crate::check::Check;

/// What an engine has that stands by.
pub(super) struct Follow {
    standby: Standby,
    pub(super) place: Position,
    pub(super) scheduler: Scheduler,
    pub(super) looks: Looks,
    asks: Asks,
    /// When the log last gave a sign of itself, by this engine's clock.
    heard: Duration,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asks {
    Nothing,
    More(u64),
    /// Whether nothing is behind what it has read.
    End(u64),
}

impl Cluster {
    /// The log's ends are known, or not.
    pub(super) fn opened(&mut self, node: usize, patience: Duration, answer: Answer) {
        let Answer::Ends(first, _) = answer else {
            let Some(one) = self.nodes.get_mut(node) else { return };
            one.part = Part::Down;
            return self.agenda.after(OPEN_AGAIN, super::Happening::NodeStarts { node });
        };
        let place = match Position::begin(&first) {
            Ok(place) => place,
            Err(fault) => return self.note(Err((Check::Legal, fault.reason().to_owned()))),
        };
        let now = self.agenda.now();
        let limits = self.scenario.limits;
        let Some(one) = self.nodes.get_mut(node) else { return };
        if let Some(known) = one.known.0.filter(|known| *known != place.log()) {
            let why = format!("it is of log {}, not of {known}", place.log());
            return self.node_ends(node, &why);
        }
        let clock = one.clock(now);
        one.part = Part::Follows(Box::new(Follow {
            standby: Standby::new(clock, patience),
            place,
            scheduler: Scheduler::new(limits),
            looks: Looks::default(),
            asks: Asks::Nothing,
            heard: clock,
        }));
        self.node_after(node, EXTENT, Goes::Extent);
        self.reads(node);
    }

    pub(super) fn follow(&mut self, node: usize) -> Option<&mut Follow> {
        match &mut self.nodes.get_mut(node)?.part {
            Part::Follows(follow) => Some(follow),
            Part::Down | Part::Opens { .. } | Part::Leads(_) | Part::Ended => None,
        }
    }

    /// Asks for what has come since.
    pub(super) fn reads(&mut self, node: usize) {
        let Some(follow) = self.follow(node).filter(|it| it.asks == Asks::Nothing) else { return };
        let after = follow.place.message();
        let token = self.asks(node, Question::Read(after));
        if let Some(follow) = self.follow(node) {
            follow.asks = Asks::More(token);
        }
    }

    pub(super) fn follow_answered(&mut self, node: usize, token: u64, answer: Answer) {
        let known = self.nodes.get(node).map_or(0, |one| one.known.1);
        let Some(follow) = self.follow(node) else { return };
        match (follow.asks, answer) {
            (Asks::More(own), Answer::Records(records)) if own == token => {
                follow.asks = Asks::Nothing;
                self.came(node, &records);
            }
            (Asks::More(own), Answer::Nothing) if own == token => {
                follow.asks = Asks::Nothing;
                self.nothing_came(node);
            }
            (Asks::End(own), answer) if own == token => {
                follow.asks = Asks::Nothing;
                let read = follow.place.message();
                // A log that was set back is no log to lead.
                let is_all = read >= known
                    && matches!(answer, Answer::Ends(_, last) if last.sequence <= read);
                if is_all { self.leads(node) } else { self.reads(node) }
            }
            (_, Answer::Extent(extent)) => {
                let least = follow.place.message().max(known);
                if let Some(why) = follow.looks.see(extent, least) {
                    self.node_ends(node, &why);
                }
            }
            (Asks::More(_) | Asks::End(_) | Asks::Nothing, _) => {}
        }
    }

    fn came(&mut self, node: usize, records: &[Stored]) {
        let now = self.agenda.now();
        let Some(one) = self.nodes.get_mut(node) else { return };
        let (clock, seen) = (one.clock(now), one.seen);
        let Part::Follows(follow) = &mut one.part else { return };
        follow.heard = clock;
        for record in records {
            let mut turns = Vec::new();
            let read = follow.place.follow(record, &mut |turn| turns.push(turn));
            if let Err(fault) = read {
                // What it is told then is that the log is another.
                return self.node_ends(node, fault.reason());
            }
            for turn in &turns {
                if let Err(error) = follow.scheduler.replay_turn(turn) {
                    let what = format!("engine {node} cannot replay the log: {error}");
                    return self.note(Err((Check::Legal, what)));
                }
            }
        }
        let came = if records.is_empty() { ReadOutcome::Nothing } else { ReadOutcome::Turns };
        seen.into_iter().for_each(|beat| follow.standby.handle_beat(beat));
        let claims = follow.standby.handle_read(clock, came, follow.scheduler.last());
        self.claims(node, claims, if records.is_empty() { STEP } else { Duration::ZERO });
    }

    fn nothing_came(&mut self, node: usize) {
        let now = self.agenda.now();
        let Some(one) = self.nodes.get_mut(node) else { return };
        let (clock, seen) = (one.clock(now), one.seen);
        let Part::Follows(follow) = &mut one.part else { return };
        // A consumer that is silent is nothing to wonder at for a while.
        let is_silent = clock.saturating_sub(follow.heard) >= SILENT;
        let came = if is_silent { ReadOutcome::Silence } else { ReadOutcome::Nothing };
        seen.into_iter().for_each(|beat| follow.standby.handle_beat(beat));
        let claims = follow.standby.handle_read(clock, came, follow.scheduler.last());
        self.claims(node, claims, Duration::ZERO);
    }

    fn claims(&mut self, node: usize, claims: Claims, wait: Duration) {
        match claims {
            Claims::No | Claims::ClockApart(_) => self.node_after(node, wait, Goes::Reads),
            Claims::Yes => {
                let token = self.asks(node, Question::Ends);
                if let Some(follow) = self.follow(node) {
                    follow.asks = Asks::End(token);
                }
            }
        }
    }

    /// Nobody leads, and it has read all there is: it takes the log over.
    fn leads(&mut self, node: usize) {
        let now = self.agenda.now();
        let spec = self.scenario.spec.clone();
        let Some(one) = self.nodes.get_mut(node) else { return };
        let part = std::mem::replace(&mut one.part, Part::Down);
        let Part::Follows(follow) = part else { return };
        let Follow { standby, place, scheduler, looks, .. } = *follow;
        let watch = self.truth.watch_of(place.last(), &scheduler);
        let above = standby.above();
        let lead = Lead::new((one, now), (place, scheduler, looks), above, spec, watch);
        let epoch = lead.epoch;
        one.part = Part::Leads(Box::new(lead));
        self.say(|| format!("engine {node} claims the log for {epoch}"));
        self.node_after(node, Duration::ZERO, Goes::Looks);
        self.node_after(node, push0_engine::LEADER_BEAT, Goes::Beats);
    }

    /// How far whoever stands by has read; none, if it does not.
    pub(super) fn read_to(&self, node: usize) -> Option<Seq> {
        match &self.nodes.get(node)?.part {
            Part::Follows(follow) => Some(follow.place.last()),
            Part::Down | Part::Opens { .. } | Part::Leads(_) | Part::Ended => None,
        }
    }

    pub(super) fn looks_at_extent(&mut self, node: usize) {
        let _ = self.asks(node, Question::Extent);
        self.node_after(node, EXTENT, Goes::Extent);
    }
}

/// From one look at the whole of a stream to the next.
pub(super) const EXTENT: Duration = Duration::from_secs(2);

/// A consumer that is silent for so long is taken for one that has gone.
const SILENT: Duration = Duration::from_secs(4);

/// Before a log that was not opened is tried again.
const OPEN_AGAIN: Duration = Duration::from_millis(500);
