//! The watch: sees every decision, every record and every message, and checks them as they come.
//!
//! What it knows of the log it reads by itself (`Ledger`); what it knows of the world, no engine
//! knows.

mod due;
mod ends;
mod fleet;
mod promises;
mod report;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    AttemptId, Capacity, DispatcherId, Epoch, Event, Input, Limits, Offer, ProgramName, Rejection,
    Scheduler, Seq, TaskId, Timestamp, Turn,
};

use self::fleet::Which;
use self::times::Times;
use crate::check::{Check, Found, Violation, holds};
use crate::ledger::Ledger;
use crate::order;

/// What is checked, and what that takes.
pub(crate) struct Watch {
    pub(crate) ledger: Ledger,
    /// Virtual time.
    pub(crate) now: Duration,
    limits: Limits,
    found: Option<Violation>,
    /// Every turn that an engine was told is durable.
    acknowledged: Vec<Turn>,
    /// The turn of which nobody knows.
    under_way: Option<Turn>,
    /// A scheduler that knows the log alone.
    shadow: Scheduler,
    /// How far the engine was told that its log is durable. What an append under way has written is
    /// beyond it.
    durable: Seq,
    /// The epoch whose claim is within that.
    led: Epoch,
    /// When each dispatcher could last not be heard, or could be heard late.
    troubles: BTreeMap<DispatcherId, Duration>,
    /// Those that died, where an engine was told that their connection had ended, until it hears
    /// them again.
    departed: BTreeSet<DispatcherId>,
    /// When an engine last began to hear, after it could not.
    heard_from: Duration,
    /// In how many beats each lease was not mentioned.
    absent: BTreeMap<AttemptId, u32>,
    /// The latest life that the engine heard of each.
    lives: BTreeMap<DispatcherId, u64>,
    /// Of which life the beat is that is decided about, if one is; and what it knows of.
    hearing: Option<Which>,
    /// Dispatchers that were started again, and of whose former life the turn had no room to end
    /// all: what their beat knew.
    unfinished: BTreeMap<DispatcherId, BTreeMap<AttemptId, TaskId>>,
    known: BTreeMap<AttemptId, TaskId>,
    announced: BTreeMap<DispatcherId, Capacity>,
    /// What everyone could take: an engine looks at some of it, and is to decide as if it saw all.
    offered: Vec<Offer>,
    running: BTreeMap<DispatcherId, BTreeMap<AttemptId, TaskId>>,
    started: BTreeSet<(DispatcherId, u64, AttemptId)>,
    /// Those whose proofs were under a key of their own once.
    own_keys: BTreeSet<DispatcherId>,
    /// How much each has shown: beats, proofs, and what it knew of at first.
    shown: BTreeMap<DispatcherId, u64>,
    times: Times,
    /// How many turns have ended.
    turns: u32,
    /// When something is due that was decided.
    next_due: Option<Timestamp>,
    /// The time of the last steps, and how many they were.
    instant: Duration,
    at_instant: u32,
}

impl Watch {
    pub(crate) fn new(ledger: Ledger, limits: Limits) -> Self {
        Self {
            ledger,
            now: Duration::ZERO,
            limits,
            found: None,
            acknowledged: Vec::new(),
            under_way: None,
            shadow: Scheduler::new(limits),
            durable: Seq(0),
            led: Epoch(0),
            troubles: BTreeMap::new(),
            departed: BTreeSet::new(),
            heard_from: Duration::ZERO,
            absent: BTreeMap::new(),
            lives: BTreeMap::new(),
            hearing: None,
            unfinished: BTreeMap::new(),
            known: BTreeMap::new(),
            announced: BTreeMap::new(),
            offered: Vec::new(),
            running: BTreeMap::new(),
            started: BTreeSet::new(),
            own_keys: BTreeSet::new(),
            shown: BTreeMap::new(),
            times: Times::default(),
            turns: 0,
            next_due: None,
            instant: Duration::ZERO,
            at_instant: 0,
        }
    }

    /// Whether a dispatcher is held to a key for good: one that only a crash's victim decided on
    /// may yet be another.
    pub(crate) fn is_held(&self, program: &ProgramName, dispatcher: &DispatcherId) -> bool {
        self.shadow.vkey_for(program, dispatcher).is_some()
    }

    /// What this one proves is not what others do, and it may be held to that.
    pub(crate) fn has_own_key(&mut self, dispatcher: &DispatcherId) {
        self.own_keys.insert(dispatcher.clone());
    }

    /// Whether a task has a result for good, likewise.
    pub(crate) fn is_made(&self, task: &TaskId) -> bool {
        self.shadow.task(task).is_some_and(|task| task.result.is_some())
    }

    /// What was found first, if anything was.
    pub(crate) const fn found(&self) -> Option<&Violation> {
        self.found.as_ref()
    }

    /// Notes a check that does not hold; the first counts.
    pub(crate) fn note(&mut self, result: Result<(), Found>) {
        if let Err((check, what)) = result {
            let at = self.now;
            self.found.get_or_insert(Violation { check, what, at });
        }
    }

    /// An engine has opened the log, and holds what it found there.
    pub(crate) fn opened(&mut self, history: &[Turn], scheduler: &Scheduler) {
        let result = self.check_opened(history, scheduler);
        self.note(result);
        self.heard_from = self.now;
        self.runs(true);
    }

    fn check_opened(&mut self, history: &[Turn], scheduler: &Scheduler) -> Result<(), Found> {
        let known = self.acknowledged.len();
        let is_there = history.get(..known) == Some(&self.acknowledged);
        holds(Check::Acknowledged, is_there, || {
            format!("{known} turns were acknowledged, {} are there", history.len())
        })?;
        let rest = history.get(known..).unwrap_or_default();
        let may_be_there = rest.is_empty() || rest.iter().eq(self.under_way.iter());
        holds(Check::Acknowledged, may_be_there, || format!("nobody appended {rest:?}"))?;
        self.under_way = None;
        let mut shadow = Scheduler::new(self.limits);
        let mut ledger = self.ledger.emptied();
        for turn in history {
            let illegal = |error| (Check::Legal, format!("the log cannot be replayed: {error}"));
            shadow.replay_turn(turn).map_err(illegal)?;
            turn.events.iter().try_for_each(|event| ledger.read(turn.at, event))?;
        }
        holds(Check::ReplayEqualsLive, shadow == *scheduler, || "at the opening".to_owned())?;
        self.durable = shadow.last();
        (self.acknowledged, self.shadow, self.ledger) = (history.to_vec(), shadow, ledger);
        Ok(())
    }

    /// An engine is about to grant what can be granted; all this is offered.
    pub(crate) fn offered(&mut self, offers: Vec<Offer>) {
        self.offered = offers;
    }

    /// An engine decided `input` at its own time `at`, and has not applied it.
    pub(crate) fn decided(
        &mut self,
        at: Timestamp,
        input: &Input,
        decided: Result<&[Event], &Rejection>,
    ) {
        let result = self.check_decided(at, input, decided);
        self.note(result);
    }

    fn check_decided(
        &mut self,
        at: Timestamp,
        input: &Input,
        decided: Result<&[Event], &Rejection>,
    ) -> Result<(), Found> {
        match input {
            Input::Report(report) => {
                self.check_report(report, decided)?;
                self.is_taken(report, decided.unwrap_or_default());
            }
            Input::Assign(offers) => {
                let grants = decided.unwrap_or_default();
                holds(
                    Check::Capacity,
                    offers.iter().all(|some| self.offered.contains(some)),
                    || format!("{offers:?} are not among {:?}", self.offered),
                )?;
                order::check(&self.ledger, at, &self.offered, grants, self.limits.decision_max)?;
            }
            Input::Lose { dispatcher, .. } => {
                self.check_lost(dispatcher, decided.unwrap_or_default())?;
            }
            Input::Configure(_)
            | Input::Claim(_)
            | Input::Submit(_)
            | Input::Head { .. }
            | Input::Finalize { .. }
            | Input::EndSource
            | Input::ResumeSource { .. }
            | Input::Cordon { .. }
            | Input::Uncordon { .. }
            | Input::Withdraw { .. }
            | Input::Retry(_)
            | Input::Remake(_)
            | Input::Discard { .. }
            | Input::Unpin { .. }
            | Input::Wake => {}
        }
        let Ok(events) = decided else { return Ok(()) };
        self.check_limits(input, events)?;
        self.check_ends(at, input, events)?;
        self.check_batches(at, events)?;
        let is_by_itself = Self::is_by_itself(input);
        for event in events {
            self.check_budgets(event)?;
            self.check_times(at, event, is_by_itself)?;
            self.ledger.read(at, event)?;
        }
        if let Input::Assign(offers) = input {
            self.check_capacity(offers, events)?;
        }
        Ok(())
    }

    /// A record is about to be appended.
    pub(crate) fn appending(&mut self, turn: &Turn) {
        self.under_way = Some(turn.clone());
    }

    /// The record is durable, says the log.
    pub(crate) fn appended(&mut self) {
        let Some(turn) = self.under_way.take() else { return };
        let replayed = self.shadow.replay_turn(&turn);
        let words = |error| (Check::Legal, format!("what was decided cannot be replayed: {error}"));
        self.note(replayed.map_err(words));
        self.acknowledged.push(turn);
    }

    /// The log holds this turn for good, whoever wrote it.
    pub(crate) fn took(&mut self, turn: &Turn) {
        self.appending(turn);
        self.appended();
        for event in &turn.events {
            let read = self.ledger.read(turn.at, event);
            self.note(read);
        }
        (self.durable, self.led) = (self.shadow.last(), self.shadow.epoch());
    }

    /// What watches an engine that has read this history of the log, beside others.
    pub(crate) fn beside(&self, history: &[Turn], scheduler: &Scheduler) -> Self {
        let mut one = Self::new(self.ledger.emptied(), self.limits);
        one.now = self.now;
        one.troubles.clone_from(&self.troubles);
        one.acknowledged = history.to_vec();
        one.opened(history, scheduler);
        one.forget_fleet();
        one
    }

    /// What the log alone leads to.
    pub(crate) const fn shadow(&self) -> &Scheduler {
        &self.shadow
    }

    /// A turn has ended; its engine holds nothing that is not in the log. Where there is much to
    /// hold, not every turn is looked at.
    pub(crate) fn turned(&mut self, scheduler: &Scheduler) {
        self.turns += 1;
        if self.ledger.tasks.len() > MANY_TASKS && !self.turns.is_multiple_of(8) {
            return;
        }
        let is_same = self.shadow == *scheduler;
        self.note(holds(Check::ReplayEqualsLive, is_same, || "after a turn".to_owned()));
    }

    /// A dispatcher could not be heard just now, or will be heard late.
    pub(crate) fn trouble(&mut self, dispatcher: &DispatcherId) {
        self.trouble_until(dispatcher, self.now);
    }

    /// Likewise until a time to come.
    pub(crate) fn trouble_until(&mut self, dispatcher: &DispatcherId, until: Duration) {
        let last = self.troubles.entry(dispatcher.clone()).or_default();
        *last = until.max(*last);
    }

    /// A dispatcher died, and an engine is told that its connection ended.
    pub(crate) fn departs(&mut self, dispatcher: &DispatcherId) {
        self.departed.insert(dispatcher.clone());
    }

    /// An engine hears nothing before `at`.
    pub(crate) fn hears_from(&mut self, at: Duration) {
        self.heard_from = self.heard_from.max(at);
    }

    /// A new engine knows nothing of dispatchers.
    pub(crate) fn forget_fleet(&mut self) {
        self.next_due = None;
        self.departed.clear();
        self.absent.clear();
        self.lives.clear();
        self.announced.clear();
        self.running.clear();
        self.shown.clear();
    }

    /// A dispatcher starts an attempt.
    pub(crate) fn starts(&mut self, dispatcher: &DispatcherId, life: u64, attempt: AttemptId) {
        let is_first = self.started.insert((dispatcher.clone(), life, attempt));
        let words = || format!("{dispatcher} starts {attempt} a second time");
        self.note(holds(Check::StartedOnce, is_first, words));
    }

    fn check_limits(&self, input: &Input, events: &[Event]) -> Result<(), Found> {
        let (limits, ledger) = (&self.limits, &self.ledger);
        let is_short = events.len() <= (limits.decision_max + 1).max(OF_A_REPORT);
        holds(Check::Limits, is_short, || format!("{} facts of {input:?}", events.len()))?;
        let opened = |event: &Event| {
            if let Event::TaskOpened { key, .. } = event { Some(key.first) } else { None }
        };
        // What is below what is released is made again, beside all that is to come.
        let ahead = ledger.next().unwrap_or_default();
        let firsts = events.iter().filter_map(opened).filter(|first| *first >= ahead);
        let firsts: Vec<_> = firsts.collect();
        if !firsts.is_empty() {
            let open = ledger.tasks.values().filter(|entry| entry.is_open());
            let open = open.filter(|entry| entry.key.first >= ahead);
            let lowest = open.clone().map(|entry| entry.key.first).min();
            let lowest = lowest.or_else(|| firsts.iter().min().copied()).unwrap_or_default();
            let window = ledger.pipeline.as_ref().map_or(0, |pipeline| pipeline.window);
            let last = firsts.iter().max().copied().unwrap_or_default();
            holds(Check::Limits, last.0 < lowest.0 + window, || {
                format!("{last} was opened, {lowest} is open, the window is {window}")
            })?;
            let count = open.count() + firsts.len();
            holds(Check::Limits, count <= limits.tasks_max, || format!("{count} tasks are open"))?;
        }
        for event in events {
            if let Event::Resupplied { block, .. } = event {
                let can_matter =
                    ledger.lost_payloads.contains_key(block) || ledger.doubted.contains(block);
                holds(Check::Limits, can_matter, || {
                    format!("{block} came again, nothing was wrong with it, and it is recorded")
                })?;
            }
        }
        let is_new = events.iter().any(|event| matches!(event, Event::BlockSubmitted { .. }));
        // What is beside the chain below what is released is in nobody's way.
        let next = ledger.next().unwrap_or_default();
        let unreleased = ledger.submitted.values().filter(|block| block.number >= next);
        let unreleased = unreleased.count() as u64;
        let most = (limits.blocks_max + limits.strays_max) as u64;
        let is_over = is_new && unreleased >= most && !ledger.says_heads();
        holds(Check::Limits, !is_over, || format!("{unreleased} blocks"))
    }
}

/// More than most worlds have.
const MANY_TASKS: usize = 100;

/// Facts of one report at the most: a key that is named, that is pinned by it, the acceptance, that
/// its dispatcher is restored, and what it was made in the place of.
const OF_A_REPORT: usize = 5;
