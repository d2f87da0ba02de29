//! A dispatcher, with the promises of `push0-dispatch`: it starts an attempt at most once, holds
//! what ended until a verdict comes, and its beats say the whole truth. Which engine it obeys is
//! decided by the real rules (`push0_engine::Followed`).
//!
//! Its print is all that is here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    AttemptId, Beat, DispatcherId, Epoch, FailureClass, FromDispatcher, Grant, Outcome, Report,
    TaskId, ToDispatcher,
};
use push0_engine::{BeatMeaning, Followed, Reign};
use push0_sim::Check;

use crate::ground;
use crate::setting::{Broken, Setting};
use crate::truth::{Found, Truth, holds};

/// A dispatcher.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: DispatcherId,
    pub(crate) life: u64,
    pub(crate) is_up: bool,
    /// Whether it is never started again.
    pub(crate) is_gone: bool,
    followed: Option<Followed>,
    /// The latest epoch that it heard of.
    pub(crate) reign: Epoch,
    /// The latest epoch of which it obeyed anything.
    obeyed: Epoch,
    pub(crate) running: BTreeMap<AttemptId, TaskId>,
    pub(crate) held: BTreeMap<AttemptId, Report>,
    gone: BTreeSet<AttemptId>,
}

impl Member {
    pub(crate) fn new(nth: usize) -> Self {
        Self {
            id: ground::dispatcher(nth),
            life: 1,
            is_up: true,
            is_gone: false,
            followed: None,
            reign: Epoch(0),
            obeyed: Epoch(0),
            running: BTreeMap::new(),
            held: BTreeMap::new(),
            gone: BTreeSet::new(),
        }
    }

    /// Its process is gone, and all that it ran; what it holds is in files.
    pub(crate) fn die(&mut self) {
        self.is_up = false;
        self.running.clear();
        self.gone.clear();
        (self.followed, self.reign, self.obeyed) = (None, Epoch(0), Epoch(0));
    }

    /// A new process, which holds what the one before has left.
    pub(crate) fn start(&mut self) {
        self.is_up = true;
        self.life += 1;
        self.held.values_mut().for_each(|report| report.incarnation = self.life);
    }

    /// The latest epoch of which anything came: what is of one before is ignored.
    pub(crate) fn knows(&self) -> Epoch {
        self.reign.max(self.obeyed)
    }

    /// Whether nothing of it is to come.
    pub(crate) fn rests(&self) -> bool {
        self.is_gone || (self.is_up && self.running.is_empty() && self.held.is_empty())
    }

    /// The whole truth of the moment.
    pub(crate) fn beat(&self) -> Vec<FromDispatcher> {
        let beat = Beat {
            dispatcher: self.id.clone(),
            incarnation: self.life,
            capacity: ground::capacity(SLOTS),
            running: self.running.clone(),
            held: self.held.iter().map(|(attempt, report)| (*attempt, report.task)).collect(),
            leaving: false,
        };
        let reports = self.held.values().cloned().map(FromDispatcher::Report);
        std::iter::once(FromDispatcher::Beat(beat)).chain(reports).collect()
    }

    /// An engine says that it leads. Answers what it says to whoever leads now.
    pub(crate) fn hears_of(&mut self, now: Duration, reign: Reign) -> Option<Vec<FromDispatcher>> {
        self.reign = self.reign.max(reign.epoch);
        let Some(followed) = &mut self.followed else {
            self.followed = Some(Followed::new(now, reign));
            return None;
        };
        match followed.beat(now, reign) {
            BeatMeaning::Known => None,
            BeatMeaning::Successor => Some(self.beat()),
            BeatMeaning::OtherHistory => {
                self.die();
                self.start();
                None
            }
        }
    }

    /// Takes what an engine says. Answers what is to be reported.
    pub(crate) fn hear(
        &mut self,
        setting: &Setting,
        truth: &Truth,
        epoch: Epoch,
        messages: &[ToDispatcher],
    ) -> Result<Vec<FromDispatcher>, Found> {
        // It takes nothing before it knows whom it follows.
        let Some(followed) = &mut self.followed else { return Ok(Vec::new()) };
        if !followed.takes(epoch) && !setting.is(Broken::ObeysAnybody) {
            return Ok(Vec::new());
        }
        self.obeyed = self.obeyed.max(epoch);
        let (id, obeyed) = (self.id.clone(), self.obeyed);
        holds(Check::StaleEpoch, epoch == obeyed, || {
            format!("{id} obeys an engine of {epoch} after one of {obeyed}")
        })?;
        let mut reports = Vec::new();
        for message in messages {
            match message {
                ToDispatcher::Grant(grant) => reports.extend(self.granted(setting, grant)?),
                ToDispatcher::Cancel(attempt) => {
                    let task = self.running.remove(attempt);
                    reports.extend(task.map(|it| self.ends(*attempt, it, Outcome::Cancelled)));
                }
                ToDispatcher::Verdict(attempt, _) => self.lets_go(truth, *attempt)?,
            }
        }
        Ok(reports)
    }

    fn granted(
        &mut self,
        setting: &Setting,
        grant: &Grant,
    ) -> Result<Option<FromDispatcher>, Found> {
        let (attempt, task) = (grant.attempt, grant.task);
        let is_known = self.gone.contains(&attempt)
            || self.held.contains_key(&attempt)
            || self.running.contains_key(&attempt);
        if is_known && !setting.is(Broken::StartsAgain) {
            return Ok(None);
        }
        if self.running.len() >= SLOTS as usize {
            let outcome = Outcome::NotRun { message: "busy".to_owned() };
            return Ok(Some(self.ends(attempt, task, outcome)));
        }
        let id = &self.id;
        holds(Check::StartedOnce, !is_known, || format!("{id} starts {attempt} a second time"))?;
        self.running.insert(attempt, task);
        Ok(None)
    }

    /// It holds a proof until its task has one for good.
    fn lets_go(&mut self, truth: &Truth, attempt: AttemptId) -> Result<(), Found> {
        let Some(report) = self.held.remove(&attempt) else { return Ok(()) };
        self.gone.insert(attempt);
        let is_kept = is_made(truth, &report);
        holds(Check::ProofKept, is_kept, || format!("{} lets go of {attempt}", self.id))
    }

    /// A prover has ended, and its result is verified and stored; or it has failed.
    pub(crate) fn goes(
        &mut self,
        setting: &Setting,
        truth: &Truth,
        attempt: AttemptId,
        fails: bool,
    ) -> Result<Vec<FromDispatcher>, Found> {
        let Some(task) = self.running.remove(&attempt) else { return Ok(Vec::new()) };
        let (class, message) = (FailureClass::Transient, "it failed".to_owned());
        let outcome = match fails {
            true => Outcome::Failed { class, message },
            false => Outcome::Proved(ground::result(task)),
        };
        let said = self.ends(attempt, task, outcome);
        if setting.is(Broken::SentOnce) {
            self.lets_go(truth, attempt)?;
        }
        Ok(vec![said])
    }

    fn ends(&mut self, attempt: AttemptId, task: TaskId, outcome: Outcome) -> FromDispatcher {
        let (dispatcher, incarnation, ran) = (self.id.clone(), self.life, ground::SECOND);
        let report = Report { dispatcher, incarnation, attempt, task, outcome, ran };
        self.held.insert(attempt, report.clone());
        FromDispatcher::Report(report)
    }
}

/// Whether nothing is lost with this report: it is no proof, or its task has one in the log.
fn is_made(truth: &Truth, report: &Report) -> bool {
    let has_result = || truth.scheduler.task(&report.task).is_some_and(|it| it.result.is_some());
    !matches!(report.outcome, Outcome::Proved(_)) || has_result()
}

/// What each runs at once: a second block waits for its first.
const SLOTS: u32 = 1;
