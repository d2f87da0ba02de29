//! A stream of JetStream, as it was measured on nats-server 2.15.1: what it takes, what it answers,
//! and what of that is lost.
//!
//! Of one server: a publish with a stale sequence is refused, though its message id is known. Of
//! three: a known message id is answered with success, `duplicate`, whatever sequence it expects;
//! and while a message is under way to the majority, every other is refused. A leader that was just
//! elected may be behind for a moment.
//!
//! Not here: when anything reaches it (`cluster`), and what an engine makes of it
//! (`push0_log::stream`).

use std::io;
use std::time::Duration;

use bytes::Bytes;
use push0_log::LogId;
use push0_log::stream::{Extent, PublishAnswer, ReadFailure, Record, Stored, genesis, subject_of};

/// What an engine asks.
#[derive(Clone, Debug)]
pub enum Question {
    /// To take a message, where alone it may be taken.
    Publish(Publish),
    Get(u64),
    /// The first message and the last: what an opening needs.
    Ends,
    /// All that is behind this sequence.
    Read(u64),
    Extent,
}

/// A message, and where alone it may be taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publish {
    id: String,
    subject: String,
    bytes: Bytes,
    last: u64,
    /// Who wrote that, and the last sequence of theirs.
    on_subject: (String, u64),
    asked: Duration,
}

/// What the stream answers.
#[derive(Debug)]
pub enum Answer {
    Said(PublishAnswer),
    Got(Result<Option<Stored>, ReadFailure>),
    Ends(Stored, Stored),
    Records(Vec<Stored>),
    Extent(Extent),
    /// Nobody answers.
    Nothing,
}

/// A message on its way to a majority of servers.
#[derive(Clone, Debug)]
pub struct Proposal {
    publish: Publish,
    /// Which; it comes to nothing once another is.
    pub nth: u64,
}

/// The stream.
#[derive(Clone, Debug)]
pub struct Stream {
    pub records: Vec<Stored>,
    /// The message ids that are known, with the sequence that each got. Longer than any world is
    /// their window.
    ids: Vec<(String, u64)>,
    pub is_three: bool,
    under_way: Option<Proposal>,
    proposals: u64,
    /// Until when it has no leader.
    leaderless: Duration,
    /// Until when its leader knows less than what is there, and how far it does.
    behind: (Duration, u64),
    pub is_full: bool,
    /// All that it held, while it holds something else, and since when.
    copy: Option<(Duration, Vec<Stored>)>,
}

/// How a publish is taken.
pub enum Taken {
    /// It is answered at once; a message that was taken stands at the end.
    At(PublishAnswer),
    /// It is on its way to a majority, by this number.
    UnderWay(u64),
    /// Nobody answers.
    Silence,
}

impl Publish {
    pub fn of(record: &Record, asked: Duration) -> Self {
        let place = record.place();
        Self {
            id: record.message_id(),
            subject: record.subject().to_owned(),
            bytes: record.bytes().clone(),
            last: place.last,
            on_subject: (place.subject.to_owned(), place.last_on_subject),
            asked,
        }
    }
}

impl Stream {
    /// A stream that holds the first record of a log, and nothing else.
    pub fn new(is_three: bool) -> Self {
        Self {
            records: vec![first(LOG)],
            ids: Vec::new(),
            is_three,
            under_way: None,
            proposals: 0,
            leaderless: Duration::ZERO,
            behind: (Duration::ZERO, 0),
            is_full: false,
            copy: None,
        }
    }

    /// The sequence of its last message.
    pub fn last(&self) -> u64 {
        self.records.len() as u64
    }

    /// Since when it is not what it was.
    pub fn another_since(&self) -> Option<Duration> {
        self.copy.as_ref().map(|(since, _)| *since)
    }

    /// Whether somebody answers for it.
    pub fn answers(&self, now: Duration) -> bool {
        now >= self.leaderless
    }

    /// Whether it is not what it was.
    pub const fn is_another(&self) -> bool {
        self.copy.is_some()
    }

    /// It has no leader until then. What was under way goes with it, or comes later; and the next
    /// leader may be behind.
    pub fn elects(&mut self, until: Duration, loses: bool, behind: Option<(Duration, u64)>) {
        self.leaderless = until;
        if loses && self.is_three {
            self.under_way = None;
        }
        if let Some((wait, messages)) = behind.filter(|_| self.is_three) {
            self.behind = (until + wait, self.last().saturating_sub(messages).max(1));
        }
    }

    /// It is put back to what it held after so many messages; or, with none, it is another log.
    pub fn replace(&mut self, now: Duration, kept: Option<u64>) {
        let whole = self.records.clone();
        match kept {
            Some(kept) => self.records.truncate(usize::try_from(kept).unwrap_or(usize::MAX)),
            // Another has gone on with the new one as far: its sequence tells nothing.
            None => {
                let other = first(OTHER_LOG);
                let known = 1..=self.last();
                self.records = known.map(|sequence| Stored { sequence, ..other.clone() }).collect();
            }
        }
        self.ids.clear();
        self.under_way = None;
        self.copy = Some((now, whole));
    }

    /// It holds again what it held.
    pub fn restore(&mut self) {
        if let Some((_, copy)) = self.copy.take() {
            self.records = copy;
            self.under_way = None;
        }
    }

    /// Answers what changes nothing.
    pub fn look(&self, now: Duration, question: &Question) -> Answer {
        if !self.answers(now) {
            return Answer::Nothing;
        }
        let end = if now < self.behind.0 { self.behind.1 } else { self.last() };
        let known = self.records.iter().filter(|record| record.sequence <= end);
        match question {
            Question::Get(sequence) => {
                Answer::Got(Ok(known.clone().find(|it| it.sequence == *sequence).cloned()))
            }
            Question::Ends => match (self.records.first(), known.last()) {
                (Some(first), Some(last)) => Answer::Ends(first.clone(), last.clone()),
                _ => Answer::Nothing,
            },
            Question::Read(after) => Answer::Records(
                known.filter(|it| it.sequence > *after).take(READ_MAX).cloned().collect(),
            ),
            Question::Extent => Answer::Extent(Extent { first: 1, last: end, removed: 0 }),
            Question::Publish(_) => Answer::Nothing,
        }
    }

    /// Takes a message, or says why not.
    pub fn publish(&mut self, now: Duration, publish: &Publish) -> Taken {
        if self.another_since().is_some_and(|since| publish.asked <= since) {
            return Taken::Silence; // its servers were stopped for it, and what was on its way is lost
        }
        if !self.answers(now) {
            // Who has no leader has nobody who listens, or one who does not answer.
            let is_told = publish.bytes.len().is_multiple_of(2);
            return if is_told { Taken::At(PublishAnswer::Conflict) } else { Taken::Silence };
        }
        let known =
            self.ids.iter().find(|(id, _)| *id == publish.id).map(|(_, sequence)| *sequence);
        if let Some(sequence) = known.filter(|_| self.is_three) {
            return Taken::At(PublishAnswer::Stands { sequence, is_repeat: true });
        }
        if self.under_way.is_some() || !self.is_place(publish) {
            return Taken::At(PublishAnswer::Conflict);
        }
        if let Some(sequence) = known {
            return Taken::At(PublishAnswer::Stands { sequence, is_repeat: true });
        }
        if self.is_full {
            return Taken::At(PublishAnswer::Full(io::Error::other("the stream has no room")));
        }
        if self.is_three {
            self.proposals += 1;
            let (publish, nth) = (publish.clone(), self.proposals);
            self.under_way = Some(Proposal { publish, nth });
            return Taken::UnderWay(nth);
        }
        let sequence = self.push(publish);
        Taken::At(PublishAnswer::Stands { sequence, is_repeat: false })
    }

    /// What was under way by this number is on a majority. Answers where it stands; not, if it
    /// went.
    pub fn commit(&mut self, nth: u64) -> Option<u64> {
        let proposal = self.under_way.take_if(|proposal| proposal.nth == nth)?;
        Some(self.push(&proposal.publish))
    }

    fn is_place(&self, publish: &Publish) -> bool {
        let (subject, last) = &publish.on_subject;
        let of_subject = self.records.iter().rev().find(|record| record.subject == *subject);
        publish.last == self.last() && of_subject.map_or(0, |record| record.sequence) == *last
    }

    fn push(&mut self, publish: &Publish) -> u64 {
        let sequence = self.last() + 1;
        self.ids.push((publish.id.clone(), sequence));
        let (subject, payload) = (publish.subject.clone(), publish.bytes.clone());
        self.records.push(Stored { sequence, subject, payload });
        sequence
    }
}

fn first(log: LogId) -> Stored {
    let subject = subject_of(PREFIX, log, LogId([0; 16]));
    Stored { sequence: 1, subject, payload: genesis(log).into() }
}

/// What its subjects begin with.
pub const PREFIX: &str = "push0.log";

pub const LOG: LogId = LogId([7; 16]);

const OTHER_LOG: LogId = LogId([8; 16]);

/// Messages that are read at once.
const READ_MAX: usize = 64;
