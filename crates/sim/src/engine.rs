//! The engine, turn for turn as `push0`'s own has it (`crates/push0/src/engine.rs`), without tokio: what
//! waits there for a sync waits here for virtual time.
//!
//! Mirrored, for the shell's is bound to its channels: drain what arrived, decide it one by one, decide what
//! follows, append one record, let go of what that allows. A change there is to be made here.
//!
//! Not here: when it runs, and what becomes of what leaves it (`world`).

mod gathered;

use std::collections::VecDeque;
use std::time::Duration;

use push0_core::{
    BlockHash, Effect, Fleet, FromDispatcher, IllegalEvent, Input, Life, Outcome, Rejection,
    Report, Scheduler, Seq, Timestamp, ToDispatcher, Turn, Verdict,
};
use push0_log::conformance::finish;
use push0_log::{AppendError, FileLog, Log as _};

use self::gathered::Gathered;
use crate::broken::Broken;
use crate::clock::Clock;
use crate::disk::SimDisk;
use crate::watch::Watch;

/// The scheduler with its log and clock.
pub(crate) struct Engine {
    pub(crate) scheduler: Scheduler,
    pub(crate) fleet: Fleet,
    log: FileLog<SimDisk>,
    clock: Clock,
    turned: Timestamp,
    has_claimed: bool,
    inbox: VecDeque<Request>,
    is_behind: bool,
    /// What leaves once the append has returned; none while no turn is under way.
    pub(crate) under_way: Option<UnderWay>,
    broken: Option<Broken>,
}

/// A turn that was decided.
pub(crate) struct UnderWay {
    /// What its append has not taken, for the disk was full.
    unrecorded: Option<Turn>,
    messages: Vec<(Life, ToDispatcher)>,
    answers: Vec<(Asker, Answer)>,
}

/// Something asked of the engine.
#[derive(Debug)]
pub(crate) enum Request {
    Ask(Asker, Vec<Input>),
    Heard(FromDispatcher),
}

/// Who asks, and is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asker {
    /// Whoever starts the engine.
    Start,
    Source,
    /// The source, by the way: nothing waits for the answer.
    Aside,
    Reader,
    Operator,
}

/// The first refusal, or none.
pub(crate) type Answer = Result<(), Rejection>;

/// Something that leaves the engine.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(Life, ToDispatcher),
    Answer(Asker, Answer),
    AskSource(BlockHash),
}

/// Why an engine ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its log does not take what was decided.
    Append(AppendError),
    /// What was decided does not fit the state.
    Bug(IllegalEvent),
}

impl Engine {
    pub(crate) fn new(
        scheduler: Scheduler,
        log: FileLog<SimDisk>,
        clock: Clock,
        broken: Option<Broken>,
    ) -> Self {
        Self {
            turned: scheduler.now(),
            fleet: Broken::fleet(broken, SILENCE_MAX),
            has_claimed: false,
            inbox: VecDeque::new(),
            is_behind: false,
            under_way: None,
            scheduler,
            log,
            clock,
            broken,
        }
    }

    /// Takes something in; past its bound, whoever asks would wait, and a message of a beat is left out.
    pub(crate) fn ask(&mut self, request: Request) {
        self.inbox.push_back(request);
    }

    /// The position of the last durable event.
    pub(crate) fn durable(&self) -> Seq {
        self.log.last()
    }

    /// Whether nothing happens unless it is asked something.
    pub(crate) fn rests(&self) -> bool {
        let has_nothing = self.inbox.is_empty() && self.under_way.is_none() && !self.is_behind;
        has_nothing && self.has_claimed && self.scheduler.is_idle()
    }

    /// When it has something to do though nobody asks.
    pub(crate) fn due(&self) -> Option<Duration> {
        if self.is_behind || !self.inbox.is_empty() {
            return Some(Duration::ZERO);
        }
        if !self.has_claimed {
            return None;
        }
        let scheduler = self.scheduler.poll_timeout(self.turned);
        let next = scheduler.into_iter().chain(self.fleet.poll_timeout()).min()?;
        Some(self.clock.when(next.at))
    }

    /// Decides a batch and appends it. What it allows leaves with [`Self::finish`], once the sync is over.
    ///
    /// # Errors
    ///
    /// [`Ended`]; whatever was decided is not believed.
    pub(crate) fn turn(&mut self, virtual_now: Duration, watch: &mut Watch) -> Result<(), Ended> {
        let now = self.clock.now(virtual_now);
        self.fleet.look(now);
        self.turned = now;
        let mut gathered = Gathered::default();
        for _ in 0..BATCH_MAX.min(self.inbox.len()) {
            let Some(request) = self.inbox.pop_front() else { break };
            self.take(now, request, &mut gathered, watch)?;
            if gathered.is_full() {
                break;
            }
        }
        self.follow_up(now, &mut gathered, watch)?;
        self.is_behind = gathered.is_full();
        let Gathered { events, answers, messages, .. } = gathered;
        let mut under_way = UnderWay { unrecorded: None, messages, answers };
        if !events.is_empty() {
            let first = Seq(self.log.last().0 + 1);
            let turn = Turn { epoch: self.scheduler.epoch(), first, at: now, events };
            watch.appending(&turn);
            under_way.unrecorded = Some(turn);
        }
        self.under_way = Some(under_way);
        Ok(())
    }

    /// What leaves before its cause is durable, in an engine that is broken so.
    pub(crate) fn leak(&mut self) -> Vec<Outgoing> {
        match self.broken == Some(Broken::EffectsFirst) {
            true => self.effects(Seq(u64::MAX)),
            false => Vec::new(),
        }
    }

    /// Appends what the turn decided; answers whether the log took it.
    ///
    /// # Errors
    ///
    /// [`Ended`].
    pub(crate) fn record(&mut self, watch: &mut Watch) -> Result<bool, Ended> {
        let Some(under_way) = &mut self.under_way else { return Ok(true) };
        let Some(turn) = &under_way.unrecorded else { return Ok(true) };
        match finish(self.log.append(turn)) {
            Ok(()) => {
                under_way.unrecorded = None;
                watch.appended();
                Ok(true)
            }
            Err(AppendError::Full(_) | AppendError::Unavailable(_)) => Ok(false),
            Err(AppendError::Poisoned(_)) if self.broken == Some(Broken::SyncRepeated) => {
                under_way.unrecorded = None;
                Ok(true)
            }
            Err(error) => Err(Ended::Append(error)),
        }
    }

    /// What leaves once the record is durable.
    pub(crate) fn finish(&mut self, watch: &mut Watch) -> Vec<Outgoing> {
        let Some(UnderWay { messages, answers, .. }) = self.under_way.take() else {
            return Vec::new();
        };
        let mut outgoing = self.effects(self.log.last());
        let message = |(to, message)| Outgoing::Message(to, message);
        outgoing.extend(messages.into_iter().map(message));
        outgoing.extend(answers.into_iter().map(|(asker, answer)| Outgoing::Answer(asker, answer)));
        watch.turned(&self.scheduler);
        outgoing
    }

    fn effects(&mut self, durable: Seq) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        while let Some(effect) = self.scheduler.poll_effect(durable) {
            match effect {
                Effect::Grant(to, grant) => {
                    let to = self.fleet.life(&to);
                    let grant = |to| Outgoing::Message(to, ToDispatcher::Grant(grant));
                    outgoing.extend(to.map(grant));
                }
                Effect::Cancel(to, attempt) => {
                    let to = self.fleet.life(&to);
                    let cancel = |to| Outgoing::Message(to, ToDispatcher::Cancel(attempt));
                    outgoing.extend(to.map(cancel));
                }
                Effect::AskSource(block) => outgoing.push(Outgoing::AskSource(block)),
                Effect::Release(_) => {} // read by cursor
            }
        }
        outgoing
    }

    fn take(
        &mut self,
        now: Timestamp,
        request: Request,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<(), Ended> {
        match request {
            Request::Ask(asker, inputs) => {
                let mut answer = Ok(());
                for input in inputs {
                    self.has_claimed |= matches!(input, Input::Claim(_));
                    answer = answer.and(self.decide(now, &input, gathered, watch)?);
                }
                gathered.answers.push((asker, answer));
            }
            Request::Heard(FromDispatcher::Report(report)) => {
                self.heard(now, report, gathered, watch)?;
            }
            Request::Heard(FromDispatcher::Beat(beat)) => {
                let (mut inputs, mut again) = self.fleet.beat(now, &beat, &self.scheduler);
                if self.broken == Some(Broken::GrantSentOnce) {
                    again.retain(|message| !matches!(message, ToDispatcher::Grant(_)));
                    inputs.retain(|input| !matches!(input, Input::Withdraw { .. }));
                }
                let (dispatcher, incarnation) = (beat.dispatcher.clone(), beat.incarnation);
                let to = Life { dispatcher, incarnation };
                let to = |message| (to.clone(), message);
                gathered.messages.extend(again.into_iter().map(to));
                watch.hears(&beat);
                self.decide_all(now, inputs, gathered, watch)?;
                watch.beat(&beat);
            }
        }
        Ok(())
    }

    fn heard(
        &mut self,
        now: Timestamp,
        report: Report,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<(), Ended> {
        self.fleet.ended(&report);
        watch.ended(&report);
        let (dispatcher, incarnation) = (report.dispatcher.clone(), report.incarnation);
        let (attempt, to) = (report.attempt, Life { dispatcher, incarnation });
        let is_result = matches!(report.outcome, Outcome::Proved(_));
        let before = gathered.events.len();
        let verdict = match self.decide(now, &Input::Report(report), gathered, watch)? {
            Err(Rejection::Answered(verdict)) => verdict,
            Err(_) => Verdict::Unwanted,
            Ok(()) => gathered.verdict(before, self.scheduler.last()),
        };
        debug_assert!(is_result || !matches!(verdict, Verdict::Accepted(_)), "only results are");
        gathered.messages.push((to, ToDispatcher::Verdict(attempt, verdict)));
        Ok(())
    }

    fn follow_up(
        &mut self,
        now: Timestamp,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<(), Ended> {
        if !self.has_claimed {
            return Ok(());
        }
        let silent = self.fleet.silent(now, &self.scheduler);
        self.decide_all(now, silent, gathered, watch)?;
        while !gathered.is_full() {
            let before = gathered.events.len();
            let _ = self.decide(now, &Input::Wake, gathered, watch)?;
            if gathered.events.len() == before {
                break;
            }
        }
        let offers = self.fleet.offers_at(now, &self.scheduler);
        let _ = self.decide(now, &Input::Assign(offers), gathered, watch)?;
        Ok(())
    }

    fn decide_all(
        &mut self,
        now: Timestamp,
        inputs: Vec<Input>,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<(), Ended> {
        for input in inputs {
            let _ = self.decide(now, &input, gathered, watch)?;
        }
        Ok(())
    }

    fn decide(
        &mut self,
        now: Timestamp,
        input: &Input,
        gathered: &mut Gathered,
        watch: &mut Watch,
    ) -> Result<Answer, Ended> {
        let decided = self.scheduler.decide(now, input);
        watch.decided(now, input, decided.as_deref());
        Ok(match decided {
            Err(rejection) => Err(rejection),
            Ok(events) => {
                self.scheduler.apply_all(now, &events).map_err(Ended::Bug)?;
                gathered.add(events);
                Ok(())
            }
        })
    }
}

/// Requests that share a turn.
const BATCH_MAX: usize = 256;

/// A dispatcher that says nothing for so long is gone (ten beats).
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(10);
