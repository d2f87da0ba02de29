//! The stream: made with settings that lose nothing, or refused for one that could.
//!
//! Settings are read as the server states them. One that is not known here passes: a server that
//! can lose records by a setting that push0 has never heard of is newer than what was checked.
//!
//! Not here: its records (`append`, `follow`).

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Unanswered, code};
use super::{NatsConfig, NatsError};
use crate::Room;
use crate::stream::Extent;

/// What the server says of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    config: Value,
    pub(super) state: State,
}

/// What is in a stream.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    pub(super) bytes: u64,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    /// Of those between, how many were removed.
    #[serde(default)]
    pub(super) num_deleted: u64,
}

impl State {
    /// As far as it tells one log from another.
    pub(super) const fn extent(&self) -> Extent {
        Extent { first: self.first_seq, last: self.last_seq, removed: self.num_deleted }
    }
}

impl Info {
    /// How large it may be, if that is bounded. Unit: bytes.
    pub(super) fn bytes_max(&self) -> Option<u64> {
        let max_bytes = self.config.get("max_bytes").and_then(Value::as_i64);
        max_bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0)
    }

    /// How full it is, if it is bounded.
    pub(super) fn room(&self, name: &Arc<str>) -> Option<Room> {
        let (bytes, name) = (self.state.bytes, Arc::clone(name));
        Some(Room { bytes, bytes_max: self.bytes_max()?, name })
    }

    /// Whether a record of this size has no room.
    pub(super) fn has_no_room(&self, bytes: usize) -> bool {
        let taken = self.state.bytes.saturating_add(bytes as u64);
        self.bytes_max().is_some_and(|max_bytes| taken > max_bytes)
    }
}

/// What the server says of the stream.
pub(super) async fn info(api: &Api) -> Result<Info, Unanswered> {
    api.call(&format!("STREAM.INFO.{}", api.stream), &Value::Null).await
}

/// The stream, made if it is not there, and checked.
pub(super) async fn prepare(api: &Api, config: &NatsConfig) -> Result<Info, Failure> {
    let found = match info(api).await {
        Ok(found) => found,
        Err(error) if error.code() == Some(code::NO_STREAM) => match make(api, config).await {
            // Another engine made it at the same time.
            Err(error) if error.code() == Some(code::STREAM_EXISTS) => {
                info(api).await.map_err(Failure::Unanswered)?
            }
            made => made.map_err(|error| refused(error, config))?,
        },
        Err(error) => return Err(unusable(error)),
    };
    check(&found.config, config).map_err(Failure::Final)?;
    Ok(found)
}

/// Why there is no stream to use.
#[derive(Debug)]
pub(super) enum Failure {
    /// Ask again.
    Unanswered(Unanswered),
    /// Asking again leads to the same.
    Final(NatsError),
}

/// What every subject of the stream is like: the log, then who writes.
pub(super) fn subjects(prefix: &str) -> String {
    format!("{prefix}.*.*")
}

async fn make(api: &Api, config: &NatsConfig) -> Result<Info, Unanswered> {
    let settings = json!({
        "name": config.stream,
        "description": "The log of push0. Every record counts: nothing may remove one.",
        "subjects": [subjects(&config.subject)],
        "retention": "limits",
        "discard": "new",
        "storage": config.storage.name(),
        "num_replicas": config.replicas,
        "max_bytes": config.max_bytes,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_msg_size": -1,
        "max_age": 0,
        "max_consumers": -1,
        "duplicate_window": u64::try_from(DUPLICATE_WINDOW.as_nanos()).unwrap_or(0),
        "allow_direct": false,
        "mirror_direct": false,
        "allow_rollup_hdrs": false,
        "deny_delete": true,
        // A server never takes it back, and a log that is to be compacted must be purged up to a
        // record. Engines may not purge (docs/nats.md), and who may is found out (`watch`).
        "deny_purge": false,
    });
    api.call(&format!("STREAM.CREATE.{}", config.stream), &settings).await
}

/// Tells an account without JetStream from what a later try may find otherwise.
fn unusable(error: Unanswered) -> Failure {
    match error.code() {
        Some(code::NOT_ENABLED | code::NOT_ENABLED_FOR_ACCOUNT) => {
            Failure::Final(NatsError::NoJetStreamForAccount {
                words: error.into_error().to_string(),
            })
        }
        Some(_) | None => Failure::Unanswered(error),
    }
}

/// Names the setting where the server will not make the stream for it.
fn refused(error: Unanswered, config: &NatsConfig) -> Failure {
    let (setting, why) = match error.code() {
        Some(code::NO_REPLICAS) => ("replicas", "there are not as many servers"),
        Some(code::NO_RESOURCES | code::NO_STORAGE | code::NO_MEMORY) => {
            ("max_bytes", "the servers do not have as much")
        }
        Some(code::SUBJECTS_TAKEN) => ("subject", "another stream has such subjects"),
        Some(_) | None => return Failure::Unanswered(error),
    };
    let stream = &config.stream;
    let reason = format!("stream {stream} cannot be made: {why}: {}", error.into_error());
    Failure::Final(NatsError::Config { setting, reason })
}

/// Refuses a stream that could lose records, or take some that are none.
fn check(found: &Value, config: &NatsConfig) -> Result<(), NatsError> {
    let wanted = [
        ("subjects", json!([subjects(&config.subject)])),
        ("retention", json!("limits")),
        ("discard", json!("new")),
        ("storage", json!(config.storage.name())),
        ("num_replicas", json!(config.replicas)),
        ("max_msgs", json!(-1)),
        ("max_msgs_per_subject", json!(-1)),
        ("max_msg_size", json!(-1)),
        ("max_age", json!(0)),
        ("deny_delete", json!(true)),
    ];
    // Absent is as good as these: a server leaves out what is false or empty.
    let unwanted = [
        "sealed",
        "no_ack",
        "allow_direct",
        "mirror_direct",
        "allow_rollup_hdrs",
        "allow_msg_ttl",
        "allow_msg_counter",
        "allow_msg_schedules",
        "discard_new_per_subject",
        "mirror",
        "sources",
        "subject_transform",
        "subject_delete_marker_ttl",
    ];
    let differs = |setting: &str, found: &Value, wanted: &Value| NatsError::Setting {
        stream: config.stream.clone(),
        setting: setting.to_owned(),
        found: found.to_string(),
        wanted: wanted.to_string(),
    };
    let stated = |setting: &str| found.get(setting).unwrap_or(&Value::Null);
    for (setting, wanted) in wanted {
        if *stated(setting) != wanted {
            return Err(differs(setting, stated(setting), &wanted));
        }
    }
    for setting in unwanted {
        let found = stated(setting);
        if !(found.is_null() || *found == json!(false) || *found == json!([]) || *found == json!(0))
        {
            return Err(differs(setting, found, &Value::Null));
        }
    }
    // From 2.12: a server that persists later may acknowledge what it loses.
    let mode = stated("persist_mode");
    match mode.is_null() || *mode == json!("default") {
        true => Ok(()),
        false => Err(differs("persist_mode", mode, &json!("default"))),
    }
}

/// As long as servers have it by default. A repeat that comes later is refused for its expected
/// sequence, so nothing hangs on it.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
