//! A peer of each role that means harm, at work as long as a soak goes on: each does what its role
//! is let, too often, too large, without sense or as a lie, and what it is not let.
//!
//! Not here: what each single act comes to (the other files of this folder), and who puts right
//! what a person has to (`person`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Client;
use futures_util::StreamExt as _;
use push0_core::Block;
use serde_json::{Value, json};

use crate::peer::{Peer, made_up};
use crate::user::User;
use crate::world::{World, at};

/// Peers at work.
pub(crate) struct Crew(Arc<State>);

struct State {
    urls: Vec<String>,
    is_over: AtomicBool,
    /// What each of [`ROLES`] has done.
    peers: [Counts; ROLES.len()],
    /// What its client knows of the chain.
    known: Mutex<Vec<Block>>,
    lies: AtomicU64,
}

/// What one of them has done, and what it was told.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acts: AtomicU64,
    /// By the servers: it may not, or it is not let in.
    pub(crate) refused: AtomicU64,
    /// By engines and dispatchers, with a reason.
    pub(crate) told: AtomicU64,
}

/// As whom they come: with users that ship, three machines more, and one that nobody knows.
const ROLES: [&str; 8] =
    ["gpu-3", LIAR, IDLER, "client", "reader", "operator", "system", "stranger"];

/// Takes work, and says now and then that it has proved it.
const LIAR: &str = "gpu-4";

/// Takes work, and brings nothing.
const IDLER: &str = "gpu-5";

/// All machines of theirs.
pub(crate) const MACHINES: [&str; 3] = ["gpu-3", LIAR, IDLER];

impl Crew {
    /// Sends them to work.
    pub(crate) fn hire(world: &World) -> Self {
        let state = Arc::new(State {
            urls: world.nats.urls(),
            is_over: AtomicBool::new(false),
            peers: Default::default(),
            known: Mutex::default(),
            lies: AtomicU64::new(0),
        });
        world.block_on(async {
            for (place, role) in ROLES.into_iter().enumerate() {
                tokio::spawn(work(Arc::clone(&state), place, role));
            }
        });
        Self(state)
    }

    /// What the client of them is to know: blocks that were submitted last, in their order.
    pub(crate) fn learn(&self, blocks: Vec<Block>) {
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = blocks;
    }

    /// What each has done so far.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, &Counts)> {
        ROLES.into_iter().zip(&self.0.peers)
    }

    /// How many results were made up.
    pub(crate) fn lies(&self) -> u64 {
        self.0.lies.load(Ordering::Relaxed)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Acts until it is over, across servers that come and go.
async fn work(state: Arc<State>, place: usize, role: &'static str) {
    let Some(counts) = state.peers.get(place) else { return };
    let (mut user, mut round) = (None, 0);
    while !state.is_over.load(Ordering::Relaxed) {
        if user.is_none() {
            user = User::at(&state.urls, role, role).await;
            // Machines and the servers' own have no inbox.
            if let Some(user) =
                user.as_ref().filter(|_| ["client", "reader", "operator"].contains(&role))
            {
                hear(&state, place, &user.client).await;
            }
        }
        let Some(user) = &mut user else {
            // Whether the servers are away or do not let it in, it was not.
            let refused = u64::from(role == "stranger");
            counts.acts.fetch_add(refused, Ordering::Relaxed);
            counts.refused.fetch_add(refused, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        match role {
            LIAR | IDLER => live(&state, &user.client, role, round).await,
            role => act(&state, &user.client, role, round).await,
        }
        round += 1;
        counts.acts.fetch_add(1, Ordering::Relaxed);
        counts.refused.fetch_add(user.was_refused(), Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Counts what it is answered with a reason.
async fn hear(state: &Arc<State>, place: usize, client: &Client) {
    let Ok(mut answers) = client.subscribe(inbox(client)).await else { return };
    let state = Arc::clone(state);
    tokio::spawn(async move {
        while let Some(answer) = answers.next().await {
            let answer: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
            let is_told = answer.get("refused").is_some() || answer.get("later").is_some();
            if let (true, Some(counts)) = (is_told, state.peers.get(place)) {
                counts.told.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

/// One act, another each round. What becomes of it is nothing to who acts.
async fn act(state: &State, client: &Client, role: &str, round: u64) {
    match role {
        "gpu-3" => machine(client, round).await,
        "client" => submitter(state, client, round).await,
        "reader" => reader(client, round).await,
        "operator" => operator(client, round).await,
        "system" => {
            ask(client, "$SYS.REQ.SERVER.PING", String::new()).await;
            ask(client, "push0.log.a.b", "no record".to_owned()).await;
        }
        _ => {}
    }
}

async fn machine(client: &Client, round: u64) {
    let own = "push0.engine.hear.gpu-3";
    match round % 8 {
        0 => ask(client, own, beat(round, 0)).await,
        1 => many(client, own, "[]").await,
        2 => many(client, own, "{").await,
        3 => ask(client, own, "x".repeat(900_000)).await,
        4 => ask(client, "push0.engine.hear.gpu-1", beat(round, 0)).await,
        5 => ask(client, own, beat(round, u32::MAX)).await,
        6 => ask(client, "$JS.API.STREAM.PURGE.push0", String::new()).await,
        _ => ask(client, "push0.engine.beat", "{}".to_owned()).await,
    }
}

async fn submitter(state: &State, client: &Client, round: u64) {
    let submit = "push0.engine.submit";
    let known = state.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let tip = known.last().map_or(0, |block| block.number.0);
    let beside = |height: u64| json!({ "add": strays(height, round) }).to_string();
    match round % 14 {
        0 => many(client, submit, "{\"submit\":[]}").await,
        1 => many(client, submit, "").await,
        2 => ask(client, submit, "\"status\"".to_owned()).await,
        3 => ask(client, submit, "[".repeat(900_000)).await,
        4 => ask(client, "push0.engine.ask", "\"drain\"".to_owned()).await,
        5 => ask(client, "push0.engine.operate", "\"drain\"".to_owned()).await,
        6 if tip > 0 => ask(client, submit, beside(tip - 5)).await,
        7 if tip > 0 => ask(client, submit, beside(tip + 1)).await,
        8 if tip > 0 => ask(client, submit, beside(tip + 500 + round % 500)).await,
        9 if tip > 0 => ask(client, submit, beside(tip + 5_000)).await,
        10 => ask(client, submit, json!({ "add": known }).to_string()).await,
        11 => {
            let mut known = known; // with other payloads
            known.iter_mut().for_each(|block| block.payload.0 = [0xbb; 32]);
            ask(client, submit, json!({ "add": known }).to_string()).await;
        }
        12 => {
            many(client, submit, "\"retry_all\"").await;
            many(client, submit, "{\"retry\":[\"abcd\"]}").await;
        }
        _ => ask(client, "push0.log.a.b", "no record".to_owned()).await,
    }
}

async fn reader(client: &Client, round: u64) {
    match round % 8 {
        0 => {
            many(client, "push0.present", "").await;
            many(client, "push0.output.gpu-1", "{\"attempt\":1}").await;
        }
        1 => many(client, "push0.engine.read", "\"status\"").await,
        2 => ask(client, "push0.engine.read", "\"drain\"".to_owned()).await,
        3 => {
            let name = format!("c{round}");
            let config = json!({ "name": name, "durable_name": name, "ack_policy": "none" });
            let body = json!({ "stream_name": "push0", "config": config }).to_string();
            ask(client, &format!("push0.api.CONSUMER.CREATE.push0.{name}"), body).await;
        }
        4 => ask(client, "push0.engine.submit", "\"drain\"".to_owned()).await,
        5 => many(client, "push0.api.STREAM.INFO.push0", "").await,
        6 => {
            let remake = json!({ "remake": format!("{round:064x}") }).to_string();
            ask(client, "push0.engine.read", remake).await;
        }
        _ => {
            for seq in 1..MANY {
                let get = json!({ "seq": seq }).to_string();
                ask(client, "push0.api.STREAM.MSG.GET.push0", get).await;
            }
        }
    }
}

async fn operator(client: &Client, round: u64) {
    let operate = "push0.engine.operate";
    match round % 6 {
        0 => {
            let discard = json!({ "tasks": ["none"], "by": "nobody", "why": "for nothing" });
            ask(client, operate, json!({ "discard": discard }).to_string()).await;
        }
        1 => many(client, operate, "\"status\"").await,
        2 => ask(client, operate, "{\"apply\":{}}".to_owned()).await,
        3 => {
            let unpin = json!({ "program": "none", "by": "nobody", "why": "for nothing" });
            ask(client, operate, json!({ "unpin": unpin }).to_string()).await;
        }
        4 => ask(client, operate, "x".repeat(300_000)).await,
        _ => ask(client, "push0.log.a.b", "no record".to_owned()).await,
    }
}

/// One life of a machine that takes work. The one says that it has proved it, or that it had no
/// time: so it is not set aside for long. The other fails it, calls its inputs lost, is refused by
/// a verifier that is none, or sits on it until it falls silent. A life that sat on something is
/// silent for so long that it is given up.
async fn live(state: &State, client: &Client, role: &str, life: u64) {
    let Some(mut peer) = Peer::new(client.clone(), role, life + 1, 2).await else { return };
    let (mut granted, mut has_sat) = (life, false);
    for _ in 0..BEATS_OF_A_LIFE {
        let mut says = |grant: &Value| {
            granted += 1;
            let no_time = json!({ "NotRun": { "message": "it had no time" } });
            if role == LIAR {
                return Some(lie(state, granted).unwrap_or(no_time));
            }
            let failed =
                |class: &str| json!({ "Failed": { "class": class, "message": "so it says" } });
            match granted % 9 {
                0 => Some(failed("transient")),
                1 => Some(failed("unprovable")),
                2 => Some(failed("failed")),
                3 => Some(no_time),
                4 => Some(json!({ "Rejected": { "message": "by its verifier" } })),
                // Seldom: who is wrong about it three times gets nothing for a while.
                5 if granted % 4 == 1 => {
                    Some(json!({ "InputLost": { "artifact": at(grant, "/inputs/0/artifact") } }))
                }
                5 => Some(failed("resource")),
                6 => Some(json!("Cancelled")),
                _ => {
                    has_sat = true;
                    None
                }
            }
        };
        if !peer.go_on(&mut says).await || state.is_over.load(Ordering::Relaxed) {
            return;
        }
    }
    let _ = client.publish("push0.engine.hear.gpu-1", beat(life, 0).into()).await; // it may not
    if has_sat {
        tokio::time::sleep(SILENCE).await;
    }
}

/// A result that is not there: every second time said to be no mock, and under a key. Seldom, since
/// a person has to take each back.
fn lie(state: &State, granted: u64) -> Option<Value> {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_some_and(|last| last.elapsed() < EACH_LIE) {
        return None;
    }
    *last = Some(Instant::now());
    let lies = state.lies.fetch_add(1, Ordering::Relaxed);
    let (output, statement) = (format!("{granted:064x}"), format!("{lies:064x}"));
    let mut result = made_up(&output, 1, &statement, true);
    let fields = result.pointer_mut("/Proved").and_then(Value::as_object_mut);
    if let Some(fields) = fields.filter(|_| lies.is_multiple_of(2)) {
        fields.insert("mock".to_owned(), json!(false));
        fields.insert("vkey".to_owned(), json!(format!("sha256:{}", "ee".repeat(32))));
    }
    Some(result)
}

/// Blocks of nobody's chain at one height, twice as many as are taken.
fn strays(height: u64, round: u64) -> Vec<Value> {
    let stray = |salt: u64| {
        let hash = format!("0x{:016x}{}", round * 16 + salt, "bb".repeat(24));
        let payload = hash.trim_start_matches("0x");
        json!({ "number": height, "hash": hash, "parent": format!("0x{salt:064x}"), "payload": payload, "bytes": 1, "fields": {} })
    };
    (0..16).map(stray).collect()
}

async fn ask(client: &Client, subject: &str, words: String) {
    let _ = client.publish_with_reply(subject.to_owned(), inbox(client), words.into()).await;
}

/// Where answers to it come to, and none to others of its role.
fn inbox(client: &Client) -> String {
    let one = client.new_inbox();
    format!("{}.crew", one.rsplit_once('.').map_or(&*one, |(prefix, _)| prefix))
}

/// The same words again and again, without waiting.
async fn many(client: &Client, subject: &'static str, words: &'static str) {
    let inbox = inbox(client);
    for _ in 0..MANY {
        let _ = client.publish_with_reply(subject, inbox.clone(), words.into()).await;
    }
}

/// A beat, each time of another life, with so many slots.
fn beat(life: u64, slots: u32) -> String {
    let capacity =
        json!({ "programs": ["mock"], "slots": slots, "memory_bytes": u64::MAX, "gpus": 0 });
    let beat = json!({
        "dispatcher": "gpu-3", "incarnation": life, "capacity": capacity, "running": {}, "held": [],
    });
    json!([{ "Beat": beat }]).to_string()
}

/// From one act of a peer to its next.
const PAUSE: Duration = Duration::from_millis(250);

/// Messages of one act.
const MANY: usize = 300;

/// Some seconds.
const BEATS_OF_A_LIFE: u32 = 10;

/// Longer than an engine waits for the next life of a name.
const SILENCE: Duration = Duration::from_secs(4);

/// From one lie to the next.
const EACH_LIE: Duration = Duration::from_secs(30);
