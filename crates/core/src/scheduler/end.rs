//! Decides about attempts that end by another's word: lost, withdrawn, overdue; and about retries.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Scheduler;
use crate::failure::Ending;
use crate::input::Rejection;
use crate::{
    Attempt, AttemptId, DispatcherId, Event, InputId, Outcome, ParkedBy, ReopenedBy, Report, Task,
    TaskId, TaskState, Timestamp, WithdrawnBy,
};

impl Scheduler {
    /// What `dispatcher` ran is lost with it, `but` for what it knows: as much of it as one
    /// decision holds.
    pub(super) fn lose(
        &self,
        now: Timestamp,
        dispatcher: &DispatcherId,
        but: &BTreeSet<AttemptId>,
        message: &str,
    ) -> Vec<Event> {
        let theirs = self.attempts_of(dispatcher).filter(|attempt| !but.contains(&attempt.id));
        let ended =
            theirs.take(self.endings_max()).flat_map(|attempt| self.lost(now, attempt, message));
        aside_once(ended.collect())
    }

    /// Leases that ended by themselves.
    pub(super) fn expire(&self, now: Timestamp) -> Vec<Event> {
        let due = self.attempts.overdue(now).take(self.endings_max());
        let ended = due.flat_map(|attempt| self.lost(now, attempt, "no word by its deadline"));
        aside_once(ended.collect())
    }

    pub(super) fn withdraw(
        &self,
        now: Timestamp,
        attempt: AttemptId,
        message: &str,
        cause: Option<WithdrawnBy>,
    ) -> Result<Vec<Event>, Rejection> {
        let lives = self.attempt(attempt).ok_or(Rejection::Ended(attempt))?;
        let task = self.task(&lives.task).ok_or(Rejection::Ended(attempt))?;
        Ok(self.withdrawn(now, task, &nobodys_word(lives), message, cause))
    }

    /// An attempt that ended before its prover did. Where it has a cause the next waits longer each
    /// time, and a task of which very many were withdrawn parks.
    pub(super) fn withdrawn(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        message: &str,
        cause: Option<WithdrawnBy>,
    ) -> Vec<Event> {
        let (id, attempt, message) = (report.task, report.attempt, self.bounded(message));
        let ending = Ending::Withdrawn;
        if cause.is_none() {
            let (retry_at, excused) = (now, false);
            return vec![Event::Withdrawn { task: id, attempt, message, retry_at, cause, excused }];
        }
        let wait = self.wait(task, report, ending);
        let excused = self.is_excused(now, task, report, ending);
        let parked = match excused {
            true => None,
            false => self.parks(now, task, report, ending, &message),
        };
        let aside = self.sets_aside(now, task, report, ending, &message);
        let retry_at = now + wait;
        let withdrawn = Event::Withdrawn { task: id, attempt, message, retry_at, cause, excused };
        std::iter::once(withdrawn).chain(parked).chain(aside).collect()
    }

    /// Opens a parked task again, and asks the source again for what it lacks.
    pub(super) fn retry(&self, id: &TaskId) -> Result<Vec<Event>, Rejection> {
        let parked = self.task(id).filter(|task| task.state == TaskState::Parked);
        let task = parked.ok_or(Rejection::NotParked(*id))?;
        if matches!(task.parked, Some((ParkedBy::Contradiction, _))) {
            // One of the two is not so, and nothing tells which: neither is believed.
            return self.discard(id, "retry", "made again, it said something else");
        }
        let lacking = task.inputs.iter().filter_map(|input| match input {
            InputId::Block(hash) => self.chain.lost_since(hash).map(|_| *hash),
            InputId::Task(_) | InputId::Part(..) => None,
        });
        let asked =
            lacking.take(self.limits.decision_max).map(|block| Event::PayloadLost { block });
        let reopened = Event::Reopened { task: *id, why: ReopenedBy::Operator };
        Ok(std::iter::once(reopened).chain(asked).collect())
    }

    /// Tasks that wait for a block which the source was asked for and has not delivered.
    pub(super) fn abandon(&self, now: Timestamp) -> Vec<Event> {
        let waited = |asked: Timestamp| asked + self.limits.resupply_max <= now;
        let due = self.starved.by_source().take_while(|(asked, _)| waited(*asked));
        due.take(self.limits.decision_max)
            .map(|(_, task)| Event::Parked {
                task,
                class: ParkedBy::InputLost,
                message: self.bounded("the source did not deliver a lost block again"),
            })
            .collect()
    }

    /// When the next task is parked by [`Self::abandon`].
    pub(super) fn next_abandoned(&self, now: Timestamp) -> Option<Timestamp> {
        let wait = self.limits.resupply_max;
        let first = self.starved.by_source().next().map(|(asked, _)| asked + wait);
        first.filter(|at| *at > now).or_else(|| {
            let over = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
            let after = Timestamp(now.0.saturating_sub(over));
            Some(self.starved.asked_after(after)? + wait)
        })
    }

    pub(super) fn remake(&self, id: &TaskId) -> Result<Vec<Event>, Rejection> {
        let task = self.task(id).ok_or(Rejection::NotRemade(*id))?;
        Ok(match task.state {
            TaskState::Accepted if task.remakes < self.limits.remakes_max => {
                vec![Event::Reopened { task: *id, why: ReopenedBy::ResultLost }]
            }
            TaskState::Accepted => vec![Event::Parked {
                task: *id,
                class: ParkedBy::InputLost,
                message: self.bounded(&format!(
                    "its result was lost again after {} makes",
                    task.remakes + 1
                )),
            }],
            // It is being made, or is parked, or nothing waits for it: there is nothing to add.
            TaskState::Ready { .. }
            | TaskState::Leased { .. }
            | TaskState::Parked
            | TaskState::Superseded => Vec::new(),
        })
    }

    /// As many attempts as one decision may end: each may park its task, and set its dispatcher
    /// aside.
    fn endings_max(&self) -> usize {
        (self.limits.decision_max / 3).max(1)
    }

    fn lost(&self, now: Timestamp, attempt: &Attempt, message: &str) -> Vec<Event> {
        let Some(task) = self.task(&attempt.task) else { return Vec::new() };
        let report = nobodys_word(attempt);
        self.ended(now, task, &report, Ending::Lost, message).unwrap_or_default()
    }
}

/// Attempts that end together are of one round: their dispatcher is set aside once for it.
fn aside_once(mut events: Vec<Event>) -> Vec<Event> {
    let mut seen = BTreeSet::new();
    events.retain(|event| {
        let Event::SetAside { dispatcher, program, .. } = event else { return true };
        seen.insert((dispatcher.clone(), program.clone()))
    });
    events
}

/// An end of an attempt that no dispatcher has told.
fn nobodys_word(attempt: &Attempt) -> Report {
    Report {
        dispatcher: attempt.dispatcher.clone(),
        incarnation: 0,
        attempt: attempt.id,
        task: attempt.task,
        outcome: Outcome::Cancelled,
        ran: Duration::ZERO,
    }
}
