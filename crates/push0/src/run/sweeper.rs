//! The sweeper: removes from time to time what nothing refers to.

use std::io;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use push0_core::Scheduler;
use push0_dispatch::Store;

use super::News;
use super::error::RunError;
use crate::engine::{Gone, Handle};
use crate::sweep::{grace, sweep};

/// Starts the sweeper, which ends with the engine.
pub(crate) fn start(
    store: Store,
    handle: Handle,
    teller: SyncSender<News>,
) -> Result<(), RunError> {
    super::spawn("sweeper", move || {
        let mut due = Instant::now();
        while !handle.has_ended() {
            if Instant::now() < due {
                std::thread::sleep(LOOK);
                continue;
            }
            due = Instant::now() + PAUSE;
            match once(&store, &handle) {
                Ok(news) => {
                    if news.is_some_and(|news| teller.send(news).is_err()) {
                        return;
                    }
                }
                Err(Stopped::Gone) => return,
                Err(Stopped::Disk(error)) => {
                    let news = News::Note(format!("warning: the store was not swept: {error}"));
                    if teller.send(news).is_err() {
                        return;
                    }
                }
            }
        }
    })
    .map(drop)
}

/// Why nothing was swept.
enum Stopped {
    Gone,
    Disk(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<Gone> for Stopped {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

fn once(store: &Store, handle: &Handle) -> Result<Option<News>, Stopped> {
    let grace = handle.look(|scheduler, _| grace(scheduler.pipeline()))?;
    let swept = sweep(store, grace, || {
        // The engine waits meanwhile: no more than the digests.
        let referred =
            |scheduler: &Scheduler| scheduler.references().map(|it| it.artifact).collect();
        Ok::<_, Stopped>(handle.look(move |scheduler, _| referred(scheduler))?)
    })?;
    Ok((swept.files > 0).then(|| {
        let (files, kib) = (swept.files, swept.bytes.div_ceil(1 << 10));
        News::Note(format!("swept: {files} artifacts that nothing refers to, {kib} KiB"))
    }))
}

/// From one sweep to the next.
const PAUSE: Duration = Duration::from_secs(600);

/// How often it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);
