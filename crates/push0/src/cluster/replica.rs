//! A copy of the state, kept up with the log: what a standby and a reader have.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use push0_core::{Event, Scheduler, Seq, Timestamp, Turn};
use push0_engine::ReadOutcome;
use push0_log::{Follower, NatsConfig, NatsLog, ReadError};

use super::error::ClusterError;
use crate::data::Replay;
use crate::telemetry::Passing;
use crate::tell;

/// A log that is followed, and what it has led to so far.
pub(super) struct Replica {
    pub(super) log: NatsLog,
    follower: Follower,
    replay: Replay,
    /// When releases were recalled, by position: so many as operators have discarded results.
    recalled: BTreeMap<Seq, Timestamp>,
    is_short_told: bool,
    /// What the log has shown in passing, for metrics.
    passing: Option<Passing>,
}

impl Replica {
    pub(super) async fn open(nats: &NatsConfig) -> Result<Self, ClusterError> {
        let log = NatsLog::open(nats).await?;
        let follower = log.follow(log.start().clone());
        let (replay, recalled) = (Replay::new(), BTreeMap::new());
        Ok(Self { log, follower, replay, recalled, is_short_told: false, passing: None })
    }

    /// Notes what the log shows in passing. From its beginning, so before anything is read.
    pub(super) fn follow_passing(&mut self) {
        self.passing = Some(Passing::default());
    }

    /// What it has shown.
    pub(super) fn take_passing(&mut self) -> Passing {
        self.passing.take().unwrap_or_default()
    }

    /// Reads what is there, or waits for more; answers whether there was any.
    ///
    /// # Errors
    ///
    /// That it is not legal, or that it cannot be read; [`ReadError::Unavailable`] is none.
    pub(super) async fn go_on(&mut self, wait: Duration) -> Result<ReadOutcome, ClusterError> {
        self.log.stands()?;
        let turns = self.follower.next(wait).await;
        self.tell_short();
        let turns = match turns {
            Err(ReadError::Unavailable(_)) => return Ok(ReadOutcome::Silence),
            turns => turns?,
        };
        self.log.saw(self.follower.position());
        for turn in &turns {
            self.replay.turn(turn);
            if let Some(passing) = &mut self.passing {
                passing.follow(turn);
            }
            self.recalled.extend(recalls(turn));
        }
        if let Some(illegal) = self.replay.illegal() {
            return Err(illegal.clone().into());
        }
        Ok(if turns.is_empty() { ReadOutcome::Nothing } else { ReadOutcome::Turns })
    }

    /// Says so where the servers make no consumer, and when they do again.
    fn tell_short(&mut self) {
        let short = self.follower.short_of_consumers();
        if short.is_some() == std::mem::replace(&mut self.is_short_told, short.is_some()) {
            return;
        }
        match short {
            Some(why) => tell::warn(format_args!(
                "the servers make no consumer of the log ({why}): it is read record by record, which is slower; see \
                 who has made so many (nats consumer ls), or raise max_consumers"
            )),
            None => tell::info("the servers make consumers of the log again: it is read as usual"),
        }
    }

    /// Reads on until all is read that the log had when it was opened. What has come since does not
    /// hold it up, and an answer that takes its time is not taken for the log's end.
    ///
    /// # Errors
    ///
    /// As [`go_on`](Self::go_on), and [`ClusterError::LogSilent`].
    pub(super) async fn catch_up(&mut self) -> Result<(), ClusterError> {
        let end = self.log.position().last();
        let mut heard = Instant::now();
        while self.follower.position().last() < end {
            match self.go_on(STEP).await? {
                ReadOutcome::Turns => heard = Instant::now(),
                ReadOutcome::Nothing if heard.elapsed() < SILENT_MAX => {}
                ReadOutcome::Nothing | ReadOutcome::Silence => return Err(ClusterError::LogSilent),
            }
        }
        Ok(())
    }

    /// The sequence of the last message that was read.
    pub(super) const fn message(&self) -> u64 {
        self.follower.position().message()
    }

    /// Whether all was read that the log has; not, where that cannot be told.
    pub(super) async fn is_at_end(&self) -> bool {
        self.log.ends_at(self.follower.position()).await.unwrap_or(false)
    }

    /// The position of the last event that was read.
    pub(super) const fn last(&self) -> Seq {
        self.follower.position().last()
    }

    /// When releases were recalled by the event at this position; none where that is another one.
    pub(super) fn recalled_at(&self, position: Seq) -> Option<Timestamp> {
        self.recalled.get(&position).copied()
    }

    pub(super) const fn scheduler(&self) -> &Scheduler {
        self.replay.scheduler()
    }

    /// What it was asked to prove, as the log has it.
    pub(super) const fn spec(&self) -> Option<&push0_core::PipelineSpec> {
        self.replay.spec()
    }

    /// The log, to append behind what was read, and the state.
    pub(super) fn take_over(mut self) -> (NatsLog, Scheduler) {
        self.log.go_on_from(self.follower.position());
        (self.log, self.replay.into_scheduler())
    }
}

/// The positions of events of the turn that recall something, and when.
fn recalls(turn: &Turn) -> impl Iterator<Item = (Seq, Timestamp)> {
    let is_recall =
        |event: &Event| matches!(event, Event::Discarded { released, .. } if !released.is_empty());
    let placed = (turn.first.0..).zip(&turn.events);
    placed.filter(move |(_, event)| is_recall(event)).map(|(seq, _)| (Seq(seq), turn.at))
}

const STEP: Duration = Duration::from_millis(200);

/// How long the log may give nothing of what it has. A consumer that is silent is another's turn
/// after four seconds.
const SILENT_MAX: Duration = Duration::from_secs(20);
