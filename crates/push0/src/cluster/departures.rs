//! Dispatchers whose connections end: the fastest word of a death there is.
//!
//! NATS servers tell the system account of each connection that comes and goes, by name. One that
//! has gone and is not back in half a second is believed to be dead; where nobody may hear of that,
//! silence tells, later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use futures_util::StreamExt as _;
use push0_core::DispatcherId;
use push0_log::{NatsConfig, NatsError, nats_client};
use serde::Deserialize;
use tokio::sync::watch;

use super::bus::read;
use super::lives::Lives;
use crate::engine::Handle;

/// What a dispatcher's connection is called: by its name, and a number that nobody else knows. With
/// the name alone others could have one of theirs end, and the dispatcher taken for dead.
pub(super) fn connection(of: &str, number: u64) -> String {
    format!("{NAME}{of}:{number:016x}")
}

/// A server's word on a connection, as much of it as counts here.
#[derive(Deserialize)]
struct Word {
    client: ClientWord,
}

#[derive(Deserialize)]
struct ClientWord {
    #[serde(default)]
    name: String,
}

/// Tells the engine that leads of dispatchers that have gone.
///
/// # Errors
///
/// That the system account cannot be used.
pub(super) async fn listen(
    system: &NatsConfig,
    led: watch::Receiver<Option<Handle>>,
    lives: Arc<Lives>,
) -> Result<(), NatsError> {
    let (client, _) = nats_client(system).await?;
    let closed =
        |error: async_nats::SubscribeError| NatsError::Unavailable(std::io::Error::other(error));
    let came = client.subscribe("$SYS.ACCOUNT.*.CONNECT").await.map_err(closed)?;
    let went = client.subscribe("$SYS.ACCOUNT.*.DISCONNECT").await.map_err(closed)?;
    let back = Arc::<Back>::default();
    tokio::spawn(note(came, Arc::clone(&back)));
    tokio::spawn(tell(client, went, back, (led, lives)));
    Ok(())
}

/// Connections that came, and when.
type Back = Mutex<BTreeMap<(DispatcherId, Option<u64>), Instant>>;

async fn note(mut came: Subscriber, back: Arc<Back>) {
    while let Some(message) = came.next().await {
        if let Some(who) = who(&message.payload) {
            let mut back = back.lock().unwrap_or_else(PoisonError::into_inner);
            back.retain(|_, at| at.elapsed() < BACK * 4);
            if back.len() < BACK_MAX {
                back.insert(who, Instant::now());
            }
        }
    }
}

async fn tell(
    client: async_nats::Client,
    mut went: Subscriber,
    back: Arc<Back>,
    (led, lives): (watch::Receiver<Option<Handle>>, Arc<Lives>),
) {
    while let Some(message) = went.next().await {
        let Some((dispatcher, number)) = who(&message.payload) else { continue };
        // One of its name that is not heard, or of a stranger who gives himself its name.
        if !lives.is_heard_over(&dispatcher, number) {
            continue;
        }
        let (back, led, when) = (Arc::clone(&back), led.clone(), Instant::now());
        tokio::spawn(async move {
            tokio::time::sleep(BACK).await;
            let is_back = back
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&(dispatcher.clone(), number))
                .is_some_and(|at| *at > when);
            let handle = led.borrow().clone();
            if let (false, Some(handle)) = (is_back, handle) {
                let _ = handle.departed(dispatcher, when).await; // silence will tell
            }
        });
    }
    drop(client); // it lives as long as somebody listens
}

/// Whose connection it is, and its number; none where a dispatcher is older than numbers.
fn who(payload: &[u8]) -> Option<(DispatcherId, Option<u64>)> {
    let word: Word = read(payload)?;
    let name = word.client.name.strip_prefix(NAME)?;
    let (name, number) = match name.split_once(':') {
        Some((name, number)) => (name, Some(u64::from_str_radix(number, 16).ok()?)),
        None => (name, None),
    };
    Some((name.parse().ok()?, number))
}

const NAME: &str = "push0-dispatch:";

/// Connections that are kept for the moment that it takes to tell: more come only from who means
/// harm, and then silence tells.
const BACK_MAX: usize = 16_384;

/// A connection that was lost is made again within this, if its dispatcher lives.
const BACK: Duration = Duration::from_millis(500);
