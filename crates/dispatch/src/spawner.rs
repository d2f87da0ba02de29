//! The thread that starts every process, and does nothing else.
//!
//! The kernel ends a prover with the *thread* that started it, so this one lives as long as the dispatcher. Whoever
//! starts a process waits until it runs its program, or cannot; on a disk that hangs that is for ever, and the
//! thread that owns deadlines must not wait with it.
//!
//! Not here: what is started (`process`).

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use tokio::sync::oneshot;

use crate::sys;

/// The thread, for as long as this is.
#[derive(Debug)]
pub(crate) struct Spawner(SyncSender<Job>);

type Job = Box<dyn FnOnce() + Send>;

/// It starts nothing more: it hangs, with as much before this as it may have.
#[derive(Debug, thiserror::Error)]
#[error("the thread that starts programs hangs: is the disk of some program away?")]
pub(crate) struct Hangs;

impl Spawner {
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(JOBS_MAX);
        thread::Builder::new().name("spawn".to_owned()).spawn(move || {
            sys::shorten_time_slice();
            waiting.iter().for_each(|job| job());
        })?;
        Ok(Self(jobs))
    }

    /// Has work done on that thread. If this is given up, the work may still be done, and what it made is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Hangs> {
        let (done, made) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let job = move || {
            let _runtime = runtime.enter();
            if !done.is_closed() {
                let _ = done.send(work());
            }
        };
        self.0.try_send(Box::new(job)).map_err(|_| Hangs)?;
        made.await.map_err(|_| Hangs)
    }
}

/// More than attempts that can wait for a process at once.
const JOBS_MAX: usize = 8192;
