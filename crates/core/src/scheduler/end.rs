//! Decides about attempts that end by another's word: lost, withdrawn, overdue; and about retries.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Held, Scheduler};
use crate::failure::Ending;
use crate::input::Rejection;
use crate::{
    AttemptId, DispatcherId, Event, InputId, Outcome, ParkedBy, ReopenedBy, Report, TaskId,
    TaskState, Timestamp,
};

impl Scheduler {
    /// What `dispatcher` ran is lost with it, `but` for what it knows: as much of it as one decision holds.
    pub(super) fn lose(
        &self,
        now: Timestamp,
        dispatcher: &DispatcherId,
        but: &BTreeSet<AttemptId>,
        message: &str,
    ) -> Vec<Event> {
        let theirs = self.held(dispatcher).into_iter().flat_map(Held::attempts);
        theirs
            .filter(|attempt| !but.contains(attempt))
            .take(self.endings_max())
            .filter_map(|attempt| Some((*attempt, *self.leases.get(attempt)?)))
            .flat_map(|(attempt, task)| self.lost(now, attempt, task, message))
            .collect()
    }

    /// Leases that ended by themselves.
    pub(super) fn expire(&self, now: Timestamp) -> Vec<Event> {
        let due = self.overdue.iter().take_while(|(until, _)| *until <= now);
        due.take(self.endings_max())
            .filter_map(|(_, attempt)| Some((*attempt, *self.leases.get(attempt)?)))
            .flat_map(|(attempt, task)| self.lost(now, attempt, task, "no word by its deadline"))
            .collect()
    }

    pub(super) fn withdraw(
        &self,
        now: Timestamp,
        attempt: AttemptId,
        message: &str,
    ) -> Result<Vec<Event>, Rejection> {
        let task = *self.leases.get(&attempt).ok_or(Rejection::Ended(attempt))?;
        let message = self.bounded(message);
        Ok(vec![Event::Withdrawn { task, attempt, message, retry_at: now }])
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
        let due = self.starved_by_source().filter(|(_, at)| *at <= now);
        due.take(self.limits.decision_max)
            .map(|(task, _)| Event::Parked {
                task,
                class: ParkedBy::InputLost,
                message: self.bounded("the source did not deliver a lost block again"),
            })
            .collect()
    }

    /// When the next task is parked by [`Self::abandon`].
    pub(super) fn next_abandoned(&self, now: Timestamp) -> Option<Timestamp> {
        self.starved_by_source().map(|(_, at)| at).filter(|at| *at > now).min()
    }

    /// Tasks that wait for a block from the source, and until when.
    fn starved_by_source(&self) -> impl Iterator<Item = (TaskId, Timestamp)> {
        self.starved.iter().filter_map(|id| {
            let lost = self.task(id)?.inputs.iter().filter_map(|input| match input {
                InputId::Block(hash) => self.chain.lost_since(hash),
                InputId::Task(_) | InputId::Part(..) => None,
            });
            Some((*id, lost.min()? + self.limits.resupply_max))
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
            // It is being made, or was set aside: there is nothing to add.
            TaskState::Ready { .. } | TaskState::Leased(_) | TaskState::Parked => Vec::new(),
        })
    }

    /// As many attempts as one decision may end: each may park its task.
    fn endings_max(&self) -> usize {
        (self.limits.decision_max / 2).max(1)
    }

    fn lost(&self, now: Timestamp, attempt: AttemptId, id: TaskId, message: &str) -> Vec<Event> {
        let Some((task, lease)) = self.task(&id).and_then(|task| Some((task, task.lease()?)))
        else {
            return Vec::new();
        };
        let report = Report {
            dispatcher: lease.dispatcher.clone(),
            incarnation: 0, // nobody's word
            attempt,
            task: id,
            outcome: Outcome::Cancelled,
            ran: Duration::ZERO,
        };
        self.ended(now, task, &report, Ending::Lost, message).unwrap_or_default()
    }
}
