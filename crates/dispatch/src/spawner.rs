//! The thread that starts every process, and does nothing else.
//!
//! The kernel ends a prover with the *thread* that started it, so this one lives as long as the
//! dispatcher. Whoever starts a process waits until it runs its program, or cannot; on a disk that
//! hangs that is for ever, and the thread that owns deadlines must not wait with it.
//!
//! A start that hangs costs its own program alone: another thread takes over what waits, and of
//! that program nothing is started until the first start has ended. One thread is at work at a
//! time: of two that start processes at once, one's pipes would be held open by the other's child
//! until that runs its program.
//!
//! Not here: what is started (`process`).

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::sys;

/// The threads, for as long as this is.
#[derive(Debug)]
pub(crate) struct Spawner {
    shared: Arc<Shared>,
    /// A start that takes longer hangs.
    hangs: Duration,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unstarted {
    /// Stop offering the program for a while.
    #[error("its start does not end: is the disk away that it is on?")]
    Hangs,
    /// Try again.
    #[error("too many programs wait to be started")]
    Full,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Which program the thread at work starts, and since when.
    in_hand: Option<(String, Instant)>,
    /// Programs of which a start hangs.
    hung: BTreeSet<String>,
    /// The thread at work.
    at_work: usize,
    /// Those that were replaced, and hang no more: what they have started lives as long as they do.
    idle: Vec<usize>,
    threads: usize,
    is_over: bool,
}

struct Job {
    program: String,
    work: Box<dyn FnOnce() + Send>,
}

impl Spawner {
    pub(crate) fn start() -> io::Result<Self> {
        Self::start_with(HANGS)
    }

    fn start_with(hangs: Duration) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        shared.lock().threads = 1;
        Shared::serve(&shared, 0)?;
        Ok(Self { shared, hangs })
    }

    /// Has work done that starts a program. If this is given up, the work may still be done, and
    /// what it made is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        program: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unstarted> {
        let (done, made) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let _runtime = runtime.enter();
            if !done.is_closed() {
                let _ = done.send(work());
            }
        };
        self.shared.add(Job { program: program.to_owned(), work: Box::new(work) })?;
        let mut made = pin!(made);
        loop {
            match timeout(self.hangs / LOOKS, &mut made).await {
                Ok(made) => return made.map_err(|_| Unstarted::Hangs),
                Err(_) => Shared::look(&self.shared, self.hangs),
            }
            if self.shared.lock().hung.contains(program) {
                return Err(Unstarted::Hangs);
            }
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_over = true;
        state.waiting.clear();
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// Starts a thread, which does what waits while it is the one at work.
    fn serve(shared: &Arc<Self>, own: usize) -> io::Result<()> {
        let shared = Arc::clone(shared);
        let body = move || {
            sys::shorten_time_slice();
            while let Some(Job { program, work }) = shared.next(own) {
                work();
                shared.ended(own, &program);
            }
        };
        thread::Builder::new().name("spawn".to_owned()).spawn(body).map(drop)
    }

    fn add(&self, job: Job) -> Result<(), Unstarted> {
        let mut state = self.lock();
        if state.hung.contains(&job.program) {
            return Err(Unstarted::Hangs);
        }
        if state.waiting.len() >= JOBS_MAX {
            return Err(Unstarted::Full);
        }
        state.waiting.push_back(job);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// What the thread `own` is to do; none once all is over.
    fn next(&self, own: usize) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            if state.at_work == own
                && let Some(job) = state.waiting.pop_front()
            {
                state.in_hand = Some((job.program.clone(), Instant::now()));
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn ended(&self, own: usize, program: &str) {
        let mut state = self.lock();
        if state.at_work == own {
            state.in_hand = None;
        } else {
            state.hung.remove(program);
            state.idle.push(own);
        }
    }

    /// Puts another thread to work where the one that is hangs. What waits of the same program is
    /// not started.
    fn look(shared: &Arc<Self>, hangs: Duration) {
        let mut state = shared.lock();
        let Some((program, _)) = state.in_hand.take_if(|(_, since)| since.elapsed() >= hangs)
        else {
            return;
        };
        let other = state.idle.pop().or_else(|| {
            let other = state.threads;
            let is_started = other < THREADS_MAX && Self::serve(shared, other).is_ok();
            is_started.then(|| {
                state.threads += 1;
                other
            })
        });
        let Some(other) = other else {
            state.in_hand = Some((program, Instant::now())); // looked at again
            return;
        };
        state.at_work = other;
        state.waiting.retain(|job| job.program != program);
        state.hung.insert(program);
        drop(state);
        shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("program", &self.program).finish_non_exhaustive()
    }
}

/// More than attempts that can wait for a process at once.
const JOBS_MAX: usize = 8192;

/// Programs that may hang at once, and one more. If as many do, the machine's disks are away.
const THREADS_MAX: usize = 33;

/// A start that takes longer hangs. On a busy machine one takes a second or so.
const HANGS: Duration = Duration::from_secs(10);

/// How often each that waits looks within that.
const LOOKS: u32 = 20;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn a_start_that_hangs_costs_its_own_program_alone_and_only_while_it_hangs() {
        let spawner = Spawner::start_with(Duration::from_millis(100)).expect("a thread");
        for _ in 0..3 {
            let (go, hung) = channel::<()>();
            let hangs = spawner.run("away", move || hung.recv().is_ok());
            let (hangs, other) = tokio::join!(hangs, spawner.run("other", || 7));
            assert!(matches!(hangs, Err(Unstarted::Hangs)), "{hangs:?}");
            assert_eq!(other.expect("it is started"), 7);
            let again = spawner.run("away", || ()).await;
            assert!(matches!(again, Err(Unstarted::Hangs)), "{again:?}");
            go.send(()).expect("it waits");
            while spawner.shared.lock().idle.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            spawner.run("away", || ()).await.expect("it is back");
        }
        let state = spawner.shared.lock();
        assert_eq!((state.threads, state.hung.len()), (2, 0), "one took over from the other");
    }
}
