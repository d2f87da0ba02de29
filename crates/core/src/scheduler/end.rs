//! Decides about attempts that end by another's word: lost, withdrawn, overdue; and about retries.

use std::time::Duration;

use super::Scheduler;
use crate::failure::Ending;
use crate::input::Rejection;
use crate::{
    AttemptId, DispatcherId, Event, Outcome, ReopenedBy, Report, TaskId, TaskState, Timestamp,
};

impl Scheduler {
    /// What `dispatcher` ran is lost with it: as much of it as one decision holds.
    pub(super) fn lose(
        &self,
        now: Timestamp,
        dispatcher: &DispatcherId,
        message: &str,
    ) -> Vec<Event> {
        let theirs = self.held.get(dispatcher).into_iter().flatten();
        theirs
            .take(self.limits.decision_max)
            .filter_map(|attempt| Some((*attempt, *self.leases.get(attempt)?)))
            .flat_map(|(attempt, task)| self.lost(now, attempt, task, message))
            .collect()
    }

    /// Leases that ended by themselves.
    pub(super) fn expire(&self, now: Timestamp) -> Vec<Event> {
        let due = self.overdue.iter().take_while(|(until, _)| *until <= now);
        due.take(self.limits.decision_max)
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

    pub(super) fn retry(&self, task: &TaskId) -> Result<Vec<Event>, Rejection> {
        match self.tasks.get(task).map(|task| &task.state) {
            Some(TaskState::Parked) => {
                Ok(vec![Event::Reopened { task: *task, why: ReopenedBy::Operator }])
            }
            Some(TaskState::Ready { .. } | TaskState::Leased(_) | TaskState::Accepted) | None => {
                Err(Rejection::NotParked(*task))
            }
        }
    }

    pub(super) fn remake(&self, id: &TaskId) -> Result<Vec<Event>, Rejection> {
        let task = self.tasks.get(id).filter(|task| task.state == TaskState::Accepted);
        match task {
            Some(task) if task.remakes < self.limits.remakes_max => {
                Ok(vec![Event::Reopened { task: *id, why: ReopenedBy::ResultLost }])
            }
            Some(_) | None => Err(Rejection::NotRemade(*id)),
        }
    }

    fn lost(&self, now: Timestamp, attempt: AttemptId, id: TaskId, message: &str) -> Vec<Event> {
        let Some((task, lease)) = self.tasks.get(&id).and_then(|task| Some((task, task.lease()?)))
        else {
            return Vec::new();
        };
        let report = Report {
            dispatcher: lease.dispatcher.clone(),
            attempt,
            task: id,
            outcome: Outcome::Cancelled,
            ran: Duration::ZERO,
        };
        self.ended(now, task, &report, Ending::Lost, message).unwrap_or_default()
    }
}
