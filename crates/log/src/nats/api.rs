//! What is asked of JetStream, as requests with JSON.
//!
//! Written out here, since every answer matters: a refusal is told apart by its number, and a
//! stream's settings are read as the server states them, those included that a library does not
//! know.
//!
//! Not here: what an answer means for the log (`append`, `stream`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_nats::client::Request;
use async_nats::{Client, HeaderMap, RequestErrorKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::stream::Stored;

/// A way to ask, with a bound on each answer.
#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) client: Client,
    /// How often the connection was lost.
    pub(super) losses: watch::Receiver<u64>,
    /// What the servers last refused.
    pub(super) refusals: watch::Receiver<String>,
    pub(super) answer_max: Duration,
    pub(super) stream: Arc<str>,
    /// What its subjects begin with.
    pub(super) prefix: Arc<str>,
}

/// Why there is no answer of the kind that was asked for.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Whether it was done is unknown.
    Silent(io::Error),
    /// Nobody listens there: no such stream, or none with a leader at the moment. It was not done.
    Nobody,
    /// The server says that it was not done.
    Refused(Refusal),
}

/// A server's refusal.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Refusal {
    /// Of its kind: see [`code`].
    #[serde(default)]
    pub(super) err_code: u16,
    #[serde(default)]
    pub(super) description: String,
}

impl Api {
    /// Asks, and waits for the answer; the loss of the connection ends the wait, since the answer
    /// was lost with it, and so does a refusal, since none comes then. A refusal names its subject,
    /// and may be of something else that was sent.
    pub(super) async fn ask(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Bytes, Unanswered> {
        let mut losses = self.losses.clone();
        losses.mark_unchanged();
        let mut refusals = self.refusals.clone();
        refusals.mark_unchanged();
        let headers = (!headers.is_empty()).then_some(headers);
        let request = Request { payload: Some(payload), headers, timeout: Some(None), inbox: None };
        let answer = timeout(self.answer_max, self.client.send_request(subject, request));
        let silent = |error| Err(Unanswered::Silent(error));
        tokio::select! {
            answer = answer => match answer {
                Ok(Ok(message)) => Ok(message.payload),
                Ok(Err(error)) if error.kind() == RequestErrorKind::MaxPayloadExceeded => {
                    Err(Unanswered::Refused(Refusal {
                        err_code: code::MESSAGE_TOO_LARGE,
                        description: error.to_string(),
                    }))
                }
                Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                    Err(Unanswered::Nobody)
                }
                Ok(Err(error)) => silent(io::Error::other(error)),
                Err(_) => silent(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
            },
            // Only as long as there is a client is there a sender; it is here, so there is one.
            _ = losses.changed() => {
                silent(io::Error::new(io::ErrorKind::ConnectionReset, "the connection was lost"))
            }
            Ok(()) = refusals.changed() => {
                let words = refusals.borrow().clone();
                silent(io::Error::new(io::ErrorKind::PermissionDenied, words))
            }
        }
    }

    /// Asks the JetStream API, and reads its answer.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        verb: &str,
        body: &serde_json::Value,
    ) -> Result<T, Unanswered> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let answer = self.ask(format!("{}.{verb}", self.prefix), HeaderMap::new(), body).await?;
        read(&answer)
    }

    /// The message at `sequence`, from the stream's leader; nothing where it has none.
    pub(super) async fn get(&self, sequence: u64) -> Result<Option<Stored>, Unanswered> {
        self.stored(serde_json::json!({ "seq": sequence })).await
    }

    /// The last message, from the stream's leader; nothing where it has none.
    pub(super) async fn get_last(&self, subjects: &str) -> Result<Option<Stored>, Unanswered> {
        self.stored(serde_json::json!({ "last_by_subj": subjects })).await
    }

    async fn stored(&self, which: serde_json::Value) -> Result<Option<Stored>, Unanswered> {
        let got: Got = match self.call(&format!("STREAM.MSG.GET.{}", self.stream), &which).await {
            Ok(got) => got,
            Err(Unanswered::Refused(refusal)) if refusal.err_code == code::NO_MESSAGE => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Message { subject, seq: sequence, data } = got.message;
        let payload = STANDARD.decode(data).map_err(|error| silent(&error.to_string()))?.into();
        Ok(Some(Stored { sequence, subject, payload }))
    }
}

/// Reads an answer, be it a refusal or what was asked for.
pub(super) fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Unanswered> {
    let strange = |error: serde_json::Error| silent(&format!("an answer that is none: {error}"));
    let outcome: Outcome = serde_json::from_slice(answer).map_err(strange)?;
    match outcome.error {
        Some(refusal) => Err(Unanswered::Refused(refusal)),
        None => serde_json::from_slice(answer).map_err(strange),
    }
}

impl Unanswered {
    /// As an error for someone who may try again.
    pub(super) fn into_error(self) -> io::Error {
        match self {
            Self::Silent(error) => error,
            Self::Nobody => {
                io::Error::new(io::ErrorKind::NotConnected, "nobody answers for the stream")
            }
            Self::Refused(refusal) => io::Error::other(refusal.to_string()),
        }
    }

    /// The number of the refusal.
    pub(super) const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.err_code),
            Self::Silent(_) | Self::Nobody => None,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (error {})", self.description, self.err_code)
    }
}

fn silent(what: &str) -> Unanswered {
    Unanswered::Silent(io::Error::other(what.to_owned()))
}

#[derive(Deserialize)]
struct Outcome {
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Got {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    subject: String,
    seq: u64,
    /// Absent where it is empty.
    #[serde(default)]
    data: String,
}

/// Numbers of refusals, from `server/errors.json` of nats-server 2.15.1.
pub(super) mod code {
    /// `JSNotEnabledForAccountErr`
    pub(in super::super) const NOT_ENABLED_FOR_ACCOUNT: u16 = 10_039;
    /// `JSNotEnabledErr`
    pub(in super::super) const NOT_ENABLED: u16 = 10_076;
    /// `JSInsufficientResourcesErr`
    pub(in super::super) const NO_RESOURCES: u16 = 10_023;
    /// `JSMemoryResourcesExceededErr`
    pub(in super::super) const NO_MEMORY: u16 = 10_028;
    /// `JSNoMessageFoundErr`
    pub(in super::super) const NO_MESSAGE: u16 = 10_037;
    /// `JSStorageResourcesExceededErr`
    pub(in super::super) const NO_STORAGE: u16 = 10_047;
    /// `JSStreamMessageExceedsMaximumErr`
    pub(in super::super) const MESSAGE_TOO_LARGE: u16 = 10_054;
    /// `JSStreamNameExistErr`
    pub(in super::super) const STREAM_EXISTS: u16 = 10_058;
    /// `JSStreamNotFoundErr`
    pub(in super::super) const NO_STREAM: u16 = 10_059;
    /// `JSStreamSubjectOverlapErr`
    pub(in super::super) const SUBJECTS_TAKEN: u16 = 10_065;
    /// `JSStreamWrongLastSequenceErrF`
    pub(in super::super) const WRONG_LAST: u16 = 10_071;
    /// `JSStreamReplicasNotSupportedErr`
    pub(in super::super) const NO_REPLICAS: u16 = 10_074;
    /// `JSStreamStoreFailedF`
    pub(in super::super) const STORE_FAILED: u16 = 10_077;
    /// `JSStreamDuplicateMessageConflict`: the same message is under way.
    pub(in super::super) const UNDER_WAY: u16 = 10_158;
    /// `JSStreamWrongLastSequenceConstantErr`: another message to the same subject is under way.
    pub(in super::super) const WRONG_LAST_UNDER_WAY: u16 = 10_164;
}
