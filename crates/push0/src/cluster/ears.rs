//! What dispatchers say, on its way to the engine: on a thread and over a connection of its own.
//!
//! Not here: who is heard of two of one name (`lives`), how much of each (`rate`), and whether an
//! input is lost (`witness`).

use std::sync::Arc;
use std::time::Instant;

use async_nats::Message;
use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::bus::{Bus, hear_all, speaker};
use super::lives::{Admitted, Lives};
use super::rate::Rates;
use super::witness::Witness;
use crate::engine::Handle;
use crate::tell;

/// Hands on what dispatchers say, while this engine leads. Of many that speak at once the first
/// have their grants before the last are read; who says too much is not read at all.
pub(super) async fn hear(
    bus: Bus,
    led: watch::Receiver<Option<Handle>>,
    (lives, witness): (Arc<Lives>, Witness),
    engine: String,
) {
    let mut rates = Rates::default();
    let mut messages = bus.subscribe(&hear_all()).await.ready_chunks(WAITING);
    while let Some(some) = messages.next().await {
        let handle = led.borrow().clone();
        let Some(handle) = handle else { continue };
        let now = Instant::now();
        let mut is_read =
            |message: &Message| match rates.take(now, speaker(message), message.payload.len()) {
                Ok(()) => true,
                Err(word) => {
                    word.iter().for_each(|word| tell::warn(format_args!("{engine}: {word}")));
                    false
                }
            };
        let read: Vec<_> = some.into_iter().filter(|message| is_read(message)).collect();
        for together in read.chunks(TOGETHER) {
            let mut all = Vec::new();
            for message in together {
                let Admitted { said, refused, tell } = lives.admit(now, message);
                all.extend(said);
                let Some(life) = refused else { continue };
                if let Some(count) = tell {
                    tell::warn(format_args!(
                        "{engine}: another dispatcher is named {}: one is at work, and {count} that came later were \
                         refused; give each a name of its own (--id)",
                        life.dispatcher
                    ));
                }
                bus.refuse(&life).await;
            }
            let all = witness.sift(all);
            let _ = handle.try_heard(all); // the next beat brings what matters again
        }
        tokio::task::yield_now().await; // to the connection, on this thread
    }
}

/// Messages that are handed on to the engine at once: few enough that the first does not wait long
/// (among others a report is read and decided in some 0.05 ms), and enough to share a turn.
const TOGETHER: usize = 8;

/// Messages that are looked at before more are taken from the connection, which has no more than
/// that at once.
const WAITING: usize = 256;
