//! Roll calls: whoever hears one says that it is there.
//!
//! A reader may call as often as it likes, and servers drop a connection that is too slow for what
//! comes on it. So calls come over a connection that carries nothing a lead or a dispatcher's life
//! hangs on: an engine's for what others say, a dispatcher's own for nothing else. A call holds
//! nothing; one that does is left out, and costs the others nothing.
//!
//! Not here: what is made of the answers (`status`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use push0_core::DispatcherId;
use tokio::sync::watch;
use tokio::time::timeout;

use super::bound::Bound;
use super::bus::{Bus, PRESENT};
use super::lives::Lives;
use super::wire::Present;
use crate::engine::Handle;
use crate::status::{DispatcherView, EngineView};
use crate::tell;

/// Answers for an engine.
pub(super) async fn engine(
    bus: Bus,
    led: watch::Receiver<Option<Handle>>,
    engine: String,
    lives: Arc<Lives>,
) {
    let mut calls = Calls::hear(&bus, &engine).await;
    while let Some(call) = calls.next().await {
        let handle = led.borrow().clone();
        let leads = match handle {
            Some(handle) => timeout(PROBE_MAX, handle.probe()).await.ok().and_then(Result::ok),
            None => None,
        };
        let leads = leads.map(|(epoch, _)| epoch);
        let doubled = if leads.is_some() { lives.doubled(Instant::now()) } else { Vec::new() };
        let view = EngineView { engine: engine.clone(), leads, doubled };
        bus.answer(&call, &Present::Engine(view)).await;
    }
}

/// Answers for a dispatcher, with the last view that there is of it.
pub(super) async fn dispatcher(
    bus: Bus,
    view: watch::Receiver<Option<DispatcherView>>,
    id: DispatcherId,
) {
    let mut calls = Calls::hear(&bus, id.as_str()).await;
    while let Some(call) = calls.next().await {
        let view = view.borrow().clone();
        if let Some(view) = view {
            bus.answer(&call, &Present::Dispatcher(view)).await;
        }
    }
}

/// What the connection is called over which a dispatcher hears calls: nobody takes its end for the
/// dispatcher's.
pub(super) fn connection(of: &DispatcherId) -> String {
    format!("push0-present:{of}")
}

/// The calls that are answered.
struct Calls {
    messages: Subscriber,
    bound: Bound,
    by: String,
}

impl Calls {
    async fn hear(bus: &Bus, by: &str) -> Self {
        let messages = bus.subscribe(PRESENT).await;
        Self { messages, bound: Bound::new(CALLS_A_SECOND), by: by.to_owned() }
    }

    async fn next(&mut self) -> Option<Message> {
        loop {
            let call = self.messages.next().await?;
            let now = Instant::now();
            let is_taken = match call.payload.is_empty() {
                true => self.bound.takes(now),
                false => self.bound.leaves_out(),
            };
            if let Some(count) = self.bound.tell(now) {
                let by = &self.by;
                tell::warn(format_args!(
                    "{by}: roll calls were left out ({count}): it takes {CALLS_A_SECOND} a second, and none that hold \
                     anything"
                ));
            }
            if is_taken {
                return Some(call);
            }
        }
    }
}

/// Roll calls that are answered a second, by each that is there: enough for many who look every
/// second.
const CALLS_A_SECOND: u32 = 50;

/// How long a roll call waits for the log.
const PROBE_MAX: Duration = Duration::from_millis(300);
