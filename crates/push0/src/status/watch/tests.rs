//! Why blocks wait, told of engines and fleets that stand so.

use std::time::Duration;

use push0_core::{FailureClass, Input, Outcome, Report};
use push0_dispatch::{Doing, Step};

use super::*;
use crate::fixture::{Machine, Place, WELL, one_stage};

fn place(machines: &[Machine]) -> Place {
    let mut spec = one_stage("day");
    if let Some(program) = spec.programs.get_mut("prover") {
        (program.memory, program.gpus) = (Some(8 << 30), 1);
    }
    let mut place = Place::new(&spec, 7..8);
    machines.iter().for_each(|machine| place.beat(*machine));
    place
}

fn reason(place: &Place) -> Reason {
    let (id, task) = place.scheduler.tasks().next().expect("it is open");
    Watch::new(&place.scheduler, Some(&place.fleet), place.now).reason(*id, task)
}

fn words_of(place: &Place) -> String {
    reason(place).to_string()
}

#[test]
fn each_cause_has_its_own_words() {
    let words = |dispatchers: &[_]| words_of(&place(dispatchers));
    assert_eq!(
        words(&[]),
        "waits: no dispatcher runs prover, which needs 8.0 GiB of memory and 1 GPU"
    );
    assert_eq!(words(&[("a", "other", 1, 1, 0)]), words(&[]));
    assert_eq!(
        words(&[("a", "prover", 1, 4 << 30, 1), ("b", "prover", 1, 6 << 30, 1)]),
        "waits: no dispatcher is large enough for prover; b comes nearest, with 6144 MiB of memory of 8192"
    );
    assert_eq!(
        words(&[("a", "prover", 1, 16 << 30, 0)]),
        "waits: no dispatcher is large enough for prover; a comes nearest, with 0 GPUs of 1"
    );
    assert!(
        words(&[("a", "prover", 0, 16 << 30, 1)]).contains("leaves or has no room for new work")
    );
    assert_eq!(reason(&place(&[WELL])), Reason::Next);
}

#[test]
fn a_free_slot_of_who_cannot_run_it_is_none() {
    let small: Machine = ("small", "prover", 8, 1 << 30, 0);
    let mut place = place(&[WELL, small]);
    place.assign();
    place.submit(8);
    place.ask(&Input::Wake);
    let watch = Watch::new(&place.scheduler, Some(&place.fleet), place.now);
    let ready = |task: &Task| matches!(task.state, TaskState::Ready { .. });
    let (id, task) = place.scheduler.tasks().find(|(_, task)| ready(task)).expect("it waits");
    let (program, dispatchers) = ("prover".to_owned(), 1);
    let who = vec!["well".to_owned()];
    let busy = Reason::Busy { program, dispatchers, aside: 0, silent: 0, who };
    assert_eq!(watch.reason(*id, task), busy);
}

#[test]
fn who_is_silent_is_not_tried_next_beside_who_is_busy() {
    let sleepy: Machine = ("sleepy", "prover", 8, 64 << 30, 8);
    let mut place = place(&[WELL]);
    place.assign();
    place.beat(sleepy);
    place.submit(8);
    place.ask(&Input::Wake);
    place.pass(4);
    place.beat(WELL);
    let watch = Watch::new(&place.scheduler, Some(&place.fleet), place.now);
    let ready = |task: &Task| matches!(task.state, TaskState::Ready { .. });
    let (id, task) = place.scheduler.tasks().find(|(_, task)| ready(task)).expect("it waits");
    let words = watch.reason(*id, task).to_string();
    assert!(words.ends_with("prover is free (1 busy, 1 silent)"), "{words}");
}

#[test]
fn who_says_nothing_is_not_called_busy() {
    let mut place = place(&[WELL]);
    place.pass(4);
    let words = words_of(&place);
    assert!(words.ends_with("prover has said nothing for 4 s of 10"), "{words}");
    place.pass(7);
    assert!(words_of(&place).contains("no dispatcher runs prover"));
}

#[test]
fn who_is_cordoned_is_of_no_use_and_is_not_called_busy() {
    let mut place = place(&[WELL]);
    let (by, why) = (String::new(), String::new());
    let dispatcher = "well".parse().expect("a name");
    place.ask(&Input::Cordon { dispatcher, by, why });
    let (program, who) = ("prover".to_owned(), Some("well".to_owned()));
    assert_eq!(reason(&place), Reason::Closed { program, dispatchers: 1, cordoned: 1, who });
    assert!(words_of(&place).ends_with("is cordoned: push0 uncordon well"));
}

#[test]
fn what_runs_is_told_with_its_dispatchers_silence_and_not_at_all_without_an_engine() {
    let mut place = place(&[WELL]);
    place.assign();
    assert!(words_of(&place).contains("on well, for 0s"), "{}", words_of(&place));
    assert!(!words_of(&place).contains("said nothing"), "{}", words_of(&place));
    place.pass(6);
    let words = words_of(&place);
    assert!(words.contains("well has said nothing for 6 s of 10"), "{words}");
    assert!(!words.contains("being proved"), "{words}");
    assert_eq!(reason(&place).without_engine(false), Reason::NoEngine);
    assert_eq!(reason(&place).without_engine(true), reason(&place));
}

#[test]
fn a_dispatcher_that_died_with_the_engine_is_not_said_to_prove() {
    let mut place = place(&[WELL]);
    place.assign();
    place.fleet = Fleet::new(Duration::from_secs(10)); // of the engine that takes over
    place.pass(4);
    let words = words_of(&place);
    assert!(words.contains("has said nothing since this engine leads, for 3 s of 10"), "{words}");
    assert!(!words.contains("being proved"), "{words}");
}

#[test]
fn a_retry_is_told_with_what_it_follows_and_is_past_when_its_time_is() {
    let mut place = place(&[WELL]);
    place.assign();
    let attempt = place.scheduler.attempts().next().expect("it runs").clone();
    place.ask(&Input::Report(Report {
        dispatcher: attempt.dispatcher,
        incarnation: 1,
        attempt: attempt.id,
        task: attempt.task,
        outcome: Outcome::Failed { class: FailureClass::Timeout, message: "slow".to_owned() },
        ran: Duration::from_secs(1),
    }));
    let words = words_of(&place);
    assert!(words.starts_with("is tried again in "), "{words}");
    assert!(words.ends_with("after 1 failure (1 timeout)"), "{words}");
    place.pass(2);
    place.beat(WELL);
    assert_eq!(reason(&place), Reason::Next);
}

/// One that fails, and is to be tried again in a while.
fn failed(spec: &push0_core::PipelineSpec, machine: Machine) -> Place {
    let mut place = Place::new(spec, 7..8);
    place.beat(machine);
    place.assign();
    let (class, message) = (FailureClass::Transient, "busy".to_owned());
    place.report(Outcome::Failed { class, message });
    place
}

fn patient() -> push0_core::PipelineSpec {
    let mut spec = one_stage("day");
    if let Some(stage) = spec.stages.get_mut("prove") {
        stage.backoff = Some((Duration::from_secs(60), Duration::from_secs(300)));
    }
    spec
}

#[test]
fn no_retry_is_promised_that_nobody_could_run() {
    let mut place = failed(&patient(), WELL);
    assert!(words_of(&place).starts_with("is tried again in "), "{}", words_of(&place));
    let (by, why) = (String::new(), String::new());
    let dispatcher: DispatcherId = "well".parse().expect("a name");
    place.ask(&Input::Cordon { dispatcher: dispatcher.clone(), by, why });
    assert!(words_of(&place).contains("is cordoned"), "{}", words_of(&place));
    let (by, why) = (String::new(), String::new());
    place.ask(&Input::Uncordon { dispatcher, by, why });
    place.pass(4);
    assert!(words_of(&place).contains("has said nothing for 4 s"), "{}", words_of(&place));
    place.pass(7);
    assert!(words_of(&place).contains("no dispatcher runs"), "{}", words_of(&place));
}

#[test]
fn what_is_excused_is_among_the_failures_that_are_told_by_kind() {
    let after = [("excused".to_owned(), 2), ("transient".to_owned(), 1)].into();
    let later = Reason::Later { at: String::new(), seconds: Some(9), failures: 3, after };
    let words = "is tried again in 9s, after 3 failures (2 excused, 1 transient)";
    assert_eq!(later.to_string(), words);
}

#[test]
fn a_proof_that_waits_for_its_verifier_is_not_said_to_be_made() {
    let mut place = place(&[WELL]);
    place.assign();
    let attempt = place.scheduler.attempts().next().expect("it runs").id;
    let doing = |doing: Doing, fraction| {
        let mut reason = reason(&place);
        reason.hear("well", &[Step { attempt, doing: doing.word().to_owned(), fraction }]);
        reason.to_string()
    };
    let words = doing(Doing::Unjudged, None);
    assert!(words.starts_with("has a proof that waits for its verifier: attempt"), "{words}");
    let ended = Step { attempt, doing: Step::ENDED.to_owned(), fraction: None };
    let mut reason = reason(&place);
    reason.hear("well", &[ended]);
    let words = reason.to_string();
    assert!(words.starts_with("has ended, and waits for an engine to take its result"), "{words}");
    let words = doing(Doing::Proving, Some(0.43));
    assert!(words.starts_with("is being proved: attempt"), "{words}");
    assert!(words.ends_with("proving 43 %"), "{words}");
}
