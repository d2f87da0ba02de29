//! Asking a server to append a record, as often as it takes to know what became of it.
//!
//! Not here: what an answer means for the record (`stream`).

use std::io;
use std::time::Duration;

use async_nats::HeaderMap;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::api::{Api, Unanswered, code, read};
use super::{HEADERS_BYTES_MAX, connect, stream};
use crate::AppendError;
use crate::stream::{Append, Ask, Next, PublishAnswer, ReadFailure, Record};

/// Appends a record, as often as it takes to know what became of it, or until `retry_max` has
/// passed. Gives it back: it may be doubtful now.
pub(super) async fn settle(
    api: &Api,
    record: Record,
    retry_max: Duration,
) -> (Record, Result<(), AppendError>) {
    let give_up = Instant::now() + retry_max;
    let mut append = Append::new(record, api.stream.to_string());
    let outcome = loop {
        let next = match append.asks() {
            Ask::Publish => {
                let said = publish(api, append.record()).await;
                append.said(said)
            }
            Ask::Get(sequence) => append.got(match api.get(sequence).await {
                Err(error) if error.code() == Some(code::NO_STREAM) => Err(ReadFailure::Gone),
                got => got.map_err(|error| ReadFailure::Unknown(error.into_error())),
            }),
        };
        match next {
            Next::Ask => {}
            Next::Landed => break Ok(()),
            Next::Failed(error) => break Err(error),
            Next::Again(unknown) if Instant::now() >= give_up => {
                break Err(append.give_up(unknown));
            }
            Next::Again(_) => sleep(PAUSE).await,
        }
    };
    (append.into_record(), outcome)
}

/// Publishes once.
async fn publish(api: &Api, record: &Record) -> PublishAnswer {
    let server = api.client.server_info();
    if let Err(unfit) = connect::check(&server) {
        // The connection was lost, and made again to another.
        return PublishAnswer::Unknown(io::Error::other(unfit));
    }
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", record.message_id().as_str());
    headers.insert("Nats-Expected-Stream", &*api.stream);
    let place = record.place();
    headers.insert("Nats-Expected-Last-Sequence", place.last.to_string().as_str());
    let names_subject = connect::version(&server) >= NAMES_SUBJECT_SINCE;
    if names_subject || place.subject == record.subject() {
        let last = place.last_on_subject.to_string();
        headers.insert("Nats-Expected-Last-Subject-Sequence", last.as_str());
    }
    if names_subject && place.subject != record.subject() {
        headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", place.subject);
    }
    let answer = api.ask(record.subject().to_owned(), headers, record.bytes().clone()).await;
    let refusal = match answer.and_then(|answer| read::<Acknowledged>(&answer)) {
        Ok(Acknowledged { seq: sequence, duplicate: is_repeat }) => {
            return PublishAnswer::Stands { sequence, is_repeat };
        }
        Err(Unanswered::Silent(error)) => return PublishAnswer::Unknown(error),
        Err(Unanswered::Nobody) => return PublishAnswer::Conflict,
        Err(Unanswered::Refused(refusal)) => refusal,
    };
    let error = io::Error::other(refusal.to_string());
    match refusal.err_code {
        code::WRONG_LAST | code::WRONG_LAST_UNDER_WAY | code::UNDER_WAY => PublishAnswer::Conflict,
        code::NO_RESOURCES | code::NO_STORAGE | code::NO_MEMORY => {
            PublishAnswer::Full(full(&refusal))
        }
        code::STORE_FAILED => match stream::info(api).await {
            Ok(info) if info.has_no_room(record.bytes().len() + HEADERS_BYTES_MAX) => {
                PublishAnswer::Full(full(&refusal))
            }
            Ok(_) | Err(_) => PublishAnswer::Unknown(error),
        },
        code::MESSAGE_TOO_LARGE => PublishAnswer::TooLarge { bytes_max: api.client.max_payload() },
        _ => PublishAnswer::Unknown(error),
    }
}

fn full(refusal: &super::api::Refusal) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, refusal.to_string())
}

/// What the server answers to a publish.
#[derive(Deserialize)]
struct Acknowledged {
    seq: u64,
    #[serde(default)]
    duplicate: bool,
}

/// Before, a server looks at the subject of the message alone, and a writer has none there before
/// its first record: that record follows what was read just before.
const NAMES_SUBJECT_SINCE: (u32, u32) = (2, 11);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
