//! What becomes of a task whose input is lost.

use push0_core::{
    Block, Digest, Effect, Event, FailureClass, Input, Limits, Outcome, ParkedBy, Rejection,
    ResultRef, Seq, StageSpec, TaskId, TaskState, Verdict, Vkey,
};

use crate::day::{Day, block, pipeline, result};

#[test]
fn a_lost_payload_is_asked_of_the_source_and_tried_again_once_it_has_come() {
    let (mut day, task) = lost();
    assert_eq!(asked(&mut day), 1);
    day.grant();
    assert!(
        matches!(state(&day, task), TaskState::Ready { .. }),
        "there is nothing to try it with"
    );
    day.ask(&Input::Submit(Box::new(block(0))));
    assert!(matches!(day.events.last(), Some(Event::Resupplied { .. })));
    day.grant();
    assert!(matches!(state(&day, task), TaskState::Leased { .. }));
}

#[test]
fn a_task_whose_payload_never_comes_is_parked_and_opened_by_its_delivery() {
    let (mut day, task) = lost();
    let until = day.now + Limits::default().resupply_max;
    while day.now < until {
        assert!(parked(&day, task).is_none() && !day.scheduler.is_idle());
        day.now = day.scheduler.poll_timeout(day.now).expect("the source has a deadline").at;
        day.follow_up();
    }
    assert_eq!(day.now, until);
    assert_eq!(parked(&day, task), Some(ParkedBy::InputLost));
    assert!(day.scheduler.is_idle());
    day.ask(&Input::Submit(Box::new(block(0))));
    assert!(matches!(state(&day, task), TaskState::Ready { .. }));
}

#[test]
fn what_the_source_was_asked_for_is_known_until_it_has_come() {
    let (mut day, _) = lost();
    let asked = |day: &Day| day.scheduler.chain().lost().collect::<Vec<_>>();
    assert_eq!(asked(&day), [block(0).hash]);
    day.ask(&Input::Submit(Box::new(block(0))));
    assert_eq!(asked(&day), []);
}

#[test]
fn a_retry_asks_the_source_again() {
    let (mut day, task) = lost();
    asked(&mut day);
    day.now = day.now + Limits::default().resupply_max;
    day.follow_up();
    day.ask(&Input::Retry(task));
    day.follow_up();
    assert_eq!((asked(&mut day), parked(&day, task)), (1, None));
}

#[test]
fn a_payload_that_is_lost_too_often_parks_and_a_retry_begins_anew() {
    let (mut day, task) = lost();
    for losses in 1..=Limits::default().remakes_max {
        day.ask(&Input::Submit(Box::new(block(0))));
        assert_eq!(parked(&day, task), None, "{losses} losses");
        day.grant();
        day.report(task, missing());
    }
    assert_eq!(parked(&day, task), Some(ParkedBy::InputLost));
    day.ask(&Input::Retry(task));
    day.grant();
    day.report(task, missing());
    assert_eq!((asked(&mut day), parked(&day, task)), (4, None));
}

#[test]
fn a_complaint_about_a_payload_that_has_come_since_is_not_about_it() {
    let mut spec = pipeline();
    let second = spec.stages.get("prove").expect("it is there").clone();
    spec.stages.insert("second".to_owned(), second);
    spec.release.inputs.push("second".to_owned());
    let mut day = Day::of(spec);
    day.ask(&Input::Submit(Box::new(block(0))));
    day.fleet.look(day.now);
    day.beat([]);
    day.follow_up();
    day.grant();
    let held: Vec<_> = day.scheduler.attempts().map(|attempt| (attempt.task, attempt.id)).collect();
    let [(first, one), (task, attempt)] = *held else { panic!("each stage has a task") };
    day.report_of(one, first, missing());
    day.ask(&Input::Submit(Box::new(block(0)))); // the same bytes, delivered since the grant
    assert_eq!(asked(&mut day), 1);
    day.report_of(attempt, task, missing());
    assert_eq!((asked(&mut day), parked(&day, task)), (0, None));
    day.now = day.now + Limits::default().backoff_max;
    day.grant();
    assert!(matches!(state(&day, task), TaskState::Leased { .. }));
}

#[test]
fn a_second_complaint_about_the_same_loss_asks_for_nothing() {
    let (mut day, task) = lost();
    let answer = day.scheduler.decide(
        day.now,
        &Input::Report(push0_core::Report {
            dispatcher: "one".parse().expect("a name"),
            incarnation: 1,
            attempt: push0_core::AttemptId(1),
            task,
            outcome: missing(),
            ran: std::time::Duration::ZERO,
        }),
    );
    assert_eq!(answer, Err(Rejection::Answered(Verdict::Unwanted)));
    assert_eq!(asked(&mut day), 1);
}

#[test]
fn a_result_that_its_reader_does_not_find_is_made_again() {
    let mut spec = pipeline();
    let prove = spec.stages.get("prove").expect("it is there").clone();
    let inputs = vec!["prove".to_owned()];
    spec.stages.insert("wrap".to_owned(), StageSpec { inputs, ..prove });
    spec.release.inputs = vec!["wrap".to_owned()];
    let mut day = Day::of(spec).granted(1);
    let [maker] = *day.tried() else { panic!("one was granted") };
    day.report(maker, proved());
    day.grant();
    let [reader] = *day.tried() else { panic!("what reads it was granted") };
    day.report(reader, Outcome::InputLost { artifact: result().output });
    day.grant();
    assert_eq!(day.tried(), [maker]);
    day.report(maker, proved());
    day.grant();
    assert_eq!(day.tried(), [reader]);
    assert_eq!(day.scheduler.history(&[reader]), [maker, reader], "what a proof was made from");
}

#[test]
fn a_delivery_opens_the_tasks_of_its_block_and_no_others() {
    let mut day = Day::with_grants(2);
    let tasks = day.tried();
    for task in &tasks {
        let message = "it cannot be read".to_owned();
        day.report(*task, Outcome::Failed { class: FailureClass::InvalidInput, message });
    }
    let parked = |day: &Day| day.scheduler.parked().count();
    assert_eq!(parked(&day), 2);
    let again = Block { payload: Digest::of(b"mended"), ..block(0) };
    day.ask(&Input::Submit(Box::new(again)));
    assert_eq!(parked(&day), 1);
}

#[test]
fn a_result_that_is_made_again_and_says_something_else_parks() {
    for other in [
        ResultRef { statement: Digest::of(b"other values"), ..result() },
        ResultRef { output: Digest::of(b"other bytes"), ..result() },
    ] {
        let says_the_same = other.statement == result().statement;
        let mut day = Day::with_grants(1);
        let [task] = *day.tried() else { panic!("one was granted") };
        day.report(task, proved());
        day.ask(&Input::Remake(task));
        day.grant();
        day.report(task, Outcome::Proved(other));
        assert_eq!(state(&day, task) == &TaskState::Accepted, says_the_same);
        assert_eq!(parked(&day, task).is_some(), !says_the_same);
    }
}

#[test]
fn a_result_that_is_lost_too_often_parks_and_a_retry_begins_anew() {
    let mut day = Day::with_grants(1);
    let task =
        day.scheduler.attempts().map(|attempt| attempt.task).next().expect("one was granted");
    for losses in 0..=Limits::default().remakes_max {
        day.grant();
        day.report(task, proved());
        assert_eq!(state(&day, task), &TaskState::Accepted, "{losses} losses");
        day.ask(&Input::Remake(task));
        day.ask(&Input::Remake(task)); // said twice, it is one loss
    }
    assert_eq!(parked(&day, task), Some(ParkedBy::InputLost));
    day.ask(&Input::Retry(task));
    day.grant();
    day.report(task, proved());
    day.ask(&Input::Remake(task));
    assert!(matches!(state(&day, task), TaskState::Ready { .. }));
}

#[test]
fn a_result_without_a_key_is_no_proof_under_a_pinned_one() {
    let mut day = Day::with_grants(2);
    let tasks: Vec<_> = day.scheduler.attempts().map(|attempt| attempt.task).collect();
    let [first, second] = tasks.as_slice() else { panic!("two were granted") };
    let keyed = ResultRef { vkey: Some(Vkey([7; 32])), ..result() };
    day.report(*first, Outcome::Proved(keyed));
    day.report(*second, proved());
    assert!(day.events.iter().any(|event| matches!(event, Event::Rejected { .. })));
    assert_ne!(state(&day, *second), &TaskState::Accepted);
}

fn proved() -> Outcome {
    Outcome::Proved(result())
}

#[test]
fn a_grant_may_leave_before_it_is_durable_and_leaves_once() {
    let mut day = Day::with_grants(2);
    let attempts: Vec<_> = day.attempts().collect();
    let &[first, second] = attempts.as_slice() else { panic!("two were granted") };
    let granted = |effect| match effect {
        Some(Effect::Grant(_, grant)) => Some(grant.attempt),
        Some(Effect::Cancel(..) | Effect::Release(_) | Effect::AskSource(_)) | None => None,
    };
    assert_eq!(day.scheduler.poll_effect(Seq(first.position().0 - 1)), None);
    assert_eq!(granted(day.scheduler.poll_effect(first.position())), Some(first));
    assert_eq!(granted(day.scheduler.poll_grant()), Some(second));
    assert_eq!(day.scheduler.poll_grant(), None);
    assert_eq!(day.scheduler.poll_effect(Seq(u64::MAX)), None);
}

/// One task, whose attempt did not find its block.
fn lost() -> (Day, TaskId) {
    let mut day = Day::with_grants(1);
    let task =
        day.scheduler.attempts().map(|attempt| attempt.task).next().expect("one was granted");
    day.report(task, missing());
    (day, task)
}

fn missing() -> Outcome {
    Outcome::InputLost { artifact: block(0).payload }
}

/// How often the source was asked since this was last asked.
fn asked(day: &mut Day) -> usize {
    let effects = std::iter::from_fn(|| day.scheduler.poll_effect(Seq(u64::MAX)));
    effects.filter(|effect| matches!(effect, Effect::AskSource(_))).count()
}

fn state(day: &Day, task: TaskId) -> &TaskState {
    &day.scheduler.task(&task).expect("a task").state
}

fn parked(day: &Day, task: TaskId) -> Option<ParkedBy> {
    day.scheduler.task(&task).and_then(|task| task.parked.as_ref()).map(|(why, _)| *why)
}
