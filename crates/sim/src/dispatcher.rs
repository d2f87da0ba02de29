//! A dispatcher as a state machine, with the promises of `push0-dispatch`: it starts an attempt at
//! most once, holds what ended until a verdict comes, and its beats say the whole truth.
//!
//! Its prover and its verifier are in it: what they do is drawn (`proving`).
//!
//! Not here: processes, contracts, files; the threads of the real one, and so what happens between
//! them.

mod proving;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    AttemptId, Beat, Capacity, DispatcherId, FromDispatcher, Grant, Outcome, Program, ProgramName,
    Report, ToDispatcher,
};

use self::proving::Run;
use crate::agenda::Step;
use crate::broken::Broken;
use crate::clock::Rate;
use crate::fault::Faults;
use crate::scenario::Bad;
use crate::store::Store;
use crate::watch::Watch;

/// A dispatcher.
pub(crate) struct Dispatcher {
    pub(crate) id: DispatcherId,
    /// Which life of it; the incarnation of its beats.
    pub(crate) life: u64,
    pub(crate) is_up: bool,
    /// Until when it stands still.
    pub(crate) frozen: Duration,
    pub(crate) rate: Rate,
    pub(crate) capacity: Capacity,
    /// Whether it begins anything.
    pub(crate) is_open: bool,
    /// Offered no more for a while.
    pub(crate) withdrawn: BTreeSet<ProgramName>,
    running: BTreeMap<AttemptId, Run>,
    held: BTreeMap<AttemptId, Report>,
    gone: BTreeSet<AttemptId>,
    /// Until when it claims to have everything.
    pub(crate) boasts_until: Duration,
    /// Whether its proofs are under a key that is nobody else's.
    pub(crate) has_own_key: bool,
    /// Whether it proves nothing, and what comes of its attempts then.
    pub(crate) bad: Option<Bad>,
    broken: Option<Broken>,
}

/// What a dispatcher does in the world.
pub(crate) enum Act {
    Send(FromDispatcher),
    /// Has an attempt go on after a time.
    Wait(Duration, AttemptId, Step),
}

/// What a dispatcher sees of the world.
pub(crate) struct Around<'a> {
    pub(crate) now: Duration,
    pub(crate) faults: &'a mut Faults,
    pub(crate) store: &'a mut Store,
    pub(crate) watch: &'a mut Watch,
    /// Tasks that no prover can prove, and how they fail; by stage and key.
    pub(crate) poison: &'a mut BTreeMap<String, Option<push0_core::FailureClass>>,
    /// Until when everybody fails, and how; without a class they make proofs of nothing.
    pub(crate) all_fail: (Duration, Option<push0_core::FailureClass>),
    pub(crate) proving_max: Duration,
}

impl Dispatcher {
    pub(crate) fn new(id: DispatcherId, capacity: Capacity, broken: Option<Broken>) -> Self {
        Self {
            id,
            life: 0,
            is_up: false,
            frozen: Duration::ZERO,
            rate: Rate::TRUE,
            capacity,
            is_open: true,
            withdrawn: BTreeSet::new(),
            running: BTreeMap::new(),
            held: BTreeMap::new(),
            gone: BTreeSet::new(),
            boasts_until: Duration::ZERO,
            has_own_key: false,
            bad: None,
            broken,
        }
    }

    /// A new process, which holds what the one before has left.
    pub(crate) fn start(&mut self) {
        self.is_up = true;
        self.life += 1;
        self.held.values_mut().for_each(|report| report.incarnation = self.life);
    }

    /// Its process is gone, and all that it ran; and what it held, unless it kept that.
    pub(crate) fn die(&mut self, keeps_held: bool) {
        self.is_up = false;
        self.frozen = Duration::ZERO;
        (self.is_open, self.withdrawn) = (true, BTreeSet::new());
        self.running.clear();
        if !keeps_held {
            self.held.clear();
        }
        self.gone.clear();
    }

    /// Whether nothing of it is to come.
    pub(crate) fn rests(&self) -> bool {
        self.is_up && self.running.is_empty() && self.held.is_empty()
    }

    /// What it runs and holds.
    pub(crate) fn words(&self) -> String {
        let running: Vec<_> = self.running.keys().map(|attempt| attempt.0).collect();
        let held: Vec<_> = self.held.keys().map(|attempt| attempt.0).collect();
        let (up, open) = (self.is_up, self.is_open);
        format!(
            "{} life {} up {up} open {open} runs {running:?} holds {held:?}",
            self.id, self.life
        )
    }

    /// The whole truth of the moment.
    pub(crate) fn beat(&mut self, now: Duration) -> Vec<Act> {
        if self.broken == Some(Broken::BeatByProver) && !self.running.is_empty() {
            return Vec::new();
        }
        let mut capacity = self.capacity.clone();
        capacity.programs.retain(|program| !self.withdrawn.contains(program));
        if !self.is_open {
            capacity.slots = 0;
        } else if now < self.boasts_until {
            capacity.slots = u32::MAX;
            (capacity.memory_bytes, capacity.gpus) = (u64::MAX, u32::MAX);
        }
        let beat = Beat {
            dispatcher: self.id.clone(),
            incarnation: self.life,
            capacity,
            running: self.running.iter().map(|(attempt, run)| (*attempt, run.grant.task)).collect(),
            held: self.held.iter().map(|(attempt, report)| (*attempt, report.task)).collect(),
            leaving: false,
        };
        let reports = self.held.values().cloned().map(FromDispatcher::Report);
        std::iter::once(FromDispatcher::Beat(beat)).chain(reports).map(Act::Send).collect()
    }

    /// Takes what the engine says.
    pub(crate) fn hear(&mut self, message: ToDispatcher, around: &mut Around<'_>) -> Vec<Act> {
        match message {
            ToDispatcher::Grant(grant) => self.grant(*grant, around),
            ToDispatcher::Cancel(attempt) => self.cancel(attempt, around),
            ToDispatcher::Verdict(attempt, _) => {
                if let Some(report) = self.held.remove(&attempt) {
                    around.watch.lets_go(&report);
                    self.gone.insert(attempt);
                }
                Vec::new()
            }
        }
    }

    fn grant(&mut self, grant: Grant, around: &mut Around<'_>) -> Vec<Act> {
        let attempt = grant.attempt;
        let is_known = self.gone.contains(&attempt)
            || self.held.contains_key(&attempt)
            || self.running.contains_key(&attempt);
        let starts_again =
            self.broken == Some(Broken::StartsAgain) && !self.running.contains_key(&attempt);
        if is_known && !starts_again {
            return Vec::new();
        }
        let refusal = if !self.is_open || self.bad == Some(Bad::Refuses) {
            Some("no room")
        } else if !self.capacity.programs.contains(&grant.program)
            || self.withdrawn.contains(&grant.program)
        {
            Some("no such program")
        } else if !self.has_seat(&grant, around) {
            Some("busy")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            let outcome = Outcome::NotRun { message: refusal.to_owned() };
            return self.report(&grant, outcome, Duration::ZERO, around);
        }
        around.watch.starts(&self.id, self.life, attempt);
        self.begin(grant, around)
    }

    fn has_seat(&self, grant: &Grant, around: &Around<'_>) -> bool {
        let programs = around.watch.ledger.pipeline.as_ref().map(|pipeline| &pipeline.programs);
        let needs = |name: &ProgramName| {
            let program: Option<&Program> = programs.and_then(|programs| programs.get(name));
            program.map_or((0, 0), |program| (program.memory_bytes, program.gpus))
        };
        let all = self.running.values().map(|run| &run.grant.program).chain([&grant.program]);
        let (memory, gpus): (Vec<_>, Vec<_>) = all.map(needs).unzip();
        let has_slot = (self.running.len() as u64) < u64::from(self.capacity.slots);
        let has_memory = memory.iter().sum::<u64>() <= self.capacity.memory_bytes;
        has_slot && has_memory && gpus.iter().sum::<u32>() <= self.capacity.gpus
    }

    /// An attempt has ended: its report is held until a verdict comes.
    fn report(
        &mut self,
        grant: &Grant,
        outcome: Outcome,
        ran: Duration,
        around: &mut Around<'_>,
    ) -> Vec<Act> {
        self.running.remove(&grant.attempt);
        let report = Report {
            dispatcher: self.id.clone(),
            incarnation: self.life,
            attempt: grant.attempt,
            task: grant.task,
            outcome,
            ran,
        };
        if self.broken == Some(Broken::ResultSentOnce) {
            self.gone.insert(grant.attempt);
            around.watch.lets_go(&report);
        } else {
            self.held.insert(grant.attempt, report.clone());
        }
        vec![Act::Send(FromDispatcher::Report(report))]
    }
}
