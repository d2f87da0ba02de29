//! Servers, logs on them, and turns to append.
//!
//! Not here: claims about them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use push0_core::{Epoch, Event, Height, Seq, Timestamp, Turn};
use push0_log::{AppendError, Log as _, NatsConfig, NatsError, NatsLog};
use push0_testbed::{Nats, PATIENCE};
use serde_json::{Value, json};

/// A log on all of these servers.
pub(crate) fn config(nats: &Nats) -> NatsConfig {
    NatsConfig {
        replicas: nats.urls().len(),
        urls: nats.urls().into_iter().map(Into::into).collect(),
        max_bytes: 64 << 20,
        retry_max: Duration::from_secs(40),
        ..NatsConfig::default()
    }
}

/// The same, given up soon: for what must not come to be.
pub(crate) fn impatient(config: &NatsConfig) -> NatsConfig {
    let (answer_max, retry_max) = (Duration::from_millis(300), Duration::from_millis(900));
    NatsConfig { answer_max, retry_max, ..config.clone() }
}

/// The same, by another way.
pub(crate) fn through(url: String, config: &NatsConfig) -> NatsConfig {
    NatsConfig { urls: vec![url.into()], ..config.clone() }
}

/// The same, in a stream that nothing else uses.
pub(crate) fn another(config: &NatsConfig) -> NatsConfig {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (stream, subject) = (format!("log-{number}"), format!("log-{number}"));
    NatsConfig { stream, subject, ..config.clone() }
}

/// The log, once it can be opened: one that is impatient may ask more than once.
pub(crate) async fn open(config: &NatsConfig) -> NatsLog {
    let start = Instant::now();
    loop {
        match NatsLog::open(config).await {
            Ok(log) => return log,
            Err(NatsError::Unavailable(_) | NatsError::Unreachable { .. })
                if start.elapsed() < PATIENCE => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// What a reader who comes anew finds.
pub(crate) async fn history(config: &NatsConfig) -> Vec<Turn> {
    open(config).await.read(Seq(0)).await.expect("the log is sound")
}

/// Appends turns with these marks.
pub(crate) async fn append(log: &mut NatsLog, marks: impl IntoIterator<Item = u64>) -> Vec<Turn> {
    let mut turns = Vec::new();
    for mark in marks {
        let turn = turn(log.last().next(), mark);
        settled(log, &turn).await.expect("it follows");
        turns.push(turn);
    }
    turns
}

/// What became of an append that is repeated, as its engine must, until that is known.
pub(crate) async fn settled(log: &mut NatsLog, turn: &Turn) -> Result<(), AppendError> {
    let start = Instant::now();
    loop {
        match log.append(turn).await {
            Err(AppendError::Unavailable(_)) if start.elapsed() < PATIENCE => {}
            settled => return settled,
        }
    }
}

/// A small turn that stands at `first` and is like no other.
pub(crate) fn turn(first: Seq, mark: u64) -> Turn {
    let events = vec![Event::SourceEnded { last: Height(mark) }];
    Turn { epoch: Epoch(1), first, at: Timestamp(mark), events }
}

/// Waits until someone who reads the log sees this turn.
pub(crate) async fn seen(config: &NatsConfig, turn: &Turn) {
    let log = open(config).await;
    let mut follower = log.follow(log.start().clone());
    loop {
        let came = follower.next(PATIENCE).await.expect("the log is sound");
        assert!(!came.is_empty(), "it never came");
        if came.contains(turn) {
            return;
        }
    }
}

/// Someone with a client of their own.
pub(crate) struct Admin(async_nats::Client);

impl Admin {
    pub(crate) async fn of(nats: &Nats) -> Self {
        Self(async_nats::connect(nats.urls()).await.expect("the servers are there"))
    }

    /// Asks the JetStream API.
    pub(crate) async fn ask(&self, verb: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.0.request(format!("$JS.API.{verb}"), body.into()).await;
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON")
    }

    /// Publishes a message with these headers, and gives the answer.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        headers: &[(&'static str, &str)],
        payload: &[u8],
    ) -> Value {
        let mut map = async_nats::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let payload = payload.to_vec().into();
        let answer = self.0.request_with_headers(subject.to_owned(), map, payload).await;
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON")
    }

    /// The bytes of a stream's record.
    pub(crate) async fn record(&self, stream: &str, sequence: u64) -> Vec<u8> {
        let verb = format!("STREAM.MSG.GET.{stream}");
        let got = self.ask(&verb, &json!({ "seq": sequence })).await;
        let data = got.pointer("/message/data").and_then(Value::as_str).expect("a record");
        STANDARD.decode(data).expect("base64")
    }

    /// How many records a stream has.
    pub(crate) async fn records(&self, stream: &str) -> u64 {
        let info = self.ask(&format!("STREAM.INFO.{stream}"), &Value::Null).await;
        info.pointer("/state/messages").and_then(Value::as_u64).expect("a stream")
    }

    /// The names of a stream's consumers.
    pub(crate) async fn consumers(&self, stream: &str) -> Vec<String> {
        let named = self.ask(&format!("CONSUMER.NAMES.{stream}"), &Value::Null).await;
        let names = named.get("consumers").and_then(Value::as_array).expect("a stream");
        names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    }

    /// The server that has a consumer of one replica.
    pub(crate) async fn consumer_at(&self, stream: &str, name: &str) -> usize {
        let info = self.ask(&format!("CONSUMER.INFO.{stream}.{name}"), &Value::Null).await;
        let server = info.pointer("/cluster/leader").and_then(Value::as_str).expect("a consumer");
        let number: usize = server.trim_start_matches('n').parse().expect("n1, n2, n3");
        number - 1
    }

    /// A stream's settings.
    pub(crate) async fn settings(&self, stream: &str) -> Value {
        let info = self.ask(&format!("STREAM.INFO.{stream}"), &Value::Null).await;
        info.get("config").expect("a stream").clone()
    }

    /// Makes or changes a stream.
    pub(crate) async fn set(&self, verb: &str, settings: &Value) {
        let stream = settings.get("name").and_then(Value::as_str).expect("a name");
        let done = self.ask(&format!("STREAM.{verb}.{stream}"), settings).await;
        assert_eq!(done.get("error"), None, "{done}");
    }

    pub(crate) async fn delete(&self, stream: &str) {
        let done = self.ask(&format!("STREAM.DELETE.{stream}"), &Value::Null).await;
        assert_eq!(done.get("error"), None, "{done}");
    }
}
