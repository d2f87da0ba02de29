//! Following a log on JetStream: its turns as they come, each checked against the one before.
//!
//! Messages are pulled through a consumer that the server forgets by itself, in batches that are
//! bounded by bytes. When it has gone, or has nothing to say for too long, another is made; before
//! that, the record before this place is read again: if it has gone, or is another, the stream is
//! not the one that was followed, and to wait on it would be to wait for ever.
//!
//! Not here: whether a record is right (`stream` of the crate).

use std::io;
use std::mem;
use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use push0_core::Turn;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::api::{Api, Unanswered, code};
use crate::ReadError;
use crate::frame::LogId;
use crate::stream::{Position, Stored, outline};

/// Reads a log as it grows. Any number may follow one log.
#[derive(Debug)]
pub struct Follower {
    pub(super) api: Api,
    retry_max: Duration,
    pub(super) position: Position,
    /// What must be there when it is passed.
    known: Position,
    /// Turns before this position that were not given away yet.
    pub(super) ready: Vec<Turn>,
    /// None until it is needed, and after it was lost.
    consumer: Option<Consumer>,
    /// Why there is none to be had.
    short: Option<Short>,
}

/// That the servers make no consumer.
#[derive(Debug)]
struct Short {
    /// The servers' words; none where nobody answers who may make one, as for a user who is to make
    /// none.
    why: Option<String>,
    /// When another is asked for.
    again: Instant,
}

#[derive(Debug)]
struct Consumer {
    name: String,
    inbox: String,
    messages: Subscriber,
    /// Messages that the request under way may still bring; none, if there is no request.
    pulled: u64,
    /// How often the connection had been lost when it was made.
    losses: u64,
    /// When the server last gave a sign of it, or was asked. Across calls: who waits for moments
    /// only would else never find out that it is silent.
    heard: Instant,
    /// Until when it may be unknown where it is asked for: the server that has it says that it is
    /// made, and the others hear of it by themselves. None, once there was a sign of it.
    new: Option<Instant>,
}

/// What came of waiting for a message.
enum PullOutcome {
    Record {
        stored: Stored,
        pending: u64,
    },
    /// The request is over; ask again.
    Over,
    /// The server lives.
    Beat,
    /// It is new, and not known there yet.
    Unknown,
    /// The consumer is of no more use.
    Lost,
    Nothing,
}

impl Follower {
    /// From `position` on; `known` is known to be durable.
    pub(super) const fn new(
        api: Api,
        retry_max: Duration,
        position: Position,
        known: Position,
    ) -> Self {
        Self { api, retry_max, position, known, ready: Vec::new(), consumer: None, short: None }
    }

    /// What was read up to.
    #[must_use]
    pub const fn position(&self) -> &Position {
        &self.position
    }

    /// Why the log is read record by record, which is slower: the servers' words, where they refuse
    /// a consumer. They are asked again every half minute. Nothing for a user whose role makes
    /// none.
    #[must_use]
    pub fn short_of_consumers(&self) -> Option<&str> {
        self.short.as_ref()?.why.as_deref()
    }

    /// The turns that come next: those that are there, as far as a batch goes, or else the first
    /// that come within `wait`. None, if none came.
    ///
    /// A batch is bounded in bytes, so this can be called until it gives nothing. It loses nothing
    /// if it is dropped before it returns.
    ///
    /// # Errors
    ///
    /// A [`ReadError`]. After [`ReadError::Unavailable`] it can be called again.
    pub async fn next(&mut self, wait: Duration) -> Result<Vec<Turn>, ReadError> {
        let until = Instant::now() + wait;
        let mut bytes = 0;
        loop {
            self.pull().await?;
            if self.short.is_some() {
                return self.fetch(until).await;
            }
            match self.came(until).await {
                PullOutcome::Record { stored, pending } => {
                    if stored.sequence != self.position.message + 1 {
                        // Some were lost on the way: they are asked for again.
                        self.consumer = None;
                        continue;
                    }
                    bytes += stored.payload.len();
                    self.take(&stored)?;
                    if pending > 0 && bytes < BATCH_BYTES {
                        continue;
                    }
                }
                PullOutcome::Lost => self.consumer = None,
                PullOutcome::Unknown => sleep_until(until.min(Instant::now() + PAUSE)).await,
                PullOutcome::Over | PullOutcome::Beat | PullOutcome::Nothing => {}
            }
            if !self.ready.is_empty() || Instant::now() >= until {
                return Ok(mem::take(&mut self.ready));
            }
        }
    }

    /// Takes the record that comes next.
    pub(super) fn take(&mut self, stored: &Stored) -> Result<(), ReadError> {
        let ready = &mut self.ready;
        if let Err(fault) = self.position.follow(stored, &mut |turn| ready.push(turn)) {
            return Err(fault.of(&self.api.stream, stored.sequence));
        }
        if self.position.message == self.known.message && self.position != self.known {
            return Err(self.other(self.known.message));
        }
        Ok(())
    }

    /// Sees to it that a request for messages is under way, where the servers make a consumer.
    async fn pull(&mut self) -> Result<(), ReadError> {
        if self.short.as_ref().is_some_and(|short| Instant::now() < short.again) {
            return Ok(());
        }
        if self.consumer.as_ref().is_some_and(|it| it.losses != *self.api.losses.borrow()) {
            self.consumer = None;
        }
        let give_up = Instant::now() + self.retry_max;
        loop {
            let outcome = match &mut self.consumer {
                Some(consumer) if consumer.pulled > 0 => return Ok(()),
                Some(consumer) => consumer.ask(&self.api).await,
                None => match self.verify().await? {
                    Ok(()) => match Consumer::make(&self.api, self.position.message + 1).await {
                        Ok(consumer) => {
                            self.consumer = Some(consumer);
                            self.short = None;
                            continue;
                        }
                        Err(error) => match refusal(&error) {
                            Some(why) => {
                                // The record before was just read, so there is a stream, and it has
                                // a leader.
                                self.short = Some(Short { why, again: Instant::now() + SHORT_FOR });
                                return Ok(());
                            }
                            None => Err(error),
                        },
                    },
                    Err(error) => Err(error),
                },
            };
            let Err(error) = outcome else { continue };
            if Instant::now() >= give_up {
                return Err(ReadError::Unavailable(error.into_error()));
            }
            self.consumer = None;
            sleep(PAUSE).await;
        }
    }

    /// Whether the record before this place is still what it was. An inner error leaves that
    /// unknown.
    pub(super) async fn verify(&self) -> Result<Result<(), Unanswered>, ReadError> {
        let Position { message, digest, .. } = self.position;
        let give_up = Instant::now() + self.retry_max;
        loop {
            let reason = match self.api.get(message).await {
                Ok(Some(found)) => {
                    return match outline(&found) {
                        Ok((_, found)) if found == digest => Ok(Ok(())),
                        Ok(_) | Err(_) => Err(self.other(message)),
                    };
                }
                // A leader that was just elected may be behind for a moment.
                Ok(None) => format!("it ends before record {message}"),
                Err(error) if error.code() == Some(code::NO_STREAM) => "it is gone".to_owned(),
                Err(error) => return Ok(Err(error)),
            };
            if Instant::now() >= give_up {
                let stream = self.api.stream.to_string();
                return Err(ReadError::Replaced { stream, reason });
            }
            sleep(PAUSE).await;
        }
    }

    fn other(&self, message: u64) -> ReadError {
        let stream = self.api.stream.to_string();
        let reason = format!("record {message} is not what it was");
        ReadError::Replaced { stream, reason }
    }

    async fn came(&mut self, until: Instant) -> PullOutcome {
        let Some(consumer) = &mut self.consumer else { return PullOutcome::Lost };
        let wait = until.saturating_duration_since(Instant::now()).min(BEAT);
        let mut losses = self.api.losses.clone();
        losses.mark_unchanged();
        tokio::select! {
            biased;
            message = timeout(wait, consumer.messages.next()) => match message {
                Ok(Some(message)) => consumer.read(message),
                Ok(None) => PullOutcome::Lost,
                // The server that had it may be gone, and this connection is to another.
                Err(_) if consumer.heard.elapsed() >= BEAT * 2 => PullOutcome::Lost,
                Err(_) => PullOutcome::Nothing,
            },
            _ = losses.changed() => PullOutcome::Lost,
        }
    }
}

impl Consumer {
    /// One that gives every record from `first` on.
    async fn make(api: &Api, first: u64) -> Result<Self, Unanswered> {
        let losses = *api.losses.borrow();
        let name = LogId::draw().map_err(Unanswered::Silent)?.to_string();
        let settings = json!({
            "stream_name": &*api.stream,
            "action": "create",
            "config": {
                "name": name,
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": first,
                "ack_policy": "none",
                "replay_policy": "instant",
                "inactive_threshold": nanos(FORGOTTEN),
                "mem_storage": true,
                "num_replicas": 1,
            },
        });
        let verb = format!("CONSUMER.CREATE.{}.{name}", api.stream);
        let _: Value = api.call(&verb, &settings).await?;
        let inbox = api.client.new_inbox();
        let messages = api.client.subscribe(inbox.clone()).await;
        let messages = messages.map_err(|error| Unanswered::Silent(io::Error::other(error)))?;
        let heard = Instant::now();
        Ok(Self { name, inbox, messages, pulled: 0, losses, heard, new: Some(heard + BEAT) })
    }

    async fn ask(&mut self, api: &Api) -> Result<(), Unanswered> {
        let request = json!({
            "batch": BATCH,
            "max_bytes": BATCH_BYTES,
            "expires": nanos(EXPIRES),
            "idle_heartbeat": nanos(BEAT),
        });
        let subject = format!("{}.CONSUMER.MSG.NEXT.{}.{}", api.prefix, api.stream, self.name);
        let body = Bytes::from(request.to_string());
        let sent = api.client.publish_with_reply(subject, self.inbox.clone(), body);
        let sent = timeout(api.answer_max, sent).await;
        if !matches!(sent, Ok(Ok(()))) {
            return Err(Unanswered::Silent(io::Error::other("nothing can be sent")));
        }
        self.pulled = BATCH;
        self.heard = Instant::now();
        Ok(())
    }

    /// What a message to the inbox is.
    fn read(&mut self, message: Message) -> PullOutcome {
        self.heard = Instant::now();
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            self.pulled = 0;
            let new = self.new.is_some_and(|end| self.heard < end);
            return if new { PullOutcome::Unknown } else { PullOutcome::Lost };
        }
        self.new = None;
        match message.status {
            None | Some(StatusCode::OK) => {}
            Some(StatusCode::IDLE_HEARTBEAT) => return PullOutcome::Beat,
            // Its time is over, or it brought as many bytes as it may.
            Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => {
                self.pulled = 0;
                return PullOutcome::Over;
            }
            Some(status) if status.as_u16() == CONFLICT && self.pulled < BATCH => {
                self.pulled = 0;
                return PullOutcome::Over;
            }
            Some(_) => return PullOutcome::Lost,
        }
        self.pulled = self.pulled.saturating_sub(1);
        let reply = message.reply.as_deref().unwrap_or_default();
        let Some((sequence, pending)) = places(reply) else { return PullOutcome::Lost };
        let subject = message.subject.to_string();
        PullOutcome::Record {
            stored: Stored { sequence, subject, payload: message.payload },
            pending,
        }
    }
}

/// Whether the servers will not make a consumer, and their words, if they have any: there are as
/// many as may be, or this user may make none.
fn refusal(error: &Unanswered) -> Option<Option<String>> {
    match error {
        Unanswered::Refused(refusal) if refusal.err_code != code::NO_STREAM => {
            Some(Some(refusal.to_string()))
        }
        Unanswered::Silent(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let words = error.to_string();
            words.contains("CONSUMER.CREATE").then_some(Some(words))
        }
        Unanswered::Nobody => Some(None),
        Unanswered::Refused(_) | Unanswered::Silent(_) => None,
    }
}

/// The sequence in the stream, and how many come after: from the subject of an acknowledgement,
/// `$JS.ACK.[DOMAIN.ACCOUNT.]STREAM.CONSUMER.TRIES.SEQUENCE.DELIVERED.TIME.PENDING[.TOKEN]`.
fn places(reply: &str) -> Option<(u64, u64)> {
    let parts: Vec<_> = reply.split('.').collect();
    let begin = if parts.len() > 9 { 7 } else { 5 };
    let number = |at: usize| parts.get(at)?.parse().ok();
    Some((number(begin)?, number(begin + 3)?))
}

const fn nanos(duration: Duration) -> u64 {
    // Those here are minutes at most.
    duration.as_secs() * 1_000_000_000 + duration.subsec_nanos() as u64
}

/// Records that one request may bring.
const BATCH: u64 = 256;

/// Bytes that one request may bring, and about as many as one call gives: four of the largest
/// records.
const BATCH_BYTES: usize = 4 << 20;

/// How long a request waits at the server.
const EXPIRES: Duration = Duration::from_secs(30);

/// How often the server says that it still has the request.
const BEAT: Duration = Duration::from_secs(2);

/// When the server forgets a consumer that nobody asks.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// How long the log is read by position before a consumer is asked for again.
const SHORT_FOR: Duration = Duration::from_secs(30);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// A request that cannot go on, for one of many reasons, or that has brought its bytes.
const CONFLICT: u16 = 409;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_both_forms() {
        let short = "$JS.ACK.push0.abc.1.17.3.1790000000000000000.5";
        let long = "$JS.ACK.hub.ACC.push0.abc.1.17.3.1790000000000000000.5.token";
        assert_eq!(places(short), Some((17, 5)));
        assert_eq!(places(long), Some((17, 5)));
        assert_eq!(places("$JS.ACK"), None);
    }
}
