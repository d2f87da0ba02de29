//! The deliverer: writes the file of each release, in order, at least once.
//!
//! The feed is read by cursor, from its beginning at every start: a file that is there and right is left
//! alone, one that is missing or damaged is written again.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use push0_core::{ReleaseNumber, Scheduler, TaskId, TaskState};
use push0_dispatch::Store;

use super::News;
use super::error::RunError;
use crate::programs::Programs;
use crate::publish::{self, Publication, PublishError, Published};

/// What became of a release.
pub(crate) enum Delivered {
    /// Its file is durable.
    Written(ReleaseNumber, Vec<Published>),
    /// A result is not in the store any more, or damaged there.
    Missing(ReleaseNumber, TaskId),
    /// It cannot be delivered.
    Failed(RunError),
}

/// Hands releases to the thread that writes them.
pub(super) struct Deliverer {
    cursor: ReleaseNumber,
    queue: SyncSender<(ReleaseNumber, Publication)>,
}

/// What is released after `cursor` and can be published now, oldest first, as far as the queue may have room.
pub(super) fn due(
    scheduler: &Scheduler,
    cursor: ReleaseNumber,
) -> Vec<(ReleaseNumber, Publication)> {
    let has_result =
        |task: &TaskId| scheduler.task(task).is_some_and(|task| task.state == TaskState::Accepted);
    let releases = scheduler.releases(cursor).iter().take(QUEUE_MAX);
    let there = releases.take_while(|release| release.tasks.iter().all(has_result));
    let publications = there
        .map_while(|release| Some((release.number, Publication::collect(scheduler, release)?)));
    publications.collect()
}

impl Deliverer {
    pub(super) fn start(
        store: Store,
        programs: Programs,
        cache: PathBuf,
        out: PathBuf,
        teller: SyncSender<News>,
    ) -> Result<Self, RunError> {
        let (queue, queued) = sync_channel(QUEUE_MAX);
        let publish = move |publication: &Publication| {
            publish::publish(publication, &store, &programs, Some(&cache), &out)
        };
        super::spawn("deliverer", move || deliver(&queued, publish, &teller))?;
        Ok(Self { cursor: ReleaseNumber(0), queue })
    }

    /// The last release that was handed over.
    pub(super) const fn cursor(&self) -> ReleaseNumber {
        self.cursor
    }

    /// Hands over what the queue has room for.
    pub(super) fn hand(&mut self, due: Vec<(ReleaseNumber, Publication)>) {
        for (number, publication) in due {
            match self.queue.try_send((number, publication)) {
                Ok(()) => self.cursor = number,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return,
            }
        }
    }

    /// Has `number`, and what follows it, handed over again.
    pub(super) fn rewind(&mut self, number: ReleaseNumber) {
        self.cursor = self.cursor.min(ReleaseNumber(number.0 - 1));
    }
}

fn deliver(
    queued: &Receiver<(ReleaseNumber, Publication)>,
    publish: impl Fn(&Publication) -> Result<Vec<Published>, PublishError>,
    teller: &SyncSender<News>,
) {
    while let Ok((number, publication)) = queued.recv() {
        let delivered = match publish(&publication) {
            Ok(published) => Delivered::Written(number, published),
            Err(PublishError::ProofLost { task, .. }) => Delivered::Missing(number, task),
            Err(error) => Delivered::Failed(RunError::Deliver(error)),
        };
        if teller.send(News::Delivered(delivered)).is_err() {
            return;
        }
    }
}

/// Releases on their way to their files.
const QUEUE_MAX: usize = 64;
