//! The store of artifacts, as dispatchers, source and reader share it. Durable: what is in it
//! survives every crash, unless a fault takes or damages it.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::Digest;

/// What is stored, by name alone.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Whether each is sound; one that is not is damaged.
    artifacts: BTreeMap<Digest, bool>,
    is_down: bool,
    /// Until when who looks for something may not find it, though it is there.
    blind: Duration,
}

/// What a read finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Read {
    Sound,
    /// Definitely not there, or not what it was.
    Lost,
    /// Nobody knows: the store does not answer.
    Unknown,
}

impl Store {
    /// Puts an artifact, in the place of a damaged one too. Answers whether it is durable now.
    pub(crate) fn put(&mut self, artifact: Digest) -> bool {
        if !self.is_down {
            self.artifacts.insert(artifact, true);
        }
        !self.is_down
    }

    pub(crate) fn read(&self, artifact: &Digest) -> Read {
        match self.artifacts.get(artifact) {
            _ if self.is_down => Read::Unknown,
            Some(true) => Read::Sound,
            Some(false) | None => Read::Lost,
        }
    }

    pub(crate) const fn blind(&mut self, until: Duration) {
        self.blind = until;
    }

    pub(crate) fn is_blind(&self, now: Duration) -> bool {
        now < self.blind
    }

    pub(crate) fn set_down(&mut self, is_down: bool) {
        self.is_down = is_down;
    }

    pub(crate) fn len(&self) -> u64 {
        self.artifacts.len() as u64
    }

    /// Loses an artifact, or damages it.
    pub(crate) fn lose(&mut self, index: u64, is_gone: bool) -> Option<Digest> {
        let index = usize::try_from(index).ok()?;
        let artifact = *self.artifacts.keys().nth(index)?;
        match is_gone {
            true => self.artifacts.remove(&artifact),
            false => self.artifacts.insert(artifact, false),
        };
        Some(artifact)
    }
}
