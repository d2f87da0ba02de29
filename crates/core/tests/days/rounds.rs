//! What is counted against a dispatcher before it is set aside, and what is not.

use std::time::Duration;

use push0_core::{Event, FailureClass, Height, Outcome, ParkedBy, PipelineSpec, TaskId};

use crate::crew::{ROUNDS, asides, end, failed, grant, later, lose, waiting};
use crate::day::{Day, pipeline, result};

/// Ends an attempt at a task.
type End = fn(&mut Day, TaskId);

/// However its attempts come to nothing, if it is not one task's trouble and nothing is proved
/// between.
#[test]
fn who_brings_nothing_in_three_rounds_of_several_tasks_is_set_aside_then_and_not_before() {
    let ends: [(&str, End); 6] = [
        ("failed", |day, task| end(day, task, failed(FailureClass::Failed))),
        ("late", |day, task| end(day, task, failed(FailureClass::Timeout))),
        ("wrong", |day, task| {
            end(day, task, Outcome::Rejected { message: "it does not verify".to_owned() });
        }),
        ("unprovable", |day, task| end(day, task, failed(FailureClass::Unprovable))),
        ("unreadable", |day, task| end(day, task, failed(FailureClass::InvalidInput))),
        ("lost", |day, task| {
            if day.scheduler.attempts_at(task).next().is_some() {
                lose(day, "sick");
            }
        }),
    ];
    for (name, end_so) in ends {
        let mut day = waiting(patient(), 8);
        prove_one(&mut day, "well");
        for round in 1..=ROUNDS {
            later(&mut day, Duration::from_secs(400));
            assert_eq!(asides(&day), [], "{name}: before round {round}");
            let granted = grant(&mut day, &[("sick", 2)]);
            assert_eq!(granted.len(), 2, "{name}: round {round}");
            granted.into_iter().for_each(|(task, _)| end_so(&mut day, task));
        }
        assert_eq!(asides(&day).len(), 1, "{name}");
    }
}

/// A few failures in a lifetime are no reason.
#[test]
fn who_proves_between_its_failures_is_not_set_aside() {
    let mut day = waiting(pipeline(), 20);
    for round in 0..10 {
        later(&mut day, Duration::from_secs(60));
        let granted = grant(&mut day, &[("one", 2)]);
        let [(proved, _), (fails, _)] = granted.as_slice() else { panic!("{granted:?}") };
        end(&mut day, *fails, failed(FailureClass::Failed));
        let is_aside = day.events.iter().any(|event| matches!(event, Event::SetAside { .. }));
        assert!(!is_aside, "in round {round}");
        end(&mut day, *proved, Outcome::Proved(result()));
    }
}

/// All that it held is gone at once, and told of one by one.
#[test]
fn a_machine_that_is_lost_with_many_attempts_is_set_aside_once_and_soon_probed() {
    let mut day = waiting(patient(), 40);
    prove_one(&mut day, "well");
    for _ in 0..ROUNDS {
        later(&mut day, Duration::from_secs(60));
        assert_eq!(grant(&mut day, &[("large", 32)]).len(), 32);
        lose(&mut day, "large");
    }
    let told = day.events.iter().filter(|event| matches!(event, Event::SetAside { .. }));
    assert_eq!(told.count(), 1);
    let until = asides(&day).pop().expect("it was lost in three rounds").1;
    assert!(until.since(day.now) <= Duration::from_secs(5), "{:?}", until.since(day.now));
}

/// Two bad blocks are not every machine's trouble, as long as somebody proves the others.
#[test]
fn several_tasks_that_fail_everywhere_set_nobody_aside() {
    let mut day = waiting(patient(), 30);
    for _ in 0..2 * ROUNDS {
        for who in ["one", "two"] {
            later(&mut day, Duration::from_secs(400));
            let bad = grant(&mut day, &[(who, 2)]);
            assert!(bad.iter().all(|(task, _)| first(&day, task) <= Height(1)), "{bad:?}");
            for (task, _) in bad {
                end(&mut day, task, failed(FailureClass::Failed));
                prove_one(&mut day, "well");
            }
        }
        // The one that tried them first may have been sick; nothing says so of the other.
        assert!(asides(&day).iter().all(|(who, _)| who == "one"), "{:?}", asides(&day));
    }
}

/// It has failed two rounds of its own; a third is to be its own as well.
#[test]
fn a_task_that_another_has_failed_is_not_what_sets_a_machine_aside() {
    let mut day = waiting(patient(), 8);
    let (bad, _) = grant(&mut day, &[("one", 1)]).pop().expect("the head");
    end(&mut day, bad, failed(FailureClass::Failed));
    for own in grant(&mut day, &[("two", 2)]) {
        end(&mut day, own.0, failed(FailureClass::Failed));
    }
    prove_one(&mut day, "well");
    for is_last in [false, true] {
        later(&mut day, Duration::from_secs(400));
        let granted = grant(&mut day, &[("two", 3)]);
        let [(theirs, _), own @ ..] = granted.as_slice() else { panic!("{granted:?}") };
        assert_eq!((*theirs, own.len()), (bad, 2));
        end(&mut day, bad, failed(FailureClass::Failed));
        assert_eq!(asides(&day), [], "by what is not its own");
        prove_one(&mut day, "well");
        for (task, _) in own {
            end(&mut day, *task, failed(FailureClass::Failed));
        }
        prove_one(&mut day, "well");
        assert_eq!(!asides(&day).is_empty(), is_last, "by its own, in the third round");
    }
}

/// That nobody judges is the pipeline's fault, and what a prover says is its task's: of the only
/// machine both are believed.
#[test]
fn what_says_nothing_of_a_machine_parks_its_tasks_and_sets_nobody_aside() {
    for class in [FailureClass::Unjudged, FailureClass::Unprovable, FailureClass::InvalidInput] {
        let mut day = waiting(pipeline(), 6);
        for _ in 0..40 {
            later(&mut day, Duration::from_secs(400));
            for (task, _) in grant(&mut day, &[("one", 1)]) {
                end(&mut day, task, failed(class));
            }
            assert_eq!(asides(&day), [], "{class:?}");
        }
        assert_eq!(day.scheduler.parked().count(), 6, "{class:?}");
    }
}

/// Two failures may be two bad blocks, and are charged to them; a third of another is charged to
/// nobody's task.
#[test]
fn two_tasks_that_fail_are_their_own_trouble_and_a_third_is_everybodys() {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.retry = [("failed".to_owned(), 1)].into();
    }
    let mut day = waiting(spec, 4);
    for parked in [1, 2, 2] {
        let (task, _) = grant(&mut day, &[("one", 1)]).pop().expect("one waits");
        end(&mut day, task, failed(FailureClass::Failed));
        assert_eq!(day.scheduler.parked().count(), parked);
    }
}

/// It has proved, and that is no second opinion on what it says now.
#[test]
fn the_only_machine_is_believed_whatever_it_has_proved_before() {
    let mut day = waiting(pipeline(), 2);
    prove_one(&mut day, "one");
    let (task, _) = grant(&mut day, &[("one", 1)]).pop().expect("one waits");
    end(&mut day, task, failed(FailureClass::Unprovable));
    assert_eq!(why(&day), Some(ParkedBy::Unprovable));
}

/// Nobody waits for the opinion of a machine that gets no work.
#[test]
fn one_that_is_set_aside_is_no_other_that_might_prove_it() {
    let mut day = waiting(patient(), 8);
    prove_one(&mut day, "sick");
    while asides(&day).is_empty() {
        assert!(day.events.len() < 200, "it is never set aside");
        later(&mut day, Duration::from_secs(60));
        for (task, _) in grant(&mut day, &[("sick", 2)]) {
            end(&mut day, task, failed(FailureClass::Failed));
        }
    }
    later(&mut day, Duration::from_secs(60));
    let (task, _) = grant(&mut day, &[("one", 8)]).pop().expect("one that `sick` has not tried");
    end(&mut day, task, failed(FailureClass::Unprovable));
    assert_eq!(why(&day), Some(ParkedBy::Unprovable));
}

/// A name for each attempt fills no memory; who was heard of last is known.
#[test]
fn no_more_machines_are_remembered_than_a_fleet_has() {
    let mut day = waiting(PipelineSpec { window: Some(10_000), ..patient() }, 4_300);
    prove_one(&mut day, "first");
    later(&mut day, Duration::from_secs(1));
    let names: Vec<_> = (0..4_200).map(|number| format!("m{number}")).collect();
    for names in names.chunks(200) {
        let offers: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let granted = grant(&mut day, &offers);
        assert_eq!(granted.len(), names.len());
        granted.into_iter().for_each(|(task, _)| end(&mut day, task, Outcome::Cancelled));
    }
    assert_eq!(day.scheduler.ran().by().count(), 4_096);
    let (task, _) = grant(&mut day, &[("m0", 1)]).pop().expect("one waits");
    end(&mut day, task, failed(FailureClass::Unprovable));
    assert_eq!(
        why(&day),
        Some(ParkedBy::Unprovable),
        "`first` is forgotten, and no second opinion"
    );
}

/// `who`, which has one slot, proves what it gets.
fn prove_one(day: &mut Day, who: &str) {
    let (task, _) = grant(day, &[(who, 1)]).pop().expect("something waits");
    end(day, task, Outcome::Proved(result()));
}

fn first(day: &Day, task: &TaskId) -> Height {
    day.scheduler.task(task).expect("it").key.first
}

/// Why the one that is parked is.
fn why(day: &Day) -> Option<ParkedBy> {
    day.scheduler.parked().next().and_then(|(_, task)| Some(task.parked.as_ref()?.0))
}

/// Tasks do not park before what is counted here is seen.
fn patient() -> PipelineSpec {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.retry =
            ["failed", "timeout", "rejected", "lost"].map(|of| (of.to_owned(), 90)).into();
        stage.patience = Some(Duration::from_secs(36_000));
    }
    spec
}
