//! Of which dispatchers the engine that leads has heard, and how long ago: one that has gone
//! without a word, or that is frozen, stays listed until the engine gives it up.
//!
//! Not here: who answers at this moment, which is their own word (`cluster`).

use push0_core::Fleet;
use serde::{Deserialize, Serialize};

use super::watch::Watch;

/// A dispatcher, by its last beat.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct BeatView {
    pub(crate) dispatcher: String,
    pub(super) slots: u32,
    /// Unit: bytes.
    pub(super) memory_bytes: u64,
    pub(super) gpus: u32,
    /// How long ago that was. Unit: seconds.
    pub(crate) silent: u64,
    /// After so long a silence it is given up. Unit: seconds.
    pub(super) silent_max: u64,
    /// The first of the programs for which something waits, that it could run, and has no room for
    /// now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) busy: Vec<String>,
}

impl BeatView {
    /// As many as go into a message, those that are silent for longest first.
    pub(super) fn all(watch: &Watch<'_>, fleet: &Fleet) -> Vec<Self> {
        let mut all: Vec<_> = fleet.heard(watch.scheduler).collect();
        all.sort_by_key(|(.., silence)| std::cmp::Reverse(*silence));
        let heard = all.into_iter().take(SENT_MAX).map(|(dispatcher, whole, silence)| Self {
            dispatcher: dispatcher.to_string(),
            slots: whole.slots,
            memory_bytes: whole.memory_bytes,
            gpus: whole.gpus,
            silent: silence.as_secs(),
            silent_max: fleet.silence_max().as_secs(),
            busy: watch.busy_for(dispatcher, PROGRAMS_MAX),
        });
        heard.collect()
    }
}

/// Programs that are named of one: together they fit into a message.
const PROGRAMS_MAX: usize = 4;

/// More than are silent at once where anything works.
const SENT_MAX: usize = 64;
