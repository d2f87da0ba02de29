//! What becomes of a report.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use push0_core::{
    Event, FailureClass, Input, Outcome, ParkedBy, Rejection, Report, Scheduler, TaskState,
};

use crate::steps::{cases, lying_cases};
use crate::world::{Decision, World};

proptest! {
    #![proptest_config(crate::steps::config())]

    #[test]
    fn a_task_is_accepted_once_for_each_opening(case in lying_cases()) {
        let mut open = BTreeSet::new();
        for (seq, event) in World::after(&case).events() {
            match event {
                Event::TaskOpened { task, .. } => prop_assert!(open.insert(*task), "{seq}: opened twice"),
                Event::Reopened { task, .. } => { open.insert(*task); }
                Event::Accepted { task, .. } => prop_assert!(open.remove(task), "{seq}: accepted twice"),
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
    fn a_result_is_taken_whoever_brings_it_and_however_late(case in lying_cases()) {
        World::watched(&case, &mut |decision| {
            let Some(report) = reported(decision) else { return };
            let Outcome::Proved(result) = &report.outcome else { return };
            let task = decision.before.task(&report.task).expect("it was granted");
            let before = task.result.as_ref().map(|result| result.what.statement);
            if task.state != TaskState::Accepted && before.is_none_or(|before| before == result.statement) {
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
            let task = decision.before.task(&report.task).expect("it was granted");
            let before = task.result.as_ref().map(|result| result.what.statement);
            if task.state != TaskState::Accepted && before.is_some_and(|before| before != result.statement) {
                let task = decision.after.task(&report.task).expect("it is still there");
                let why = task.parked.as_ref().map(|(why, _)| *why);
                assert!(why.is_some() && task.state == TaskState::Parked);
                assert!(why == Some(ParkedBy::Contradiction) || decision.answer.is_err());
            }
        });
    }

    #[test]
    fn attempts_are_bounded_by_their_budgets(case in cases()) {
        let world = World::after(&case);
        let mut tallies = BTreeMap::new();
        for (seq, event) in world.events() {
            match event {
                Event::TaskOpened { task, .. } | Event::Reopened { task, .. } => {
                    tallies.insert(*task, (BTreeMap::new(), BTreeSet::new()));
                }
                Event::Granted { task, .. } => {
                    let (ends, failed_on): &(BTreeMap<&str, u64>, BTreeSet<_>) = &tallies[task];
                    for (class, ends) in ends {
                        prop_assert!(*ends < budget(class), "{seq}: {ends} times {class}");
                    }
                    prop_assert!(failed_on.len() < world.limits.dispatchers_max, "{seq}");
                }
                Event::Failed { task, attempt, class, .. } => {
                    let (ends, failed_on) = tallies.get_mut(task).expect("it was opened");
                    *ends.entry(name(*class)).or_default() += 1;
                    if *class != FailureClass::Transient {
                        failed_on.insert(grantee(&world, *attempt));
                    }
                }
                Event::Rejected { task, attempt, .. } => {
                    let (ends, failed_on) = tallies.get_mut(task).expect("it was opened");
                    *ends.entry("rejected").or_default() += 1;
                    failed_on.insert(grantee(&world, *attempt));
                }
                Event::Lost { task, .. } => {
                    *tallies.get_mut(task).expect("it was opened").0.entry("lost").or_default() += 1;
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_task_is_not_parked_before_its_budget_is_spent(case in cases()) {
        let dispatchers_max = case.limits().dispatchers_max;
        World::watched(&case, &mut |decision| {
            for event in decision.answer.unwrap_or_default() {
                let Event::Parked { task, class, .. } = event else { continue };
                let tally = decision.after.task(task).expect("a task").tally;
                let spent = match class {
                    ParkedBy::Transient => u64::from(tally.transient) >= budget("transient"),
                    ParkedBy::Resource => u64::from(tally.resource) >= budget("resource"),
                    ParkedBy::Timeout => u64::from(tally.timeout) >= budget("timeout"),
                    ParkedBy::Failed => u64::from(tally.failed) >= budget("failed"),
                    ParkedBy::Rejected => u64::from(tally.rejected) >= budget("rejected"),
                    ParkedBy::Lost => u64::from(tally.lost) >= budget("lost"),
                    ParkedBy::Unprovable => tally.unprovable == 1,
                    ParkedBy::InvalidInput => tally.invalid_input == 1,
                    ParkedBy::Dispatchers => {
                        decision.after.task(task).expect("a task").failed_on.len() >= dispatchers_max
                    }
                    ParkedBy::InputLost | ParkedBy::Contradiction => true,
                };
                assert!(spent, "{event:?} after {tally:?}");
            }
        });
    }

    #[test]
    fn a_parked_task_stays_visible_until_it_is_opened_again_or_accepted(case in lying_cases()) {
        let world = World::after(&case);
        let mut parked = BTreeSet::new();
        for (_, event) in world.events() {
            match event {
                Event::Parked { task, .. } => { parked.insert(*task); }
                Event::Reopened { task, .. } | Event::Accepted { task, .. } => { parked.remove(task); }
                _ => {}
            }
        }
        let seen: BTreeSet<_> = world.scheduler.parked().map(|(id, _)| *id).collect();
        prop_assert_eq!(&seen, &parked);
        let counted: u64 = world.scheduler.stages().map(|stage| stage.parked).sum();
        prop_assert_eq!(counted, parked.len() as u64);
        for task in parked {
            prop_assert!(world.scheduler.decide(world.now, &Input::Retry(task)).is_ok());
        }
    }
}

fn reported<'a>(decision: &'a Decision<'_>) -> Option<&'a Report> {
    match decision.input {
        Input::Report(report) => Some(report),
        _ => None,
    }
}

fn holds_lease(scheduler: &Scheduler, report: &Report) -> bool {
    let lease = scheduler.task(&report.task).and_then(|task| task.lease());
    lease.is_some_and(|lease| lease.attempt == report.attempt)
}

fn grantee(world: &World<'_>, attempt: push0_core::AttemptId) -> push0_core::DispatcherId {
    let cause = world.events().find(|(seq, _)| seq.0 == attempt.0).map(|(_, event)| event);
    match cause {
        Some(Event::Granted { dispatcher, .. }) => dispatcher.clone(),
        other => panic!("{attempt} is of {other:?}"),
    }
}

/// As the worlds' pipelines say.
fn budget(class: &str) -> u64 {
    match class {
        "transient" | "lost" => 3,
        "unprovable" | "invalid_input" => 1,
        _ => 2,
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
    }
}
