//! The scheduler: decides what an input means, and folds what was decided into its state.
//!
//! The caller's loop is five lines, and their order is the whole durability argument:
//!
//! ```text
//! let events = scheduler.decide(now, input)?;         // pure: may refuse, changes nothing
//! scheduler.apply_all(now, &events)?;                 // cannot refuse what was decided
//! log.append(&turn);                                  // durable on return
//! while let Some(effect) = scheduler.poll_effect(turn.last()) { perform(effect) }
//! sleep_until(scheduler.poll_timeout(now));           // then decide(Wake)
//! ```
//!
//! Invariants:
//! - the state is a fold over the log and nothing else;
//! - an effect leaves only after the event that caused it is durable; but a grant may leave before
//!   (`poll_grant`): if its record is lost, a proof may be made that nobody asked for, and no
//!   promise broken;
//! - policy (windows, budgets, timeouts, bounds) is read when something is decided and never when
//!   it is applied, so a log means the same under every policy.
//!
//! Not here: who is alive (`Fleet`), how anything is stored or sent.

mod advance;
mod apply;
mod aside;
mod assign;
mod discard;
mod end;
mod flow;
mod heads;
mod index;
mod keys;
mod operator;
mod payloads;
mod ran;
mod references;
mod report;
mod starved;
mod submit;
mod view;
mod whereabouts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use self::aside::Aside;
use self::aside::Records;
use self::keys::Keys;
pub use self::operator::Cordon;
pub use self::ran::{EndCounts, RunStats};
pub use references::{Reference, Referred};
use starved::Starved;
pub use view::{StageView, Totals};
pub use whereabouts::Whereabouts;

use crate::attempt::Attempts;
use crate::by_hash::ByHash;
use crate::chain::Chain;
use crate::collect::Collector;
use crate::input::{Input, Rejection};
use crate::queue::Queue;
use crate::release::{Feed, Release};
use crate::{
    AttemptId, BlockHash, Deadline, DispatcherId, Epoch, Event, Grant, Height, IllegalEvent,
    Limits, Pipeline, ProgramName, Seq, Task, TaskId, Timestamp, Turn,
};

/// The state of a pipeline, and every decision about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scheduler {
    limits: Limits,
    pipeline: Pipeline,
    epoch: Epoch,
    /// Whether the ids of attempts hold the epoch.
    ids_hold_epoch: bool,
    last: Seq,
    now: Timestamp,
    chain: Chain,
    tasks: ByHash<TaskId, Box<Task>>,
    queue: Queue,
    /// Tasks that could be tried but for an input that is not there.
    starved: Starved,
    /// The most blocks that a task is about: who reads what begins at a height begins no more than
    /// that below it.
    widest: u64,
    /// Where the source says heads: the tasks about blocks that are not final, by the last of them.
    reversible: BTreeSet<(Height, TaskId)>,
    attempts: Attempts,
    /// By stage, in the pipeline's order.
    collectors: Vec<Collector>,
    feed: Feed,
    keys: BTreeMap<ProgramName, Keys>,
    /// What came of the attempts at each program.
    records: BTreeMap<ProgramName, Records>,
    /// How many are set aside, of whatever program.
    asides: usize,
    /// Those that get no new work by an operator's word.
    cordons: BTreeMap<DispatcherId, Cordon>,
    /// Whether something was closed because no block follows.
    has_closed_by_end: bool,
    /// The open tasks, by the height that they begin at. One set, not one for each height: those
    /// would cost 400 bytes each.
    open: BTreeSet<(Height, TaskId)>,
    /// How many of them are below what is released.
    open_behind: usize,
    parked: BTreeSet<TaskId>,
    totals: Totals,
    ran: RunStats,
    effects: VecDeque<(Seq, Effect)>,
    /// Those that are grants, which may leave before the others.
    grants: VecDeque<(Seq, Effect)>,
    /// Whether what is applied is of the past: nothing is to be done about it, so the effects that
    /// take time to make are not made.
    is_past: bool,
}

/// Something for the caller to do. One that is lost in a crash is done again by the one after it:
/// grants go out again with the next beat, releases are read by cursor, payloads are asked for at
/// start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Hand `dispatcher` this attempt.
    Grant(DispatcherId, Box<Grant>),
    /// Tell `dispatcher` that nobody waits for this attempt.
    Cancel(DispatcherId, AttemptId),
    /// Hand this release to whoever reads the feed.
    Release(Release),
    /// Ask the source for this block's payload.
    AskSource(BlockHash),
}

impl Scheduler {
    /// A scheduler with an empty log.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            pipeline: Pipeline::none(),
            epoch: Epoch::default(),
            ids_hold_epoch: false,
            last: Seq::default(),
            now: Timestamp::default(),
            chain: Chain::default(),
            tasks: ByHash::default(),
            queue: Queue::default(),
            starved: Starved::default(),
            widest: 1,
            reversible: BTreeSet::new(),
            attempts: Attempts::default(),
            collectors: Vec::new(),
            feed: Feed::default(),
            keys: BTreeMap::new(),
            records: BTreeMap::new(),
            asides: 0,
            cordons: BTreeMap::new(),
            has_closed_by_end: false,
            open: BTreeSet::new(),
            open_behind: 0,
            parked: BTreeSet::new(),
            totals: Totals::default(),
            ran: RunStats::default(),
            effects: VecDeque::new(),
            grants: VecDeque::new(),
            is_past: false,
        }
    }

    /// The scheduler that `history` leads to. Effects of the past are not repeated.
    ///
    /// # Errors
    ///
    /// [`IllegalEvent`] where no scheduler wrote `history`.
    pub fn replay<'a>(
        limits: Limits,
        history: impl IntoIterator<Item = &'a Turn>,
    ) -> Result<Self, IllegalEvent> {
        let mut scheduler = Self::new(limits);
        for turn in history {
            scheduler.replay_turn(turn)?;
        }
        Ok(scheduler)
    }

    /// Goes on from one more turn of the log, without its effects.
    ///
    /// # Errors
    ///
    /// [`IllegalEvent`], after which the scheduler must not be used.
    pub fn replay_turn(&mut self, turn: &Turn) -> Result<(), IllegalEvent> {
        if turn.first != self.last.next() {
            let what = format!("a turn begins here, but {} comes next", self.last.next());
            return Err(IllegalEvent { seq: turn.first, what: what.into() });
        }
        self.is_past = true;
        self.apply_all(turn.at, &turn.events)?;
        self.is_past = false;
        self.effects.clear();
        self.grants.clear();
        Ok(())
    }

    /// Folds decided events into the state.
    ///
    /// # Errors
    ///
    /// [`IllegalEvent`], after which the scheduler must not be used.
    pub fn apply_all<'a>(
        &mut self,
        at: Timestamp,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<(), IllegalEvent> {
        events.into_iter().try_for_each(|event| self.apply(at, event))
    }

    /// The next thing to do, among those whose cause is durable.
    pub fn poll_effect(&mut self, durable: Seq) -> Option<Effect> {
        let cause = |queue: &VecDeque<(Seq, Effect)>| queue.front().map(|(cause, _)| *cause);
        let (effect, grant) = (cause(&self.effects), cause(&self.grants));
        let queue = match (effect, grant) {
            (Some(effect), Some(grant)) if grant < effect => &mut self.grants,
            (None, Some(_)) => &mut self.grants,
            (Some(_) | None, _) => &mut self.effects,
        };
        let (_, effect) = queue.pop_front_if(|(cause, _)| *cause <= durable)?;
        Some(effect)
    }

    /// The next grant, whether or not its record is durable: work may begin early, and promises
    /// wait. For an engine whose claim is durable, and for none other; what its record's loss would
    /// leave behind is a ghost, which [`Fleet`](crate::Fleet) tells from an attempt.
    pub fn poll_grant(&mut self) -> Option<Effect> {
        self.grants.pop_front().map(|(_, grant)| grant)
    }

    /// Decides what `input` means at `now`. Pure: the same state, time and input always give the
    /// same events, and never more than `decision_max` of them and the few that follow from one
    /// report.
    ///
    /// # Errors
    ///
    /// A [`Rejection`], whose variants say what the sender should do.
    pub fn decide(&self, now: Timestamp, input: &Input) -> Result<Vec<Event>, Rejection> {
        match input {
            Input::Configure(spec) => self.fitting(self.configure(spec)?),
            Input::Claim(epoch) => self.claim(*epoch),
            Input::Submit(block) => self.fitting(self.submit(block)?),
            Input::Head { head, block } => self.head(*head, block),
            Input::Finalize { number, block } => self.finalize(*number, block),
            Input::EndSource => self.end_source(now),
            Input::ResumeSource { by, why } => self.fitting(self.resume_source(by, why)?),
            Input::Report(report) => self.report(now, report),
            Input::Lose { dispatcher, but, message } => {
                Ok(self.lose(now, dispatcher, but, message))
            }
            Input::Withdraw { attempt, message, cause } => {
                self.withdraw(now, *attempt, message, *cause)
            }
            Input::Retry(task) => self.retry(task),
            Input::Remake(task) => self.remake(task),
            Input::Discard { task, by, why } => self.fitting(self.discard(task, by, why)?),
            Input::Unpin { program, by, why } => self.fitting(self.unpin(program, by, why)?),
            Input::Cordon { dispatcher, by, why } => {
                self.fitting(self.cordon(dispatcher, by, why)?)
            }
            Input::Uncordon { dispatcher, by, why } => {
                self.fitting(self.uncordon(dispatcher, by, why)?)
            }
            Input::Wake => Ok(self.advance(now)),
            Input::Assign(offers) => Ok(self.assign(now, offers)),
        }
    }

    /// What an input of any size asks for, if a record has room for it.
    fn fitting(&self, events: Vec<Event>) -> Result<Vec<Event>, Rejection> {
        let bytes = events.iter().map(Event::bytes_max).sum();
        let bytes_max = self.limits.input_bytes_max();
        match bytes <= bytes_max {
            true => Ok(events),
            false => Err(Rejection::TooLarge { bytes, bytes_max }),
        }
    }

    /// When to decide [`Input::Wake`] and [`Input::Assign`] next, both having been decided at
    /// `now`.
    #[must_use]
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Deadline> {
        let retry =
            self.queue.next_due(now).map(|at| Deadline { at, why: "a task may be tried again" });
        let lease = self.attempts.next_end().map(|at| Deadline { at, why: "a lease ends" });
        let batch = self.next_age(now).map(|at| Deadline { at, why: "a batch is old enough" });
        let source = self.next_abandoned(now);
        let source = source.map(|at| Deadline { at, why: "a block is not delivered again" });
        let all = retry.into_iter().chain(lease).chain(batch).chain(source);
        all.chain(self.next_probe(now)).chain(self.next_led()).min()
    }

    /// What it holds itself to.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Holds itself to these from here on. They are read when something is decided, and never when
    /// it is applied.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The position of the last event applied.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// The time of the last event applied.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The pipeline that runs.
    #[must_use]
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Whether a pipeline has been configured.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        !self.pipeline.stages.is_empty()
    }

    /// The epoch that holds.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The attempt that would be granted at a position.
    #[must_use]
    pub const fn attempt_at(&self, at: Seq) -> AttemptId {
        match self.ids_hold_epoch {
            true => AttemptId::of(self.epoch, at),
            false => AttemptId(at.0),
        }
    }

    /// Every known block.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }
}
