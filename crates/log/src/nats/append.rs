//! Appending a record, until it is known what became of it.
//!
//! A record is published with the sequence that it must get, twice over: the stream's last must be
//! the one before, and so must the last on the subject of whoever wrote that one. The first keeps two
//! writers from interleaving. The second is what ties the append to *this* log: subjects are
//! `PREFIX.LOG.WRITER`, and a stream that was deleted and made again, or set back and gone on with by
//! another engine, has no record of this writer at that sequence, so the server itself refuses, and
//! no append costs a round trip for asking.
//!
//! ```text
//!   publish ──▶ answer names the sequence ─────────────────────────────────▶ landed
//!      ▲  └───▶ duplicate, wrong last sequence ──▶ read it from the leader ─▶ landed | fenced | replaced
//!      │  └───▶ no answer ─┐                                 │ nothing there yet
//!      └───────────────────┴─────────────────────────────────┘
//! ```
//!
//! Neither a duplicate nor a wrong sequence says what is there. Three servers answer a publish with a
//! stale sequence and a used message id with success, `duplicate`; one server answers it with "wrong
//! last sequence" (both seen on 2.15.1). And three servers refuse a repeat while the first is under
//! way. So what is there is read, by a request that only the stream's leader answers, and compared,
//! with its subject: two writers may write the same bytes.
//!
//! Not here: what is appended, and what follows from it (`nats`).

use std::io;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::api::{Api, Stored, Unanswered, code, read};
use super::chain::{self, Position};
use super::{HEADERS_BYTES_MAX, connect, stream};
use crate::AppendError;
use push0_core::Seq;

/// One message to append.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// What it follows.
    pub(super) before: Position,
    /// What follows it.
    pub(super) after: Position,
    pub(super) bytes: Bytes,
    /// Whether an earlier try may have landed, or may yet.
    pub(super) is_doubtful: bool,
}

/// What is known after one try.
enum Outcome {
    Landed,
    /// What stands at this sequence tells.
    Taken,
    /// There is no room, and this try wrote nothing.
    Full(io::Error),
    Unknown(io::Error),
}

/// What stands where a record was to be.
enum Found {
    /// It stands there.
    Itself,
    /// Another engine's record does. The position after that one.
    Another(Seq),
    /// Nothing yet; what it follows is there.
    Nothing,
    /// Not even what it follows, for this reason.
    Short(String),
}

/// Appends `record`, as often as it takes to know what became of it, or until `retry_max` has passed.
pub(super) async fn settle(
    api: &Api,
    record: &mut Record,
    retry_max: Duration,
) -> Result<(), AppendError> {
    let give_up = Instant::now() + retry_max;
    loop {
        let mut short = None;
        let unknown = match publish(api, record).await {
            Ok(Outcome::Landed) => return Ok(()),
            Ok(Outcome::Full(error)) if !record.is_doubtful => {
                return Err(AppendError::Full(error));
            }
            Ok(Outcome::Full(error) | Outcome::Unknown(error)) => error,
            Ok(Outcome::Taken) => match look(api, record).await {
                Ok(Found::Itself) => return Ok(()),
                Ok(Found::Another(expected)) => {
                    let found = record.before.last.next();
                    return Err(AppendError::Fenced { expected, found });
                }
                Ok(Found::Nothing) => io::Error::other("the append is under way"),
                Ok(Found::Short(why)) => {
                    short = Some(why);
                    io::Error::other("the stream is not as long as it was")
                }
                Err(error) => error?,
            },
            Err(error) => return Err(error),
        };
        record.is_doubtful = true;
        if Instant::now() >= give_up {
            // A leader that was just elected may be behind for a moment, not for as long as this.
            return Err(match short {
                Some(why) => replaced(api, why),
                None => AppendError::Unavailable(unknown),
            });
        }
        sleep(PAUSE).await;
    }
}

/// Publishes once.
async fn publish(api: &Api, record: &Record) -> Result<Outcome, AppendError> {
    let (before, after) = (&record.before, &record.after);
    let server = api.client.server_info();
    if let Err(unfit) = connect::check(&server) {
        // The connection was lost, and made again to another.
        return Ok(Outcome::Unknown(io::Error::other(unfit)));
    }
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", message_id(after).as_str());
    headers.insert("Nats-Expected-Stream", &*api.stream);
    headers.insert("Nats-Expected-Last-Sequence", before.message.to_string().as_str());
    if before.subject == after.subject {
        headers.insert(EXPECTED_ON_SUBJECT, before.message.to_string().as_str());
    } else if connect::version(&server) >= NAMES_SUBJECT_SINCE {
        headers.insert(EXPECTED_ON_SUBJECT, before.message.to_string().as_str());
        headers.insert(EXPECTED_SUBJECT, before.subject.as_str());
    }
    let answer = api.ask(after.subject.clone(), headers, record.bytes.clone()).await;
    let refusal = match answer.and_then(|answer| read::<Acknowledged>(&answer)) {
        Ok(said) if said.seq == after.message && !said.duplicate => return Ok(Outcome::Landed),
        Ok(_) => return Ok(Outcome::Taken),
        Err(Unanswered::Silent(error)) => return Ok(Outcome::Unknown(error)),
        Err(Unanswered::Nobody) => return Ok(Outcome::Taken),
        Err(Unanswered::Refused(refusal)) => refusal,
    };
    let error = io::Error::other(refusal.to_string());
    Ok(match refusal.err_code {
        code::WRONG_LAST | code::WRONG_LAST_UNDER_WAY | code::UNDER_WAY => Outcome::Taken,
        code::NO_RESOURCES | code::NO_STORAGE | code::NO_MEMORY => Outcome::Full(full(&refusal)),
        code::STORE_FAILED => match stream::info(api).await {
            Ok(info) if info.has_no_room(record.bytes.len() + HEADERS_BYTES_MAX) => {
                Outcome::Full(full(&refusal))
            }
            Ok(_) | Err(_) => Outcome::Unknown(error),
        },
        code::MESSAGE_TOO_LARGE => {
            let (bytes, bytes_max) = (record.bytes.len(), api.client.max_payload());
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        _ => Outcome::Unknown(error),
    })
}

/// Reads what stands where `record` was to be; an outer error leaves that unknown.
async fn look(api: &Api, record: &Record) -> Result<Found, Result<io::Error, AppendError>> {
    let silent = |error: Unanswered| Ok(error.into_error());
    let standing = match api.get(record.after.message).await {
        Err(error) if error.code() == Some(code::NO_STREAM) => {
            return Ok(Found::Short("it is gone".to_owned()));
        }
        standing => standing.map_err(silent)?,
    };
    if let Some(found) = standing {
        if found.subject == record.after.subject && found.payload == record.bytes {
            return Ok(Found::Itself);
        }
        return another(api, &found, record).map_err(Err);
    }
    let message = record.before.message;
    if let Some(found) = api.get(message).await.map_err(silent)? {
        let digest = chain::outline(&found).map(|(_, digest)| digest);
        let is_same = digest.is_ok_and(|digest| digest == record.before.digest);
        return match is_same && found.subject == record.before.subject {
            true => Ok(Found::Nothing),
            false => Err(Err(replaced(api, format!("record {message} is not what it was")))),
        };
    }
    // Shorter, or another log altogether: the first record tells.
    if let Some(first) = api.get(1).await.map_err(silent)? {
        match Position::begin(&first) {
            Ok(begin) if begin.log == record.before.log => {}
            Ok(begin) => {
                let (ours, theirs) = (record.before.log, begin.log);
                return Err(Err(replaced(api, format!("it is log {theirs}, not {ours}"))));
            }
            Err(fault) => return Err(Err(replaced(api, fault.reason().to_owned()))),
        }
    }
    Ok(Found::Short(format!("it ends before record {message}")))
}

/// Whether the record that stands in the place follows what this engine's would have followed.
fn another(api: &Api, found: &Stored, record: &Record) -> Result<Found, AppendError> {
    let sequence = found.sequence;
    let fault = |reason: &str| replaced(api, format!("record {sequence}: {reason}"));
    let mut place = record.before.clone();
    match place.follow(found, &mut drop) {
        Ok(()) => Ok(Found::Another(place.last.next())),
        Err(unreadable) => Err(fault(unreadable.reason())),
    }
}

fn replaced(api: &Api, reason: String) -> AppendError {
    AppendError::Replaced { stream: api.stream.to_string(), reason }
}

fn full(refusal: &super::api::Refusal) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, refusal.to_string())
}

/// Who writes, and what: the same for every try of one append, and for no other.
fn message_id(after: &Position) -> String {
    let writer = after.subject.rsplit('.').next().unwrap_or_default();
    format!("{writer}.{}.{}", after.message, after.digest)
}

/// What the server answers to a publish.
#[derive(Deserialize)]
struct Acknowledged {
    seq: u64,
    #[serde(default)]
    duplicate: bool,
}

const EXPECTED_ON_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence";
const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// Before, a server looks at the subject of the message alone, and a writer has none there before its
/// first record: that record follows what was read just before.
const NAMES_SUBJECT_SINCE: (u32, u32) = (2, 11);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
