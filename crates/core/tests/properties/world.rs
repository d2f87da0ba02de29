//! A world: one scheduler, its log, its fleet, and everything that dispatchers were ever told.
//!
//! A step is a turn of an engine: what is asked is decided and applied one by one, then what is
//! due, then what can be granted. The turn is written at once and synced later, or never. A crash
//! drops what was not synced, and everything in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    AttemptId, BlockHash, Effect, Epoch, Event, Fleet, Grant, Input, Limits, Rejection, Release,
    Scheduler, Seq, TaskId, Timestamp, ToDispatcher, Turn,
};

use crate::machine::{How, Machine, report};
use crate::pipelines;
use crate::steps::{Case, Step};
use crate::universe::{self, BLOCKS, START};

/// One decision, with the state around it.
pub(crate) struct Decision<'a> {
    pub(crate) before: &'a Scheduler,
    pub(crate) after: &'a Scheduler,
    pub(crate) now: Timestamp,
    pub(crate) input: &'a Input,
    pub(crate) answer: Result<&'a [Event], &'a Rejection>,
}

pub(crate) struct World<'a> {
    pub(crate) limits: Limits,
    pub(crate) now: Timestamp,
    pub(crate) scheduler: Scheduler,
    pub(crate) fleet: Fleet,
    pub(crate) log: Vec<Turn>,
    /// Every effect that left, in order, with those that a crash made come again.
    pub(crate) effects: Vec<Effect>,
    pub(crate) crew: Vec<Machine>,
    told: Vec<(usize, Grant)>,
    /// Where each attempt that was told of belongs.
    attempts: BTreeMap<AttemptId, (usize, TaskId)>,
    pub(crate) asked: BTreeSet<BlockHash>,
    /// How many turns of the log are durable.
    synced: usize,
    deciding: Vec<Event>,
    /// What is said to a machine once this is durable.
    letters: Vec<(Seq, usize, ToDispatcher)>,
    pipeline: usize,
    /// Where the source says heads: the branch that it is on, by the salts of its blocks.
    pub(crate) branch: Option<Vec<u8>>,
    salt: u8,
    watch: Option<&'a mut dyn FnMut(&Decision<'_>)>,
}

impl<'a> World<'a> {
    /// A world after a case's steps.
    pub(crate) fn after(case: &Case) -> Self {
        Self::begin(case, None)
    }

    /// Likewise; `watch` sees every decision.
    pub(crate) fn watched(case: &Case, watch: &'a mut dyn FnMut(&Decision<'_>)) -> Self {
        Self::begin(case, Some(watch))
    }

    fn begin(case: &Case, watch: Option<&'a mut dyn FnMut(&Decision<'_>)>) -> Self {
        let limits = case.limits();
        let mut world = Self {
            limits,
            now: Timestamp(1_000_000),
            scheduler: Scheduler::new(limits),
            fleet: Fleet::new(SILENCE_MAX),
            log: Vec::new(),
            effects: Vec::new(),
            crew: Machine::crew(),
            told: Vec::new(),
            attempts: BTreeMap::new(),
            asked: BTreeSet::new(),
            synced: 0,
            deciding: Vec::new(),
            letters: Vec::new(),
            pipeline: case.pipeline,
            branch: case.heads.then(Vec::new),
            salt: case.salt,
            watch,
        };
        world.ask(&Input::Claim(Epoch(1)));
        world.ask(&Input::Configure(Box::new(case.pipeline())));
        world.commit();
        world.sync();
        for (step, is_synced) in &case.steps {
            world.step(step);
            if *is_synced {
                world.sync();
            }
        }
        world
    }

    pub(crate) fn step(&mut self, step: &Step) {
        self.fleet.look(self.now);
        match step {
            Step::Submit(blocks) => (0..*blocks).for_each(|_| {
                let next = self.next_block();
                self.submit(next);
            }),
            Step::Ahead(by) => {
                let next = self.next_block() + u64::from(*by);
                if next < BLOCKS && self.next_block() > 0 {
                    self.ask(&Input::Submit(Box::new(self.block(next))));
                }
            }
            Step::Fork { back, salt, child } => self.fork(u64::from(*back), *salt, *child),
            Step::Again { back, salt } => {
                let index = self.next_block().saturating_sub(1 + u64::from(*back));
                let mut block = self.block(index);
                block.payload = universe::block(START + index, block.parent, *salt).payload;
                self.ask(&Input::Submit(Box::new(block)));
            }
            Step::Reorg { back, salt, blocks } => self.reorg(*back, *salt, *blocks),
            Step::Finalize { but } => self.finalize(u64::from(*but)),
            Step::EndSource => {
                let is_there = self.branch.is_none() || self.parts_at() == BLOCKS;
                if is_there && self.next_block() == BLOCKS {
                    self.ask(&Input::EndSource);
                }
            }
            Step::Beat(machine) => self.beat(machine.index(self.crew.len())),
            Step::Report(grant, how) => self.report_any(grant, *how),
            Step::Finish(machine, how) => self.finish(machine.index(self.crew.len()), *how),
            Step::Restart(machine) => machine.get_mut_of(&mut self.crew).restart(),
            Step::Lose(machine) => {
                let dispatcher = machine.get_mut_of(&mut self.crew).id.clone();
                let message = "it is gone".to_owned();
                self.ask(&Input::Lose { dispatcher, but: BTreeSet::new(), message });
            }
            Step::Withdraw(grant) => {
                if let Some((_, grant)) = grant.pick(&self.told) {
                    let (attempt, message) = (grant.attempt, "not there".to_owned());
                    self.ask(&Input::Withdraw { attempt, message, cause: None });
                }
            }
            Step::Retry(task) => {
                let parked: Vec<_> = self.scheduler.parked().map(|(id, _)| *id).collect();
                if let Some(task) = task.pick(&parked) {
                    self.ask(&Input::Retry(*task));
                }
            }
            Step::Remake(task) => {
                let tasks: Vec<_> = self.scheduler.tasks().map(|(id, _)| *id).collect();
                if let Some(task) = task.pick(&tasks) {
                    self.ask(&Input::Remake(*task));
                }
            }
            Step::Reconfigure(by) => {
                let heads = self.branch.is_some();
                let spec = pipelines::with_policy(self.pipeline, heads, *by);
                self.ask(&Input::Configure(Box::new(spec)));
            }
            Step::Resupply => self.resupply(),
            Step::Sleep(millis) => self.now = self.now + Duration::from_millis((*millis).into()),
            Step::SleepToDeadline => {
                let next = self.scheduler.poll_timeout(self.now);
                self.now = next.map_or(self.now, |deadline| deadline.at);
            }
            Step::Crash { effects } => self.crash(*effects),
        }
        self.follow_up();
        self.commit();
    }

    /// What an engine decides without being asked.
    pub(crate) fn follow_up(&mut self) {
        for input in self.fleet.silent(self.now, &self.scheduler) {
            self.ask(&input);
        }
        for wake in 0.. {
            assert!(wake < WAKES_MAX, "what is due never ends");
            if self.decide(&Input::Wake).is_ok_and(|events| events.is_empty()) {
                break;
            }
        }
        let offers = self.fleet.offers(&self.scheduler);
        self.ask(&Input::Assign(offers));
    }

    /// Decides and applies one input, whatever is said to it.
    pub(crate) fn ask(&mut self, input: &Input) {
        let _ = self.decide(input);
    }

    /// Decides and applies one input.
    pub(crate) fn decide(&mut self, input: &Input) -> Result<Vec<Event>, Rejection> {
        let answer = self.scheduler.decide(self.now, input);
        let before = self.watch.is_some().then(|| self.scheduler.clone());
        if let Ok(events) = &answer {
            self.scheduler.apply_all(self.now, events).expect("what was decided can be applied");
            self.deciding.extend(events.iter().cloned());
        }
        if let (Some(watch), Some(before)) = (&mut self.watch, &before) {
            let (now, after) = (self.now, &self.scheduler);
            watch(&Decision { before, after, now, input, answer: answer.as_deref() });
        }
        answer
    }

    pub(crate) fn commit(&mut self) {
        let events = std::mem::take(&mut self.deciding);
        if !events.is_empty() {
            let first = Seq(self.log.last().map_or(0, |turn| turn.last().0) + 1);
            let (epoch, at) = (self.scheduler.epoch(), self.now);
            self.log.push(Turn { epoch, first, at, events });
        }
    }

    pub(crate) fn sync(&mut self) {
        self.synced = self.log.len();
        let durable = self.durable();
        while let Some(effect) = self.scheduler.poll_effect(durable) {
            self.perform(effect);
        }
        for (cause, machine, letter) in std::mem::take(&mut self.letters) {
            assert!(cause <= durable, "everything is durable after a sync");
            self.deliver(machine, &letter);
        }
    }

    /// The events of the log, each with its position.
    pub(crate) fn events(&self) -> impl Iterator<Item = (Seq, &Event)> {
        (1..).map(Seq).zip(self.log.iter().flat_map(|turn| &turn.events))
    }

    /// Everything that was released, as the effects told it.
    pub(crate) fn releases_told(&self) -> impl Iterator<Item = &Release> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Release(release) => Some(release),
            Effect::Grant(..) | Effect::Cancel(..) | Effect::AskSource(_) => None,
        })
    }

    /// What is not done, for people.
    pub(crate) fn open(&self) -> Vec<String> {
        let tasks = self.scheduler.tasks().filter(|(_, task)| task.is_open());
        let tasks =
            tasks.map(|(_, task)| format!("{:?} {} {:?}", task.stage, task.key, task.state));
        let stages = self.scheduler.stages().map(|stage| format!("{stage:?}"));
        let head = format!(
            "tip {:?}, next deadline {:?}",
            self.scheduler.chain().tip(),
            self.scheduler.poll_timeout(self.now)
        );
        std::iter::once(head).chain(stages).chain(tasks).collect()
    }

    fn durable(&self) -> Seq {
        let last = self.synced.checked_sub(1).and_then(|last| self.log.get(last));
        last.map_or(Seq(0), Turn::last)
    }

    fn perform(&mut self, effect: Effect) {
        match &effect {
            Effect::Grant(dispatcher, grant) => {
                let machine = self.crew.iter().position(|machine| machine.id == *dispatcher);
                let machine = machine.expect("grants go to who offered");
                self.deliver(machine, &ToDispatcher::Grant(grant.clone()));
            }
            Effect::Cancel(dispatcher, attempt) => {
                let machine = self.crew.iter().position(|machine| machine.id == *dispatcher);
                let machine = machine.expect("cancels go to who was granted");
                self.deliver(machine, &ToDispatcher::Cancel(*attempt));
            }
            Effect::AskSource(block) => {
                self.asked.insert(*block);
            }
            Effect::Release(_) => {}
        }
        self.effects.push(effect);
    }

    fn deliver(&mut self, index: usize, letter: &ToDispatcher) {
        if let ToDispatcher::Grant(grant) = letter {
            self.check_grant(index, grant);
            self.told.push((index, (**grant).clone()));
        }
        self.crew.get_mut(index).expect("a machine").hear(letter);
    }

    /// No grant is told before its event is durable, and an attempt's id is of one grant for ever.
    fn check_grant(&mut self, machine: usize, grant: &Grant) {
        let place = (machine, grant.task);
        let known = *self.attempts.entry(grant.attempt).or_insert(place);
        assert_eq!(known, place, "{} is of two grants", grant.attempt);
        let durable = self.log.iter().take(self.synced);
        let durable = durable.flat_map(|turn| &turn.events);
        let position = usize::try_from(grant.attempt.position().0).expect("small") - 1;
        let cause = durable.skip(position).take(1).next();
        let is_cause = matches!(cause, Some(Event::Granted { task, .. }) if *task == grant.task);
        assert!(is_cause, "{} was told, and {cause:?} is durable", grant.attempt);
    }

    fn letter(&mut self, machine: usize, letter: ToDispatcher) {
        self.letters.push((self.scheduler.last(), machine, letter));
    }

    /// How many canonical blocks there are.
    pub(crate) fn next_block(&self) -> u64 {
        self.scheduler.chain().tip().map_or(0, |(tip, _)| tip.0 + 1 - START)
    }

    pub(crate) fn submit(&mut self, index: u64) {
        if index < BLOCKS && (index == 0 || self.next_block() > 0) {
            let block = self.block(index);
            self.ask(&Input::Submit(Box::new(block.clone())));
            if self.branch.is_some() {
                self.ask(&Input::Head { head: None, block: block.hash });
            }
        }
    }

    /// Submits a block beside the canonical one, `back` from the tip, and its child.
    fn fork(&mut self, back: u64, salt: u8, child: bool) {
        let Some(index) = self.next_block().checked_sub(1 + back) else { return };
        let fork = universe::block(START + index, self.block(index).parent, salt.max(1));
        let hash = fork.hash;
        self.ask(&Input::Submit(Box::new(fork)));
        if child {
            let child = universe::block(START + index + 1, hash, salt);
            self.ask(&Input::Submit(Box::new(child)));
        }
    }

    pub(crate) fn beat(&mut self, index: usize) {
        let machine = self.crew.get(index).expect("a machine").clone();
        let (inputs, again) = self.fleet.beat(self.now, &machine.beat(), &self.scheduler);
        for message in again {
            self.letter(index, message);
        }
        for input in inputs {
            self.ask(&input);
        }
        for report in machine.held.into_values() {
            self.hear(index, report);
        }
    }

    /// A machine tells of an attempt, in time or not, once more or for the first time.
    fn report_any(&mut self, grant: &crate::steps::Pick, how: How) {
        if let Some((machine, grant)) = grant.pick(&self.told).cloned() {
            let life = self.crew.get(machine).expect("a machine").life();
            self.hear(machine, report(life, &grant, how, self.salt));
        }
    }

    /// A machine ends what it has run longest.
    pub(crate) fn finish(&mut self, index: usize, how: How) {
        let salt = self.salt;
        let machine = self.crew.get_mut(index).expect("a machine");
        if let Some((_, grant)) = machine.running.first_key_value() {
            let report = report(machine.life(), grant, how, salt);
            machine.end(report.clone());
            self.hear(index, report);
        }
    }

    fn hear(&mut self, index: usize, report: push0_core::Report) {
        let attempt = report.attempt;
        self.fleet.ended(&report);
        let verdict = match self.decide(&Input::Report(report)) {
            Err(Rejection::Answered(verdict)) => verdict,
            Ok(_) => push0_core::Verdict::Recorded,
            Err(other) => panic!("a report is answered: {other}"),
        };
        self.letter(index, ToDispatcher::Verdict(attempt, verdict));
    }

    /// The engine dies, and another takes the log over.
    fn crash(&mut self, are_effects_performed: bool) {
        if are_effects_performed {
            self.sync();
        }
        self.log.truncate(self.synced);
        self.letters.clear();
        self.deciding.clear();
        self.scheduler = Scheduler::replay(self.limits, &self.log).expect("the log is sound");
        assert_eq!(self.scheduler.poll_effect(Seq(u64::MAX)), None, "the past is not repeated");
        self.asked = self.scheduler.chain().lost().collect();
        self.fleet = Fleet::new(SILENCE_MAX);
        self.fleet.look(self.now);
        let epoch = self.scheduler.epoch().next();
        self.ask(&Input::Claim(epoch));
    }
}

const SILENCE_MAX: Duration = Duration::from_secs(10);
const WAKES_MAX: usize = 1_000;
