//! What must become of a report, and of a proof that its dispatcher lets go.

use push0_core::{
    Budgets, Event, FailureClass, Outcome, ParkedBy, Rejection, Report, ResultRef, TaskId,
};

use super::Watch;
use crate::check::{Check, Found, holds};
use crate::ledger::{Entry, How, Naming};
use crate::truth;

impl Watch {
    /// A dispatcher's word on an attempt was heard.
    pub(crate) fn ended(&mut self, report: &Report) {
        let is_of_now = self.lives.get(&report.dispatcher) == Some(&report.incarnation);
        if let Some(running) = self.running.get_mut(&report.dispatcher).filter(|_| is_of_now) {
            running.remove(&report.attempt);
        }
        if let (true, Outcome::Proved(_)) = (is_of_now, &report.outcome) {
            *self.shown.entry(report.dispatcher.clone()).or_default() += 1;
        }
    }

    /// What a dispatcher is believed, it may be held to: what it was held to before may have been
    /// taken back.
    pub(super) fn is_taken(&mut self, report: &Report, decided: &[Event]) {
        let Outcome::Proved(result) = &report.outcome else { return };
        let stage = self.ledger.tasks.get(&report.task).map(|entry| entry.stage);
        let stage = stage.and_then(|stage| self.ledger.stage(stage));
        let is_accepted = decided.iter().any(|event| matches!(event, Event::Accepted { .. }));
        let is_another = stage.is_some_and(|it| result.vkey != Some(truth::vkey(&it.program)));
        if is_accepted && is_another {
            self.has_own_key(&report.dispatcher);
        }
    }

    /// A dispatcher lets go of what it holds.
    pub(crate) fn lets_go(&mut self, report: &Report) {
        let Outcome::Proved(result) = &report.outcome else { return };
        let Some(entry) = self.ledger.tasks.get(&report.task) else { return };
        let Some(stage) = self.ledger.stage(entry.stage) else { return };
        let is_fit = truth::is_fit(stage, &entry.key, result);
        // What was made from what is taken back is worth nothing; what is told again is known.
        let is_over = report.attempt < entry.discarded.max(entry.superseded)
            || entry.made.contains(&report.attempt);
        let is_over = is_over || self.own_keys.contains(&report.dispatcher);
        let is_kept = entry.result.is_some() || !is_fit || is_over;
        let words = || format!("a proof of {} was let go, and it has none", entry.key);
        let result = holds(Check::ProofKept, is_kept, words);
        self.note(result);
    }

    /// A task is parked only once a budget is spent.
    pub(super) fn check_parked(&self, task: &TaskId, class: ParkedBy) -> Result<(), Found> {
        let Some(entry) = self.ledger.tasks.get(task) else { return Ok(()) };
        let Some(stage) = self.ledger.stage(entry.stage) else { return Ok(()) };
        let Some(how) = parks_for(class) else { return Ok(()) };
        let times = entry.ends.get(&how).copied().unwrap_or_default();
        let since = entry.transient.map(|(first, last)| last.since(first)).unwrap_or_default();
        let is_awaited = how == How::Failed(FailureClass::Transient);
        let is_in_time = !is_awaited || since >= stage.retry.patience;
        holds(Check::Budgets, is_in_time, || {
            format!("{} is parked after {since:?} of a service that may come back", entry.key)
        })?;
        holds(Check::Budgets, times >= budget(&stage.retry, how), || {
            format!("{} is parked as {class:?} after {times} times", entry.key)
        })
    }

    pub(super) fn check_report(
        &self,
        report: &Report,
        decided: Result<&[Event], &Rejection>,
    ) -> Result<(), Found> {
        let Some(entry) = self.ledger.tasks.get(&report.task) else { return Ok(()) };
        let holds_lease = entry.holder() == Some((report.attempt, &report.dispatcher));
        let is_answered = matches!(decided, Err(Rejection::Answered(_)));
        let Outcome::Proved(result) = &report.outcome else {
            let is_ignored = holds_lease || is_answered;
            return holds(Check::OwnFailure, is_ignored, || {
                let (who, attempt) = (&report.dispatcher, report.attempt);
                format!("{attempt} of {who} holds no lease, and its {:?} counts", report.outcome)
            });
        };
        let events = decided.unwrap_or_default();
        let is_accepted = |event: &Event| matches!(event, Event::Accepted { attempt, .. } if *attempt == report.attempt);
        let is_taken = events.iter().any(is_accepted);
        let is_over = report.attempt < entry.discarded.max(entry.superseded)
            || entry.made.contains(&report.attempt);
        if is_over {
            return holds(Check::Discarded, !is_taken, || {
                format!("a result of {} that was taken back, or told before, is taken", entry.key)
            });
        }
        let objection = self.ledger.objection(entry, report, result, &self.limits);
        // What is accepted a second time is seen where it is read.
        if let (Some((check, why)), true, true) = (objection, is_taken, entry.is_open()) {
            return Err((check, format!("a result of {} is taken: {why}", entry.key)));
        }
        let must = entry.is_open() && objection.is_none();
        holds(Check::LateProof, is_taken || !must, || {
            format!("a proof of {} ({:?}) led to {decided:?}", entry.key, entry.state)
        })?;
        // Who was not asked parks nothing, and what contradicts is no failure of who holds the
        // lease.
        let is_left = holds_lease || is_taken || events.iter().all(is_surplus);
        holds(Check::OwnFailure, is_left, || {
            format!("{} holds no lease, and its result led to {events:?}", report.attempt)
        })?;
        match is_taken {
            true => self.check_taken(entry, report, result, events),
            false => Ok(()),
        }
    }

    /// What must follow from a result that is taken: what it names of a key, and that who made it
    /// is in trouble no more.
    fn check_taken(
        &self,
        entry: &Entry,
        report: &Report,
        result: &ResultRef,
        events: &[Event],
    ) -> Result<(), Found> {
        let naming = self.ledger.naming(entry, report, result);
        let is_there = |is_it: fn(&Event) -> bool| events.iter().any(is_it);
        let named = is_there(|event| matches!(event, Event::KeyNamed { .. }));
        let pinned = is_there(|event| matches!(event, Event::Pinned { .. }));
        let must = match naming {
            Naming::Nothing => (false, false),
            Naming::Named => (true, false),
            Naming::Pinned => (true, true),
        };
        holds(Check::Keys, (named, pinned) == must, || {
            format!("a key is {naming:?} by {report:?}, which led to {events:?}")
        })?;
        let program = self.ledger.program(entry).map(|(name, _)| name);
        let trouble = &self.ledger.trouble;
        let is_aside = program.is_some_and(|name| trouble.is_aside(name, &report.dispatcher));
        let is_restored = is_there(|event| matches!(event, Event::Restored { .. }));
        holds(Check::SetAside, is_aside == is_restored, || {
            format!("set aside {is_aside}, restored {is_restored} by {report:?}")
        })
    }
}

const fn is_surplus(event: &Event) -> bool {
    matches!(event, Event::Surplus { .. })
}

/// How often attempts may end so.
pub(super) fn budget(budgets: &Budgets, how: How) -> u32 {
    let budget = match how {
        How::Failed(FailureClass::Transient) => budgets.transient,
        How::Failed(FailureClass::Resource) => budgets.resource,
        How::Failed(FailureClass::Timeout) => budgets.timeout,
        How::Failed(FailureClass::Failed) => budgets.failed,
        How::Failed(FailureClass::Unprovable) => budgets.unprovable,
        How::Failed(FailureClass::InvalidInput) => budgets.invalid_input,
        How::Failed(FailureClass::Unjudged) => budgets.unjudged,
        How::Rejected => budgets.rejected,
        How::Lost => budgets.lost,
        How::Withdrawn => 100,
    };
    budget.max(1)
}

/// What ends a task is parked for; none where no budget is.
const fn parks_for(class: ParkedBy) -> Option<How> {
    match class {
        ParkedBy::Transient => Some(How::Failed(FailureClass::Transient)),
        ParkedBy::Resource => Some(How::Failed(FailureClass::Resource)),
        ParkedBy::Timeout => Some(How::Failed(FailureClass::Timeout)),
        ParkedBy::Failed => Some(How::Failed(FailureClass::Failed)),
        ParkedBy::Unprovable => Some(How::Failed(FailureClass::Unprovable)),
        ParkedBy::Unjudged => Some(How::Failed(FailureClass::Unjudged)),
        ParkedBy::InvalidInput => Some(How::Failed(FailureClass::InvalidInput)),
        ParkedBy::Rejected => Some(How::Rejected),
        ParkedBy::Lost => Some(How::Lost),
        ParkedBy::Withdrawn => Some(How::Withdrawn),
        ParkedBy::Dispatchers | ParkedBy::InputLost | ParkedBy::Contradiction => None,
    }
}
