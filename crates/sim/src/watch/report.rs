//! What must become of a report, and of a proof that its dispatcher lets go.

use push0_core::{Budgets, Event, Outcome, ParkedBy, Rejection, Report, TaskId};

use super::Watch;
use crate::check::{Check, Found, holds};
use crate::ledger::State;
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

    /// What a dispatcher is believed, it may be held to: what it was held to before may have been taken back.
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
        let is_over =
            report.attempt.position() < entry.discarded || entry.made.contains(&report.attempt);
        let is_over = is_over || self.own_keys.contains(&report.dispatcher);
        let is_kept = entry.values.is_some() || !is_fit || is_over;
        let words = || format!("a proof of {} was let go, and it has none", entry.key);
        let result = holds(Check::ProofKept, is_kept, words);
        self.note(result);
    }

    /// A task is parked only once a budget is spent.
    pub(super) fn check_parked(&self, task: &TaskId, class: ParkedBy) -> Result<(), Found> {
        let Some(entry) = self.ledger.tasks.get(task) else { return Ok(()) };
        let Some(stage) = self.ledger.stage(entry.stage) else { return Ok(()) };
        let Some(how) = parks_for(class) else { return Ok(()) };
        let times = entry.ends.get(how).copied().unwrap_or_default();
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
        let holds_lease = matches!(&entry.state, State::Leased { attempt, dispatcher }
                if *attempt == report.attempt && *dispatcher == report.dispatcher);
        let is_answered = matches!(decided, Err(Rejection::Answered(_)));
        let Outcome::Proved(result) = &report.outcome else {
            let is_ignored = holds_lease || is_answered;
            return holds(Check::OwnFailure, is_ignored, || {
                let (who, attempt) = (&report.dispatcher, report.attempt);
                format!("{attempt} of {who} holds no lease, and its {:?} counts", report.outcome)
            });
        };
        let Some(stage) = self.ledger.stage(entry.stage) else { return Ok(()) };
        let is_accepted = |event: &Event| matches!(event, Event::Accepted { attempt, .. } if *attempt == report.attempt);
        let is_over =
            report.attempt.position() < entry.discarded || entry.made.contains(&report.attempt);
        if is_over {
            let taken = decided.unwrap_or_default();
            let is_taken = taken.iter().any(|event| matches!(event, Event::Accepted { .. }));
            return holds(Check::Discarded, !is_taken, || {
                format!("a result of {} that was taken back, or told before, is taken", entry.key)
            });
        }
        // What was accepted before may be false; one that had a key of its own may be held to it.
        let contradicts = entry.values.is_some_and(|values| values != result.statement);
        if contradicts || self.own_keys.contains(&report.dispatcher) {
            return Ok(());
        }
        if truth::is_fit(stage, &entry.key, result) && entry.is_open() {
            let events = decided.unwrap_or_default();
            let is_taken = events.iter().any(is_accepted);
            return holds(Check::LateProof, is_taken, || {
                format!("a proof of {} ({:?}) led to {decided:?}", entry.key, entry.state)
            });
        }
        Ok(())
    }
}

/// How often attempts may end so.
pub(super) fn budget(budgets: &Budgets, how: &str) -> u32 {
    let budget = match how {
        "transient" => budgets.transient,
        "resource" => budgets.resource,
        "timeout" => budgets.timeout,
        "failed" => budgets.failed,
        "rejected" => budgets.rejected,
        "lost" => budgets.lost,
        "unprovable" => budgets.unprovable,
        "unjudged" => budgets.unjudged,
        "withdrawn" => 100,
        _ => budgets.invalid_input,
    };
    budget.max(1)
}

/// What ends a task is parked for; none where no budget is.
pub(super) const fn parks_for(class: ParkedBy) -> Option<&'static str> {
    match class {
        ParkedBy::Transient => Some("transient"),
        ParkedBy::Resource => Some("resource"),
        ParkedBy::Timeout => Some("timeout"),
        ParkedBy::Failed => Some("failed"),
        ParkedBy::Unprovable => Some("unprovable"),
        ParkedBy::Unjudged => Some("unjudged"),
        ParkedBy::InvalidInput => Some("invalid_input"),
        ParkedBy::Rejected => Some("rejected"),
        ParkedBy::Lost => Some("lost"),
        ParkedBy::Withdrawn => Some("withdrawn"),
        ParkedBy::Dispatchers | ParkedBy::InputLost | ParkedBy::Contradiction => None,
    }
}
