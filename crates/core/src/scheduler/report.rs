//! Decides about a dispatcher's word on an attempt.
//!
//! A result is taken whoever brings it and however late, if the task has none. All else counts only
//! from the dispatcher that holds the lease, and for that attempt.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Scheduler;
use super::assign::longest;
use crate::failure::{Ending, backoff};
use crate::input::Rejection;
use crate::{
    Digest, Event, FailureClass, InputId, Outcome, Output, ParkedBy, ReopenedBy, Report, ResultRef,
    Task, TaskState, Timestamp, Verdict, WithdrawnBy, counted,
};

impl Scheduler {
    pub(super) fn report(&self, now: Timestamp, report: &Report) -> Result<Vec<Event>, Rejection> {
        let Some(task) = self.task(&report.task) else {
            return Err(Rejection::Answered(Verdict::Unwanted));
        };
        match &report.outcome {
            Outcome::Proved(result) => self.proved(now, task, report, result),
            Outcome::Rejected { message } => {
                self.ended(now, task, report, Ending::Rejected, message)
            }
            Outcome::Failed { class, message } => {
                self.ended(now, task, report, Ending::Failed(*class), message)
            }
            Outcome::InputLost { artifact } => self.input_lost(now, task, report, *artifact),
            Outcome::NotRun { message } => self.not_run(now, task, report, message),
            // Who holds a lease was told of no end to it.
            Outcome::Cancelled => self.not_run(now, task, report, "cancelled"),
        }
    }

    fn proved(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        result: &ResultRef,
    ) -> Result<Vec<Event>, Rejection> {
        if report.attempt < task.taken_back() {
            return Err(Rejection::Answered(Verdict::Unwanted));
        }
        if let Some(answer) = told_again(task, report) {
            return answer;
        }
        if let (TaskState::Accepted | TaskState::Superseded, Some(accepted)) =
            (&task.state, &task.result)
        {
            if accepted.surplus.len() >= SURPLUS_MAX {
                return Err(Rejection::Answered(Verdict::AlreadyAccepted));
            }
            let (task, attempt, output) = (report.task, report.attempt, result.output);
            return Ok(vec![Event::Surplus { task, attempt, output }]);
        }
        if let Some(objection) = self.objection(task, report, result) {
            return self.ended(now, task, report, Ending::Rejected, &objection);
        }
        if let Some(contradiction) = contradiction(task, result) {
            self.holds_lease(report)?; // who was not asked parks nothing
            return match task.state {
                TaskState::Ready { .. } | TaskState::Leased { .. } => Ok(vec![Event::Parked {
                    task: report.task,
                    class: ParkedBy::Contradiction,
                    message: self.bounded(&contradiction),
                }]),
                TaskState::Parked | TaskState::Accepted | TaskState::Superseded => {
                    Err(Rejection::Answered(Verdict::Unwanted))
                }
            };
        }
        let mut events = self.names(task, report, result);
        events.push(Event::Accepted {
            task: report.task,
            attempt: report.attempt,
            result: result.clone(),
            ran_us: self.ran_us(task, report),
        });
        events.extend(self.restores(task, &report.dispatcher));
        if let Some(before) = &task.result {
            let (old, new) = (before.what.output, result.output);
            events.push(Event::Remade { task: report.task, old, new });
        }
        Ok(events)
    }

    /// Why a result cannot be this pipeline's, whatever its verifier says.
    fn objection(&self, task: &Task, report: &Report, result: &ResultRef) -> Option<String> {
        let stage = self.pipeline.stage(task.stage);
        if result.mock && !self.pipeline.allow_mock {
            return Some(
                "the result is a mock and the pipeline does not say allow_mock".to_owned(),
            );
        }
        let declared = self.pipeline.programs.get(&stage.program);
        if result.mock && declared.is_some_and(|program| !program.is_mock) {
            let program = &stage.program;
            return Some(format!("the result is a mock, program {program} is not declared as one"));
        }
        let needs_key = stage.output == Output::Proof;
        let (program, maker) = (&stage.program, &report.dispatcher);
        if let Some(words) = self.is_under_another_key(program, maker, result, needs_key) {
            return Some(words);
        }
        let (parts, limit) = (result.parts.len(), self.limits.parts_max);
        let as_before = task.discarded.as_ref().and_then(|gone| gone.parts);
        match stage.output {
            Output::Parts if as_before.is_some_and(|before| before != parts) => Some(format!(
                "{parts} parts were reported; as many as before are joined already: {}",
                as_before.unwrap_or_default()
            )),
            Output::Parts if parts == 0 || parts > limit => {
                Some(format!("{parts} parts were reported; 1 to {limit} are legal"))
            }
            Output::Proof if parts > 0 => Some("parts were reported of a proof".to_owned()),
            Output::Parts | Output::Proof => None,
        }
    }

    /// An attempt that came to nothing by its own fault.
    pub(super) fn ended(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
        message: &str,
    ) -> Result<Vec<Event>, Rejection> {
        self.holds_lease(report)?;
        let (id, attempt) = (report.task, report.attempt);
        let wait = self.wait(task, report, ending);
        let (message, retry_at) = (self.bounded(message), now + wait);
        let ran_us = self.ran_us(task, report);
        let excused = self.is_excused(now, task, report, ending);
        let parked = match excused {
            true => None,
            false => self.parks(now, task, report, ending, &message),
        };
        let aside = self.sets_aside(now, task, report, ending, &message);
        let event = match ending {
            Ending::Failed(class) => {
                Event::Failed { task: id, attempt, class, message, ran_us, retry_at, excused }
            }
            Ending::Rejected => {
                Event::Rejected { task: id, attempt, message, ran_us, retry_at, excused }
            }
            Ending::Lost | Ending::Withdrawn => {
                Event::Lost { task: id, attempt, message, retry_at }
            }
        };
        Ok(std::iter::once(event).chain(parked).chain(aside).collect())
    }

    /// The wait before the next attempt at a task: the longer, the more ended so, or are at no
    /// budget.
    pub(super) fn wait(&self, task: &Task, report: &Report, ending: Ending) -> Duration {
        let failures = task.tally.of(ending) + task.tally.excused() + 1;
        let of_all = (self.limits.backoff_min, self.limits.backoff_max);
        let waits = self.pipeline.stage(task.stage).retry.backoff.unwrap_or(of_all);
        backoff(waits, report.task, report.attempt, failures)
    }

    /// Whether this ending is the last that the task's budgets allow: so many that ended so, on
    /// more than one dispatcher where there is more than one, and where a service may come back,
    /// after as long as the pipeline has patience.
    pub(super) fn parks(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
        words: &str,
    ) -> Option<Event> {
        let failures = task.tally.of(ending) + 1;
        let budgets = &self.pipeline.stage(task.stage).retry;
        let budget = ending.budget(budgets);
        let this = ending.counts_against_dispatcher().then_some(&report.dispatcher);
        let failed_on: BTreeSet<_> = task.tally.dispatchers().chain(this).collect();
        let (class, cause) = if failures >= budget
            && self.has_been_tried(now, task, report, ending, failures / budget)
        {
            (ending.parks_as(), spent(failures, budget))
        } else if failed_on.len() >= self.limits.dispatchers_max {
            (ParkedBy::Dispatchers, format!("it failed on {} dispatchers", failed_on.len()))
        } else {
            return None;
        };
        let message = self.bounded(&format!("{cause}: {words}"));
        Some(Event::Parked { task: report.task, class, message })
    }

    /// Whether a task whose budget is spent so many times has had its chances: elsewhere, and for
    /// long enough.
    fn has_been_tried(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
        times: u32,
    ) -> bool {
        let patience = self.pipeline.stage(task.stage).retry.patience;
        match ending {
            Ending::Lost | Ending::Withdrawn => true,
            Ending::Failed(FailureClass::Transient) => {
                let since = task.tally.transient_since().unwrap_or(now);
                now.since(since) >= patience
            }
            Ending::Failed(_) | Ending::Rejected => {
                times >= ALONE_MAX
                    || task.tally.has_failed_elsewhere(&report.dispatcher)
                    || !self.has_another(now, task, &report.dispatcher)
            }
        }
    }

    /// An input was not in the store. Whoever made it makes it again; this attempt is not to blame.
    /// What was made again since the attempt was granted is not the one that it missed.
    fn input_lost(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        artifact: Digest,
    ) -> Result<Vec<Event>, Rejection> {
        self.holds_lease(report)?;
        let what = format!("input {artifact} is missing from the store or damaged there");
        let lost = task.inputs.iter().find(|input| self.bound(input) == Some(artifact));
        let remade = match lost {
            Some(InputId::Block(hash)) => self.chain.block(hash).and_then(|block| {
                let is_there = !block.payload_lost && block.delivered < report.attempt.position();
                is_there.then_some((Event::PayloadLost { block: *hash }, block.losses))
            }),
            Some(InputId::Task(id) | InputId::Part(id, _)) => self.task(id).and_then(|maker| {
                let made = maker.result.as_ref()?.seq;
                let is_there =
                    maker.state == TaskState::Accepted && made < report.attempt.position();
                let reopened = Event::Reopened { task: *id, why: ReopenedBy::ResultLost };
                is_there.then_some((reopened, maker.remakes))
            }),
            None => None,
        };
        let follows = match remade {
            Some((_, times)) if times >= self.limits.remakes_max => Some(Event::Parked {
                task: report.task,
                class: ParkedBy::InputLost,
                message: self.bounded(&format!(
                    "{what}, after it was made again {}",
                    counted(times, "time")
                )),
            }),
            Some((event, _)) => Some(event),
            None => None,
        };
        // What is there, or has been made again since, is a complaint of one dispatcher's. The
        // attempt is not to blame.
        let cause = follows.is_none().then_some(WithdrawnBy::InputLost);
        let mut events = self.withdrawn(now, task, report, &what, cause);
        events.extend(follows);
        Ok(events)
    }

    fn not_run(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        message: &str,
    ) -> Result<Vec<Event>, Rejection> {
        self.holds_lease(report)?;
        Ok(self.withdrawn(now, task, report, message, Some(WithdrawnBy::NotRun)))
    }

    /// How long a prover ran by its dispatcher's word, which no attempt can do for longer than its
    /// stage allows. Unit: microseconds.
    fn ran_us(&self, task: &Task, report: &Report) -> u64 {
        let ran = report.ran.min(longest(self.pipeline.stage(task.stage)));
        u64::try_from(ran.as_micros()).unwrap_or(u64::MAX)
    }

    /// A failure counts only for an attempt that lives, and only from who was granted it.
    fn holds_lease(&self, report: &Report) -> Result<(), Rejection> {
        self.held_by(report).map(|_| ()).ok_or(Rejection::Answered(Verdict::Unwanted))
    }

    /// The end of a message, as much of it as a fact keeps: what went wrong is said last.
    pub(super) fn bounded(&self, message: &str) -> String {
        let start = message.len().saturating_sub(self.limits.message_bytes_max);
        message.get(message.ceil_char_boundary(start)..).unwrap_or_default().to_owned()
    }
}

/// That a budget is spent, for a person.
fn spent(failures: u32, budget: u32) -> String {
    match failures > budget {
        true => format!("attempt {failures} that ended so, past a budget of {budget}"),
        false => format!("attempt {failures} of {budget} that ended so"),
    }
}

/// How a re-made result differs from the one whose place it takes.
fn contradiction(task: &Task, result: &ResultRef) -> Option<String> {
    let before = &task.result.as_ref()?.what;
    if before.statement != result.statement {
        return Some(format!(
            "made again, it has other public values: {} before, {} now",
            before.statement, result.statement
        ));
    }
    (before.parts != result.parts).then(|| "made again, its parts differ".to_owned())
}

/// What becomes of a result that is told again, since its verdict was lost. Where it was found lost
/// meanwhile it is lost still: being told again does not make it there.
fn told_again(task: &Task, report: &Report) -> Option<Result<Vec<Event>, Rejection>> {
    let known = task.result.as_ref()?;
    let verdict = match report.attempt {
        attempt if attempt == known.attempt => Verdict::Accepted(known.seq),
        attempt if known.has_overtaken(attempt) => Verdict::AlreadyAccepted,
        _ => return None,
    };
    Some(match task.state {
        TaskState::Accepted | TaskState::Superseded => Err(Rejection::Answered(verdict)),
        TaskState::Ready { .. } | TaskState::Leased { .. } | TaskState::Parked => Ok(Vec::new()),
    })
}

/// Attempts remembered whose results came too late; past it they are answered and not recorded.
const SURPLUS_MAX: usize = 16;

/// Budgets that a task may spend on one dispatcher while another might prove it, and has no room.
const ALONE_MAX: u32 = 3;
