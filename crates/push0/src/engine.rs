//! The engine: the one task that owns the scheduler, the log and the clock.
//!
//! Everything that changes state passes through [`Engine::turn`], one batch at a time, so there is no lock,
//! and no await between a decision and the record of it. Where an append is a round trip (NATS), the engine goes on
//! deciding meanwhile, up to a bound; what it has decided then shares the next append.
//!
//! ```text
//!   inbox ──▶ turn ──▶ waiting ──landed──▶ verdicts, answers, cancels, releases
//!               └──▶ grants, at once
//! ```
//!
//! No promise leaves before its cause is durable: not a verdict, not an answer, not a release. Work may begin
//! before: a grant leaves as soon as it is decided, once the claim of this engine is durable
//! (`docs/decisions/005-grants-leave-early.md`).
//!
//! Not here: what an input means (`push0_core`), what durable means (`push0_log`), and who reads what
//! comes out (`run`).

mod gathered;
mod handle;
mod hear;
mod mail;
mod ports;
mod room;
mod telling;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use push0_core::{
    Block, Effect, Fleet, FromDispatcher, IllegalEvent, Input, Life, Rejection, Scheduler, Seq,
    Timestamp, ToDispatcher, Turn,
};
use push0_log::{AppendError, Log, Room};
use tokio::sync::{mpsc, watch};

use self::gathered::Gathered;
use self::mail::Mail;
use self::room::Filling;
use self::telling::Telling;
use self::waiting::{Waiting, WaitingTurn};
pub use handle::{Gone, Handle, Request, Taken};
pub use ports::{Ports, Post, Seen};
pub(crate) use room::{is_short, raise, used};

use crate::clock::Clock;
use crate::tell::Repeats;

/// The scheduler with its log and clock.
pub struct Engine<L> {
    scheduler: Scheduler,
    fleet: Fleet,
    log: L,
    clock: Clock,
    /// The time of the last turn: what was due by then was decided.
    turned: Timestamp,
    /// Whether it has claimed the log. Before, it answers and adds nothing of its own: what was due while
    /// no engine ran is no attempt's fault.
    has_claimed: bool,
    is_draining: bool,
    inbox: mpsc::Receiver<Request>,
    ports: Ports,
    pulse: watch::Sender<Seq>,
    rooms: watch::Sender<Option<Room>>,
    /// Set once it is to end though its log has no room.
    is_stopping: Arc<AtomicBool>,
    /// What found no room in its turn: of a request the rest, and those behind it.
    left: Vec<Request>,
    /// Whether the last turn was full, so that what is due may not all have been decided.
    is_behind: bool,
    /// The position of the claim by which it leads.
    claim: Option<Seq>,
    /// What was decided and is not durable.
    waiting: Waiting,
    /// How far the log has taken what was decided.
    begun: Seq,
    mail: Mail,
    telling: Telling,
    /// Since when the log takes nothing.
    trouble: Option<Instant>,
    /// What people know of that.
    troubles: Repeats,
    filling: Filling,
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
        let mut scheduler = scheduler;
        scheduler.set_limits(scheduler.limits().within(log.record_bytes_max()));
        let engine = Self {
            clock: Clock::start(scheduler.now()),
            turned: scheduler.now(),
            fleet: Fleet::new(SILENCE_MAX),
            has_claimed: false,
            is_draining: false,
            left: Vec::new(),
            is_behind: false,
            claim: None,
            waiting: Waiting::default(),
            begun: log.last(),
            mail: Mail::default(),
            telling: Telling::new(Instant::now()),
            trouble: None,
            troubles: Repeats::default(),
            filling: Filling::default(),
            scheduler,
            log,
            inbox,
            ports,
            pulse,
            rooms,
            is_stopping: Arc::clone(&is_stopping),
        };
        (engine, Handle::new(sender, watched, room, is_stopping))
    }

    /// Runs until it is told to stop, or every handle is dropped; then ends the log cleanly.
    ///
    /// # Errors
    ///
    /// The [`EngineError`] that ended it before.
    pub async fn run(mut self) -> Result<(), EngineError> {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let may_decide = self.has_room();
            let due = if may_decide { self.due() } else { None };
            tokio::select! {
                biased; // the default order is random
                landed = self.log.landed(), if !self.waiting.is_empty() => {
                    self.landed(landed).await?;
                    self.post_unless_busy();
                    continue;
                }
                received = self.inbox.recv_many(&mut batch, BATCH_MAX - self.left.len()),
                    if may_decide && self.left.len() < BATCH_MAX =>
                {
                    if received == 0 && self.left.is_empty() {
                        break;
                    }
                }
                () = sleep_until(self.mail.due()) => {
                    self.post();
                    continue;
                }
                () = sleep_until(due), if may_decide => {}
            }
            let mut requests = std::mem::take(&mut self.left);
            requests.append(&mut batch);
            let stop = requests.iter().any(|request| matches!(request, Request::Stop));
            self.turn(requests).await?;
            if stop {
                break;
            }
        }
        while !self.waiting.is_empty() {
            let landed = self.log.landed().await;
            self.landed(landed).await?;
        }
        let leaves = self.mail.take_all();
        self.send(leaves);
        Ok(self.log.close().await?)
    }

    /// Decides a batch, lets its grants go, and begins to append it. What else it allows leaves once it is durable.
    async fn turn(&mut self, requests: Vec<Request>) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.fleet.look(now);
        self.turned = now;
        let mut gathered = Gathered::of_at_most(self.scheduler.limits().turn_bytes_max());
        let mut requests = requests.into_iter();
        while let Some(request) = requests.next() {
            self.take(now, request, &mut gathered)?;
            if gathered.is_full() {
                self.left.extend(requests);
                break;
            }
        }
        self.follow_up(now, &mut gathered)?;
        self.is_behind = gathered.is_full();
        if gathered.events.is_empty() && self.waiting.is_empty() && !gathered.probes.is_empty() {
            match self.log.probe().await {
                Ok(()) => {}
                // Nobody is told that it is well.
                Err(AppendError::Unavailable(_)) => gathered.probes.clear(),
                Err(error) => return Err(error.into()),
            }
        }
        // Whichever takes longer leaves first: an append that nothing is before, or else the grants.
        let leaves = self.log.leaves_at_once() && !gathered.events.is_empty();
        if !leaves {
            self.grant();
        }
        let (epoch, last) = (self.scheduler.epoch(), self.scheduler.last());
        self.waiting.push(WaitingTurn::of(gathered, epoch, last, now));
        self.begin().await?;
        if leaves {
            tokio::task::yield_now().await; // the log's own task sends it
            self.grant();
        }
        self.let_go();
        self.post_unless_busy();
        Ok(())
    }

    /// Lets grants go whose record is not durable yet: one that is lost with it costs work, and breaks no promise. Not
    /// before the claim is durable, for until then another engine may lead.
    fn grant(&mut self) {
        if !self.leads() {
            return;
        }
        while let Some(grant) = self.scheduler.poll_grant() {
            self.perform(grant);
        }
        self.post();
    }

    /// Hands what was decided to the log. While that is full or out of reach the engine waits, keeps what it has, and
    /// goes on where it was: no promise that it decided has left.
    async fn begin(&mut self) -> Result<(), EngineError> {
        while let Some(turn) = self.waiting.next_after(self.begun) {
            match self.log.begin(turn).await {
                Ok(()) => self.begun = turn.last(),
                Err(error) => self.wait_out(error).await?,
            }
        }
        Ok(())
    }

    async fn landed(&mut self, landed: Result<Seq, AppendError>) -> Result<(), EngineError> {
        if let Err(error) = landed {
            self.wait_out(error).await?;
            self.begin().await?;
        }
        self.let_go();
        Ok(())
    }

    /// Waits a moment for a log that takes nothing.
    async fn wait_out(&mut self, error: AppendError) -> Result<(), EngineError> {
        let is_full = matches!(error, AppendError::Full(_));
        let what = match &error {
            AppendError::Full(_) => {
                self.begun = self.log.last(); // what was begun behind is forgotten there
                self.make_room()
            }
            AppendError::Unavailable(_) => "see to that".to_owned(),
            AppendError::Fenced { .. }
            | AppendError::Poisoned(_)
            | AppendError::Replaced { .. }
            | AppendError::TooLarge { .. }
            | _ => return Err(error.into()),
        };
        let since = self.trouble.get_or_insert_with(Instant::now);
        // Of a log that is shared another engine would find no more.
        let is_shared = is_full && self.log.room().is_some();
        let is_over = since.elapsed() >= ROOM_WAIT && !is_shared;
        if is_over || self.is_stopping.load(Ordering::Relaxed) {
            return Err(error.into());
        }
        let why = error.source().map(ToString::to_string).unwrap_or_default();
        let lines = self.troubles.failing(&format!("{error} ({why}): {what}, and it goes on"));
        if !lines.is_empty()
            && self.ports.turns.try_send(Seen { lines, ..Seen::default() }).is_err()
        {
            self.troubles = Repeats::default(); // told the next time
        }
        if is_full {
            return self.await_room().await;
        }
        tokio::time::sleep(ROOM_PAUSE).await;
        Ok(())
    }

    /// Lets go of what has become durable.
    fn let_go(&mut self) {
        let durable = self.log.last();
        self.show_room();
        while let Some(effect) = self.scheduler.poll_effect(durable) {
            self.perform(effect);
        }
        while let Some(decided) = self.waiting.pop_durable(durable) {
            let WaitingTurn { turn, allows, .. } = decided;
            let Gathered { answers, taken, messages, accepted, looks, probes, .. } = allows;
            let now = Instant::now();
            messages.into_iter().for_each(|(to, message)| self.mail.add(now, to, message));
            for (reply, answer) in answers {
                let _ = reply.send(answer); // the asker may have hung up
            }
            for (reply, taken) in taken {
                let _ = reply.send(taken); // likewise
            }
            for probe in probes {
                let _ = probe.send((self.scheduler.epoch(), durable));
            }
            if let Some(turn) = turn {
                self.is_well(); // a log that takes more and makes none of it durable is still in trouble
                let last = turn.last();
                self.show(turn, &accepted);
                self.pulse.send_replace(last);
            }
            for look in looks {
                look(&self.scheduler, &self.fleet); // nothing was decided behind it
            }
        }
    }

    /// A turn is durable.
    fn is_well(&mut self) {
        if self.trouble.take().is_some() {
            let lines = self.troubles.working("the log takes what is decided again");
            let lines = lines.into_iter().collect();
            let _ = self.ports.turns.try_send(Seen { lines, ..Seen::default() }); // as all that is shown
        }
    }

    /// Posts at once unless a turn follows at once: then with its grants, for what a dispatcher is told together is
    /// one message.
    fn post_unless_busy(&mut self) {
        let has_more = !self.inbox.is_empty() || !self.left.is_empty();
        if !(has_more && self.has_room()) {
            self.post();
        }
    }

    fn post(&mut self) {
        let leaves = self.mail.take(Instant::now());
        self.send(leaves);
    }

    fn send(&self, letters: BTreeMap<Life, Vec<ToDispatcher>>) {
        for (to, messages) in letters {
            self.ports.post.send(&to, messages);
        }
    }

    /// Decides one request.
    fn take(
        &mut self,
        now: Timestamp,
        request: Request,
        gathered: &mut Gathered,
    ) -> Result<(), EngineError> {
        match request {
            Request::Ask(inputs, reply) => {
                let answer = self.decide_some(now, inputs, gathered)?;
                match answer {
                    (answer, rest) if rest.is_empty() => gathered.answers.push((reply, answer)),
                    (answer, rest) => self.left.push(Request::Rest(rest, Some((reply, answer)))),
                }
            }
            Request::Rest(inputs, asked) => {
                let (answer, rest) = self.decide_some(now, inputs, gathered)?;
                let asked = asked.map(|(reply, before)| (reply, before.and(answer)));
                match (asked, rest.is_empty()) {
                    (Some(asked), true) => gathered.answers.push(asked),
                    (None, true) => {}
                    (asked, false) => self.left.push(Request::Rest(rest, asked)),
                }
            }
            Request::InOrder(blocks, reply) => {
                let taken = self.add(now, blocks, gathered)?;
                gathered.taken.push((reply, taken));
            }
            Request::Heard(said) => {
                let mut said = said.into_iter();
                while let Some(message) = said.next() {
                    match message {
                        FromDispatcher::Report(report) => self.heard(now, report, gathered)?,
                        FromDispatcher::Beat(beat) => self.beaten(now, beat, gathered)?,
                    }
                    if gathered.is_full() && said.len() > 0 {
                        self.left.push(Request::Heard(said.collect()));
                        break;
                    }
                }
            }
            Request::Departed(dispatcher, when) => {
                let ago = u64::try_from(when.elapsed().as_micros()).unwrap_or(u64::MAX);
                let since = Timestamp(now.0.saturating_sub(ago));
                let lost = self.fleet.departed(&dispatcher, since, &self.scheduler);
                self.decide_all(now, lost, gathered)?;
            }
            Request::Look(look) => gathered.looks.push(look),
            Request::Probe(reply) => gathered.probes.push(reply),
            Request::Drain => self.is_draining = true,
            Request::Stop => {}
        }
        Ok(())
    }

    /// Adds blocks, up to the first that is refused.
    fn add(
        &mut self,
        now: Timestamp,
        blocks: Vec<Block>,
        gathered: &mut Gathered,
    ) -> Result<Taken, EngineError> {
        let mut taken = Taken::default();
        for block in blocks {
            let arrival = self.scheduler.chain().arrival(&block);
            match self.decide(now, &Input::Submit(Box::new(block)), gathered)? {
                Ok(()) => taken.arrivals.push(arrival),
                Err(refused) => {
                    taken.refused = Some(refused);
                    break;
                }
            }
            if gathered.is_full() {
                break; // whoever asks sees how many were taken
            }
        }
        Ok(taken)
    }

    /// Decides what follows without being asked: silence, what is due, what can be granted.
    fn follow_up(&mut self, now: Timestamp, gathered: &mut Gathered) -> Result<(), EngineError> {
        if !self.has_claimed {
            return Ok(());
        }
        let silent = self.fleet.silent(now, &self.scheduler);
        self.decide_all(now, silent, gathered)?;
        while !gathered.is_full() {
            let before = gathered.events.len();
            let _ = self.decide(now, &Input::Wake, gathered)?;
            if gathered.events.len() == before {
                break;
            }
        }
        if !self.is_draining && !gathered.is_overfull() {
            let offers = self.fleet.offers_at(now, &self.scheduler);
            let _ = self.decide(now, &Input::Assign(offers), gathered)?;
        }
        Ok(())
    }

    /// Decides what nobody waits for: what a turn has no room for is the next one's.
    fn decide_all(
        &mut self,
        now: Timestamp,
        inputs: Vec<Input>,
        gathered: &mut Gathered,
    ) -> Result<(), EngineError> {
        let (_, rest) = self.decide_some(now, inputs, gathered)?;
        if !rest.is_empty() {
            self.left.push(Request::Rest(rest, None));
        }
        Ok(())
    }

    /// Decides as many as the turn has room for. Answers the first refusal, and what is left.
    fn decide_some(
        &mut self,
        now: Timestamp,
        inputs: Vec<Input>,
        gathered: &mut Gathered,
    ) -> Result<(Result<(), Rejection>, Vec<Input>), EngineError> {
        let (mut answer, mut inputs) = (Ok(()), inputs.into_iter());
        for input in inputs.by_ref() {
            self.has_claimed |= matches!(input, Input::Claim(_));
            answer = answer.and(self.decide(now, &input, gathered)?);
            if gathered.is_full() {
                break;
            }
        }
        Ok((answer, inputs.collect()))
    }

    fn has_room(&self) -> bool {
        self.waiting.has_room(self.scheduler.limits().turn_bytes_max())
    }

    fn decide(
        &mut self,
        now: Timestamp,
        input: &Input,
        gathered: &mut Gathered,
    ) -> Result<Result<(), Rejection>, EngineError> {
        if let Some(refused) = self.has_no_room_for(input) {
            return Ok(Err(refused));
        }
        let decided = self.scheduler.decide(now, input);
        Ok(match decided {
            Err(rejection) => Err(rejection),
            Ok(events) => {
                self.scheduler.apply_all(now, &events)?;
                if matches!(input, Input::Claim(_)) {
                    self.claim = Some(self.scheduler.last());
                }
                gathered.add(events);
                Ok(())
            }
        })
    }

    fn perform(&mut self, effect: Effect) {
        // Without room an effect is left out; its own doc says what brings it again.
        match effect {
            Effect::Grant(to, grant) => self.tell(&to, ToDispatcher::Grant(grant)),
            Effect::Cancel(to, attempt) => self.tell(&to, ToDispatcher::Cancel(attempt)),
            Effect::AskSource(block) => {
                let _ = self.ports.source.try_send(block);
            }
            Effect::Release(_) => {} // read by cursor, at the pulse
        }
    }

    /// To the life of a dispatcher that was heard last; one that was not heard of says with its first beat what it
    /// lacks.
    fn tell(&mut self, to: &push0_core::DispatcherId, message: ToDispatcher) {
        if let Some(life) = self.fleet.life(to) {
            self.mail.add(Instant::now(), life, message);
        }
    }

    fn show(&mut self, turn: Turn, accepted: &[(Timestamp, Duration)]) {
        let durable = self.clock.now();
        let overhead =
            |(granted, ran): &(Timestamp, Duration)| durable.since(*granted).saturating_sub(*ran);
        let lines = match self.ports.lines {
            true => self.telling.lines(Instant::now(), &self.scheduler, &turn),
            false => Vec::new(),
        };
        let overheads = accepted.iter().map(overhead).collect();
        let seen = Seen { lines, overheads, warning: None, turn: Some(turn) };
        let _ = self.ports.turns.try_send(seen); // a reader that is behind misses lines, the log has them
    }

    /// When the next turn is due though nobody asks.
    fn due(&self) -> Option<Instant> {
        if self.is_behind || !self.left.is_empty() {
            return Some(Instant::now());
        }
        if !self.has_claimed {
            return None;
        }
        let scheduler = self.scheduler.poll_timeout(self.turned);
        let next = scheduler.into_iter().chain(self.fleet.poll_timeout()).min()?;
        Some(self.clock.instant(next.at))
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

/// How long an engine waits for its log: long enough for a person to come.
pub(crate) const ROOM_WAIT: Duration = Duration::from_secs(600);

/// Between two tries.
const ROOM_PAUSE: Duration = Duration::from_millis(500);

/// Requests that share a turn.
const BATCH_MAX: usize = 256;

/// A dispatcher that says nothing for so long is gone (ten beats).
const SILENCE_MAX: Duration = Duration::from_secs(10);
