//! An engine that leads, or believes so: how the real one is driven, as
//! `crates/push0/src/engine.rs` does it.

use std::sync::Arc;

use push0_engine::{Output, Request};
use push0_log::AppendError;
use push0_log::stream::{Append, probed};
use push0_sim::Check;

use super::{Happened, World};
use crate::ground;
use crate::net::Packet;
use crate::node::{Flight, Lead, Node, Part, Phase, changed};
use crate::setting::{Broken, Setting};
use crate::truth::{Found, holds};

impl World {
    pub(super) fn lead(&mut self, node: usize) -> Option<&mut Lead> {
        changed::<Node>(self.nodes.get_mut(node)?).lead_mut()
    }

    /// An engine's process begins another part. Nobody is heard there who spoke to the one before.
    pub(super) fn plays(&mut self, node: usize, part: Part) {
        self.net.await_no_more(node);
        self.net.drop_all(|packet| match packet {
            Packet::Up { node: to, .. } | Packet::Add { node: to, .. } => *to == node,
            Packet::Publish { .. }
            | Packet::Commit { .. }
            | Packet::Said { .. }
            | Packet::Down { .. }
            | Packet::Reigns { .. }
            | Packet::Added { .. } => false,
        });
        if let Some(one) = self.nodes.get_mut(node) {
            let one = changed::<Node>(one);
            if matches!(part, Part::Down) {
                one.seen = None;
            }
            one.plays(part);
        }
        self.client_waits_less(node);
    }

    /// An engine that stands by claims the log.
    pub(super) fn claims(&mut self, setting: &Setting, node: usize) -> Result<(), Found> {
        let (now, stream, truth) = (self.now(), Arc::clone(&self.stream), Arc::clone(&self.truth));
        let Some(one) = self.nodes.get_mut(node) else { return Ok(()) };
        let all = stream.records.as_slice();
        let but_one = all.split_last().map(|(_, rest)| rest).filter(|rest| !rest.is_empty());
        let is_short = setting.is(Broken::ReadsTooLittle);
        let records = if is_short { but_one.unwrap_or(all) } else { all };
        let read = changed::<Node>(one).claims(records, now)?;
        let is_same = read == truth.scheduler;
        holds(Check::ReplayEqualsLive, is_same, || {
            format!("engine {node} has read the log up to {}", read.last())
        })?;
        self.drives(setting, node)
    }

    /// Has an engine do all that there is to do now.
    pub(super) fn drives(&mut self, setting: &Setting, node: usize) -> Result<(), Found> {
        for _ in 0..TURNS_MAX {
            let now = self.now();
            let Some(lead) = self.lead(node) else { return Ok(()) };
            let mut held = lead.holds_back();
            let turned = lead.engine.handle_timeout(now, &mut held);
            turned.map_err(|error| (Check::Legal, format!("engine {node}: {error}")))?;
            held.found()?;
            self.begins(setting, node)?;
            self.lets_go(node)?;
            self.appends(node);
            self.probes(node)?;
            let Some(lead) = self.lead(node) else { return Ok(()) };
            if lead.has_claimed() && !lead.has_asked {
                lead.has_asked = true;
                lead.engine.handle_request(Request::Probe(()));
            }
            if lead.engine.poll_timeout().is_none_or(|due| due > now) {
                return Ok(());
            }
        }
        Err((Check::Instants, format!("engine {node} has {TURNS_MAX} turns at once")))
    }

    /// Hands what was decided to the log.
    fn begins(&mut self, setting: &Setting, node: usize) -> Result<(), Found> {
        let now = self.now();
        let Some(lead) = self.lead(node) else { return Ok(()) };
        while let Some(turn) = lead.engine.poll_append(now).cloned() {
            let begun = lead.pipe.begin(&turn);
            let begun = begun.map_err(|error| (Check::Legal, format!("engine {node}: {error}")))?;
            if !begun {
                return Ok(()); // one must land first
            }
            lead.begins(&turn);
            lead.engine.handle_begun(turn.last());
            if setting.is(Broken::BegunIsDurable) {
                let mut held = lead.holds_back();
                lead.engine.handle_landed(now, turn.last(), &mut held);
                held.found()?;
            }
        }
        Ok(())
    }

    /// What leaves an engine. A verdict does not wait for company: it may be under way for as long
    /// as it likes.
    fn lets_go(&mut self, node: usize) -> Result<(), Found> {
        let now = self.now();
        let Some(stay) = self.nodes.get(node).map(|one| one.stay) else { return Ok(()) };
        let Some(lead) = self.lead(node) else { return Ok(()) };
        let (epoch, mut outputs, mut letters) = (lead.epoch, Vec::new(), Vec::new());
        let mut held = lead.holds_back();
        lead.engine.handle_landed(now, lead.engine.durable(), &mut held);
        held.found()?;
        while let Some(output) = lead.engine.poll_output() {
            outputs.push(output);
        }
        while let Some(letter) = lead.engine.poll_transmit(now + ground::SECOND) {
            letters.push(letter);
        }
        for output in outputs {
            match output {
                Output::Answered((), answer) => {
                    answer.map_err(|error| (Check::Legal, format!("its claim: {error}")))?;
                }
                Output::Added(token, taken) => {
                    let count = taken.arrivals.len();
                    self.check_added(token, count)?;
                    self.send(Packet::Added { node, stay, token, count });
                }
                Output::Probed((), epoch, last) => self.reigns(node, epoch, last),
                Output::AskSource(block) => {
                    return Err((Check::Legal, format!("nobody has lost {block}")));
                }
                Output::Look(()) | Output::Durable(_) => {}
            }
        }
        for (life, messages) in letters {
            let to = self.crew.iter().position(|one| one.id == life.dispatcher);
            let is_it =
                |to: &usize| self.crew.get(*to).is_some_and(|one| one.life == life.incarnation);
            if let Some(to) = to.filter(is_it) {
                self.send(Packet::Down { node, to, life: life.incarnation, epoch, messages });
            }
        }
        Ok(())
    }

    /// Asks for what is under way, unless it is asked for.
    fn appends(&mut self, node: usize) {
        let Some(lead) = self.lead(node) else { return };
        let Some(record) = lead.pipe.under_way().filter(|_| lead.append.is_none()).cloned() else {
            return;
        };
        let append = Append::new(record, STREAM.to_owned());
        lead.append = Some(Flight { append, phase: Phase::Pause });
        self.publishes(node);
    }

    /// Asks the log whether this engine leads, where somebody wants to know.
    fn probes(&mut self, node: usize) -> Result<(), Found> {
        let last = self.stream.records.last().cloned();
        let Some(lead) = self.lead(node).filter(|lead| lead.engine.wants_probe()) else {
            return Ok(());
        };
        match probed(STREAM, lead.pipe.tip(), last.as_ref()) {
            Ok(()) => lead.engine.handle_probed(true),
            Err(error) => return self.failed(node, &error),
        }
        self.lets_go(node)
    }

    /// What is under way came to nothing: another engine leads.
    pub(super) fn failed(&mut self, node: usize, error: &AppendError) -> Result<(), Found> {
        match error {
            AppendError::Fenced { .. } => {
                self.happens(Happened::FENCED);
                self.plays(node, Part::Follows);
                Ok(())
            }
            AppendError::Replaced { .. } => {
                Err((Check::LoudStop, format!("engine {node} ends over a whole log: {error}")))
            }
            AppendError::Poisoned(_)
            | AppendError::Full(_)
            | AppendError::Unavailable(_)
            | AppendError::TooLarge { .. }
            | _ => Err((Check::Legal, format!("engine {node}: {error}"))),
        }
    }
}

/// Turns of an engine at one instant, at most.
const TURNS_MAX: u32 = 32;

/// What the stream is called.
const STREAM: &str = "push0";
