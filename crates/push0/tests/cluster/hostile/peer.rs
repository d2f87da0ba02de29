//! A dispatcher that is none of push0's: it beats as one does, and says of each grant what a test
//! has it say.
//!
//! Not here: what comes of that (`dispatcher`, `crew`).

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::{Client, HeaderMap, Subscriber};
use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

/// One life of it.
pub(crate) struct Peer {
    client: Client,
    down: Subscriber,
    id: String,
    life: u64,
    capacity: Value,
    /// What it sits on: attempts, each with its task.
    running: Map<String, Value>,
    /// What it has said of attempts, until there is a verdict.
    reports: BTreeMap<u64, Value>,
    next: Instant,
}

impl Peer {
    /// One that is named so, with so many slots, and offers what the worlds of these tests run.
    pub(crate) async fn new(client: Client, id: &str, life: u64, slots: u32) -> Option<Self> {
        let down = client.subscribe(format!("push0.dispatcher.{id}.{life}")).await.ok()?;
        let capacity =
            json!({ "programs": ["mock"], "slots": slots, "memory_bytes": MEMORY, "gpus": 0 });
        let (running, reports, next) = (Map::new(), BTreeMap::new(), Instant::now());
        Some(Self { client, down, id: id.to_owned(), life, capacity, running, reports, next })
    }

    /// Goes on for one beat: of each grant `says` what became of it, and none where it sits on it.
    /// `false` where nothing can be sent any more.
    pub(crate) async fn go_on(
        &mut self,
        says: &mut (impl FnMut(&Value) -> Option<Value> + Send),
    ) -> bool {
        let subject = format!("push0.engine.hear.{}", self.id);
        let words = serde_json::to_vec(&self.said()).expect("JSON");
        // As one that was started again in its own directory: the life before it is over.
        let mut headers = HeaderMap::new();
        headers.insert("Push0-After", &*(self.life - 1).to_string());
        if self.client.publish_with_headers(subject, headers, words.into()).await.is_err() {
            return false;
        }
        self.next = Instant::now() + BEAT;
        while let Ok(message) = timeout_at(self.next, self.down.next()).await {
            let Some(message) = message else { return false };
            let down: Value = serde_json::from_slice(&message.payload).expect("JSON");
            let messages = down.get("messages").and_then(Value::as_array);
            for message in messages.into_iter().flatten() {
                self.hears(message, says);
            }
            if !self.reports.is_empty() {
                self.next = Instant::now(); // at once, as dispatchers do
            }
        }
        true
    }

    fn hears(&mut self, message: &Value, says: &mut impl FnMut(&Value) -> Option<Value>) {
        if let Some(attempt) = message.pointer("/Verdict/0").and_then(Value::as_u64) {
            self.reports.remove(&attempt);
        }
        if let Some(attempt) = message.get("Cancel").and_then(Value::as_u64)
            && let Some(task) = self.running.remove(&attempt.to_string())
        {
            self.reports.insert(attempt, self.report(attempt, &task, &json!("Cancelled")));
        }
        let Some(grant) = message.get("Grant") else { return };
        let attempt = grant.get("attempt").and_then(Value::as_u64).expect("a number");
        let task = grant.get("task").cloned().expect("a task");
        if self.reports.contains_key(&attempt) || self.running.contains_key(&attempt.to_string()) {
            return; // it is sent again
        }
        match says(grant) {
            Some(outcome) => {
                self.reports.insert(attempt, self.report(attempt, &task, &outcome));
            }
            None => {
                self.running.insert(attempt.to_string(), task);
            }
        }
    }

    fn report(&self, attempt: u64, task: &Value, outcome: &Value) -> Value {
        json!({ "Report": {
            "dispatcher": self.id, "incarnation": self.life, "attempt": attempt, "task": task,
            "outcome": outcome, "ran": { "secs": 0, "nanos": 1 },
        }})
    }

    fn said(&self) -> Vec<Value> {
        let held = self.reports.values().filter_map(|report| {
            let (attempt, task) =
                (report.pointer("/Report/attempt")?, report.pointer("/Report/task")?);
            Some((attempt.to_string(), task.clone()))
        });
        let held: Map<String, Value> = held.collect();
        let beat = json!({ "Beat": {
            "dispatcher": self.id, "incarnation": self.life, "capacity": self.capacity,
            "running": self.running, "held": held,
        }});
        std::iter::once(beat).chain(self.reports.values().cloned()).collect()
    }
}

/// A result that nobody made: these are the digits of its artifact, and of what it says.
pub(crate) fn made_up(output: &str, bytes: usize, statement: &str, mock: bool) -> Value {
    json!({ "Proved": { "output": output, "bytes": bytes, "statement": statement, "mock": mock } })
}

/// What it says that it has: far more than anybody needs. Unit: bytes.
const MEMORY: u64 = 1 << 40;

/// From one beat to the next.
const BEAT: Duration = Duration::from_millis(300);
