//! A thread for small files that nobody waits for, written in order.
//!
//! A disk that hangs holds this thread, and no other. What does not fit in its queue by then is
//! left out: all of it is best effort, and its readers know.
//!
//! Not here: work that an attempt waits for (`folder::blocking`).

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The thread. Dropped, it has a moment for what is left.
#[derive(Debug)]
pub(crate) struct Aside {
    jobs: Option<SyncSender<Job>>,
    /// Ends with the thread.
    end: Mutex<Receiver<()>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Aside {
    /// Starts it. What is more than `jobs_max` at once is left out.
    pub(crate) fn start(name: &str, jobs_max: usize) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(jobs_max);
        let (ended, end) = channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ended = ended;
            waiting.iter().for_each(|job| job());
        })?;
        Ok(Self { jobs: Some(jobs), end: Mutex::new(end) })
    }

    /// Has work done after all that was asked for before; whether it will be.
    pub(crate) fn run(&self, work: impl FnOnce() + Send + 'static) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(Box::new(work)).is_ok())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.jobs = None;
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = end.recv_timeout(LAST_WORK); // disconnected, once all is done
    }
}

/// Small files that wait to be written: two for each result in hand, and more.
pub(crate) const FILES_MAX: usize = 4096;

/// How long a disk that hangs is waited for at the end.
const LAST_WORK: Duration = Duration::from_secs(2);
