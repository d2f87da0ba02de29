//! The engine in its surroundings: the one task that owns the log, the clock and `push0_engine`,
//! and carries between them.
//!
//! Everything that changes state passes through one task, so there is no lock, and no await between
//! a decision and the record of it. Where an append is a round trip (NATS), the engine goes on
//! deciding meanwhile, up to a bound; what it has decided then shares the next append.
//!
//! ```text
//!   inbox ──▶ push0_engine ──▶ log ──landed──▶ push0_engine ──▶ verdicts, answers, cancels, releases
//!                  └──▶ grants, at once
//! ```
//!
//! Not here: what is decided and what leaves when (`push0_engine`), what durable means
//! (`push0_log`), and who reads what comes out (`run`).

mod handle;
mod ports;
mod tells;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use push0_core::{IllegalEvent, Scheduler, Seq, Timestamp};
use push0_engine::{Durable, Output, Refused, Room, Settings};
use push0_log::{AppendError, Log};
use tokio::sync::{mpsc, watch};

use self::handle::{EngineRequest, Replies};
pub use handle::{EngineGone, Handle};
pub use ports::{Ports, Post, TurnReport};
pub use push0_engine::{Admission, ROOM_WAIT};
pub(crate) use tells::{is_short, raise, used};

use crate::clock::Clock;
use crate::tell::Repeats;

/// The scheduler with its log and clock.
pub struct Engine<L> {
    engine: push0_engine::Engine<Replies>,
    log: L,
    clock: Clock,
    inbox: mpsc::Receiver<EngineRequest>,
    ports: Ports,
    pulse: watch::Sender<Seq>,
    rooms: watch::Sender<Option<push0_log::Room>>,
    /// Set once it is to end though its log has no room.
    is_stopping: Arc<AtomicBool>,
    /// Whether it was told to end.
    is_over: bool,
    /// Whether nobody is left to ask it anything.
    is_alone: bool,
    /// What people know of a log that takes nothing.
    troubles: Repeats,
    /// Turns that nobody was shown since the last that somebody was.
    missed: u64,
}

/// Why the engine ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// As the [`AppendError`] says. Whatever was decided since is not believed.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A bug in push0: what was decided could not be applied. Nothing of it was recorded.
    #[error("a decision does not fit the state: {0}")]
    Bug(#[from] IllegalEvent),
}

impl<L: Log> Engine<L> {
    /// An engine over a scheduler that holds all of `log`, and the handle to ask it with.
    #[must_use]
    pub fn new(scheduler: Scheduler, log: L, ports: Ports) -> (Self, Handle) {
        let (sender, inbox) = mpsc::channel(INBOX_MAX);
        let (pulse, watched) = watch::channel(scheduler.last());
        let (rooms, room) = watch::channel(log.room());
        let is_stopping = Arc::new(AtomicBool::new(false));
        let clock = Clock::start(scheduler.now());
        let (record_bytes_max, durable) = (log.record_bytes_max(), log.last());
        let settings = Settings { record_bytes_max, durable, tells: ports.lines };
        let engine = Self {
            engine: push0_engine::Engine::new(scheduler, settings),
            log,
            clock,
            inbox,
            ports,
            pulse,
            rooms,
            is_stopping: Arc::clone(&is_stopping),
            is_over: false,
            is_alone: false,
            troubles: Repeats::default(),
            missed: 0,
        };
        (engine, Handle::new(sender, watched, room, is_stopping))
    }

    /// Runs until it is told to stop, or every handle is dropped; then ends the log cleanly.
    ///
    /// # Errors
    ///
    /// The [`EngineError`] that ended it before.
    pub async fn run(mut self) -> Result<(), EngineError> {
        let mut batch = Vec::new();
        while !(self.is_over || self.is_alone && !self.engine.has_requests()) {
            let now = self.clock.now();
            let (takes, due) = (self.engine.takes(now), self.due());
            tokio::select! {
                biased; // the default order is random
                landed = self.log.landed(), if self.engine.is_appending(now) => {
                    self.landed(landed).await?;
                }
                received = self.inbox.recv_many(&mut batch, takes), if takes > 0 && !self.is_alone => {
                    self.is_alone = received == 0;
                    self.hand_in(&mut batch);
                    self.go_on().await?;
                }
                () = sleep_until(due) => self.go_on().await?,
            }
        }
        self.end().await
    }

    /// When the engine has something to do though nobody asks.
    fn due(&self) -> Option<Instant> {
        self.engine.poll_timeout().map(|due| self.clock.instant(due))
    }

    fn hand_in(&mut self, batch: &mut Vec<EngineRequest>) {
        for asked in batch.drain(..) {
            match asked {
                EngineRequest::Engine(request) => self.engine.handle_request(request),
                EngineRequest::Departed(dispatcher, at) => {
                    let ago = u64::try_from(at.elapsed().as_micros()).unwrap_or(u64::MAX);
                    let since = Timestamp(self.clock.now().0.saturating_sub(ago));
                    let request = push0_engine::Request::Departed(dispatcher, since);
                    self.engine.handle_request(request);
                }
                EngineRequest::Stop => self.is_over = true,
            }
        }
    }

    /// Takes a turn where one is due, lets its grants go, and begins to append it. What else it
    /// allows leaves once it is durable.
    async fn go_on(&mut self) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.look_at_room(now);
        let is_turn = self.engine.handle_timeout(now, &mut ())?;
        self.probe().await?;
        // Whichever takes longer leaves first: an append that nothing is before, or else the
        // grants.
        let leaves = self.log.leaves_at_once() && self.engine.poll_append(now).is_some();
        if !leaves {
            self.post();
        }
        self.begin().await?;
        if leaves {
            tokio::task::yield_now().await; // the log's own task sends it
            self.post();
        }
        if is_turn {
            self.let_go();
            self.post_unless_busy();
        }
        Ok(())
    }

    /// Hands what was decided to the log. While that is full or out of reach the engine waits,
    /// keeps what it has, and goes on where it was: no promise that it decided has left.
    async fn begin(&mut self) -> Result<(), EngineError> {
        while let Some(turn) = self.engine.poll_append(self.clock.now()) {
            let last = turn.last();
            match self.log.begin(turn).await {
                Ok(()) => self.engine.handle_begun(last),
                Err(error) => self.refused(error)?,
            }
        }
        Ok(())
    }

    async fn landed(&mut self, landed: Result<Seq, AppendError>) -> Result<(), EngineError> {
        if let Err(error) = landed {
            self.refused(error)?;
            self.probe().await?;
        }
        self.let_go();
        self.begin().await?;
        self.post_unless_busy();
        Ok(())
    }

    /// The log takes nothing.
    fn refused(&mut self, error: AppendError) -> Result<(), EngineError> {
        let (refused, what) = match &error {
            AppendError::Full(_) => (Refused::Full, tells::make_room(self.log.room().as_ref())),
            AppendError::Unavailable(_) => (Refused::Away, "see to that".to_owned()),
            AppendError::Fenced { .. }
            | AppendError::Poisoned(_)
            | AppendError::Replaced { .. }
            | AppendError::TooLarge { .. }
            | _ => return Err(error.into()),
        };
        let (now, durable) = (self.clock.now(), self.log.last());
        let waits = self.engine.handle_refused(now, refused, durable);
        if !waits || self.is_stopping.load(Ordering::Relaxed) {
            return Err(error.into());
        }
        let why = error.source().map(ToString::to_string).unwrap_or_default();
        let lines = self.troubles.failing(&format!("{error} ({why}): {what}, and it goes on"));
        if !lines.is_empty()
            && self.ports.turns.try_send(TurnReport { lines, ..TurnReport::default() }).is_err()
        {
            self.troubles = Repeats::default(); // told the next time
        }
        Ok(())
    }

    /// Asks the log whether this engine leads still, where somebody wants to know and no append
    /// tells.
    async fn probe(&mut self) -> Result<(), EngineError> {
        if !self.engine.wants_probe() {
            return Ok(());
        }
        match self.log.probe().await {
            Ok(()) => self.engine.handle_probed(true),
            Err(AppendError::Unavailable(_)) => self.engine.handle_probed(false),
            Err(error) => return Err(error.into()),
        }
        self.hand_out();
        Ok(())
    }

    /// Lets go of what has become durable.
    fn let_go(&mut self) {
        let now = self.clock.now();
        self.look_at_room(now);
        self.engine.handle_landed(now, self.log.last(), &mut ());
        self.hand_out();
    }

    fn hand_out(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            // Who asked may have hung up, and a reader that is behind misses lines: the log has
            // them.
            match output {
                Output::Answered(reply, answer) => drop(reply.send(answer)),
                Output::Added(reply, taken) => drop(reply.send(taken)),
                Output::Probed(reply, epoch, durable) => drop(reply.send((epoch, durable))),
                Output::Look(look) => look(self.engine.scheduler(), self.engine.fleet()),
                Output::AskSource(block) => drop(self.ports.source.try_send(block)),
                Output::Durable(durable) => self.show(durable),
            }
        }
    }

    fn show(&mut self, Durable { turn, told, accepted }: Durable) {
        let durable = self.clock.now();
        let overhead = |(granted, ran)| durable.since(granted).saturating_sub(ran);
        let mut lines = tells::lines(self.engine.scheduler(), &turn, &told);
        // A log that takes more and makes none of it durable is still in trouble.
        lines.extend(self.troubles.working("the log takes what is decided again"));
        let overheads = accepted.into_iter().map(overhead).collect();
        let (last, append) = (turn.last(), Some(durable.since(turn.at)));
        let (turn, missed) = (Some(turn), std::mem::take(&mut self.missed));
        let seen = TurnReport { lines, overheads, warning: None, turn, append, missed };
        if self.ports.turns.try_send(seen).is_err() {
            self.missed = missed + 1;
        }
        self.pulse.send_replace(last);
    }

    /// Shows how full the log is to the engine and to who asks, and warns people in time.
    fn look_at_room(&mut self, now: Timestamp) {
        let room = self.log.room();
        let bounded = room.as_ref().map(|it| Room { bytes: it.bytes, bytes_max: it.bytes_max });
        let filling = self.engine.handle_room(now, bounded);
        if let Some((filling, room)) = filling.zip(room.as_ref()) {
            let warning = Some(tells::fills(&filling, room));
            let _ = self.ports.turns.try_send(TurnReport { warning, ..TurnReport::default() });
        }
        self.rooms.send_if_modified(|shown| {
            let is_other = *shown != room;
            *shown = room;
            is_other
        });
    }

    /// Posts at once unless a turn follows at once: then with its grants, for what a dispatcher is
    /// told together is one message.
    fn post_unless_busy(&mut self) {
        let has_more = !self.inbox.is_empty() || self.engine.has_requests();
        if !(has_more && self.engine.may_decide(self.clock.now())) {
            self.post();
        }
    }

    fn post(&mut self) {
        let now = self.clock.now();
        while let Some((to, messages)) = self.engine.poll_transmit(now) {
            self.ports.post.send(&to, messages);
        }
    }

    /// Decides what was asked, waits until all of it is durable, and ends the log cleanly.
    async fn end(mut self) -> Result<(), EngineError> {
        while self.engine.has_undurable() || self.engine.has_requests() {
            if self.engine.is_appending(self.clock.now()) {
                let landed = self.log.landed().await;
                self.landed(landed).await?;
            } else {
                sleep_until(self.due()).await;
                self.go_on().await?;
            }
        }
        self.engine.handle_end();
        self.post();
        Ok(self.log.close().await?)
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        // A timer would round it up to the next millisecond, which is many turns.
        Some(due) if due <= Instant::now() => tokio::task::yield_now().await,
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Requests on their way to the engine. At it, whoever asks waits.
const INBOX_MAX: usize = 1_024;
