//! What this life knows of each program's verifier: whether it has ever given a verdict.
//!
//! One that has is a verifier, and what ails it will pass: it is asked again for as long as there
//! is patience. One that never has may be none at all, a prover that does not know the word
//! `verify`, say. That is found out by a few tries, and then no more proofs are made that nobody
//! could judge, until its file changes or a while has passed.
//!
//! Not here: how one is asked (`verify`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use push0_core::ProgramName;
use tokio::time::timeout;

use crate::ProgramConfig;
use crate::context::LOOK;
use crate::folder::blocking;
use crate::programs::Stamps;

/// What is known of all verifiers.
#[derive(Debug, Default)]
pub(crate) struct Judges(Mutex<BTreeMap<ProgramName, VerifierState>>);

#[derive(Debug)]
enum VerifierState {
    /// It has given a verdict.
    Speaks,
    /// It gave none, as often as it was asked.
    Mute { since: Instant, files: Option<Stamps>, message: String },
}

impl Judges {
    /// It has given a verdict, or said in the contract's words that it cannot.
    pub(crate) fn spoke(&self, name: &ProgramName) {
        let mut known = self.lock();
        if !matches!(known.get(name), Some(VerifierState::Speaks)) {
            known.insert(name.clone(), VerifierState::Speaks);
        }
    }

    /// Whether it has ever.
    pub(crate) fn has_spoken(&self, name: &ProgramName) -> bool {
        matches!(self.lock().get(name), Some(VerifierState::Speaks))
    }

    /// It gave none, as often as it was asked; `message` says what it did.
    pub(crate) async fn is_mute(&self, name: &ProgramName, program: &ProgramConfig, message: &str) {
        let (files, message) = (look(program).await, message.to_owned());
        let since = Instant::now();
        let mut known = self.lock();
        if !matches!(known.get(name), Some(VerifierState::Speaks)) {
            known.insert(name.clone(), VerifierState::Mute { since, files, message });
        }
    }

    /// Why a proof of this program could not be judged; none where it is worth a try.
    pub(crate) async fn why_mute(
        &self,
        name: &ProgramName,
        program: &ProgramConfig,
    ) -> Option<String> {
        let (since, files, message) = match self.lock().get(name) {
            Some(VerifierState::Mute { since, files, message }) => {
                (*since, files.clone(), message.clone())
            }
            Some(VerifierState::Speaks) | None => return None,
        };
        let has_changed = look(program).await.zip(files).is_some_and(|(now, then)| now != then);
        if since.elapsed() < MUTE && !has_changed {
            return Some(message);
        }
        self.lock().remove(name);
        None
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProgramName, VerifierState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program's files as they are, where their disk answers.
async fn look(program: &ProgramConfig) -> Option<Stamps> {
    let program = program.clone();
    timeout(LOOK, blocking(move || Stamps::of(&program))).await.ok()
}

/// After so long one that was mute is asked again: what it lacked may be there by then.
const MUTE: Duration = Duration::from_secs(600);
