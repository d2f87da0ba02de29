//! What attempts print, asked of the dispatcher that has them: `PREFIX.output.ID`.
//!
//! Readers may ask, and the servers see to that. A dispatcher remembers nobody: each question says
//! from where, and each answer is a piece of a few kilobytes. Questions come over the connection
//! for roll calls, whose end nobody takes for the dispatcher's (`present`).
//!
//! Not here: what is answered (`push0_dispatch`), and what is shown (`cli::logs`).

use std::time::{Duration, Instant};

use async_nats::Message;
use futures_util::StreamExt as _;
use push0_core::{AttemptId, DispatcherId, TaskId};
use push0_dispatch::{Access, OutputAnswer, OutputAsk, Outputs, Store};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::bound::Bound;
use super::bus::{Bus, output, read};
use super::error::ClusterError;
use super::role::{Role, is_inbox};
use super::serve::runtime;
use super::settings::ClusterArgs;
use super::threads::Threads;
use crate::tell::{self, counted};

/// Answers for a dispatcher, whichever of its lives that is.
pub(super) async fn answer(bus: Bus, outputs: watch::Receiver<Option<Outputs>>, id: DispatcherId) {
    let mut questions = bus.subscribe(&output(&id)).await;
    let (mut bound, mut desk) = (Bound::new(A_SECOND), Desk::default());
    while let Some(question) = questions.next().await {
        let now = Instant::now();
        let is_asked = question.reply.as_deref().is_some_and(is_inbox); // else nobody waits
        let is_taken = match question.payload.len() <= ASK_BYTES_MAX {
            true => bound.takes(now) && is_asked,
            false => bound.leaves_out(),
        };
        if let Some(count) = bound.tell(now) {
            tell::warn(format_args!(
                "{id}: left out {} for outputs: it takes {A_SECOND} a second, of {ASK_BYTES_MAX} bytes at the \
                 most",
                counted(count, "question")
            ));
        }
        if is_taken {
            let outputs = outputs.borrow().clone();
            let answer = desk.answer(outputs, &question).await;
            bus.answer(&question, &answer).await;
        }
    }
}

/// Files that are read, one at a time: a disk that hangs holds one thread.
#[derive(Default)]
struct Desk {
    reads: Option<JoinHandle<OutputAnswer>>,
}

impl Desk {
    async fn answer(&mut self, outputs: Option<Outputs>, question: &Message) -> OutputAnswer {
        let later = |why: &str| OutputAnswer::Later(why.to_owned());
        let Some(ask) = read::<OutputAsk>(&question.payload) else {
            return later("the question cannot be read");
        };
        let Some(outputs) = outputs else { return later("it has not begun yet") };
        if let Some(answer) = outputs.at_hand(ask) {
            return answer;
        }
        if self.reads.as_ref().is_some_and(|reads| !reads.is_finished()) {
            return later("its disk does not answer");
        }
        let reads = self.reads.insert(spawn_blocking(move || outputs.answer(ask)));
        match timeout(FILE_MAX, reads).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => later("its disk does not answer"),
        }
    }
}

/// A way to ask, and the store where that is which outlives a dispatcher.
pub(crate) struct Asker {
    runtime: Threads,
    bus: Bus,
    store: Option<Store>,
}

/// What came of a question.
pub(crate) enum QuestionOutcome {
    Answer(OutputAnswer),
    /// Nobody of that name answers.
    Nobody,
    /// The servers let no reader ask: how attempts ended can be read all the same.
    Forbidden(String),
}

impl Asker {
    /// Connects as a reader. The store is opened where one is named.
    pub(crate) fn connect(args: &ClusterArgs) -> Result<Self, ClusterError> {
        let settings = args.settings(Role::Reader, "push0-logs")?;
        let runtime = runtime()?;
        let bus = runtime.block_on(Bus::connect(&settings))?;
        let store = settings.has_store().then(|| settings.store(Access::Read));
        let store = store.and_then(|store| {
            store
                .inspect_err(|error| {
                    tell::warn(format_args!(
                        "what failed attempts printed is not to be had: {error}"
                    ));
                })
                .ok()
        });
        Ok(Self { runtime, bus, store })
    }

    /// Asks a dispatcher, and once more if it does not answer: over a bound a question is left out.
    pub(crate) fn ask(&self, of: &DispatcherId, ask: OutputAsk) -> QuestionOutcome {
        for _ in 0..TRIES {
            match self.runtime.block_on(self.bus.request(&output(of), &ask)) {
                Some(Ok(answer)) => return QuestionOutcome::Answer(answer),
                Some(Err(words)) => {
                    let error = ClusterError::Forbidden { words, right: output(of) };
                    return QuestionOutcome::Forbidden(error.to_string());
                }
                None => {}
            }
        }
        QuestionOutcome::Nobody
    }

    /// What the store has of an attempt that came to nothing; none where it has nothing, or is not
    /// named.
    pub(crate) fn kept(&self, of: (AttemptId, TaskId)) -> Result<Option<Vec<u8>>, String> {
        let Some(store) = &self.store else { return Ok(None) };
        store.output(of).map_err(|error| error.to_string())
    }

    /// Whether a store is named.
    pub(crate) const fn has_store(&self) -> bool {
        self.store.is_some()
    }
}

/// Questions that a dispatcher takes a second: who follows asks four times.
const A_SECOND: u32 = 50;

/// The longest question. Unit: bytes.
const ASK_BYTES_MAX: usize = 256;

/// How long a file is waited for.
const FILE_MAX: Duration = Duration::from_secs(1);

/// How often it is asked.
const TRIES: u32 = 2;
