//! Publishing and listening. Everything here may be lost, and nobody depends on one message.

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt as _;
use push0_core::{Epoch, Life, ToDispatcher};
use push0_log::nats_client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::error::ClusterError;
use super::settings::Settings;
use super::wire::{Answer, Ask, Down, Present};
use crate::engine::Post;

/// The subjects of one prefix.
#[derive(Clone, Debug)]
pub(super) struct Bus {
    client: Client,
    prefix: Arc<str>,
}

pub(super) const BEAT: &str = "engine.beat";
pub(super) const HEAR: &str = "engine.hear";
pub(super) const ASK: &str = "engine.ask";
/// Who is there?
pub(super) const PRESENT: &str = "present";

impl Bus {
    pub(super) async fn connect(settings: &Settings) -> Result<Self, ClusterError> {
        let client = nats_client(&settings.nats).await?;
        Ok(Self { client, prefix: Arc::from(&*settings.prefix) })
    }

    /// Sends `message` now or never: what waits for a connection would be stale when it comes.
    pub(super) async fn publish(&self, tail: &str, message: &impl Serialize) {
        let Ok(json) = serde_json::to_vec(message) else { return };
        if self.client.connection_state() == State::Connected {
            let _ =
                timeout(PUBLISH_MAX, self.client.publish(self.subject(tail), json.into())).await;
        }
    }

    /// Waits until what was published has left, for a moment.
    pub(super) async fn flush(&self) {
        let _ = timeout(FLUSH_MAX, self.client.flush()).await;
    }

    /// Listens from here on, across lost connections.
    pub(super) async fn subscribe(&self, tail: &str) -> Subscriber {
        loop {
            if let Ok(messages) = self.client.subscribe(self.subject(tail)).await {
                return messages;
            }
            tokio::time::sleep(PUBLISH_MAX).await; // its own queue was full
        }
    }

    /// Asks whoever leads, once.
    pub(super) async fn ask(&self, ask: &Ask) -> Option<Answer> {
        let json = serde_json::to_vec(ask).ok()?;
        let answer = self.client.request(self.subject(ASK), json.into());
        let answer = timeout(ANSWER_MAX, answer).await.ok()?.ok()?;
        read(&answer.payload)
    }

    /// Asks who is there, and takes the answers that come within `wait`.
    pub(super) async fn roll_call(&self, wait: Duration) -> Vec<Present> {
        let mut there = Vec::new();
        let inbox = self.client.new_inbox();
        let Ok(mut answers) = self.client.subscribe(inbox.clone()).await else { return there };
        let asked = self.client.publish_with_reply(self.subject(PRESENT), inbox, "".into()).await;
        if asked.is_err() {
            return there;
        }
        let ends = tokio::time::Instant::now() + wait;
        while let Ok(Some(answer)) = tokio::time::timeout_at(ends, answers.next()).await {
            there.extend(read::<Present>(&answer.payload));
            if there.len() >= PRESENT_MAX {
                break;
            }
        }
        there
    }

    /// Answers a question.
    pub(super) async fn answer(&self, question: &Message, answer: &impl Serialize) {
        if let (Some(to), Ok(json)) = (question.reply.clone(), serde_json::to_vec(answer)) {
            let _ = timeout(PUBLISH_MAX, self.client.publish(to, json.into())).await;
        }
    }

    fn subject(&self, tail: &str) -> String {
        format!("{}.{tail}", self.prefix)
    }
}

/// The subject of one life of a dispatcher.
pub(super) fn life(of: &Life) -> String {
    format!("dispatcher.{}.{}", of.dispatcher, of.incarnation)
}

/// What a message says; nothing where it says nothing that is known here.
pub(super) fn read<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

/// Messages of the engine that leads in this epoch, on their way to dispatchers.
pub(super) struct NatsPost {
    epoch: Epoch,
    queue: mpsc::Sender<(Life, Down)>,
}

impl NatsPost {
    /// Messages leave on the runtime that this is called on.
    pub(super) fn start(bus: Bus, epoch: Epoch) -> Self {
        let (queue, mut queued) = mpsc::channel::<(Life, Down)>(POST_MAX);
        tokio::spawn(async move {
            while let Some((to, down)) = queued.recv().await {
                bus.publish(&life(&to), &down).await;
            }
        });
        Self { epoch, queue }
    }
}

impl Post for NatsPost {
    fn send(&self, to: &Life, message: ToDispatcher) {
        let down = Down { epoch: self.epoch, message };
        let _ = self.queue.try_send((to.clone(), down)); // without room it is left out
    }
}

/// How long a message waits for room in the client's queue.
const PUBLISH_MAX: Duration = Duration::from_millis(100);

const FLUSH_MAX: Duration = Duration::from_secs(1);

/// How long the answer to one question is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Answers to a roll call.
const PRESENT_MAX: usize = 10_000;

/// Messages on their way.
const POST_MAX: usize = 4_096;
