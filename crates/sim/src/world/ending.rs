//! How a world ends: faults stop, and everything must come to its end within a stated time.
//!
//! First by itself: what is not released then must be parked, or held behind what is. Then a person
//! cures what cannot be proved and opens what is parked again: then all of it must be released.

use std::time::Duration;

use push0_core::{Collect, Inflow, Input, Scheduler, TaskId};
use push0_log::{FileLog, LogId, Settings};

use super::{Cut, World};
use crate::check::{Check, Found, holds};
use crate::engine::Asker;
use crate::model;

/// How far a world is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Faults strike.
    Cruel,
    /// They do not any more.
    Settling { until: Duration },
    /// What was parked was opened again, so often.
    Curing { until: Duration, rounds: u32 },
    /// Everything is said.
    Over,
}

impl World {
    /// From here on nothing goes wrong, and what did is mended.
    pub(super) fn quiet(&mut self) {
        self.say(|| "faults stop".to_owned());
        self.faults.stop();
        self.store.set_down(false);
        self.disk.fill(false);
        self.cut.iter_mut().for_each(|cut| *cut = Cut::default());
        self.too_large.clear();
        self.all_fail = (Duration::ZERO, None);
        for one in &mut self.crew {
            one.is_open = true;
            one.withdrawn.clear();
            (one.boasts_until, one.has_own_key) = (Duration::ZERO, false);
        }
        let until = self.agenda.now() + self.bound();
        self.phase = Phase::Settling { until };
    }

    pub(super) fn is_cruel(&self) -> bool {
        self.phase == Phase::Cruel
    }

    /// Whether all that was released has a result, and nothing that is accepted is false.
    fn is_whole(&self) -> bool {
        let ledger = &self.watch.ledger;
        let is_made = |id: &TaskId| ledger.tasks.get(id).is_some_and(|it| it.result.is_some());
        let mut released = ledger.released.iter().flat_map(|(_, tasks)| tasks);
        released.all(is_made) && self.lies().is_empty()
    }

    /// The time within which everything comes to its end once faults stop: every lease, retry and
    /// batch that was under way runs out, and then each task is proved after the other.
    fn bound(&self) -> Duration {
        let tasks = self.scenario.blocks.len() * self.scenario.spec.stages.len() * 4;
        RUNNING_OUT + PER_TASK * u32::try_from(tasks).unwrap_or(u32::MAX)
    }

    pub(super) fn check_bound(&mut self) {
        let until = match self.phase {
            Phase::Settling { until } | Phase::Curing { until, .. } => until,
            Phase::Cruel | Phase::Over => return,
        };
        if self.agenda.now() > until {
            let state = self.state().join("; ");
            self.watch.note(Err((Check::Settles, format!("{:?}: {state}", self.phase))));
        }
    }

    pub(super) fn starve(&mut self) {
        self.watch.note(Err((Check::Settles, "nothing is to happen any more".to_owned())));
    }

    pub(super) fn check_ending(&mut self) {
        let Some(engine) = &self.engine else { return };
        if matches!(self.phase, Phase::Cruel | Phase::Over) || !engine.is_durable() {
            return;
        }
        let scheduler = engine.scheduler();
        let has_read = self.reader.read.len() == self.watch.ledger.released.len();
        if !self.lies().is_empty() {
            return; // an auditor comes
        }
        let is_whole = self.is_whole();
        if scheduler.is_complete()
            && is_whole
            && has_read
            && self.source.has_ended
            && engine.rests()
        {
            return self.finish();
        }
        if let Phase::Settling { until } = self.phase
            && self.watch.ledger.trouble.is_held()
            && self.agenda.now() + self.bound() > until + HELD_FOR
        {
            // Nobody proves a program any more, so nothing of it parks: somebody looks at it.
            self.cure();
            self.phase = Phase::Curing { until: self.agenda.now() + self.bound(), rounds: 1 };
            return;
        }
        let rests = engine.rests() && self.crew.iter().all(|one| one.rests());
        if !rests || !self.source.rests(engine.durable()) {
            return;
        }
        let parked: Vec<_> = scheduler.parked().map(|(id, _)| *id).collect();
        let until = self.agenda.now() + self.bound();
        match self.phase {
            Phase::Settling { .. } => {
                let held = self.check_held();
                self.watch.note(held);
                self.cure();
                self.phase = Phase::Curing { until, rounds: 1 };
            }
            Phase::Curing { rounds, .. } => {
                let blocks = u32::try_from(self.scenario.blocks.len()).unwrap_or(u32::MAX);
                let may_go_on = rounds <= ROUNDS_MAX + blocks && !parked.is_empty();
                let state = || format!("after {rounds} rounds: {}", self.state().join("; "));
                let result = holds(Check::Settles, may_go_on, state);
                self.watch.note(result);
                self.phase = Phase::Curing { until, rounds: rounds + 1 };
            }
            Phase::Cruel | Phase::Over => {}
        }
        self.say(|| format!("an operator opens {} parked tasks again", parked.len()));
        for task in parked {
            self.ask(Asker::Operator, vec![Input::Retry(task)]);
        }
    }

    /// A person mends what is bad, and finds what is gone.
    fn cure(&mut self) {
        self.poison.values_mut().for_each(|poison| *poison = None);
        self.crew.iter_mut().for_each(|one| one.bad = None);
        self.source.finds_all();
        self.unpin();
    }

    /// What was named of a key with a proof that a reorg left cannot be taken back with it any
    /// more: an operator forgets it.
    fn unpin(&mut self) {
        let engine = self.engine.as_ref().filter(|_| self.scenario.says_heads);
        let scheduler = engine.map(|engine| engine.scheduler());
        let programs = scheduler.into_iter().flat_map(|it| it.pipeline().programs.keys());
        let named =
            programs.filter(|name| scheduler.is_some_and(|it| it.key_named_since(name).is_some()));
        let unpins = named.map(|program| {
            let (by, why) = ("an operator".to_owned(), "a machine has a key of its own".to_owned());
            Input::Unpin { program: program.clone(), by, why }
        });
        let unpins: Vec<_> = unpins.collect();
        for unpin in unpins {
            self.ask(Asker::Operator, vec![unpin]);
        }
    }

    /// What is released next is held by something that is parked.
    fn check_held(&self) -> Result<(), Found> {
        let ledger = &self.watch.ledger;
        let (Some(next), Some(pipeline)) = (ledger.next(), &ledger.pipeline) else { return Ok(()) };
        let spans = pipeline.release.first().map(|index| pipeline.stage(*index).spans);
        let cut_by = match spans {
            Some(Inflow::Stage(index)) => Some(&pipeline.stage(index).name),
            Some(Inflow::Blocks) | None => None,
        };
        let cuts = cut_by.and_then(|stage| ledger.cuts.get(stage));
        let cut = cuts.into_iter().flatten().find(|cut| cut.key.first == next);
        let is_each = pipeline
            .stages
            .iter()
            .all(|stage| !matches!(stage.collect, Collect::Sequence(_) | Collect::Tree(..)));
        let last = cut.map_or(if is_each { next.0 } else { u64::MAX }, |cut| cut.key.last.0);
        // What is parked counts as open: where no more may be open, it holds whatever comes.
        let open = ledger.tasks.values().filter(|entry| entry.is_open()).count();
        let is_choked = open >= self.scenario.limits.tasks_max;
        let is_held = ledger.parked().any(|(_, entry)| entry.key.first.0 <= last || is_choked);
        holds(Check::HeldBehindParked, is_held, || {
            let parked: Vec<_> = ledger.parked().map(|(_, entry)| entry.key.to_string()).collect();
            format!("{next} is not released, parked are {parked:?}: {}", self.state().join("; "))
        })
    }

    /// Everything is released: the model must agree, and the log hold all of it.
    fn finish(&mut self) {
        self.say(|| "everything is released".to_owned());
        self.phase = Phase::Over;
        let agreed = model::check(&self.watch.ledger, &self.scenario.blocks, &self.scenario.limits);
        self.watch.note(agreed);
        self.engine = None;
        match self.life.is_multiple_of(2) {
            true => self.disk.power_loss(),
            false => self.disk.kill(),
        }
        let mut scheduler = Scheduler::new(self.scenario.limits);
        let mut history = Vec::new();
        let settings =
            Settings { id: Some(LogId([7; 16])), fills_ahead: false, ..Settings::default() };
        let opened = FileLog::open_on(self.disk.clone(), settings, &mut |turn| history.push(turn));
        let replayed = history.iter().try_for_each(|turn| scheduler.replay_turn(turn));
        let words = |error: &dyn std::error::Error| Err((Check::Acknowledged, error.to_string()));
        match (opened, replayed) {
            (Ok(_), Ok(())) => self.watch.opened(&history, &scheduler),
            (Err(error), _) => self.watch.note(words(&error)),
            (_, Err(error)) => self.watch.note(words(&error)),
        }
    }
}

/// Leases with their grace, silences, backoff, waits for a source and ages of batches, several in a
/// row.
const RUNNING_OUT: Duration = Duration::from_secs(600);

/// So long a program is held before somebody looks at why.
const HELD_FOR: Duration = Duration::from_secs(120);

/// The longest that a prover takes, with what is around it.
const PER_TASK: Duration = Duration::from_secs(4);

/// As often as a person opens what is parked again, and once more for each block: a task that lost
/// what it reads parks anew, and so does one whose prover is seldom done in its time.
const ROUNDS_MAX: u32 = 12;
