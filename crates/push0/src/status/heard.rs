//! Of which dispatchers the engine that leads has heard, and how long ago: one that has gone without a word, or that is
//! frozen, stays listed until the engine gives it up.
//!
//! Not here: who answers at this moment, which is their own word (`cluster`).

use push0_core::Fleet;
use serde::{Deserialize, Serialize};

/// A dispatcher, by its last beat.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Heard {
    pub(crate) dispatcher: String,
    pub(super) slots: u32,
    /// Unit: bytes.
    pub(super) memory_bytes: u64,
    pub(super) gpus: u32,
    /// How long ago that was. Unit: seconds.
    pub(crate) silent: u64,
    /// After so long a silence it is given up. Unit: seconds.
    pub(super) silent_max: u64,
}

impl Heard {
    /// As many as go into a message, those that are silent for longest first.
    pub(super) fn all(fleet: &Fleet) -> Vec<Self> {
        let mut all: Vec<_> = fleet.heard().collect();
        all.sort_by_key(|(.., silence)| std::cmp::Reverse(*silence));
        let heard = all.into_iter().take(SENT_MAX).map(|(dispatcher, whole, silence)| Self {
            dispatcher: dispatcher.to_string(),
            slots: whole.slots,
            memory_bytes: whole.memory_bytes,
            gpus: whole.gpus,
            silent: silence.as_secs(),
            silent_max: fleet.silence_max().as_secs(),
        });
        heard.collect()
    }
}

/// More than are silent at once where anything works.
const SENT_MAX: usize = 64;
