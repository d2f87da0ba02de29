//! The facts of a cluster for a command that shows them: read from its log, as a reader. No engine
//! is asked.
//!
//! Not here: a copy of the state (`replica`).

use std::time::{Duration, Instant};

use push0_core::{Scheduler, Turn};
use push0_dispatch::{Access, Store};
use push0_log::{Follower, NatsLog, ReadError};

use super::error::ClusterError;
use super::owned::owned;
use super::replica::Replica;
use super::role::Role;
use super::serve::runtime;
use super::settings::ClusterArgs;
use super::threads::Threads;

/// A log that is read.
pub(crate) struct Facts {
    runtime: Threads,
    log: NatsLog,
    follower: Follower,
}

impl Facts {
    /// Opens the log.
    pub(crate) fn open(args: &ClusterArgs) -> Result<Self, ClusterError> {
        if !args.is_given() {
            return Err(ClusterError::Nowhere);
        }
        let settings = args.settings(Role::Reader, "push0-log")?;
        let runtime = runtime()?;
        let log = runtime.block_on(NatsLog::open(&settings.nats))?;
        let follower = log.follow(log.start().clone());
        Ok(Self { runtime, log, follower })
    }

    /// Gives `each` all turns that the log had when it was opened.
    pub(crate) fn read(&mut self, each: &mut dyn FnMut(Turn)) -> Result<(), ClusterError> {
        let (end, mut heard) = (self.log.position().last(), Instant::now());
        while self.follower.position().last() < end {
            if self.wait(STEP, each)? {
                heard = Instant::now();
            } else if heard.elapsed() >= SILENT_MAX {
                return Err(ClusterError::LogSilent);
            }
        }
        Ok(())
    }

    /// Gives `each` the turns that have come, or that come within `wait`; whether there were any. A
    /// log that does not answer gives none.
    pub(crate) fn wait(
        &mut self,
        wait: Duration,
        each: &mut dyn FnMut(Turn),
    ) -> Result<bool, ClusterError> {
        let began = Instant::now();
        match self.runtime.block_on(self.follower.next(wait)) {
            Err(ReadError::Unavailable(_)) => {
                std::thread::sleep(wait.saturating_sub(began.elapsed()));
                Ok(false)
            }
            turns => {
                let turns = turns?;
                let came = !turns.is_empty();
                turns.into_iter().for_each(each);
                Ok(came)
            }
        }
    }
}

/// What a cluster's log leads to, and the store that it refers to.
pub(crate) fn recorded(args: &ClusterArgs) -> Result<(Scheduler, Store), ClusterError> {
    if !args.is_given() {
        return Err(ClusterError::Nowhere);
    }
    let settings = args.settings(Role::Reader, "push0-artifacts")?;
    let store = settings.store(Access::Read)?;
    let scheduler = runtime()?.block_on(async {
        let mut replica = Replica::open(&settings.nats).await?;
        replica.catch_up().await?;
        owned(&store, &replica.log.id().to_string())?;
        Ok::<_, ClusterError>(replica.take_over().1)
    })?;
    Ok((scheduler, store))
}

/// How long one answer of the log is waited for.
const STEP: Duration = Duration::from_millis(200);

/// How long the log may give nothing of what it has. A consumer that is silent is another's turn
/// after four seconds.
const SILENT_MAX: Duration = Duration::from_secs(20);
