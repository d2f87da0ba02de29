//! Decides who gets what.

use std::time::Duration;

use super::Scheduler;
use crate::failure::failed_on_max;
use crate::{Attempt, Bound, Event, Grant, InputId, Offer, Stage, TaskId, Timestamp};

impl Scheduler {
    pub(super) fn assign(&self, now: Timestamp, offers: &[Offer]) -> Vec<Event> {
        if offers.iter().all(|offer| offer.free.slots == 0) || self.queue.is_empty() {
            return Vec::new();
        }
        let grants = self.queue.assign(
            now,
            offers,
            &self.pipeline.programs,
            |id| self.task(id),
            |who, program| self.may(now, who, program),
            self.limits.decision_max,
        );
        let until = |id: &TaskId| {
            let task = self.task(id)?;
            Some(now + longest(self.pipeline.stage(task.stage)) + self.limits.report_grace)
        };
        let events = grants.into_iter().filter_map(|(task, dispatcher)| {
            Some(Event::Granted { task, dispatcher, until: until(&task)? })
        });
        events.collect()
    }

    /// How many grants one decision at `now` can be, at most.
    pub(crate) fn grants_max_at(&self, now: Timestamp) -> usize {
        self.queue.count_at(now).min(self.limits.decision_max)
    }

    /// How many dispatchers one task can have failed on, at most, under the budgets of this
    /// pipeline.
    pub(crate) fn failed_on_max(&self) -> usize {
        let stages = self.pipeline.stages.iter();
        stages.map(|stage| failed_on_max(&stage.retry)).max().unwrap_or_default()
    }

    /// The grant of an attempt that lives, with the bindings of this moment.
    #[must_use]
    pub fn grant(&self, attempt: crate::AttemptId) -> Option<Grant> {
        let id = self.attempt(attempt)?.task;
        let task = self.task(&id)?;
        let stage = self.pipeline.stage(task.stage);
        let inputs = task.inputs.iter().map(|input| {
            let (key, program) = self.describe(input)?;
            Some(Bound { input: *input, key, program, artifact: self.bound(input)? })
        });
        Some(Grant {
            attempt,
            task: id,
            stage: stage.name.clone(),
            program: stage.program.clone(),
            key: task.key,
            args: stage.args.clone(),
            timeout: stage.timeout,
            grace: stage.grace,
            output: stage.output,
            inputs: inputs.collect::<Option<_>>()?,
        })
    }

    /// Whether an attempt that starts at `now` could end before its lease does.
    pub(crate) fn has_time_for(&self, now: Timestamp, attempt: &Attempt) -> bool {
        now + longest(self.pipeline.stage(attempt.stage)) <= attempt.until
    }

    /// The artifact that stands for an input at the moment.
    #[must_use]
    pub fn bound(&self, input: &InputId) -> Option<crate::Digest> {
        let result = |task: &TaskId| Some(&self.task(task)?.result.as_ref()?.what);
        match input {
            InputId::Block(hash) => self.chain.block(hash).map(|block| block.payload),
            InputId::Task(task) => result(task).map(|result| result.output),
            InputId::Part(task, part) => {
                result(task)?.parts.get(usize::try_from(*part).ok()?).copied()
            }
        }
    }

    /// What an input is about, and what proved it.
    fn describe(&self, input: &InputId) -> Option<(crate::Key, Option<crate::ProgramName>)> {
        let made = |task: &TaskId| {
            let task = self.task(task)?;
            Some((task.key, Some(self.pipeline.stage(task.stage).program.clone())))
        };
        match input {
            InputId::Block(hash) => self.block_key(hash).map(|key| (key, None)),
            InputId::Task(task) => made(task),
            InputId::Part(task, part) => {
                made(task).map(|(key, program)| (key.part(*part), program))
            }
        }
    }
}

/// The longest that an attempt can take, by its dispatcher's word: to prove, to be ended, to be
/// verified.
pub(super) fn longest(stage: &Stage) -> Duration {
    let verifying = stage.timeout.saturating_mul(VERIFICATIONS) / VERIFICATION_SHARE;
    stage.timeout + stage.grace + verifying
}

/// How often a dispatcher tries to verify a result (`push0-dispatch`, `verify`).
const VERIFICATIONS: u32 = 3;

/// The share of an attempt's timeout that each of them may take.
const VERIFICATION_SHARE: u32 = 10;
