//! Dispatchers whose connections end: the fastest word of a death there is.
//!
//! NATS servers tell the system account of each connection that comes and goes, by name. One that has gone and
//! is not back in half a second is believed to be dead; where nobody may hear of that, silence tells, later.

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
use crate::engine::Handle;

/// What a dispatcher's connection is called.
pub(super) fn connection(of: &str) -> String {
    format!("{NAME}{of}")
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
) -> Result<(), NatsError> {
    let (client, _) = nats_client(system).await?;
    let closed =
        |error: async_nats::SubscribeError| NatsError::Unavailable(std::io::Error::other(error));
    let came = client.subscribe("$SYS.ACCOUNT.*.CONNECT").await.map_err(closed)?;
    let went = client.subscribe("$SYS.ACCOUNT.*.DISCONNECT").await.map_err(closed)?;
    let back = Arc::<Mutex<BTreeMap<DispatcherId, Instant>>>::default();
    tokio::spawn(note(came, Arc::clone(&back)));
    tokio::spawn(tell(client, went, back, led));
    Ok(())
}

async fn note(mut came: Subscriber, back: Arc<Mutex<BTreeMap<DispatcherId, Instant>>>) {
    while let Some(message) = came.next().await {
        if let Some(dispatcher) = who(&message.payload) {
            let mut back = back.lock().unwrap_or_else(PoisonError::into_inner);
            back.retain(|_, at| at.elapsed() < BACK * 4);
            back.insert(dispatcher, Instant::now());
        }
    }
}

async fn tell(
    client: async_nats::Client,
    mut went: Subscriber,
    back: Arc<Mutex<BTreeMap<DispatcherId, Instant>>>,
    led: watch::Receiver<Option<Handle>>,
) {
    while let Some(message) = went.next().await {
        let Some(dispatcher) = who(&message.payload) else { continue };
        let (back, led, when) = (Arc::clone(&back), led.clone(), Instant::now());
        tokio::spawn(async move {
            tokio::time::sleep(BACK).await;
            let is_back = back
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&dispatcher)
                .is_some_and(|at| *at > when);
            let handle = led.borrow().clone();
            if let (false, Some(handle)) = (is_back, handle) {
                let _ = handle.departed(dispatcher, when).await; // silence will tell
            }
        });
    }
    drop(client); // it lives as long as somebody listens
}

fn who(payload: &[u8]) -> Option<DispatcherId> {
    let word: Word = read(payload)?;
    word.client.name.strip_prefix(NAME)?.parse().ok()
}

const NAME: &str = "push0-dispatch:";

/// A connection that was lost is made again within this, if its dispatcher lives.
const BACK: Duration = Duration::from_millis(500);
