//! The engine: what it holds, and how it goes from turn to turn.
//!
//! Not here: what is decided in a turn (`decide`, `hear`), and what leaves after it (`leaves`).

use std::collections::VecDeque;

use push0_core::{Fleet, IllegalEvent, Life, Scheduler, Seq, Timestamp, ToDispatcher, Turn};

use crate::audit::Audit;
use crate::gathered::Gathered;
use crate::mail::Mail;
use crate::output::Output;
use crate::request::{Askers, Request, Work};
use crate::room::{Fill, Filling, Room};
use crate::telling::Telling;
use crate::trouble::{ROOM_PAUSE, ROOM_WAIT, Refused, Trouble};
use crate::waiting::{Waiting, WaitingTurn};

/// The scheduler and the fleet, with all that waits: to be decided, to be durable, to be sent.
pub struct Engine<A: Askers> {
    pub(crate) scheduler: Scheduler,
    pub(crate) fleet: Fleet,
    /// The time of the last turn: what was due by then was decided.
    pub(crate) turned: Timestamp,
    /// Whether it has claimed the log. Before, it answers and adds nothing of its own: what was due
    /// while no engine ran is no attempt's fault.
    pub(crate) has_claimed: bool,
    pub(crate) is_draining: bool,
    pub(crate) inbox: VecDeque<Work<A>>,
    /// What found no room in its turn: of a request the rest, and what is behind it.
    pub(crate) left: Vec<Work<A>>,
    /// Whether the last turn was full, so that what is due may not all have been decided.
    pub(crate) is_behind: bool,
    /// The position of the claim by which it leads.
    pub(crate) claim: Option<Seq>,
    /// What was decided and is not durable.
    pub(crate) waiting: Waiting<A>,
    /// How far appends were begun with what was decided.
    pub(crate) begun: Seq,
    /// How far the log is durable, as far as is known here.
    pub(crate) durable: Seq,
    pub(crate) mail: Mail,
    /// On their way out.
    pub(crate) letters: VecDeque<(Life, Vec<ToDispatcher>)>,
    pub(crate) outputs: VecDeque<Output<A>>,
    /// Who waits for the log to answer a question that changes nothing.
    pub(crate) probes: Vec<A::Probe>,
    pub(crate) telling: Option<Telling>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) room: Option<Room>,
    pub(crate) fill: Fill,
}

/// What an engine is to know of its log, and of who reads what it does.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The largest record that the log takes. Unit: bytes.
    pub record_bytes_max: usize,
    /// How far the log is durable.
    pub durable: Seq,
    /// Whether people are told of events: of very many, not of all.
    pub tells: bool,
}

impl<A: Askers> Engine<A> {
    /// An engine over a scheduler that holds all of the log.
    #[must_use]
    pub fn new(mut scheduler: Scheduler, settings: Settings) -> Self {
        scheduler.set_limits(scheduler.limits().within(settings.record_bytes_max));
        Self {
            fleet: Fleet::new(SILENCE_MAX),
            turned: scheduler.now(),
            has_claimed: false,
            is_draining: false,
            inbox: VecDeque::new(),
            left: Vec::new(),
            is_behind: false,
            claim: None,
            waiting: Waiting::default(),
            begun: settings.durable,
            durable: settings.durable,
            mail: Mail::default(),
            letters: VecDeque::new(),
            outputs: VecDeque::new(),
            probes: Vec::new(),
            telling: settings.tells.then(|| Telling::new(scheduler.now())),
            trouble: None,
            room: None,
            fill: Fill::default(),
            scheduler,
        }
    }

    /// What it has decided, durable or not.
    #[must_use]
    pub const fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The dispatchers that it hears.
    #[must_use]
    pub const fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// How far the log is durable, as far as is known here.
    #[must_use]
    pub const fn durable(&self) -> Seq {
        self.durable
    }

    /// Whether its claim is durable.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.claim.is_some_and(|claim| claim <= self.durable)
    }

    /// How many more requests it takes now. Whoever asks past it waits; what a dispatcher says may
    /// be left out, for its next beat brings what matters again.
    #[must_use]
    pub fn takes(&self, now: Timestamp) -> usize {
        let most = match self.trouble {
            Some(_) if self.is_stuck() => INBOX_MAX,
            Some(_) if self.is_paused(now) => 0,
            Some(_) | None if self.has_room() => BATCH_MAX,
            Some(_) | None => 0,
        };
        most.saturating_sub(self.inbox.len())
    }

    /// Takes a request for the next turn.
    pub fn handle_request(&mut self, request: Request<A>) {
        if self.is_stuck() {
            match request {
                Request::Probe(asker) if self.leads() => self.probes.push(asker),
                // Nobody is told that it is well, and the next beat brings what matters again.
                Request::Probe(_) | Request::Heard(_) => {}
                request @ (Request::Ask(..)
                | Request::Add(..)
                | Request::Departed(..)
                | Request::Look(_)
                | Request::Drain) => self.inbox.push_back(Work::Asked(request)),
            }
        } else {
            self.inbox.push_back(Work::Asked(request));
        }
    }

    /// Notes how full the log is. Answers what people are to be told of it.
    pub fn handle_room(&mut self, now: Timestamp, room: Option<Room>) -> Option<Filling> {
        self.room = room;
        self.fill.told(now, room?)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due though nothing is handed in: a
    /// time that is past where something waits for a turn.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let again = self.trouble.and_then(|trouble| trouble.again);
        let turn = self.turn_due().filter(|_| again.is_none());
        [again, turn, self.mail.due()].into_iter().flatten().min()
    }

    /// Takes a turn where one is due, or something was handed in: decides a batch. Answers whether
    /// it took one.
    ///
    /// # Errors
    ///
    /// A bug in push0: what was decided does not fit the state. Nothing of it may be recorded, and
    /// the engine is over.
    pub fn handle_timeout(
        &mut self,
        now: Timestamp,
        audit: &mut impl Audit,
    ) -> Result<bool, IllegalEvent> {
        if let Some(trouble) = &mut self.trouble {
            trouble.again = trouble.again.filter(|again| now < *again);
        }
        let is_due = self.has_work() || self.turn_due().is_some_and(|due| due <= now);
        let is_due = is_due && self.may_decide(now);
        if is_due {
            self.turn(now, audit)?;
        }
        Ok(is_due)
    }

    /// The turn that is to be appended next, behind all those that were begun.
    /// [`handle_begun`](Self::handle_begun) goes on to the next.
    #[must_use]
    pub fn poll_append(&self, now: Timestamp) -> Option<&Turn> {
        (!self.is_paused(now)).then(|| self.waiting.next_after(self.begun))?
    }

    /// Whether a turn waits that no append has begun with, be it that the log takes nothing just
    /// now.
    #[must_use]
    pub fn has_appends(&self) -> bool {
        self.waiting.next_after(self.begun).is_some()
    }

    /// Whether it decides what is handed in now: not too far ahead of its log, nor while that takes
    /// nothing.
    #[must_use]
    pub fn may_decide(&self, now: Timestamp) -> bool {
        self.has_room() && !self.is_paused(now)
    }

    /// The log has begun to append up to here.
    pub fn handle_begun(&mut self, last: Seq) {
        self.begun = self.begun.max(last);
    }

    /// Whether something is under way that will be durable.
    #[must_use]
    pub fn is_appending(&self, now: Timestamp) -> bool {
        !self.waiting.is_empty() && !self.is_paused(now)
    }

    /// Whether something that was decided is not durable.
    #[must_use]
    pub fn has_undurable(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether it has nothing to decide, and all that it decided is durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.inbox.is_empty() && self.waiting.is_empty() && !self.is_behind
    }

    /// Whether requests wait for a turn.
    #[must_use]
    pub fn has_requests(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// The log takes nothing of what was begun behind `durable`. Answers whether the engine waits;
    /// if not, it was long enough, and whoever drives it ends it.
    #[must_use]
    pub fn handle_refused(&mut self, now: Timestamp, refused: Refused, durable: Seq) -> bool {
        if refused == Refused::Full {
            self.begun = durable;
        }
        let since = self.trouble.map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { since, again: Some(now + ROOM_PAUSE), refused });
        // Of a log that is shared another engine would find no more room.
        let is_shared = refused == Refused::Full && self.room.is_some();
        is_shared || now.since(since) < ROOM_WAIT
    }

    /// Decides a batch.
    fn turn(&mut self, now: Timestamp, audit: &mut impl Audit) -> Result<(), IllegalEvent> {
        self.fleet.look(now);
        self.turned = now;
        let mut gathered = Gathered::of_at_most(self.scheduler.limits().turn_bytes_max());
        for _ in 0..BATCH_MAX {
            let Some(work) = self.inbox.pop_front() else { break };
            self.take(now, work, &mut gathered, audit)?;
            let left = self.left.drain(..).rev();
            left.for_each(|work| self.inbox.push_front(work));
            if gathered.is_full() {
                break;
            }
        }
        self.follow_up(now, &mut gathered, audit)?;
        self.inbox.extend(self.left.drain(..));
        self.is_behind = gathered.is_full();
        if gathered.events.is_empty() && self.waiting.is_empty() {
            self.probes.append(&mut gathered.probes);
        }
        self.release_grants(now, audit);
        let (epoch, last) = (self.scheduler.epoch(), self.scheduler.last());
        self.waiting.push(WaitingTurn::of(gathered, epoch, last, now));
        Ok(())
    }

    /// Whether something waits for a turn already.
    fn has_work(&self) -> bool {
        self.is_behind || !self.inbox.is_empty()
    }

    /// When the next turn is due, though nobody asks.
    fn turn_due(&self) -> Option<Timestamp> {
        if !self.has_room() {
            return None;
        }
        if self.has_work() {
            return Some(self.turned);
        }
        if !self.has_claimed {
            return None;
        }
        let scheduler = self.scheduler.poll_timeout(self.turned);
        let next = scheduler.into_iter().chain(self.fleet.poll_timeout()).min()?;
        Some(next.at)
    }

    /// Whether more may be decided.
    fn has_room(&self) -> bool {
        let turn_bytes_max = self.scheduler.limits().turn_bytes_max();
        !self.is_stuck() && self.waiting.has_room(turn_bytes_max)
    }

    /// Whether the log is full, and has not taken what waits: not either while it is tried again.
    fn is_stuck(&self) -> bool {
        let is_full = self.trouble.is_some_and(|trouble| trouble.refused == Refused::Full);
        is_full && self.has_undurable()
    }

    /// Whether it waits a moment before it tries the log again.
    fn is_paused(&self, now: Timestamp) -> bool {
        let again = self.trouble.and_then(|trouble| trouble.again);
        again.is_some_and(|again| now < again)
    }
}

/// Requests that share a turn.
const BATCH_MAX: usize = 256;

/// Requests that wait for a log that is full.
const INBOX_MAX: usize = 1_024;

/// A dispatcher that says nothing for so long is gone (ten beats).
pub const SILENCE_MAX: std::time::Duration = std::time::Duration::from_secs(10);
