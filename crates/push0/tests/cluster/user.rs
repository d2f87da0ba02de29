//! A connection of a test's own, as any user that the servers know: nothing of push0 is between.

use std::time::Duration;

use async_nats::{Client, Event, ServerError};
use futures_util::StreamExt as _;
use push0_testbed::PATIENCE;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::world::{PASSWORD, World};

/// A connection of a test's own.
pub(crate) struct User {
    pub(crate) client: Client,
    refusals: mpsc::UnboundedReceiver<String>,
}

impl User {
    /// Connects as `user`, who may hear answers where its role does.
    pub(crate) async fn new(world: &World, user: &str) -> Self {
        Self::named(world, user, "test").await
    }

    /// The same, with a name that the servers tell of the connection.
    pub(crate) async fn named(world: &World, user: &str, name: &str) -> Self {
        Self::at(&world.nats.urls(), user, name).await.expect("it is let in")
    }

    /// The same, where these servers are, if they let it in.
    pub(crate) async fn at(urls: &[String], user: &str, name: &str) -> Option<Self> {
        let (told, refusals) = mpsc::unbounded_channel();
        let options = async_nats::ConnectOptions::new()
            .name(name)
            .user_and_password(user.to_owned(), PASSWORD.to_owned())
            .custom_inbox_prefix(format!("_INBOX.push0.{user}"))
            .event_callback(move |event| {
                if let Event::ServerError(ServerError::Other(words)) = event {
                    let _ = told.send(words);
                }
                std::future::ready(())
            });
        let client = options.connect(urls).await.ok()?;
        Some(Self { client, refusals })
    }

    /// Waits until the server has refused this.
    pub(crate) async fn refused(&mut self, what: &str) {
        let told = timeout(PATIENCE, self.refusals.recv()).await;
        let words = told.unwrap_or_else(|_| panic!("nobody refuses: {what}"));
        let words = words.expect("it is connected");
        assert!(words.contains(what), "{words}, not {what}");
    }

    /// How often the servers have refused something since this was asked last.
    pub(crate) fn was_refused(&mut self) -> u64 {
        let mut refused = 0;
        while self.refusals.try_recv().is_ok() {
            refused += 1;
        }
        refused
    }

    /// Says things until they are heard.
    pub(crate) async fn until_heard(&self, subject: &str, heard: &mut async_nats::Subscriber) {
        let come = async {
            loop {
                self.client.publish(subject.to_owned(), "heard?".into()).await.expect("sent");
                let come = timeout(Duration::from_millis(100), heard.next()).await;
                if come.is_ok() {
                    return;
                }
            }
        };
        timeout(PATIENCE, come).await.unwrap_or_else(|_| panic!("{subject} is not heard"));
    }

    /// Publishes this where it is not let, and waits until it is told.
    pub(crate) async fn is_kept_from(&mut self, subjects: &[&str], hearing: &[&str]) {
        for subject in subjects {
            self.client.publish(subject.to_string(), "{}".into()).await.expect("sent");
            self.refused(&format!("Publish to \"{subject}\"")).await;
        }
        for subject in hearing {
            let _kept = self.client.subscribe(subject.to_string()).await.expect("sent");
            self.refused(&format!("Subscription to \"{subject}\"")).await;
        }
    }

    /// What is answered to a question that an engine answers sooner or later: one over a bound is
    /// left out.
    pub(crate) async fn have(&self, subject: &str, question: &str) -> Value {
        let asked = async {
            loop {
                let request = self.client.request(subject.to_owned(), question.to_owned().into());
                if let Ok(Ok(answer)) = timeout(Duration::from_secs(2), request).await {
                    return serde_json::from_slice(&answer.payload).expect("JSON");
                }
            }
        };
        timeout(PATIENCE, asked)
            .await
            .unwrap_or_else(|_| panic!("{subject}: no answer to {question:.60}"))
    }

    /// Why a question is refused.
    pub(crate) async fn why_not(&self, subject: &str, question: &str) -> String {
        let answer = self.have(subject, question).await;
        let why = answer.pointer("/refused/reason").and_then(Value::as_str);
        why.unwrap_or_else(|| panic!("{question:.60} is not refused: {answer}")).to_owned()
    }

    pub(crate) async fn ask(&self, subject: &str, question: &str) -> Value {
        let answer = self.client.request(subject.to_owned(), question.to_owned().into()).await;
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON")
    }

    /// The last sequence of the log's stream.
    pub(crate) async fn last(&self) -> u64 {
        last(&self.ask("$JS.API.STREAM.INFO.push0", "").await)
    }
}

pub(crate) fn last(info: &Value) -> u64 {
    info.pointer("/state/last_seq").and_then(Value::as_u64).expect("a stream")
}
