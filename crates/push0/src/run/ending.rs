//! How a run ends: what is under way is heard out, provers end, then the engine. Each wait has a
//! bound.
//!
//! Not here: when a run is over (`verdict`), and what is said of it (`summary`).

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::deliver::Delivered;
use super::error::RunError;
use super::standing::Standing;
use super::{News, Run, TICK};
use crate::engine::{EngineError, EngineGone};
use crate::tell;

impl Run {
    fn last_look(&self) -> Result<Standing, EngineGone> {
        let sight = self.handle.begin_look(Standing::of)?;
        let until = Instant::now() + LAST_LOOK;
        loop {
            match sight.recv_timeout(TICK) {
                Ok(standing) => return Ok(standing),
                Err(RecvTimeoutError::Disconnected) => return Err(EngineGone),
                Err(RecvTimeoutError::Timeout) if Instant::now() > until || self.ground.hangs() => {
                    return Err(EngineGone);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Takes what is under way: what provers have reported, and the files that are being written.
    fn hear_out(&mut self) {
        let until = Instant::now() + HEARD_OUT_MAX;
        let is_heard = |run: &Self| {
            let is_written = run.deliverer.cursor().0 <= run.published.len() as u64;
            run.reports.is_finished() && (is_written || run.interrupts > 1)
        };
        while !is_heard(self) && Instant::now() < until {
            match self.news.recv_timeout(TICK) {
                Ok(News::Delivered(Delivered::Written(number, delivery))) => {
                    self.published.insert(number, delivery.published);
                }
                Ok(News::Seen(seen)) => tell::tell(&seen.lines),
                Ok(News::Interrupted) => self.interrupts += 1,
                Ok(News::Delivered(Delivered::Failed(..) | Delivered::Missing(..))) => return,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Ends provers, then the engine, in this order: what the provers still report is recorded, and
    /// counted.
    pub(super) fn end(&mut self) -> Result<Standing, RunError> {
        let mut standing = self.last_look();
        let _ = self.handle.drain(); // what is given back is not given out again
        if let Some(dispatcher) = self.dispatcher.take() {
            dispatcher.shutdown(STOP_GRACE);
        }
        if standing.is_ok() {
            self.hear_out();
            standing = self.last_look().or(standing);
        }
        self.handle.stop();
        self.deliverer.stop();
        let failed = self.end_engine()?;
        self.hear_written();
        match failed {
            Some(error) => Err(RunError::Engine(error)),
            None => Ok(standing?),
        }
    }

    /// Takes the file that is being written: what is listed at the end is all that was written.
    fn hear_written(&mut self) {
        let until = Instant::now() + LAST_FILE_MAX;
        while Instant::now() < until {
            let has_stopped = self.deliverer.has_stopped();
            match self.news.recv_timeout(LAST_FILE_LOOK) {
                Ok(News::Delivered(Delivered::Written(number, delivery))) => {
                    self.published.insert(number, delivery.published);
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) if !has_stopped => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Waits until the engine has ended, and answers why, if it failed. One whose log's disk hangs
    /// is left behind: what it has not recorded is no more than what a kill leaves out.
    fn end_engine(&mut self) -> Result<Option<EngineError>, RunError> {
        let Some(engine) = self.engine.take() else { return Ok(None) };
        let (mut failed, began) = (None, Instant::now());
        while !engine.is_finished() {
            // Its last news must find room, or it would wait for us for ever.
            match self.news.recv_timeout(TICK) {
                Ok(News::EngineEnded(Err(error))) => failed = Some(error),
                Ok(News::Interrupted) => self.interrupts += 1,
                Ok(News::Delivered(Delivered::Written(number, delivery))) => {
                    self.published.insert(number, delivery.published);
                }
                Ok(_) | Err(_) => {}
            }
            let is_late = began.elapsed() > ENGINE_END_MAX && self.ground.hangs();
            if is_late || began.elapsed() > ENGINE_END_LAST {
                // To remove it is to ask the same disk; the next start does so.
                std::mem::forget(self._socket.take());
                return Err(RunError::Hangs { log: self.ground.log() });
            }
        }
        let _ = engine.join(); // a panic there has ended the process
        Ok(failed)
    }
}

/// For provers that are stopped while they work, or kept warm when all is done.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How long the last look is waited for: an engine whose disk is full does not answer.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// How long an engine that is told to end is waited for, where the disk of its log hangs.
const ENGINE_END_MAX: Duration = Duration::from_secs(1);

/// How long it is waited for at most: a disk that still answers writes what an engine has in hand
/// within it.
const ENGINE_END_LAST: Duration = Duration::from_secs(60);

/// How long the file that is being written is waited for: a verifier that takes longer is ended
/// with this process, before there is a file.
const LAST_FILE_MAX: Duration = Duration::from_secs(1);

/// From one look for it to the next.
const LAST_FILE_LOOK: Duration = Duration::from_millis(5);

/// How long what is under way is waited for at the end: a verifier that takes longer is started
/// again by the next run.
const HEARD_OUT_MAX: Duration = Duration::from_secs(5);
