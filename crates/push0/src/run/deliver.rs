//! The deliverer: writes the file of each release, in order, at least once.
//!
//! The feed is read by cursor, from its beginning at every start: a file that is there and right is
//! left alone, one that is missing or damaged is written again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use push0_core::{ReleaseNumber, Scheduler, TaskId, TaskState};
use push0_dispatch::Store;

use super::News;
use super::error::RunError;
use crate::programs::Programs;
use crate::publish::{self, Delivery, Publication, PublishError};
use crate::tell::Repeats;

/// What became of a release.
pub(crate) enum Delivered {
    /// Its file is durable.
    Written(ReleaseNumber, Delivery),
    /// A result is not in the store any more, or damaged there.
    Missing(ReleaseNumber, TaskId),
    /// It could not be delivered; it may later.
    Failed(ReleaseNumber, PublishError),
}

/// Hands releases to the thread that writes them.
pub(super) struct Deliverer {
    cursor: ReleaseNumber,
    /// Failures in a row, the last of them, and until when nothing is handed over for them.
    failures: u32,
    troubles: Repeats,
    failure: Option<PublishError>,
    paused: Instant,
    /// None once no other file is to be begun.
    queue: Option<SyncSender<(ReleaseNumber, Publication)>>,
    /// Whether no other file is begun.
    stops: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// The first `room` releases after `cursor` that can be published now, oldest first.
pub(crate) fn due(
    scheduler: &Scheduler,
    cursor: ReleaseNumber,
    room: usize,
) -> Vec<(ReleaseNumber, Publication)> {
    let has_result =
        |task: &TaskId| scheduler.task(task).is_some_and(|task| task.state == TaskState::Accepted);
    let releases = scheduler.releases(cursor).iter().take(room);
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
        let stops = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stops);
        let thread = super::spawn("deliverer", move || deliver(&queued, publish, &teller, &told))?;
        Ok(Self {
            cursor: ReleaseNumber(0),
            failures: 0,
            troubles: Repeats::default(),
            failure: None,
            paused: Instant::now(),
            queue: Some(queue),
            stops,
            thread,
        })
    }

    /// Has no other file begun. The one that is being written is written.
    pub(super) fn stop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        self.queue = None;
    }

    /// Whether nothing is being written any more, and all that was is told.
    pub(super) fn has_stopped(&self) -> bool {
        self.thread.is_finished()
    }

    /// The last release that was handed over.
    pub(super) const fn cursor(&self) -> ReleaseNumber {
        self.cursor
    }

    /// How many releases may be handed over now, where so many are written.
    pub(super) fn room(&self, written: usize) -> usize {
        let queued = usize::try_from(self.cursor.0).unwrap_or(usize::MAX).saturating_sub(written);
        match Instant::now() >= self.paused {
            true => QUEUE_MAX.saturating_sub(queued),
            false => 0,
        }
    }

    /// Notes a failure, tells it, and has `number` handed over again after a while.
    ///
    /// # Errors
    ///
    /// A failure that no time mends.
    pub(super) fn failed(
        &mut self,
        number: ReleaseNumber,
        error: PublishError,
    ) -> Result<(), RunError> {
        match error {
            PublishError::Store { .. }
            | PublishError::NoVerdict { .. }
            | PublishError::Write { .. } => {}
            PublishError::ProofLost { .. }
            | PublishError::NoVerifier { .. }
            | PublishError::Refused { .. }
            | PublishError::Disagrees { .. }
            | PublishError::MockNotAllowed { .. }
            | PublishError::OtherPipeline { .. }
            | PublishError::Occupied { .. } => return Err(RunError::Deliver(error)),
        }
        self.failures += 1;
        let pause = (PAUSE_MIN * 2_u32.saturating_pow(self.failures - 1)).min(PAUSE_MAX);
        self.paused = Instant::now() + pause;
        self.rewind(number);
        self.troubles.fails(&format!("{error}; it is tried again"));
        self.failure = (self.failures >= FAILURES_MAX).then_some(error);
        Ok(())
    }

    /// Notes that a release was written.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.failure = None;
        self.troubles.works("final proofs can be written again");
    }

    /// The failure that was tried again often enough to give up, where there is nothing else to do.
    pub(super) fn take_failure(&mut self) -> Option<RunError> {
        self.failure.take().map(RunError::Deliver)
    }

    /// Hands over what the queue has room for.
    pub(super) fn hand(&mut self, due: Vec<(ReleaseNumber, Publication)>) {
        let Some(queue) = &self.queue else { return };
        for (number, publication) in due {
            match queue.try_send((number, publication)) {
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
    publish: impl Fn(&Publication) -> Result<Delivery, PublishError>,
    teller: &SyncSender<News>,
    stops: &AtomicBool,
) {
    while let Ok((number, publication)) = queued.recv() {
        if stops.load(Ordering::Relaxed) {
            return;
        }
        let delivered = match publish(&publication) {
            Ok(delivery) => Delivered::Written(number, delivery),
            Err(PublishError::ProofLost { task, .. }) => Delivered::Missing(number, task),
            Err(error) => Delivered::Failed(number, error),
        };
        if teller.send(News::Delivered(delivered)).is_err() {
            return;
        }
    }
}

/// Between a failure and the next try; it doubles with each.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Failures in a row after which a run gives up that has nothing else to do: half a minute's worth.
const FAILURES_MAX: u32 = 5;

/// Releases on their way to their files.
const QUEUE_MAX: usize = 64;
