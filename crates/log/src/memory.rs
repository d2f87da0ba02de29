//! A log in memory, for tests.
//!
//! [`Memory`] is the disk: it outlives the logs that are opened on it. Two logs may be open on one
//! at a time; the second to append is fenced, as on a shared log.
//!
//! Not here: faults. A test that needs them wraps this.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use push0_core::{Seq, Turn};

use crate::payload::Payload;
use crate::{AppendError, Log, ReadError};

/// The place of a log in memory. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    turns: Arc<Mutex<Vec<Turn>>>,
}

impl Memory {
    /// A log that goes on from what is here.
    #[must_use]
    pub fn open(&self) -> MemoryLog {
        let last = last_of(&self.turns());
        MemoryLog { memory: self.clone(), last }
    }

    /// Everything that was appended.
    #[must_use]
    pub fn history(&self) -> Vec<Turn> {
        self.turns().clone()
    }

    fn turns(&self) -> MutexGuard<'_, Vec<Turn>> {
        // A turn is pushed whole, so a panic elsewhere leaves nothing half done.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log that lives as long as its [`Memory`].
#[derive(Debug)]
pub struct MemoryLog {
    memory: Memory,
    last: Seq,
}

impl MemoryLog {
    fn append_now(&mut self, turn: &Turn) -> Result<(), AppendError> {
        assert!(!turn.events.is_empty(), "a turn without events has no position");
        let bytes = Payload::of(turn).bytes.len();
        if bytes > RECORD_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes, bytes_max: RECORD_BYTES_MAX });
        }
        let mut turns = self.memory.turns();
        let expected = last_of(&turns).next();
        if turn.first != expected || self.last.next() != expected {
            return Err(AppendError::Fenced { expected, found: turn.first });
        }
        turns.push(turn.clone());
        self.last = turn.last();
        Ok(())
    }
}

impl Log for MemoryLog {
    fn append(&mut self, turn: &Turn) -> impl Future<Output = Result<(), AppendError>> + Send {
        std::future::ready(self.append_now(turn))
    }

    fn read(&self, after: Seq) -> impl Future<Output = Result<Vec<Turn>, ReadError>> + Send {
        let turns = self.memory.turns();
        let found = turns.iter().filter(|turn| turn.last() > after).cloned().collect();
        std::future::ready(Ok(found))
    }

    fn probe(&mut self) -> impl Future<Output = Result<(), AppendError>> + Send {
        let (last, own) = (last_of(&self.memory.turns()), self.last);
        std::future::ready(match last == own {
            true => Ok(()),
            false => Err(AppendError::Fenced { expected: last.next(), found: own.next() }),
        })
    }

    fn close(self) -> impl Future<Output = Result<(), AppendError>> + Send {
        std::future::ready(Ok(()))
    }

    fn last(&self) -> Seq {
        self.last
    }

    fn record_bytes_max(&self) -> usize {
        RECORD_BYTES_MAX
    }
}

fn last_of(turns: &[Turn]) -> Seq {
    turns.last().map_or(Seq(0), Turn::last)
}

/// As large as a NATS server takes by default (`max_payload` 1 MB), the smallest of any place.
const RECORD_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{self, Place};

    #[test]
    fn it_keeps_what_every_log_must() {
        conformance::finish(conformance::all(Memory::default));
    }

    impl Place for Memory {
        type Log = MemoryLog;

        fn open(&self) -> Option<MemoryLog> {
            Some(Self::open(self))
        }
    }
}
