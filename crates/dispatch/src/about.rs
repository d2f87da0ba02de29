//! What a dispatcher says of itself, for who looks at it from another process: what it was started
//! with, and what it does. It writes both into its directory.
//!
//! Not here: how it knows what it does (`board`).

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use push0_core::AttemptId;

use serde::{Deserialize, Serialize};

use crate::bounded::{self, REPORT_BYTES_MAX};
use crate::folder::write_own;
use crate::{Config, Elsewhere, MemoryLimit};

/// What a dispatcher was started with, and what it found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct About {
    /// Its name.
    pub dispatcher: String,
    /// How many attempts run at once.
    pub slots: u32,
    /// Shared by the provers that run. Unit: bytes.
    pub memory_bytes: u64,
    /// Shared likewise.
    pub gpus: u32,
    /// Who keeps provers to what they declare.
    pub memory_limit: MemoryLimit,
}

impl About {
    /// What the dispatcher of this directory said when it started; `None` where none has.
    #[must_use]
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&bounded::read(&dir.join(FILE), REPORT_BYTES_MAX).ok()?).ok()
    }

    /// `gpus`: that it may hand out.
    pub(crate) fn new(config: &Config, gpus: u32, memory_limit: MemoryLimit) -> Self {
        let Config { id, slots, memory_bytes, .. } = config;
        let (slots, memory_bytes) = (*slots, *memory_bytes);
        Self { dispatcher: id.to_string(), slots, memory_bytes, gpus, memory_limit }
    }

    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let temporary = dir.join(TEMPORARY);
        write_own(&temporary, serde_json::to_vec(self)?)?;
        fs::rename(temporary, dir.join(FILE))
    }
}

/// What a dispatcher does at the moment, by its own word.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Now {
    /// GPUs that it may hand out.
    pub gpus: u32,
    /// Those that another process has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus_elsewhere: Vec<Elsewhere>,
    /// Programs that it cannot run, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cannot: BTreeMap<String, String>,
    /// Attempts that have not ended, oldest first; behind them those whose result waits for a
    /// verdict. Of very many the first.
    pub steps: Vec<Step>,
}

/// How far an attempt is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Step {
    /// Which.
    pub attempt: AttemptId,
    /// What is being done for it, in a word.
    pub doing: String,
    /// How far the prover says it is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
}

impl Step {
    /// What is said to be done for an attempt that has ended, and whose result is kept until an
    /// engine takes it.
    pub const ENDED: &str = "ended";
}

impl Now {
    /// What the dispatcher of this directory said last; `None` where none has.
    #[must_use]
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&bounded::read(&dir.join(NOW), REPORT_BYTES_MAX).ok()?).ok()
    }

    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let temporary = dir.join(NOW_TEMPORARY);
        write_own(&temporary, serde_json::to_vec(self)?)?;
        fs::rename(temporary, dir.join(NOW))
    }

    /// Nothing runs there any more.
    pub(crate) fn clear(dir: &Path) {
        let _ = fs::remove_file(dir.join(NOW));
    }
}

/// Attempts that are told of: what a message holds is bounded.
pub(crate) const STEPS_MAX: usize = 64;

const NOW: &str = "now.json";
const NOW_TEMPORARY: &str = "now.tmp";
const FILE: &str = "about.json";
const TEMPORARY: &str = "about.tmp";
