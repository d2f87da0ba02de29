//! A look, at the start of a run, at the results that an earlier one left in the store.
//!
//! What is needed again is made again when it is missed; this only tells a person early that the
//! disk has lost something. Results that were released are their deliverer's.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::SyncSender;

use push0_core::{Digest, ReleaseNumber, Scheduler, TaskId, TaskState};
use push0_dispatch::{ReadError, Store};

use super::News;
use crate::engine::{EngineGone, Handle};

/// Reads the accepted results, and tells of each that is not what it was.
pub(super) fn inspect(
    handle: &Handle,
    store: &Store,
    teller: &SyncSender<News>,
) -> Result<(), EngineGone> {
    for (task, output) in handle.look(|scheduler, _| results(scheduler))? {
        let read = store.copy(output, &mut io::sink());
        if matches!(read, Err(ReadError::Missing { .. } | ReadError::Damaged { .. })) {
            let _ = teller.send(News::Unsound(task)); // the run may be over
        }
    }
    Ok(())
}

/// The results that are kept, as many as may be read at a start.
fn results(scheduler: &Scheduler) -> Vec<(TaskId, Digest)> {
    let releases = scheduler.releases(ReleaseNumber(0)).iter();
    let released: BTreeSet<_> = releases.flat_map(|release| &release.tasks).collect();
    let accepted = scheduler
        .tasks()
        .filter(|(id, task)| task.state == TaskState::Accepted && !released.contains(id));
    let mut bytes = 0;
    let results = accepted.filter_map(|(id, task)| Some((*id, &task.result.as_ref()?.what)));
    let read = results.take_while(|(_, result)| {
        bytes += result.bytes;
        bytes <= BYTES_MAX
    });
    read.map(|(id, result)| (id, result.output)).collect()
}

/// What is read of a store at a start: a second or two from a disk.
const BYTES_MAX: u64 = 1 << 30;
