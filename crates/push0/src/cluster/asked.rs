//! Questions to the engine that leads. Each right has a subject, a task, seats and a bound of its own: however much readers
//! ask, it takes nothing from who submits, nor that from who operates.
//!
//! Nothing is read before there is a seat for it, and nothing of it on the engine's thread. What is over a bound is left
//! out: who asks asks again. A person is told once, then of how many.
//!
//! Not here: which question needs which right (`right`), what the answer is (`lead`).

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
use super::glance::Glance;
use super::lead::answer;
use super::lives::Lives;
use super::remake::Looks;
use super::retry::Retries;
use super::right::{FORMER, Right};
use super::role::is_inbox;
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
    pub(super) fn new(
        bus: Bus,
        led: watch::Receiver<Option<Handle>>,
        store: Store,
        (engine, lives): (String, Arc<Lives>),
    ) -> Self {
        let glance = Glance::of(store.clone());
        let looks = Arc::new(Looks::new(store));
        let (retries, take_backs) = (Arc::default(), Arc::default());
        Self { bus, led, looks, glance, retries, take_backs, lives, engine, unread: Arc::default() }
    }

    /// Answers from here on.
    pub(super) fn open(&self, on: &Runtime) {
        for right in Right::ALL {
            on.spawn(self.clone().hear(right));
        }
        on.spawn(self.clone().hear_former());
    }

    async fn hear(self, right: Right) {
        let (mut bound, mut crowd) = (Bound::new(a_second(right)), LeftOut::default());
        let mut messages = self.bus.subscribe(right.subject()).await;
        // Begun in the order in which they came: a block that is submitted after another comes after it.
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
            let is_taken = bound.takes(now) && is_asked;
            if let Some(count) = bound.tell(now) {
                let (most, name) = (a_second(right), right.subject());
                self.warn(&format!(
                    "questions on {name} were left out ({count}): it takes {most} a second"
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
        let answer = if message.payload.len() > most {
            refused(format!("a question on {} has {most} bytes at the most", right.subject()))
        } else {
            match read::<Ask>(&message.payload) {
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

/// Questions that are taken a second. A submission has up to 64 blocks; nobody operates or reads by hand so fast.
const fn a_second(right: Right) -> u32 {
    match right {
        Right::Read => 200,
        Right::Submit => 2_000,
        Right::Operate => 50,
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

/// The longest question, in bytes: to read names a task at the most; to submit has as much as servers take by default;
/// to operate has a pipeline.
const fn bytes_max(right: Right) -> usize {
    match right {
        Right::Read => 1 << 10,
        Right::Submit => 1 << 20,
        Right::Operate => 256 << 10,
    }
}
