//! Questions to the engine that leads. Each right has a subject, a connection, a task, seats and a
//! bound of its own: however much readers ask, it takes nothing from who submits, nor that from who
//! operates.
//!
//! Nothing is read before there is a seat for it, and nothing of it on the engine's thread, nor on
//! that of what dispatchers say: who asks has no dispatcher given up. What is over a bound is left
//! out: who asks asks again. A person is told once, then of how many.
//!
//! Not here: which question needs which right (`right`), what the answer is (`lead`), what of a
//! question is read (`cut`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_nats::Message;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use push0_dispatch::Store;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::bound::{Bound, LeftOut};
use super::bus::{Bus, read};
use super::cut::cut;
use super::error::ClusterError;
use super::glance::Glance;
use super::lead::answer;
use super::lives::Lives;
use super::present;
use super::remake::Looks;
use super::retry::Retries;
use super::right::{FORMER, Right};
use super::role::is_inbox;
use super::settings::Settings;
use super::take_back::TakeBacks;
use super::wire::{Answer, Ask};
use crate::engine::Handle;
use crate::tell;

/// What whoever answers has at hand.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) bus: Bus,
    pub(super) led: watch::Receiver<Option<Handle>>,
    pub(super) looks: Arc<Looks>,
    pub(super) glance: Glance,
    pub(super) retries: Arc<Retries>,
    pub(super) take_backs: Arc<TakeBacks>,
    /// Which dispatchers are heard.
    pub(super) lives: Arc<Lives>,
    /// The engine's name.
    pub(super) engine: String,
    /// Questions that could not be answered, by what they hold.
    unread: Arc<Mutex<LeftOut>>,
}

impl Desk {
    /// Answers from here on: each right over a connection of its own, and roll calls over that of
    /// readers, who call.
    pub(super) fn open(
        settings: &Settings,
        led: &watch::Receiver<Option<Handle>>,
        store: &Store,
        (engine, lives): &(String, Arc<Lives>),
        on: &Runtime,
    ) -> Result<(), ClusterError> {
        let connected = || on.block_on(Bus::connect(settings));
        let (readers, submitters, operators) = (connected()?, connected()?, connected()?);
        on.spawn(present::engine(readers.clone(), led.clone(), engine.clone(), Arc::clone(lives)));
        let desk = Self {
            bus: operators,
            led: led.clone(),
            looks: Arc::new(Looks::new(store.clone())),
            glance: Glance::of(store.clone()),
            retries: Arc::default(),
            take_backs: Arc::default(),
            lives: Arc::clone(lives),
            engine: engine.clone(),
            unread: Arc::default(),
        };
        on.spawn(Self { bus: submitters, ..desk.clone() }.hear(Right::Submit));
        on.spawn(Self { bus: readers.clone(), ..desk.clone() }.hear(Right::Read));
        on.spawn(Self { bus: readers, ..desk.clone() }.hear_former());
        on.spawn(desk.hear(Right::Operate));
        Ok(())
    }

    async fn hear(self, right: Right) {
        let mut bound = Bound::new(a_second(right)).of_bytes(bytes_a_second(right));
        let mut crowd = LeftOut::default();
        let mut messages = self.bus.subscribe(right.subject()).await;
        // Begun in the order in which they came: a block that is submitted after another comes
        // after it.
        let mut answers = FuturesUnordered::new();
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                Some(()) = answers.next() => continue,
            };
            let Some(message) = message else { return };
            let handle = self.led.borrow().clone();
            let Some(handle) = handle else { continue };
            let now = Instant::now();
            let is_asked = message.reply.as_deref().is_some_and(is_inbox); // else nobody waits
            // Of what is too long no more is read than its length.
            let bytes = u32::try_from(message.payload.len()).unwrap_or(u32::MAX);
            let is_taken = bound.takes_of(now, bytes.min(bytes_max(right))) && is_asked;
            if let Some(count) = bound.tell(now) {
                let (most, bytes) = (a_second(right), bytes_a_second(right) >> 10);
                self.warn(&format!(
                    "questions on {} were left out ({count}): it takes {most} a second, and {bytes} KiB",
                    right.subject()
                ));
            }
            if !is_taken {
                continue;
            }
            if answers.len() >= seats(right) {
                crowd.add(1);
                if let Some(count) = crowd.tell(now) {
                    let (most, name) = (seats(right), right.subject());
                    self.warn(&format!(
                        "questions on {name} were left out ({count}): it answers {most} at once"
                    ));
                }
                continue;
            }
            let desk = &self;
            answers.push(async move { desk.answer(right, &handle, &message).await });
        }
    }

    async fn answer(&self, right: Right, handle: &Handle, message: &Message) {
        let refused = |reason| Some(Answer::Refused { taken: 0, reason });
        let most = bytes_max(right);
        let answer = if message.payload.len() > most as usize {
            refused(format!("a question on {} has {most} bytes at the most", right.subject()))
        } else {
            let (payload, too_large) = cut(&message.payload);
            let answer = match read::<Ask>(&payload) {
                Some(asked) if right.allows(&asked) => answer(handle, self, right, asked).await,
                Some(asked) => {
                    let (needs, has) = (Right::for_asking(&asked).name(), right.name());
                    refused(format!(
                        "it needs the right to {needs}, and was asked with that to {has} (docs/nats.md)"
                    ))
                }
                None => {
                    self.count_unread(right);
                    refused(
                        "the engine cannot read the question: ask with its own version of push0"
                            .to_owned(),
                    )
                }
            };
            match too_large {
                Some(large) => answer.map(|answer| large.told(answer)),
                None => answer,
            }
        };
        if let Some(answer) = answer {
            self.bus.answer(message, &answer).await;
        }
    }

    /// Tells those apart who ask as they did before there were rights.
    async fn hear_former(self) {
        let mut bound = Bound::new(a_second(Right::Operate));
        let mut messages = self.bus.subscribe(FORMER).await;
        while let Some(message) = messages.next().await {
            if self.led.borrow().is_none() || !bound.takes(Instant::now()) {
                continue;
            }
            let [read, submit, operate] = Right::ALL.map(Right::subject);
            let reason = format!(
                "{FORMER} is asked no more, but {read}, {submit} and {operate}: use a newer push0"
            );
            self.bus.answer(&message, &Answer::Refused { taken: 0, reason }).await;
        }
    }

    fn count_unread(&self, right: Right) {
        let told = {
            let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            unread.add(1);
            unread.tell(Instant::now())
        };
        if let Some(count) = told {
            self.warn(&format!(
                "questions could not be read ({count}), the last on {}",
                right.subject()
            ));
        }
    }

    fn warn(&self, words: &str) {
        tell::warn(format_args!("{}: {words}", self.engine));
    }
}

/// Questions that are taken a second. A submission has up to 64 blocks; nobody operates or reads by
/// hand so fast.
const fn a_second(right: Right) -> u32 {
    match right {
        Right::Read => 200,
        Right::Submit => 2_000,
        Right::Operate => 50,
    }
}

/// Bytes of questions that are taken a second. To submit, two hundred thousand blocks of some 300
/// bytes: several times what an engine takes of them (`push0 bench throughput --log nats-r1`), so
/// that no honest client ever waits 2 s for an answer that does not come. To read and to operate,
/// as many of the longest as anybody has reason to ask.
const fn bytes_a_second(right: Right) -> u32 {
    match right {
        Right::Read => 64 << 10,
        Right::Submit => 64 << 20,
        Right::Operate => 2 << 20,
    }
}

/// Questions that are answered at once.
const fn seats(right: Right) -> usize {
    match right {
        Right::Read => 32,
        Right::Submit => 128,
        Right::Operate => 16,
    }
}

/// The longest question, in bytes: to read names a task at the most; to submit has as much as
/// servers take by default; to operate has a pipeline.
const fn bytes_max(right: Right) -> u32 {
    match right {
        Right::Read => 1 << 10,
        Right::Submit => 1 << 20,
        Right::Operate => 256 << 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people are told of the bounds is what they are.
    #[test]
    fn the_page_has_the_bounds_that_hold() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/nats.md");
        let page = std::fs::read_to_string(page).expect("it is there");
        let size = |bytes: u32| match bytes {
            bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
            bytes => format!("{} KiB", bytes >> 10),
        };
        for right in Right::ALL {
            let (name, most, seats) = (right.name(), a_second(right), seats(right));
            let (bytes, longest) = (size(bytes_a_second(right)), size(bytes_max(right)));
            let row = format!("\n| {name} | {most} | {bytes} | {seats} | {longest} |\n");
            assert!(page.contains(&row), "{row}");
        }
    }
}
