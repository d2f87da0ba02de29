//! What attempts printed that came to nothing: beside the artifacts, by attempt, and never among
//! them.
//!
//! No fact refers to one: whoever knows the attempt knows its name, `output/<attempt>-<task>`. It
//! is there for people, is not durable the way a proof is, and nothing is decided by it.
//!
//! Not here: who puts them (`shelf`), and how long they stay (`push0`).

use std::io;
use std::time::SystemTime;

use push0_core::{AttemptId, TaskId};

use super::{Place, Store, StoreError};

/// An output that is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeptOutput {
    /// Of this attempt.
    pub attempt: AttemptId,
    /// At this task.
    pub task: TaskId,
    /// Its size.
    pub bytes: u64,
    /// When it was put.
    pub put: SystemTime,
}

impl Store {
    /// Keeps what an attempt printed, in the place of what is kept of it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: it is not kept.
    pub fn put_output(&self, of: (AttemptId, TaskId), text: &[u8]) -> Result<(), StoreError> {
        match &self.0 {
            Place::Dir(store) => store.put_output(&name(of), text),
            Place::S3(store) => store.put_output(&name(of), text),
        }
    }

    /// What is kept of what an attempt printed; none where nothing is.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn output(&self, of: (AttemptId, TaskId)) -> io::Result<Option<Vec<u8>>> {
        match &self.0 {
            Place::Dir(store) => store.output(&name(of)),
            Place::S3(store) => store.output(&name(of)),
        }
    }

    /// All that are kept.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn outputs(&self) -> io::Result<Vec<KeptOutput>> {
        let mut kept = Vec::new();
        let mut each = |name: &str, bytes, put| {
            let of = parsed(name);
            kept.extend(of.map(|(attempt, task)| KeptOutput { attempt, task, bytes, put }));
        };
        match &self.0 {
            Place::Dir(store) => store.walk_outputs(&mut each)?,
            Place::S3(store) => store.walk_outputs(&mut each)?,
        }
        Ok(kept)
    }

    /// Removes one.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn remove_output(&self, kept: &KeptOutput) -> io::Result<()> {
        let name = name((kept.attempt, kept.task));
        match &self.0 {
            Place::Dir(store) => store.remove_output(&name),
            Place::S3(store) => store.remove_output(&name),
        }
    }
}

fn name((attempt, task): (AttemptId, TaskId)) -> String {
    format!("{}-{task}", attempt.0)
}

fn parsed(name: &str) -> Option<(AttemptId, TaskId)> {
    let (attempt, task) = name.split_once('-')?;
    let of = (AttemptId(attempt.parse().ok()?), task.parse().ok()?);
    (self::name(of) == name).then_some(of) // what has another name is somebody else's
}

/// The folder that they are in.
pub(super) const OUTPUT: &str = "output";

/// More than any has: 64 KiB of text, with what escapes add, and a header. Unit: bytes.
pub(super) const OUTPUT_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written_and_no_other_is() {
        let of = (AttemptId(7 << 40 | 12), TaskId([0xab; 32]));
        let written = name(of);
        assert_eq!(parsed(&written), Some(of));
        for other in [&format!("0{written}"), &written.replace('-', "_"), "7-ab", "x"] {
            assert_eq!(parsed(other), None, "{other}");
        }
    }
}
