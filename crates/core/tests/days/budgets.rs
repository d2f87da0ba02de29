//! What ends a task that does not come to a result: each kind of end has a budget, in attempts and
//! in time.

use std::time::Duration;

use push0_core::{
    Block, Digest, Event, FailureClass, Input, Outcome, ParkedBy, PipelineSpec, StageSpec, TaskId,
    TaskState,
};

use crate::crew::{end, failed, grant, later, lose, waiting};
use crate::day::{Day, block, pipeline, result};

/// Each class has a number of its own here, so that none is taken for another.
#[test]
fn each_kind_of_end_parks_by_the_budget_that_the_pipeline_gives_it_and_by_no_other() {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        let classes = CLASSES.map(|(name, budget, _)| (name.to_owned(), budget));
        stage.retry = classes.into();
        stage.patience = Some(Duration::ZERO);
    }
    for (name, budget, why) in CLASSES {
        let mut day = waiting(spec.clone(), 1);
        let mut tries = 0;
        while day.scheduler.parked().next().is_none() {
            assert!(tries < 50, "{name} never parks");
            later(&mut day, Duration::from_secs(600));
            let (task, _) = grant(&mut day, &[("one", 1)]).pop().expect("it waits to be tried");
            tries += 1;
            end_as(&mut day, task, name);
        }
        assert_eq!((tries, parked(&day)), (budget, Some(why)), "{name}");
    }
}

/// What a prover says of its task is not asked twice of the only machine.
#[test]
fn what_a_prover_says_of_its_task_parks_it_at_once() {
    for (class, why) in [
        (FailureClass::Unprovable, ParkedBy::Unprovable),
        (FailureClass::InvalidInput, ParkedBy::InvalidInput),
    ] {
        let mut day = waiting(pipeline(), 1);
        let (task, _) = grant(&mut day, &[("one", 1)]).pop().expect("one waits");
        end(&mut day, task, failed(class));
        assert_eq!(parked(&day), Some(why));
    }
}

#[test]
fn a_task_parks_only_once_another_that_proves_has_failed_it_too() {
    let mut day = waiting(pipeline(), 2);
    let (proved, _) = grant(&mut day, &[("well", 1)]).pop().expect("one");
    end(&mut day, proved, Outcome::Proved(result()));
    let mut tries = 0;
    for who in ["sick", "sick", "sick", "sick", "sick", "sick", "sick", "well"] {
        later(&mut day, Duration::from_secs(100));
        let (task, _) = grant(&mut day, &[(who, 1)]).pop().expect("it waits to be tried");
        tries += 1;
        end(&mut day, task, failed(FailureClass::Failed));
        let is_parked = day.scheduler.task(&task).expect("it").state == TaskState::Parked;
        assert_eq!(is_parked, who == "well", "after {tries} tries");
    }
}

/// It is the only one with room, and another that proves is busy: a chance is kept for it, and not
/// for ever.
#[test]
fn a_task_that_one_machine_alone_fails_parks_after_three_budgets_though_another_proves() {
    let mut day = waiting(impatient(), 2);
    let (proved, _) = grant(&mut day, &[("well", 1)]).pop().expect("one");
    end(&mut day, proved, Outcome::Proved(result()));
    let tries = tries_until_parked(&mut day, "sick");
    assert_eq!((tries, parked(&day)), (15, Some(ParkedBy::Failed)), "its budget is 5");
}

/// A machine that went away with a task says nothing of the task: it is no second opinion.
#[test]
fn a_machine_that_was_lost_with_a_task_has_not_failed_it() {
    let mut day = waiting(impatient(), 2);
    let (proved, _) = grant(&mut day, &[("well", 1)]).pop().expect("one");
    end(&mut day, proved, Outcome::Proved(result()));
    assert_eq!(grant(&mut day, &[("gone", 1)]).len(), 1);
    lose(&mut day, "gone");
    let tries = tries_until_parked(&mut day, "sick");
    assert_eq!(tries, 15, "as if it had never been there");
}

#[test]
fn what_is_away_for_a_while_is_waited_for_as_long_as_the_pipeline_says() {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.patience = Some(Duration::from_secs(600));
        stage.backoff = Some((Duration::from_secs(1), Duration::from_secs(60)));
    }
    let mut day = waiting(spec, 1);
    let since = day.now;
    let mut tries = 0;
    while day.scheduler.parked().next().is_none() {
        assert!(day.now.since(since) < Duration::from_secs(3_600), "{tries} tries");
        later(&mut day, Duration::from_secs(1));
        for (task, _) in grant(&mut day, &[("one", 1)]) {
            tries += 1;
            end(&mut day, task, failed(FailureClass::Transient));
        }
    }
    let waited = day.now.since(since);
    assert!(waited >= Duration::from_secs(600) && waited < Duration::from_secs(700), "{waited:?}");
    assert!((10..40).contains(&tries), "{tries} tries");
}

/// Whether it was not begun, was ended, or misses what is no input of it: none is the task's doing,
/// and none goes on for ever, or at full speed.
#[test]
fn what_comes_to_nothing_and_is_nobodys_fault_has_a_budget_too() {
    let not_an_input = Digest::of(b"no input of it");
    for (outcome, says) in [
        (Outcome::NotRun { message: "full".to_owned() }, "full"),
        (Outcome::Cancelled, "cancelled"),
        (Outcome::InputLost { artifact: not_an_input }, "missing from the store"),
    ] {
        let mut day = waiting(pipeline(), 1);
        let since = day.now;
        while day.scheduler.parked().next().is_none() {
            assert!(day.events.len() < 500, "{outcome:?}: {} facts", day.events.len());
            later(&mut day, Duration::from_secs(10));
            for (task, _) in grant(&mut day, &[("one", 1)]) {
                end(&mut day, task, outcome.clone());
            }
        }
        let why = day.scheduler.parked().next().and_then(|(_, task)| task.parked.clone());
        assert!(
            matches!(&why, Some((ParkedBy::Withdrawn, words)) if words.contains(says)),
            "{why:?}"
        );
        let waited = day.now.since(since);
        assert!(waited > Duration::from_secs(3_600), "{outcome:?}: {waited:?}");
    }
}

/// A source that delivers what no prover can use, again and again.
#[test]
fn so_many_payloads_of_one_block_are_taken_until_a_person_looks_at_it() {
    let mut day = waiting(pipeline(), 1);
    let mut number = 0_u32;
    let mut deliver = |day: &mut Day| {
        let before = resupplied(day);
        for _ in 0..100 {
            number += 1;
            let payload = Digest::of(&number.to_be_bytes());
            day.ask(&Input::Submit(Box::new(Block { payload, ..block(0) })));
            later(day, Duration::from_secs(600));
            for (task, _) in grant(day, &[("one", 1)]) {
                end(day, task, failed(FailureClass::InvalidInput));
            }
        }
        resupplied(day) - before
    };
    assert_eq!(deliver(&mut day), 16);
    let task = day.scheduler.parked().next().map(|(id, _)| *id).expect("nobody can use any");
    day.ask(&Input::Retry(task));
    assert_eq!(deliver(&mut day), 16, "somebody has looked");
}

/// The loss of a result parks what reads it; who tries that again gives the maker a new budget too.
#[test]
fn who_tries_a_reader_again_lets_what_it_reads_be_made_again() {
    let mut day = waiting(wrapped(), 1);
    let (maker, _) = grant(&mut day, &[("one", 1)]).pop().expect("one waits");
    end(&mut day, maker, Outcome::Proved(result()));
    let lose_it = |day: &mut Day| {
        for losses in 0..20 {
            later(day, Duration::from_secs(600));
            let (task, _) = grant(day, &[("one", 1)]).pop().expect("the maker, or its reader");
            match task == maker {
                true => end(day, task, Outcome::Proved(result())),
                false => end(day, task, Outcome::InputLost { artifact: result().output }),
            }
            if let Some((reader, _)) = day.scheduler.parked().next() {
                return (*reader, losses);
            }
        }
        panic!("it is made again for ever");
    };
    let (reader, losses) = lose_it(&mut day);
    assert_eq!((reader == maker, parked(&day)), (false, Some(ParkedBy::InputLost)));
    day.ask(&Input::Retry(reader));
    assert_eq!(lose_it(&mut day), (reader, losses), "as often as before");
}

/// What is there and cannot be read is no better for being there.
#[test]
fn another_payload_is_taken_for_what_parked_since_its_own_was_lost_too_often() {
    let mut day = waiting(pipeline(), 1);
    let missing = Outcome::InputLost { artifact: block(0).payload };
    let (task, _) = grant(&mut day, &[("one", 1)]).pop().expect("one waits");
    end(&mut day, task, missing.clone());
    while day.scheduler.parked().next().is_none() {
        assert!(day.events.len() < 100, "it is delivered again for ever");
        day.ask(&Input::Submit(Box::new(block(0))));
        later(&mut day, Duration::from_secs(600));
        let (task, _) = grant(&mut day, &[("one", 1)]).pop().expect("it has come");
        end(&mut day, task, missing.clone());
    }
    let lost = day.scheduler.chain().lost().count();
    assert_eq!((parked(&day), lost), (Some(ParkedBy::InputLost), 0));
    let other = Block { payload: Digest::of(b"another"), ..block(0) };
    day.ask(&Input::Submit(Box::new(other)));
    assert!(day.scheduler.task(&task).is_some_and(|task| task.state != TaskState::Parked));
}

/// The classes that a pipeline gives budgets, each with another one, and what it parks a task as.
const CLASSES: [(&str, u64, ParkedBy); 7] = [
    ("transient", 8, ParkedBy::Transient),
    ("resource", 3, ParkedBy::Resource),
    ("timeout", 4, ParkedBy::Timeout),
    ("failed", 6, ParkedBy::Failed),
    ("rejected", 7, ParkedBy::Rejected),
    ("lost", 9, ParkedBy::Lost),
    ("unjudged", 5, ParkedBy::Unjudged),
];

/// Ends the attempt of `one` at `task` so.
fn end_as(day: &mut Day, task: TaskId, class: &str) {
    let message = || "so it ended".to_owned();
    match class {
        "transient" => end(day, task, failed(FailureClass::Transient)),
        "resource" => end(day, task, failed(FailureClass::Resource)),
        "timeout" => end(day, task, failed(FailureClass::Timeout)),
        "failed" => end(day, task, failed(FailureClass::Failed)),
        "unjudged" => end(day, task, failed(FailureClass::Unjudged)),
        "rejected" => end(day, task, Outcome::Rejected { message: message() }),
        _ => lose(day, "one"),
    }
}

/// How often `who`, the only one with room, fails what waits until it parks.
fn tries_until_parked(day: &mut Day, who: &str) -> u32 {
    let mut tries = 0;
    while day.scheduler.parked().next().is_none() {
        assert!(tries < 100, "it never parks");
        later(day, Duration::from_secs(10));
        let (task, _) = grant(day, &[(who, 1)]).pop().expect("it waits to be tried");
        tries += 1;
        end(day, task, failed(FailureClass::Failed));
    }
    tries
}

fn parked(day: &Day) -> Option<ParkedBy> {
    day.scheduler.parked().next().and_then(|(_, task)| Some(task.parked.as_ref()?.0))
}

fn resupplied(day: &Day) -> usize {
    day.events.iter().filter(|event| matches!(event, Event::Resupplied { .. })).count()
}

/// Short waits between two tries.
fn impatient() -> PipelineSpec {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.backoff = Some((Duration::from_secs(1), Duration::from_secs(2)));
    }
    spec
}

/// A proof of each proof.
fn wrapped() -> PipelineSpec {
    let mut spec = pipeline();
    let prove = spec.stages.get("prove").expect("it is there").clone();
    let wrap = StageSpec { inputs: vec!["prove".into()], ..prove };
    spec.stages.insert("wrap".into(), wrap);
    spec.release.inputs = vec!["wrap".into()];
    spec
}
