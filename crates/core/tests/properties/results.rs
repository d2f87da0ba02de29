//! What becomes of a report.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use push0_core::{
    AttemptId, DispatcherId, Epoch, Event, FailureClass, Input, Outcome, ParkedBy, Rejection,
    Report, Scheduler, Seq, Task, TaskId, TaskState, Verdict,
};

use crate::steps::{cases, failing_cases, losing_cases, lying_cases, remaking_cases};
use crate::world::{Decision, World};

proptest! {
    #![proptest_config(crate::steps::config())]

    #[test]
    fn a_task_is_accepted_once_for_each_opening(case in lying_cases()) {
        let (mut open, mut lost) = (BTreeSet::new(), BTreeSet::new());
        let (mut readers, mut anew) = (Readers::default(), BTreeSet::new());
        let mut all = BTreeSet::new();
        for (seq, event) in World::after(&case).events() {
            readers.note(event);
            match event {
                Event::TaskOpened { task, .. } => {
                    all.insert(*task);
                    prop_assert!(open.insert(*task) || anew.remove(task), "{seq}: opened twice");
                }
                // Whatever the chain leaves is opened again where it comes back.
                Event::HeadMoved { .. } => anew.extend(all.iter().copied()),
                Event::Reopened { task, .. } => { open.insert(*task); }
                // Its result was lost once too often; another is taken, for all that it is parked.
                Event::Parked { task, .. } if !open.contains(task) => { lost.insert(*task); }
                Event::Discarded { task, .. } => {
                    let made = readers.made_from(*task);
                    open.extend(made.iter().copied());
                    // What read the parts of a split is opened again, once there are others.
                    anew.extend(made.into_iter().filter(|of| of != task));
                }
                Event::Accepted { task, .. } => {
                    let was_lost = lost.remove(task);
                    prop_assert!(open.remove(task) || was_lost, "{seq}: accepted twice");
                }
                Event::Granted { task, .. } => prop_assert!(open.contains(task), "{seq}: granted, and done"),
                _ => {}
            }
        }
    }

    #[test]
    fn a_failure_of_an_attempt_that_does_not_hold_the_lease_changes_nothing(case in cases()) {
        World::watched(&case, &mut |decision| {
            let Some(report) = reported(decision) else { return };
            let is_result = matches!(report.outcome, Outcome::Proved(_));
            if !is_result && !holds_lease(decision.before, report) {
                let is_answered = matches!(decision.answer, Err(Rejection::Answered(_)));
                assert!(is_answered, "{report:?} led to {:?}", decision.answer);
            }
        });
    }

    #[test]
    fn a_failure_of_the_attempt_that_holds_the_lease_ends_it(case in cases()) {
        World::watched(&case, &mut |decision| {
            let Some(report) = reported(decision) else { return };
            if holds_lease(decision.before, report) {
                assert!(!holds_lease(decision.after, report), "{report:?} ended nothing");
            }
        });
    }

    #[test]
    fn a_result_is_taken_whoever_brings_it_and_however_late(
        case in prop_oneof![3 => lying_cases(), 1 => remaking_cases()],
    ) {
        World::watched(&case, &mut |decision| {
            let Some(report) = reported(decision) else { return };
            let Outcome::Proved(result) = &report.outcome else { return };
            let Some(task) = task_of(decision, report) else { return };
            let before = task.result.as_ref().map(|result| result.what.statement);
            // What is told again is as lost as when it was found so.
            let is_told_again = task.result.as_ref().is_some_and(|result| {
                let of_before = [&result.surplus, &result.before];
                result.attempt == report.attempt
                    || of_before.iter().any(|known| known.contains(&report.attempt))
            });
            // What was asked before a result was taken back may stand on the same lie.
            let is_of_before =
                task.discarded.as_ref().is_some_and(|gone| report.attempt.position() < gone.at);
            let is_same = before.is_none_or(|before| before == result.statement);
            let is_there = match task.state {
                TaskState::Accepted => true,
                TaskState::Superseded => before.is_some(),
                TaskState::Ready { .. } | TaskState::Leased { .. } | TaskState::Parked => false,
            };
            if !is_there && is_same && !is_told_again && !is_of_before {
                let events = decision.answer.expect("a result is not refused");
                let is_accepted = |event: &Event| matches!(event, Event::Accepted { attempt, .. } if *attempt == report.attempt);
                assert!(events.iter().any(is_accepted), "{events:?}");
                let remade = events.iter().any(|event| matches!(event, Event::Remade { .. }));
                assert_eq!(remade, before.is_some());
            }
        });
    }

    #[test]
    fn a_re_made_result_that_says_something_else_parks_its_task(case in lying_cases()) {
        World::watched(&case, &mut |decision| {
            let Some(report) = reported(decision) else { return };
            let Outcome::Proved(result) = &report.outcome else { return };
            let Some(task) = task_of(decision, report) else { return };
            let before = task.result.as_ref().map(|result| result.what.statement);
            // Who holds no lease parks nothing.
            let holds_lease = decision.before.is_holders(report);
            if holds_lease && before.is_some_and(|before| before != result.statement) {
                let task = decision.after.task(&report.task).expect("it is still there");
                let why = task.parked.as_ref().map(|(why, _)| *why);
                assert!(why.is_some() && task.state == TaskState::Parked);
                assert!(why == Some(ParkedBy::Contradiction) || decision.answer.is_err());
            }
        });
    }

    #[test]
    fn attempts_are_bounded_by_their_budgets(case in failing_cases()) {
        let dispatchers_max = case.limits().dispatchers_max;
        let mut opening = Openings::default();
        for (seq, event) in World::after(&case).events() {
            if let Event::Granted { task, .. } = event {
                let Opening { ends, failed_on, .. } = opening.of(task);
                for (class, ends) in ends {
                    let is_alone = opening.of(task).alone.contains(class);
                    prop_assert!(*ends < budget(class) || is_alone, "{seq}: {ends} times {class}");
                }
                prop_assert!(failed_on.len() < dispatchers_max, "{seq}: {failed_on:?}");
            }
            opening.note(seq, event);
        }
    }

    #[test]
    fn a_task_is_parked_only_once_a_budget_is_spent(case in failing_cases()) {
        let dispatchers_max = case.limits().dispatchers_max;
        let mut opening = Openings::default();
        for (seq, event) in World::after(&case).events() {
            if let Event::Parked { task, class, .. } = event {
                let Opening { ends, failed_on, .. } = opening.of(task);
                let is_spent = match class {
                    ParkedBy::InputLost | ParkedBy::Contradiction => true,
                    ParkedBy::Dispatchers => failed_on.len() >= dispatchers_max,
                    class => ends.get(&parks_as(*class)).is_some_and(|ends| *ends >= budget(parks_as(*class))),
                };
                prop_assert!(is_spent, "{seq}: {event:?} after {ends:?} on {failed_on:?}");
            }
            opening.note(seq, event);
        }
    }

    #[test]
    fn what_came_since_an_attempt_was_granted_is_not_what_it_missed(case in losing_cases()) {
        World::watched(&case, &mut |decision| {
            let Some(report) = reported(decision) else { return };
            let Outcome::InputLost { artifact } = &report.outcome else { return };
            for event in decision.answer.unwrap_or_default() {
                let since = match event {
                    Event::Reopened { task, .. } => decision.before.task(task).and_then(|task| Some(task.result.as_ref()?.seq)),
                    Event::PayloadLost { block } => decision.before.chain().block(block).map(|block| block.delivered),
                    _ => continue,
                };
                assert!(since.is_some_and(|since| since < report.attempt.position()), "{artifact} came at {since:?}");
            }
        });
    }

    #[test]
    fn a_parked_task_stays_visible_until_it_is_opened_again_or_accepted(case in lying_cases()) {
        let world = World::after(&case);
        let (mut parked, mut readers) = (BTreeSet::new(), Readers::default());
        for (_, event) in world.events() {
            readers.note(event);
            match event {
                Event::Parked { task, .. } => { parked.insert(*task); }
                Event::Reopened { task, .. } | Event::Accepted { task, .. } | Event::TaskOpened { task, .. } => {
                    parked.remove(task);
                }
                Event::Discarded { task, .. } => {
                    parked.retain(|id| !readers.made_from(*task).contains(id));
                }
                _ => {}
            }
        }
        parked.retain(|id| {
            let task = world.scheduler.task(id);
            task.is_some_and(|task| task.state != TaskState::Superseded)
        });
        let seen: BTreeSet<_> = world.scheduler.parked().map(|(id, _)| *id).collect();
        prop_assert_eq!(&seen, &parked);
        let counted: u64 = world.scheduler.stages().map(|stage| stage.parked).sum();
        prop_assert_eq!(counted, parked.len() as u64);
        for task in parked {
            prop_assert!(world.scheduler.decide(world.now, &Input::Retry(task)).is_ok());
        }
    }
}

/// What read which task's result, by the log.
#[derive(Default)]
struct Readers(BTreeMap<TaskId, BTreeSet<TaskId>>);

impl Readers {
    fn note(&mut self, event: &Event) {
        let Event::TaskOpened { task, inputs, .. } = event else { return };
        for maker in inputs.iter().filter_map(|input| input.maker()) {
            self.0.entry(maker).or_default().insert(*task);
        }
    }

    /// A task, and all that were made from its result.
    fn made_from(&self, task: TaskId) -> BTreeSet<TaskId> {
        let (mut found, mut next) = (BTreeSet::from([task]), vec![task]);
        while let Some(task) = next.pop() {
            let readers = self.0.get(&task).into_iter().flatten();
            next.extend(readers.copied().filter(|reader| found.insert(*reader)));
        }
        found
    }
}

fn reported<'a>(decision: &'a Decision<'_>) -> Option<&'a Report> {
    match decision.input {
        Input::Report(report) => Some(report),
        _ => None,
    }
}

/// The task that a report is of. One that read what was taken back may be no more: then nothing is
/// taken of it.
fn task_of<'a>(decision: &Decision<'a>, report: &Report) -> Option<&'a Task> {
    let task = decision.before.task(&report.task);
    if task.is_none() {
        let unwanted = Err(&Rejection::Answered(Verdict::Unwanted));
        assert_eq!(decision.answer, unwanted, "of no task that is open");
    }
    task
}

fn holds_lease(scheduler: &Scheduler, report: &Report) -> bool {
    scheduler.attempts_at(report.task).any(|attempt| attempt.id == report.attempt)
}

/// How the attempts ended since each task was last opened, as the log tells it.
#[derive(Default)]
struct Openings {
    tasks: BTreeMap<TaskId, Opening>,
    granted: BTreeMap<AttemptId, DispatcherId>,
    epoch: Epoch,
}

#[derive(Default)]
struct Opening {
    ends: BTreeMap<&'static str, u64>,
    failed_on: BTreeSet<DispatcherId>,
    /// All that came to no result on it, counted or not.
    tried_on: BTreeSet<DispatcherId>,
    /// The kinds of which the last was when nobody else had tried it: another is to.
    alone: BTreeSet<&'static str>,
}

impl Openings {
    fn of(&self, task: &TaskId) -> &Opening {
        &self.tasks[task]
    }

    fn note(&mut self, seq: Seq, event: &Event) {
        match event {
            Event::Claimed { epoch, .. } => self.epoch = *epoch,
            Event::TaskOpened { task, .. } | Event::Reopened { task, .. } => {
                self.tasks.insert(*task, Opening::default());
            }
            Event::Granted { dispatcher, .. } => {
                self.granted.insert(AttemptId::of(self.epoch, seq), dispatcher.clone());
            }
            Event::Failed { task, attempt, class, excused, .. } => {
                let is_of_the_dispatcher = *class != FailureClass::Transient;
                let blamed = is_of_the_dispatcher.then_some(attempt);
                self.tried(task, attempt);
                if !excused {
                    self.end(task, name(*class), blamed);
                }
            }
            Event::Rejected { task, attempt, excused, .. } => {
                self.tried(task, attempt);
                if !excused {
                    self.end(task, "rejected", Some(attempt));
                }
            }
            Event::Withdrawn { task, attempt, cause: Some(_), .. } => {
                self.tried(task, attempt);
                self.end(task, "withdrawn", None);
            }
            Event::Lost { task, .. } => self.end(task, "lost", None),
            _ => {}
        }
    }

    fn tried(&mut self, task: &TaskId, attempt: &AttemptId) {
        let opening = self.tasks.get_mut(task).expect("it was opened");
        opening.tried_on.insert(self.granted[attempt].clone());
    }

    fn end(&mut self, task: &TaskId, class: &'static str, to_blame: Option<&AttemptId>) {
        let opening = self.tasks.get_mut(task).expect("it was opened");
        *opening.ends.entry(class).or_default() += 1;
        let is_alone = opening.tried_on.len() <= 1
            && !["lost", "withdrawn", "transient", "unprovable", "invalid_input"].contains(&class);
        match is_alone {
            true => opening.alone.insert(class),
            false => opening.alone.remove(class),
        };
        opening.failed_on.extend(to_blame.map(|attempt| self.granted[attempt].clone()));
    }
}

const fn parks_as(class: ParkedBy) -> &'static str {
    match class {
        ParkedBy::Transient => "transient",
        ParkedBy::Resource => "resource",
        ParkedBy::Timeout => "timeout",
        ParkedBy::Failed => "failed",
        ParkedBy::Unprovable => "unprovable",
        ParkedBy::InvalidInput => "invalid_input",
        ParkedBy::Unjudged => "unjudged",
        ParkedBy::Rejected => "rejected",
        ParkedBy::Lost => "lost",
        ParkedBy::Withdrawn => "withdrawn",
        ParkedBy::Dispatchers | ParkedBy::InputLost | ParkedBy::Contradiction => "of no class",
    }
}

/// As the worlds' pipelines say.
fn budget(class: &str) -> u64 {
    match class {
        "transient" => 3,
        "resource" => 5,
        "timeout" => 4,
        "failed" => 2,
        "rejected" => 7,
        "lost" => 6,
        "unjudged" => 8,
        "withdrawn" => 100,
        _ => 1, // what a prover says of its task
    }
}

const fn name(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Resource => "resource",
        FailureClass::Timeout => "timeout",
        FailureClass::Failed => "failed",
        FailureClass::Unprovable => "unprovable",
        FailureClass::InvalidInput => "invalid_input",
        FailureClass::Unjudged => "unjudged",
    }
}
