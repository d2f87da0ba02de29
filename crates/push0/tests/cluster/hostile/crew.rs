//! A peer of each role that means harm, at work as long as a soak goes on: each does what its role is let, too often, too
//! large or without sense, and what it is not let.
//!
//! Not here: what each single act comes to (the other files of this folder).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_nats::Client;
use serde_json::json;

use crate::user::User;
use crate::world::World;

/// Peers at work.
pub(crate) struct Crew(Arc<State>);

struct State {
    urls: Vec<String>,
    is_over: AtomicBool,
    /// What each of [`ROLES`] has done.
    acts: [AtomicU64; ROLES.len()],
}

/// As whom they come: with users that ship, one machine more, and one that nobody knows.
const ROLES: [&str; 5] = ["gpu-3", "client", "reader", "operator", "stranger"];

impl Crew {
    /// Sends them to work.
    pub(crate) fn hire(world: &World) -> Self {
        let acts = ROLES.map(|_| AtomicU64::new(0));
        let state =
            Arc::new(State { urls: world.nats.urls(), is_over: AtomicBool::new(false), acts });
        world.block_on(async {
            for (place, role) in ROLES.into_iter().enumerate() {
                tokio::spawn(work(Arc::clone(&state), place, role));
            }
        });
        Self(state)
    }

    /// How much each has done so far.
    pub(crate) fn acts(&self) -> Vec<(&'static str, u64)> {
        let acts = self.0.acts.iter().map(|acts| acts.load(Ordering::Relaxed));
        ROLES.into_iter().zip(acts).collect()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Acts until it is over, across servers that come and go.
async fn work(state: Arc<State>, place: usize, role: &'static str) {
    let mut user = None;
    let mut round = 0;
    while !state.is_over.load(Ordering::Relaxed) {
        if user.is_none() {
            user = User::at(&state.urls, role, role).await;
        }
        if let Some(user) = &user {
            act(&user.client, role, round).await;
        }
        if user.is_some() || role == "stranger" {
            round += 1;
            if let Some(acts) = state.acts.get(place) {
                acts.store(round, Ordering::Relaxed);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One act, another each round. What becomes of it is nothing to who acts.
async fn act(client: &Client, role: &str, round: u64) {
    let inbox = client.new_inbox();
    let ask = async |subject: &str, words: String| {
        let _ = client.publish_with_reply(subject.to_owned(), inbox.clone(), words.into()).await;
    };
    match (role, round % 6) {
        ("gpu-3", 0) => ask("push0.engine.hear.gpu-3", beat(round)).await,
        ("gpu-3", 1) => many(client, "push0.engine.hear.gpu-3", "[]").await,
        ("gpu-3", 2) => many(client, "push0.engine.hear.gpu-3", "{").await,
        ("gpu-3", 3) => ask("push0.engine.hear.gpu-3", "x".repeat(900_000)).await,
        ("gpu-3", 4) => ask("push0.engine.hear.gpu-1", beat(round)).await,
        ("gpu-3", _) => ask("push0.engine.beat", "{}".to_owned()).await,
        ("client", 0) => many(client, "push0.engine.submit", "{\"submit\":[]}").await,
        ("client", 1) => many(client, "push0.engine.submit", "").await,
        ("client", 2) => ask("push0.engine.submit", "\"status\"".to_owned()).await,
        ("client", 3) => ask("push0.engine.submit", "[".repeat(900_000)).await,
        ("client", 4) => ask("push0.engine.ask", "\"drain\"".to_owned()).await,
        ("client", _) => ask("push0.engine.operate", "\"drain\"".to_owned()).await,
        ("reader", 0) => {
            many(client, "push0.present", "").await;
            many(client, "push0.output.gpu-1", "{\"attempt\":1}").await;
        }
        ("reader", 1) => many(client, "push0.engine.read", "\"status\"").await,
        ("reader", 2) => ask("push0.engine.read", "\"drain\"".to_owned()).await,
        ("reader", 3) => {
            let name = format!("c{round}");
            let config = json!({ "name": name, "durable_name": name, "ack_policy": "none" });
            let body = json!({ "stream_name": "push0", "config": config }).to_string();
            ask(&format!("push0.api.CONSUMER.CREATE.push0.{name}"), body).await;
        }
        ("reader", 4) => ask("push0.engine.submit", "\"drain\"".to_owned()).await,
        ("reader", _) => many(client, "push0.api.STREAM.INFO.push0", "").await,
        ("operator", 0) => ask("push0.engine.operate", "\"retry_all\"".to_owned()).await,
        ("operator", 1) => many(client, "push0.engine.operate", "\"status\"").await,
        ("operator", 2) => ask("push0.engine.operate", "{\"apply\":{}}".to_owned()).await,
        ("operator", _) => ask("push0.log.a.b", "no record".to_owned()).await,
        (_, _) => {} // it was not let in
    }
}

/// The same words again and again, without waiting.
async fn many(client: &Client, subject: &'static str, words: &'static str) {
    let inbox = client.new_inbox();
    for _ in 0..MANY {
        let _ = client.publish_with_reply(subject, inbox.clone(), words.into()).await;
    }
}

/// A beat of one that takes no work, each time of another life.
fn beat(life: u64) -> String {
    let capacity = json!({ "programs": [], "slots": 0, "memory_bytes": 0, "gpus": 0 });
    let beat = json!({
        "dispatcher": "gpu-3", "incarnation": life, "capacity": capacity, "running": {}, "held": [],
    });
    json!([{ "Beat": beat }]).to_string()
}

/// From one act of a peer to its next.
const PAUSE: Duration = Duration::from_millis(250);

/// Messages of one act.
const MANY: usize = 300;
