//! Whose word on an attempt counts, and for what.

use push0_core::{
    AttemptId, Digest, DispatcherId, FailureClass, Input, Outcome, Rejection, Report, ResultRef,
    TaskState, Verdict,
};

use crate::day::{Day, block, result};

/// A number can be guessed, and a holder knows one.
#[test]
fn who_holds_an_attempt_of_one_task_ends_nothing_of_another() {
    let mut day = Day::with_grants(2);
    let [one, other] = *day.scheduler.attempts().collect::<Vec<_>>() else { panic!("two live") };
    let (attempt, task) = (one.id, other.task);
    let message = String::new;
    for outcome in [
        Outcome::Rejected { message: message() },
        Outcome::Failed { class: FailureClass::Failed, message: message() },
        Outcome::Failed { class: FailureClass::Unprovable, message: message() },
        Outcome::InputLost { artifact: block(0).payload },
        Outcome::NotRun { message: message() },
        Outcome::Cancelled,
    ] {
        let report = Input::Report(day.report_on(attempt, task, outcome.clone()));
        let answer = day.scheduler.decide(day.now, &report);
        assert_eq!(answer, Err(Rejection::Answered(Verdict::Unwanted)), "{outcome:?}");
    }
    day.report_of(attempt, day.task_of(attempt), Outcome::Cancelled);
    assert_eq!(day.attempts().count(), 1, "of its own task it is believed");
}

/// Whatever number who was not asked gives, or whose.
#[test]
fn who_was_not_asked_to_make_a_proof_again_parks_nothing_by_saying_something_else() {
    let mut day = Day::with_grants(1);
    let [task] = *day.tried() else { panic!("one was granted") };
    day.report(task, Outcome::Proved(result()));
    day.ask(&Input::Remake(task));
    day.grant();
    let attempt = day.attempts().next().expect("it is made again");
    let lie = ResultRef { statement: Digest::of(b"a lie"), ..result() };
    for (who, attempt) in [("two", AttemptId(900)), ("two", attempt), ("one", AttemptId(900))] {
        let report = day.report_on(attempt, task, Outcome::Proved(lie.clone()));
        let report = Report { dispatcher: name(who), ..report };
        let answer = day.scheduler.decide(day.now, &Input::Report(report));
        assert_eq!(answer, Err(Rejection::Answered(Verdict::Unwanted)), "{who} {attempt}");
    }
    day.report(task, Outcome::Proved(result()));
    assert_eq!(day.scheduler.task(&task).expect("it").state, TaskState::Accepted);
}

/// What it runs on from before is still wanted, and may be brought before the first beat that says
/// so.
#[test]
fn a_result_that_is_brought_before_the_first_beat_after_a_takeover_is_waited_for() {
    let mut day = Day::with_grants(1);
    let report =
        day.report_on(AttemptId(999), push0_core::TaskId([8; 32]), Outcome::Proved(result()));
    day.fleet = push0_core::Fleet::new(crate::day::SILENCE_MAX);
    assert!(day.fleet.awaits(day.now, &report, &day.scheduler));
}

/// The time that a prover took is its dispatcher's word, and no attempt can take longer than its
/// stage allows.
#[test]
fn no_dispatcher_says_that_it_ran_for_longer_than_it_could() {
    let mut day = Day::with_grants(2);
    for (task, outcome) in day.tried().into_iter().zip([
        Outcome::Proved(result()),
        Outcome::Failed { class: FailureClass::Failed, message: String::new() },
    ]) {
        let attempt = day.scheduler.attempts_at(task).next().expect("it").id;
        let mut said = day.report_on(attempt, task, outcome);
        said.ran = std::time::Duration::MAX;
        day.ask(&Input::Report(said));
    }
    let stage = day.scheduler.pipeline().stages.first().expect("one").clone();
    let longest = stage.timeout + stage.grace + stage.timeout * 3 / 10;
    let ran = day.scheduler.totals().ran_us;
    assert_eq!(u128::from(ran), 2 * longest.as_micros());
}

fn name(who: &str) -> DispatcherId {
    who.parse().expect("a name")
}
