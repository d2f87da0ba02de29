//! The stream takes what is asked of it, and an engine learns what became of its append: by the
//! real rules of both.

use std::sync::Arc;
use std::time::Duration;

use push0_core::Event;
use push0_log::stream::{Ask, Next, PublishAnswer, ReadFailure};
use push0_sim::Check;
use push0_sim::stream::{Answer, Publish, Question, Taken};

use super::{Happened, World};
use crate::net::{Packet, Reply};
use crate::node::{Phase, changed};
use crate::setting::{Broken, Setting};
use crate::truth::{Found, holds};

impl World {
    /// An engine asks the stream to take its record.
    pub(super) fn publishes(&mut self, node: usize) {
        let Some(stay) = self.nodes.get(node).map(|one| one.stay) else { return };
        let Some(lead) = self.lead(node) else { return };
        let Some(flight) = &mut lead.append else { return };
        flight.phase = Phase::Answer;
        let record = flight.append.record();
        let (id, sequence) = (record.message_id(), record.sequence());
        let (is_awaited, publish) = (true, Publish::of(record, Duration::ZERO));
        self.net.send(Packet::Publish { node, stay, is_awaited, sequence, id, publish });
    }

    /// A publish reaches the stream.
    pub(super) fn is_published(
        &mut self,
        (node, stay, is_awaited): (usize, u64, bool),
        id: &str,
        publish: &Publish,
    ) -> Result<(), Found> {
        let stream = changed(&mut self.stream);
        let before = stream.last();
        match stream.publish(Duration::ZERO, publish) {
            Taken::At(said) => {
                let has_taken = self.stream.last() > before;
                let read = if has_taken { self.took() } else { Ok(()) };
                if let Some(reply) = reply(&said).filter(|_| is_awaited) {
                    self.net.send(Packet::Said { node, stay, reply });
                }
                read
            }
            Taken::UnderWay(nth) => {
                let id = id.to_owned();
                self.net.send(Packet::Commit { node, stay, is_awaited, id, nth });
                Ok(())
            }
            Taken::Silence => Ok(()),
        }
    }

    /// A message is on a majority of the stream's servers.
    pub(super) fn is_committed(
        &mut self,
        (node, stay, is_awaited): (usize, u64, bool),
        nth: u64,
    ) -> Result<(), Found> {
        let Some(sequence) = changed(&mut self.stream).commit(nth) else { return Ok(()) };
        self.took()?;
        if is_awaited {
            let reply = Reply::Stands { sequence, is_repeat: false };
            self.net.send(Packet::Said { node, stay, reply });
        }
        Ok(())
    }

    /// The stream holds one more record.
    fn took(&mut self) -> Result<(), Found> {
        let Some(record) = self.stream.records.last().cloned() else { return Ok(()) };
        let (epoch, before) = (self.truth.position.epoch(), self.truth.scheduler.last());
        changed(&mut self.truth).read(&record)?;
        if self.truth.position.epoch() > epoch && epoch.0 > 0 {
            self.happens(Happened::TAKEN_OVER);
            let is_ahead = |lead: &crate::node::Lead| {
                lead.epoch == epoch && lead.engine.scheduler().last() > before
            };
            if self.nodes.iter().any(|node| node.lead().is_some_and(is_ahead)) {
                self.happens(Happened::DROPPED);
            }
        }
        self.marks(&record);
        Ok(())
    }

    /// Notes what in a record has not happened in every world.
    fn marks(&mut self, record: &push0_log::stream::Stored) {
        let Some(before) = record.sequence.checked_sub(2) else { return };
        let Some(before) = self.stream.records.get(usize::try_from(before).unwrap_or_default())
        else {
            return;
        };
        let Ok(mut place) = push0_log::stream::Position::behind(before, push0_sim::stream::LOG)
        else {
            return;
        };
        let mut events = Vec::new();
        let _ = place.follow(record, &mut |turn| events.extend(turn.events));
        for event in events {
            if matches!(event, Event::Lost { .. }) {
                self.happens(Happened::LOST);
            }
            if matches!(event, Event::Surplus { .. }) {
                self.happens(Happened::SURPLUS);
            }
        }
    }

    /// The stream's answer reaches an engine.
    pub(super) fn is_answered(
        &mut self,
        setting: &Setting,
        node: usize,
        reply: Reply,
    ) -> Result<(), Found> {
        if matches!(reply, Reply::Stands { is_repeat: true, .. }) {
            self.happens(Happened::REPEATED);
        }
        let Some(flight) = self.lead(node).and_then(|lead| lead.append.as_mut()) else {
            return Ok(());
        };
        if flight.phase != Phase::Answer {
            return Ok(());
        }
        if setting.is(Broken::RefusedIsLanded) && reply == Reply::Conflict {
            return self.goes_on_after(setting, node, Next::Landed);
        }
        let next = flight.append.said(match reply {
            Reply::Stands { sequence, is_repeat } => PublishAnswer::Stands { sequence, is_repeat },
            Reply::Conflict => PublishAnswer::Conflict,
        });
        self.goes_on_after(setting, node, next)
    }

    /// No answer came in time.
    pub(super) fn is_silent(&mut self, setting: &Setting, node: usize) -> Result<(), Found> {
        self.net.await_no_more(node);
        let Some(flight) = self.lead(node).and_then(|lead| lead.append.as_mut()) else {
            return Ok(());
        };
        let next = flight.append.said(PublishAnswer::Unknown(silence()));
        self.goes_on_after(setting, node, next)
    }

    /// An engine reads what stands in the stream, by the word of the stream's leader.
    pub(super) fn reads(&mut self, setting: &Setting, node: usize) -> Result<(), Found> {
        let stream = Arc::clone(&self.stream);
        let Some(flight) = self.lead(node).and_then(|lead| lead.append.as_mut()) else {
            return Ok(());
        };
        let Ask::Get(sequence) = flight.append.asks() else { return Ok(()) };
        let answer = stream.look(Duration::ZERO, &Question::Get(sequence));
        let next = match answer {
            Answer::Got(got) => flight.append.got(got),
            Answer::Said(_)
            | Answer::Ends(..)
            | Answer::Records(_)
            | Answer::Extent(_)
            | Answer::Nothing => flight.append.got(Err(ReadFailure::Unknown(silence()))),
        };
        self.goes_on_after(setting, node, next)
    }

    fn goes_on_after(&mut self, setting: &Setting, node: usize, next: Next) -> Result<(), Found> {
        let phase = match next {
            Next::Ask => Phase::Reading,
            Next::Again(_) => Phase::Pause,
            Next::Landed => return self.landed(setting, node),
            Next::Failed(error) => return self.failed(node, &error),
        };
        if let Some(flight) = self.lead(node).and_then(|lead| lead.append.as_mut()) {
            flight.phase = phase;
        }
        Ok(())
    }

    /// What it appended stands in its place, by all that it was told.
    fn landed(&mut self, setting: &Setting, node: usize) -> Result<(), Found> {
        let Some(flight) = self.lead(node).and_then(|lead| lead.append.take()) else {
            return Ok(());
        };
        let record = flight.append.into_record();
        let (sequence, last) = (record.sequence(), record.last());
        let stands = self.stream.records.iter().find(|it| it.sequence == sequence);
        let is_its = stands
            .is_some_and(|it| it.subject == record.subject() && it.payload == *record.bytes());
        holds(Check::Acknowledged, is_its, || {
            format!("engine {node} takes record {sequence} for its own, and it is not there")
        })?;
        let now = self.now();
        let truth = Arc::clone(&self.truth);
        let Some(lead) = self.lead(node) else { return Ok(()) };
        lead.pipe.landed(record);
        let mut held = lead.holds_back();
        lead.engine.handle_landed(now, last, &mut held);
        held.found()?;
        if !lead.engine.has_undurable() && truth.scheduler.last() == last {
            let is_same = *lead.engine.scheduler() == truth.scheduler;
            holds(Check::ReplayEqualsLive, is_same, || format!("engine {node} at {last}"))?;
        }
        self.drives(setting, node)
    }
}

fn reply(said: &PublishAnswer) -> Option<Reply> {
    match said {
        PublishAnswer::Stands { sequence, is_repeat } => {
            Some(Reply::Stands { sequence: *sequence, is_repeat: *is_repeat })
        }
        PublishAnswer::Conflict => Some(Reply::Conflict),
        // No world has a log of no room, or a record that is too large.
        PublishAnswer::Full(_) | PublishAnswer::TooLarge { .. } | PublishAnswer::Unknown(_) => None,
    }
}

fn silence() -> std::io::Error {
    std::io::Error::other("no answer in time")
}
