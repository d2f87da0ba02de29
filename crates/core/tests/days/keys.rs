//! Which verification key a program's proofs are under.

use push0_core::{Event, Input, Outcome, ProgramName, Report, ResultRef, TaskId, TaskState, Vkey};

use crate::crew::waiting;
use crate::day::{Day, pipeline, result};

/// Whoever says otherwise, and however many.
#[test]
fn the_key_that_a_pipeline_says_holds_whatever_provers_name() {
    let mut spec = pipeline();
    spec.programs.values_mut().for_each(|program| program.vkey = Some(declared().to_string()));
    let mut day = waiting(spec, 4);
    let program = prover();
    assert_eq!(day.scheduler.vkey(&program), Some(declared()));
    let said = [
        ("one", Some(Vkey([7; 32])), false),
        ("two", Some(Vkey([7; 32])), false),
        ("one", None, false),
        ("two", Some(declared()), true),
    ];
    for (task, (who, key, is_taken)) in all(&day).into_iter().zip(said) {
        assert_eq!(says(&mut day, who, task, key), is_taken, "{who} {key:?}");
        assert_eq!(day.scheduler.vkey(&program), Some(declared()), "{who} {key:?}");
    }
}

/// What two named is for all, until it is found that one of them lied.
#[test]
fn a_key_that_two_results_pinned_goes_with_either_of_them_and_with_no_other() {
    for (taken_back, is_pinned) in [(0, true), (1, false), (2, false), (3, true)] {
        let mut day = waiting(pipeline(), 5);
        let tasks = all(&day);
        let (last, others) = tasks.split_last().expect("five");
        let seven = Vkey([7; 32]);
        let said = [("liar", Vkey([9; 32])), ("one", seven), ("two", seven), ("three", seven)];
        for ((who, key), task) in said.into_iter().zip(others) {
            assert!(says(&mut day, who, *task, Some(key)), "{who}");
        }
        discard(&mut day, *others.get(taken_back).expect("four"));
        assert_eq!(day.scheduler.vkey(&prover()).is_some(), is_pinned, "{taken_back}");
        let is_taken = says(&mut day, "four", *last, Some(Vkey([8; 32])));
        assert_eq!(is_taken, !is_pinned, "{taken_back}");
    }
}

/// A crowd that names a key each fills no log; two of it that agree are still heard.
#[test]
fn of_a_program_no_more_keys_are_remembered_than_so_many_machines_name() {
    let mut day = waiting(pipeline(), 80);
    let tasks = all(&day);
    let key = |number: usize| Vkey([u8::try_from(number).expect("a byte"); 32]);
    let (last, others) = tasks.split_last().expect("eighty");
    for (number, task) in others.iter().enumerate() {
        assert!(says(&mut day, &format!("m{number}"), *task, Some(key(number))));
    }
    let named = day.events.iter().filter(|event| matches!(event, Event::KeyNamed { .. }));
    assert_eq!(named.count(), 64);
    assert_eq!(day.scheduler.vkey(&prover()), None, "no two agree");
    assert!(says(&mut day, "late", *last, Some(key(0))));
    assert_eq!(day.scheduler.vkey(&prover()), Some(key(0)));
}

/// Brings a result under a key, of a task that it was granted. Answers whether it was taken.
fn says(day: &mut Day, who: &str, task: TaskId, vkey: Option<Vkey>) -> bool {
    let outcome = Outcome::Proved(ResultRef { vkey, ..result() });
    let own = day.lease(who, task);
    let report = day.report_on(own, task, outcome);
    let report = Input::Report(Report { dispatcher: who.parse().expect("a name"), ..report });
    if day.scheduler.decide(day.now, &report).is_ok() {
        day.ask(&report);
    }
    day.scheduler.task(&task).expect("it").state == TaskState::Accepted
}

fn discard(day: &mut Day, task: TaskId) {
    let (by, why) = ("an operator".to_owned(), "it is a lie".to_owned());
    day.ask(&Input::Discard { task, by, why });
}

fn all(day: &Day) -> Vec<TaskId> {
    day.scheduler.tasks().map(|(id, _)| *id).collect()
}

fn prover() -> ProgramName {
    "prover".parse().expect("a name")
}

fn declared() -> Vkey {
    Vkey([0xab; 32])
}
