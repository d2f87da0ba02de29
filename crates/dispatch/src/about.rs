//! What a dispatcher says of itself in its directory, for who looks at it from another process.
//!
//! Not here: what it does at the moment (`board`).

use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::folder::write_own;
use crate::{Config, MemoryLimit};

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
        serde_json::from_slice(&fs::read(dir.join(FILE)).ok()?).ok()
    }

    pub(crate) fn new(config: &Config, memory_limit: MemoryLimit) -> Self {
        let Config { id, slots, memory_bytes, gpus, .. } = config;
        let (slots, memory_bytes, gpus) = (*slots, *memory_bytes, *gpus);
        Self { dispatcher: id.to_string(), slots, memory_bytes, gpus, memory_limit }
    }

    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let temporary = dir.join(TEMPORARY);
        write_own(&temporary, serde_json::to_vec(self)?)?;
        fs::rename(temporary, dir.join(FILE))
    }
}

const FILE: &str = "about.json";
const TEMPORARY: &str = "about.tmp";
