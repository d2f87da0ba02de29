//! The engine, turn for turn as `push0`'s own has it (`crates/push0/src/engine.rs`), without tokio: what
//! waits there for a sync waits here for virtual time.
//!
//! Mirrored, for the shell's is bound to its channels: drain what arrived, decide it one by one, decide what
//! follows, let grants go, append one record, let go of what that allows. Over a log that is a round trip away it
//! goes on deciding meanwhile, and what it has decided then is the next append. A change there is to be made here.
//!
//! Not here: when it runs, and what becomes of what leaves it (`world`).

mod decide;
mod gathered;

use std::collections::VecDeque;
use std::time::Duration;

use push0_core::{
    BlockHash, Effect, Fleet, FromDispatcher, IllegalEvent, Input, Life, Rejection, Scheduler, Seq,
    Timestamp, ToDispatcher, Turn,
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
    /// The position of the claim by which it leads.
    claim: Option<Seq>,
    /// How far it knows the log to be durable: what an append under way has written is beyond it.
    durable: Seq,
    /// Turns that were decided and have not let go of everything, oldest first.
    decided: VecDeque<Decided>,
    /// How many of them share the append that is under way.
    under_way: usize,
    /// Whether it decides while an append is under way.
    is_ahead: bool,
    broken: Option<Broken>,
}

/// A turn that was decided.
struct Decided {
    /// The last event decided by its end.
    last: Seq,
    /// What no append has taken.
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

/// Something that leaves the engine, and the last event that it may rest on.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) cause: Seq,
    pub(crate) what: What,
}

/// What leaves.
#[derive(Debug)]
pub(crate) enum What {
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
        is_ahead: bool,
        broken: Option<Broken>,
    ) -> Self {
        Self {
            claim: None,
            durable: log.last(),
            decided: VecDeque::new(),
            under_way: 0,
            is_ahead,
            turned: scheduler.now(),
            fleet: Fleet::new(SILENCE_MAX),
            has_claimed: false,
            inbox: VecDeque::new(),
            is_behind: false,
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
    pub(crate) const fn durable(&self) -> Seq {
        self.durable
    }

    /// Whether all that it holds is in the log.
    pub(crate) fn is_durable(&self) -> bool {
        self.decided.is_empty()
    }

    /// Whether an append is under way.
    pub(crate) const fn is_appending(&self) -> bool {
        self.under_way > 0
    }

    /// Whether something was decided that no append has begun with.
    pub(crate) fn has_more(&self) -> bool {
        self.decided.len() > self.under_way
    }

    /// Whether it may decide now. The shell's has a bound; what comes in the time of one append is below it here.
    pub(crate) fn may_decide(&self) -> bool {
        self.is_durable() || self.is_ahead
    }

    /// Whether nothing happens unless it is asked something.
    pub(crate) fn rests(&self) -> bool {
        let has_nothing = self.inbox.is_empty() && self.is_durable() && !self.is_behind;
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

    /// The virtual time at which its clock shows `at`.
    pub(crate) fn when(&self, at: Timestamp) -> Duration {
        self.clock.when(at)
    }

    /// Decides a batch. What it allows leaves with [`Self::finish`], once its append is over; grants leave with
    /// [`Self::grants`].
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
        let last = self.scheduler.last();
        let first = Seq(last.0 + 1 - events.len() as u64);
        let turn = Turn { epoch: self.scheduler.epoch(), first, at: now, events };
        let unrecorded = (!turn.events.is_empty()).then_some(turn);
        self.decided.push_back(Decided { last, unrecorded, messages, answers });
        Ok(())
    }

    /// The grants that were decided: they leave before they are durable, if the engine's claim is.
    pub(crate) fn grants(&mut self) -> Vec<Outgoing> {
        let is_early = self.broken == Some(Broken::GrantsBeforeClaim);
        if self.claim.is_none_or(|claim| claim > self.durable) && !is_early {
            return Vec::new();
        }
        let grants: Vec<_> = std::iter::from_fn(|| self.scheduler.poll_grant()).collect();
        let cause = self.scheduler.last();
        grants.into_iter().filter_map(|grant| self.outgoing(cause, grant)).collect()
    }

    /// What leaves before its cause is durable, in an engine that is broken so.
    pub(crate) fn leak(&mut self) -> Vec<Outgoing> {
        if self.broken != Some(Broken::EffectsFirst) {
            return Vec::new();
        }
        let mut leaked = self.effects(Seq(u64::MAX));
        if let Some(decided) = self.decided.back_mut() {
            let answers = std::mem::take(&mut decided.answers);
            let messages = std::mem::take(&mut decided.messages);
            leaked.extend(Self::let_go(decided.last, messages, answers));
        }
        leaked
    }

    /// Appends what was decided; answers whether the log took all of it.
    ///
    /// # Errors
    ///
    /// [`Ended`].
    pub(crate) fn record(&mut self, watch: &mut Watch) -> Result<bool, Ended> {
        self.under_way = self.decided.len();
        for decided in &mut self.decided {
            let Some(turn) = &decided.unrecorded else { continue };
            watch.appending(turn);
            match finish(self.log.append(turn)) {
                Ok(()) => watch.appended(),
                Err(AppendError::Full(_) | AppendError::Unavailable(_)) => return Ok(false),
                Err(AppendError::Poisoned(_)) if self.broken == Some(Broken::SyncRepeated) => {}
                Err(error) => return Err(Ended::Append(error)),
            }
            decided.unrecorded = None;
        }
        Ok(true)
    }

    /// What leaves once the append that was under way is durable.
    pub(crate) fn finish(&mut self, watch: &mut Watch) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        let landed = self.under_way.checked_sub(1).and_then(|index| self.decided.get(index));
        let landed = landed.map(|decided| decided.last);
        if let Some(landed) = landed {
            self.durable = landed;
            watch.landed();
            outgoing.extend(self.effects(landed));
        }
        let finished: Vec<_> = self.decided.drain(..self.under_way).collect();
        self.under_way = 0;
        for Decided { last, messages, answers, .. } in finished {
            outgoing.extend(Self::let_go(last, messages, answers));
        }
        if self.is_durable() {
            watch.turned(&self.scheduler);
        }
        outgoing
    }

    fn let_go(
        cause: Seq,
        messages: Vec<(Life, ToDispatcher)>,
        answers: Vec<(Asker, Answer)>,
    ) -> impl Iterator<Item = Outgoing> {
        let messages = messages.into_iter().map(|(to, message)| What::Message(to, message));
        let answers = answers.into_iter().map(|(asker, answer)| What::Answer(asker, answer));
        messages.chain(answers).map(move |what| Outgoing { cause, what })
    }

    fn effects(&mut self, durable: Seq) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        while let Some(effect) = self.scheduler.poll_effect(durable) {
            outgoing.extend(self.outgoing(durable, effect));
        }
        outgoing
    }

    /// To the life of a dispatcher that was heard last, if any was.
    fn outgoing(&self, cause: Seq, effect: Effect) -> Option<Outgoing> {
        let tell = |to, message| Some(What::Message(self.fleet.life(&to)?, message));
        let what = match effect {
            Effect::Grant(to, grant) => tell(to, ToDispatcher::Grant(grant)),
            Effect::Cancel(to, attempt) => tell(to, ToDispatcher::Cancel(attempt)),
            Effect::AskSource(block) => Some(What::AskSource(block)),
            Effect::Release(_) => None, // read by cursor
        };
        Some(Outgoing { cause, what: what? })
    }
}

/// Requests that share a turn.
const BATCH_MAX: usize = 256;

/// A dispatcher that says nothing for so long is gone (ten beats).
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(10);
