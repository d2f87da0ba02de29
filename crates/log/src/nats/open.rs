//! Opening a log on JetStream: the server, the stream, its identity, its end.
//!
//! The first message decides which log a stream is: it is published for an empty stream alone, so
//! that of two engines that begin at once one makes the log, and both use it.
//!
//! Not here: reading the history (`follow`).

use std::io;
use std::sync::Arc;

use async_nats::HeaderMap;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::api::{Api, Unanswered, read};
use super::stream::{self, Failure, Info};
use super::trouble::Trouble;
use super::{HEADERS_BYTES_MAX, NatsConfig, NatsLog, PAUSE, connect};
use crate::frame::{self, LogId};
use crate::stream::{Pipe, Position, Stored, genesis, subject_of};
use crate::{ReadError, Room};

impl NatsLog {
    /// Opens the log, or makes it. Its history is not read: see [`follow`](Self::follow).
    ///
    /// # Errors
    ///
    /// A [`NatsError`]: there is nothing to go on from.
    pub async fn open(config: &NatsConfig) -> Result<Self, NatsError> {
        if let Some((setting, reason)) = config.fault() {
            return Err(NatsError::Config { setting, reason });
        }
        let connect::Connection { client, losses, refusals } = connect::connect(config).await?;
        let answer_max = config.answer_max;
        let (stream, prefix) = (Arc::from(&*config.stream), Arc::from(&*config.api));
        let api = Api { client, losses, refusals, answer_max, stream, prefix };
        let writer = LogId::draw().map_err(NatsError::Unavailable)?;
        let give_up = Instant::now() + config.retry_max;
        let (first, last, room) = loop {
            let error = match ends(&api, config, writer).await {
                Ok(ends) => break ends,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Unanswered(Unanswered::Silent(error)))
                    if is_forbidden(&error, config) =>
                {
                    return Err(NatsError::Forbidden { words: error.to_string() });
                }
                Err(Failure::Unanswered(error)) => error,
            };
            if Instant::now() >= give_up {
                return Err(NatsError::Unavailable(error.into_error()));
            }
            sleep(PAUSE).await;
        };
        let of = |record: &Stored| {
            let sequence = record.sequence;
            move |fault: crate::scan::Unreadable| fault.of(&config.stream, sequence)
        };
        let start = Position::begin(&first).map_err(of(&first))?;
        let tip = Position::behind(&last, start.log).map_err(of(&last))?;
        let subject = subject_of(&config.subject, start.log, writer);
        let bytes_max = record_bytes_max(api.client.max_payload());
        Ok(Self {
            api,
            retry_max: config.retry_max,
            subjects: stream::subjects(&config.subject),
            start,
            pipe: Pipe::new(subject, tip, bytes_max),
            task: None,
            replaced: None,
            watch: None,
            room,
        })
    }
}

/// Why a log on JetStream was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// Change the setting.
    #[error("{setting}: {reason}")]
    Config {
        /// As in [`NatsConfig`].
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// As the trouble says: open again later, or mend it.
    #[error("the NATS server at {server} cannot be used: {trouble}")]
    Unreachable {
        /// Of those that were named, the one with the trouble that says most.
        server: String,
        /// What keeps it from being used.
        trouble: Trouble,
    },
    /// Set `user` and `password`, `token`, `credentials` or `tls_cert` to what the server knows.
    #[error("the NATS server at {server} does not let push0 in {}", .gave.words())]
    Denied {
        /// Where it was tried.
        server: String,
        /// What it was shown.
        gave: CredentialKind,
    },
    /// Use a user who may read the stream, and hear answers.
    #[error("the NATS server does not let this user read the log: {words}")]
    Forbidden {
        /// The server's.
        words: String,
    },
    /// Use a newer server.
    #[error("the NATS server is version {found}, and push0 needs 2.10 or newer")]
    Old {
        /// What it says it is.
        found: String,
    },
    /// Raise `max_payload` in the configuration of the servers.
    #[error(
        "the NATS server {server} takes messages of {found} bytes at the most (max_payload), and push0 needs {needed}"
    )]
    SmallPayload {
        /// Its name.
        server: String,
        /// Its `max_payload`.
        found: usize,
        /// What it must be at least.
        needed: usize,
    },
    /// Turn JetStream on at the server.
    #[error("the NATS server {server} has no JetStream")]
    NoJetStream {
        /// Its name.
        server: String,
    },
    /// Turn JetStream on for the account.
    #[error("JetStream is not on for this user's account at the NATS server: {words}")]
    NoJetStreamForAccount {
        /// The server's.
        words: String,
    },
    /// Change the setting with `nats stream edit`, or give the log another stream.
    #[error("stream {stream} could lose records: its {setting} is {found}, and must be {wanted}")]
    Setting {
        /// Which stream.
        stream: String,
        /// As the server names it.
        setting: String,
        /// What the stream has.
        found: String,
        /// What a log needs.
        wanted: String,
    },
    /// As the [`ReadError`] says.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// Open again later. Nothing was lost.
    #[error("the log's stream cannot be used")]
    Unavailable(#[source] io::Error),
}

/// What a server was shown of who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CredentialKind {
    /// Nothing.
    Nothing,
    /// A user of this name, with a password.
    User(String),
    /// A user and a password that an address says. Its name is not told: it may be a token, with a
    /// password beside it.
    Named,
    /// A token.
    Token,
    /// A file of credentials.
    Credentials,
}

impl CredentialKind {
    fn words(&self) -> String {
        match self {
            Self::Nothing => "without credentials".to_owned(),
            Self::User(user) => format!("as user `{}`", user.escape_debug()),
            Self::Named => "as the user that its address says".to_owned(),
            Self::Token => "with this token".to_owned(),
            Self::Credentials => "with these credentials".to_owned(),
        }
    }
}

impl NatsError {
    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Config { .. } => "in --nats, PUSH0_NATS or [nats]",
            Self::Unreachable { trouble, .. } => trouble.remedy(),
            Self::Denied { gave: CredentialKind::Nothing, .. } => {
                "give user and password, token or credentials in [nats], or a certificate that it knows"
            }
            Self::Denied { gave: CredentialKind::User(_), .. } => {
                "correct user and password in [nats] or the environment"
            }
            Self::Denied { gave: CredentialKind::Named, .. } => {
                "correct user and password in the address (--nats, PUSH0_NATS, urls in [nats])"
            }
            Self::Denied { gave: CredentialKind::Token, .. } => {
                "correct token in [nats] or the environment"
            }
            Self::Denied { gave: CredentialKind::Credentials, .. } => {
                "name a file that the server knows with credentials in [nats]"
            }
            Self::Forbidden { .. } => {
                "use a user of the role that this command has (docs/nats.md, Roles)"
            }
            Self::Old { .. } => "use a newer nats-server",
            Self::SmallPayload { .. } => "raise max_payload in the configuration of the servers",
            Self::NoJetStream { .. } => {
                "turn it on (nats-server -js, or jetstream in its configuration)"
            }
            Self::NoJetStreamForAccount { .. } => {
                "turn it on (`jetstream: enabled` in the account), or use a user of an account that has it"
            }
            Self::Setting { .. } => "change it with `nats stream edit`, or name another stream",
            Self::Unreadable(_) => "restore the stream from a copy, or name another",
            Self::Unavailable(_) => "the same command, later",
        }
    }
}

/// The first record and the last, of a log that is made if there is none; and how full it is.
async fn ends(
    api: &Api,
    config: &NatsConfig,
    writer: LogId,
) -> Result<(Stored, Stored, Option<Room>), Failure> {
    let info = stream::prepare(api, config).await?;
    is_whole(&info, config)?;
    let unanswered = |error| Failure::Unanswered(error);
    let again = |why: &str| {
        let error = io::Error::other(why.to_owned());
        Failure::Unanswered(Unanswered::Silent(error))
    };
    if info.state.last_seq == 0 {
        begin(api, config, writer).await.map_err(unanswered)?;
    }
    let first = api.get(1).await.map_err(unanswered)?;
    let first = first.ok_or_else(|| again("its first record is not there yet"))?;
    let subjects = stream::subjects(&config.subject);
    let last = api.get_last(&subjects).await.map_err(unanswered)?;
    let last = last.filter(|last| last.sequence >= info.state.last_seq);
    let last = last.ok_or_else(|| again("its last record is not there yet"))?;
    Ok((first, last, info.room(&api.stream)))
}

/// Publishes the first record. What becomes of it is seen by reading what stands there.
async fn begin(api: &Api, config: &NatsConfig, writer: LogId) -> Result<(), Unanswered> {
    let log = LogId::draw().map_err(Unanswered::Silent)?;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Stream", &*api.stream);
    headers.insert("Nats-Expected-Last-Sequence", "0");
    let subject = subject_of(&config.subject, log, writer);
    let answer = api.ask(subject, headers, genesis(log).into()).await?;
    match read::<Value>(&answer) {
        // Another engine's stands there, or will.
        Ok(_) | Err(Unanswered::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether servers keep this user from what reading needs. A stream that is not there may be made
/// by another.
fn is_forbidden(error: &io::Error, config: &NatsConfig) -> bool {
    let words = error.to_string();
    let NatsConfig { inbox, api, stream, .. } = config;
    let needed = [format!("\"{inbox}."), format!("\"{api}.STREAM.INFO.{stream}\"")];
    error.kind() == io::ErrorKind::PermissionDenied && needed.iter().any(|it| words.contains(it))
}

/// Refuses a stream that has lost records from its beginning or from within.
fn is_whole(info: &Info, config: &NatsConfig) -> Result<(), Failure> {
    let missing = |sequence, reason: &str| {
        let (stream, reason) = (config.stream.clone(), reason.to_owned());
        let error = ReadError::DamagedRecord { stream, sequence, reason };
        Err(Failure::Final(error.into()))
    };
    let state = &info.state;
    if state.first_seq > 1 {
        return missing(1, "it was removed, with all before the first that is left");
    }
    if state.num_deleted > 0 {
        return missing(state.first_seq, "records after it were removed");
    }
    Ok(())
}

/// What is left of a server's largest message for the JSON of one turn.
const fn record_bytes_max(max_payload: usize) -> usize {
    let message = if max_payload < MESSAGE_BYTES_MAX { max_payload } else { MESSAGE_BYTES_MAX };
    message.saturating_sub(HEADERS_BYTES_MAX).saturating_sub(frame::bytes_with(0))
}

/// What servers take by default (`max_payload` of 1 MB), with its headers. No more where they take
/// more, so that a log may move to others.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
