//! What an engine that leads appends: asked of the stream by the real rules, until it is known what
//! became of it.
//!
//! Not here: what is decided before, and after (`lead`).

use std::time::Duration;

use push0_log::AppendError;
use push0_log::stream::{Append, Ask, Next, PublishAnswer, ReadFailure};

use super::stream::{Answer, Publish, Question};
use super::{Cluster, Goes};
use crate::check::{Check, holds};

/// An append that is asked for.
pub(super) struct Flight {
    pub(super) append: Append,
    token: u64,
    /// When it is asked for no more, and is of unknown fate.
    until: Duration,
}

impl Cluster {
    /// Asks for what is under way, unless it is asked for.
    pub(super) fn appends(&mut self, node: usize) {
        let now = self.agenda.now();
        let Some(lead) = self.lead(node) else { return };
        let is_due = lead.append.is_none() && lead.engine.is_appending(lead.clock.now(now));
        let Some(record) = lead.pipe.under_way().filter(|_| is_due).cloned() else { return };
        let append = Append::new(record, "push0".to_owned());
        lead.append = Some(Flight { append, token: 0, until: now + RETRY_MAX });
        self.appends_again(node);
    }

    /// Asks the stream what its append asks.
    pub(super) fn appends_again(&mut self, node: usize) {
        let now = self.agenda.now();
        let Some(flight) = self.lead(node).and_then(|lead| lead.append.as_ref()) else { return };
        let question = match flight.append.asks() {
            Ask::Publish => Question::Publish(Publish::of(flight.append.record(), now)),
            Ask::Get(sequence) => Question::Get(sequence),
        };
        let token = self.asks(node, question);
        if let Some(flight) = self.lead(node).and_then(|lead| lead.append.as_mut()) {
            flight.token = token;
        }
    }

    pub(super) fn lead_answered(&mut self, node: usize, token: u64, answer: Answer) {
        let now = self.agenda.now();
        let Some(lead) = self.lead(node) else { return };
        if let Answer::Extent(extent) = answer {
            let least = lead.pipe.tip().message();
            if let Some(why) = lead.looks.see(extent, least) {
                self.node_ends(node, &why);
            }
            return;
        }
        if lead.probe == Some(token) {
            lead.probe = None;
            return self.probed(node, answer);
        }
        let Some(flight) = lead.append.as_mut().filter(|flight| flight.token == token) else {
            return;
        };
        let silence = || std::io::Error::other("no answer in time");
        let next = match (flight.append.asks(), answer) {
            (Ask::Publish, Answer::Said(said)) => flight.append.said(said),
            (Ask::Publish, _) => flight.append.said(PublishAnswer::Unknown(silence())),
            (Ask::Get(_), Answer::Got(got)) => flight.append.got(got),
            (Ask::Get(_), _) => flight.append.got(Err(ReadFailure::Unknown(silence()))),
        };
        match next {
            Next::Ask => self.appends_again(node),
            Next::Again(unknown) if now >= flight.until => {
                let error = flight.append.give_up(unknown);
                self.failed(node, &error);
            }
            Next::Again(_) => {
                flight.token = 0;
                self.node_after(node, PAUSE, Goes::Again);
            }
            Next::Landed => self.landed(node),
            Next::Failed(error) => self.failed(node, &error),
        }
    }

    /// What it appended stands in its place, by all that it was told.
    fn landed(&mut self, node: usize) {
        let now = self.agenda.now();
        let Some(lead) = self.lead(node) else { return };
        let Some(flight) = lead.append.take() else { return };
        let record = flight.append.into_record();
        let (sequence, last) = (record.sequence(), record.last());
        let stands = self.stream.records.iter().find(|it| it.sequence == sequence);
        let is_there = stands
            .is_some_and(|it| it.subject == record.subject() && it.payload == *record.bytes());
        let is_another = self.stream.is_another();
        self.note(holds(Check::Acknowledged, is_there && !is_another, || {
            format!("engine {node} takes record {sequence} for its own, and it is not there")
        }));
        let Some(lead) = self.lead(node) else { return };
        lead.pipe.landed(record);
        while lead.begun.front().is_some_and(|turn| turn.last() <= last) {
            if let Some(turn) = lead.begun.pop_front() {
                lead.watch.appending(&turn);
                lead.watch.appended();
            }
        }
        lead.watch.now = now;
        lead.watch.landed(last);
        let at = lead.clock.now(now);
        lead.engine.handle_landed(at, last, &mut lead.watch);
        if !lead.engine.has_undurable() {
            lead.watch.turned(lead.engine.scheduler());
        }
        self.begins(node);
        self.lets_go(node);
        self.appends(node);
        self.look_by(node, now);
        self.stopped_if_over(node);
    }

    /// What is under way came to nothing, or is of unknown fate.
    fn failed(&mut self, node: usize, error: &AppendError) {
        let Some(lead) = self.lead(node) else { return };
        let Some(flight) = lead.append.take() else { return };
        lead.pipe.failed(flight.append.into_record(), error);
        if !matches!(error, AppendError::Unavailable(_)) {
            lead.begun.clear();
        }
        self.refused(node, error);
    }
}

/// How long an append is asked for before it is of unknown fate, as by default.
const RETRY_MAX: Duration = Duration::from_secs(20);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
