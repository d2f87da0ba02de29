//! Results that a reader says are lost. The engine looks itself before it believes that: what its
//! own store has whole is not made again, whatever others see.
//!
//! A look reads the artifact and hashes it, on a thread aside, a few at a time, each for no longer
//! than a while; what was found whole is not looked at again for a while. So a reader who asks for
//! what is there costs the scheduler nothing.
//!
//! Not here: how a result is made again (`push0_core`).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use push0_core::{Digest, Input, TaskId};
use push0_dispatch::{ReadError, Store};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::lead::decided;
use super::wire::Answer;
use crate::engine::Handle;

/// What was looked at, and a way to look.
pub(super) struct Looks {
    store: Store,
    /// One is held by each look, and kept by one that hangs.
    seats: Arc<Semaphore>,
    /// What was whole, and when.
    whole: Mutex<BTreeMap<Digest, Instant>>,
}

/// What a look has shown.
enum Look {
    Whole,
    Lost,
    /// The store does not answer.
    Unknown(String),
}

impl Looks {
    pub(super) fn new(store: Store) -> Self {
        Self { store, seats: Arc::new(Semaphore::new(LOOKS_MAX)), whole: Mutex::default() }
    }

    /// Has a result made again if it is lost.
    pub(super) async fn remake(&self, handle: &Handle, task: TaskId) -> Option<Answer> {
        let output = handle.see(move |scheduler, _| {
            let result = scheduler.task(&task)?.result.as_ref()?;
            Some(result.what.output)
        });
        let look = match output.await.ok()? {
            Some(output) => self.look(output).await?,
            None => Look::Lost, // nobody has made it: the scheduler says what there is to say
        };
        let refused = |reason| Some(Answer::Refused { taken: 0, reason });
        match look {
            Look::Lost => decided(handle, Input::Remake(task)).await,
            Look::Whole => refused(format!(
                "it is whole in the store that the engine has ({}): see that the same one is read here",
                self.store
            )),
            Look::Unknown(why) => refused(format!("the engine's store does not answer ({why})")),
        }
    }

    /// Nothing while as many looks as may be are under way: who asks asks again.
    async fn look(&self, output: Digest) -> Option<Look> {
        if self.is_known_whole(output) {
            return Some(Look::Whole);
        }
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let store = self.store.clone();
        let copied = tokio::task::spawn_blocking(move || {
            let copied = store.copy(output, &mut io::sink());
            drop(seat);
            copied
        });
        let Ok(copied) = timeout(LOOK_MAX, copied).await else {
            return Some(Look::Unknown(format!("no answer in {} s", LOOK_MAX.as_secs())));
        };
        Some(match copied.ok()? {
            Ok(_) => {
                self.note(output);
                Look::Whole
            }
            Err(ReadError::Missing { .. } | ReadError::Damaged { .. }) => Look::Lost,
            Err(error @ (ReadError::Io { .. } | ReadError::Write { .. } | _)) => {
                Look::Unknown(error.to_string())
            }
        })
    }

    fn is_known_whole(&self, output: Digest) -> bool {
        let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        whole.get(&output).is_some_and(|at| at.elapsed() < KNOWN_FOR)
    }

    fn note(&self, output: Digest) {
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        whole.retain(|_, at| at.elapsed() < KNOWN_FOR);
        if whole.len() < KNOWN_MAX {
            whole.insert(output, Instant::now());
        }
    }
}

/// Looks at once: where one hangs, others go on.
const LOOKS_MAX: usize = 4;

/// For one look: the largest output, 256 MiB, at less than 10 MiB/s.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// How long an artifact that was whole is taken to be so. One that is lost meanwhile is made again
/// a little later.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Artifacts that are known to be whole at once.
const KNOWN_MAX: usize = 1_024;
