//! Results that a reader says are lost. The engine looks itself before it believes that: what its own store has whole is not
//! made again, whatever others see.
//!
//! A look reads the artifact and hashes it, on a thread aside, one at a time; what was found whole is not looked at again
//! for a while. So a reader who asks for what is there costs the scheduler nothing.
//!
//! Not here: how a result is made again (`push0_core`).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use push0_core::{Digest, Input, TaskId};
use push0_dispatch::{ReadError, Store};

use super::lead::decided;
use super::wire::Answer;
use crate::engine::Handle;

/// What was looked at, and a way to look.
pub(super) struct Looks {
    store: Store,
    /// Held while one looks.
    one: tokio::sync::Mutex<()>,
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
        Self { store, one: tokio::sync::Mutex::new(()), whole: Mutex::default() }
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

    /// Nothing while another look is under way: who asks asks again.
    async fn look(&self, output: Digest) -> Option<Look> {
        if self.is_known_whole(output) {
            return Some(Look::Whole);
        }
        let Ok(_one) = self.one.try_lock() else { return None };
        let store = self.store.clone();
        let copied = tokio::task::spawn_blocking(move || store.copy(output, &mut io::sink()));
        Some(match copied.await.ok()? {
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

/// How long an artifact that was whole is taken to be so. One that is lost meanwhile is made again a little later.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Artifacts that are known to be whole at once.
const KNOWN_MAX: usize = 1_024;
