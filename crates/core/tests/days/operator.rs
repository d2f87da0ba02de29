//! What an operator says of a dispatcher and of the source, and what follows.

use push0_core::{
    Beat, Epoch, Event, FailureClass, Height, Input, Outcome, PipelineSpec, Rejection, Report,
    Scheduler, Seq, StageSpec, Standing, Timestamp, ToDispatcher, Turn,
};

use crate::day::{Day, block, pipeline, result};

#[test]
fn who_is_cordoned_gets_nothing_new_whichever_life_of_it_comes_and_keeps_what_it_has() {
    let mut day = Day::with_grants(1);
    let task = day.tried().pop().expect("one runs");
    cordon(&mut day);
    day.ask(&Input::Submit(Box::new(block(1))));
    day.follow_up();
    assert_eq!(day.fleet.offers(&day.scheduler), []);
    assert_eq!(day.fleet.offers_at(day.now, &day.scheduler), []);
    let runs = day.attempts().next().expect("it runs");
    let (inputs, again) = day.beat([runs]);
    assert!(inputs.is_empty() && !again.iter().any(|it| matches!(it, ToDispatcher::Cancel(_))));
    day.report(task, Outcome::Proved(result()));
    assert!(!day.scheduler.task(&task).expect("it").is_open(), "what it ran is taken");
    let next_life = Beat { incarnation: 2, ..day.beat_of([]) };
    day.fleet.beat(day.now, &next_life, &day.scheduler);
    assert_eq!(day.fleet.offers(&day.scheduler), []);
    assert_same_after_replay(&day);
    day.ask(&uncordon());
    assert_eq!(day.fleet.offers(&day.scheduler).len(), 1);
    assert_same_after_replay(&day);
}

#[test]
fn what_is_said_twice_is_recorded_once_and_what_is_not_so_is_refused() {
    let mut day = Day::with_grants(0);
    assert!(matches!(day.scheduler.decide(day.now, &uncordon()), Err(Rejection::NotCordoned(_))));
    cordon(&mut day);
    cordon(&mut day);
    let cordoned = day.events.iter().filter(|event| matches!(event, Event::Cordoned { .. }));
    assert_eq!(cordoned.count(), 1);
    let (_, cordon) = day.scheduler.cordons().next().expect("it");
    assert_eq!((&*cordon.by, &*cordon.why), ("a person", "its disk is changed"));
}

#[test]
fn no_more_are_cordoned_than_a_log_has_a_place_for() {
    let mut day = Day::with_grants(0);
    let mut refused = None;
    for number in 0..10_000 {
        let dispatcher = format!("gpu-{number}").parse().expect("a name");
        let (by, why) = (String::new(), String::new());
        let input = Input::Cordon { dispatcher, by, why };
        match day.scheduler.decide(day.now, &input) {
            Ok(_) => day.ask(&input),
            Err(rejection) => {
                refused = Some((number, rejection));
                break;
            }
        }
    }
    assert_eq!(refused, Some((4_096, Rejection::TooManyCordoned(4_096))));
}

#[test]
fn an_end_by_which_nothing_closed_is_taken_back_and_blocks_follow() {
    let mut day = Day::of(batches(2)).granted(2);
    day.ask(&Input::Submit(Box::new(block(3)))); // ahead of block 2, which has not come
    day.now = day.now + day.scheduler.limits().stray_wait;
    day.ask(&Input::EndSource);
    assert_eq!(day.scheduler.chain().standing(&block(3).hash), Some(Standing::Beside));
    let past = Input::Submit(Box::new(block(2)));
    assert!(matches!(day.scheduler.decide(day.now, &past), Err(Rejection::PastEnd { .. })));
    day.ask(&resume());
    assert_eq!(day.scheduler.chain().standing(&block(3).hash), Some(Standing::Waiting));
    day.ask(&past);
    assert_eq!(day.scheduler.chain().tip().map(|(tip, _)| tip), Some(Height(3)));
    assert_same_after_replay(&day);
    day.ask(&Input::EndSource);
    assert_eq!(day.scheduler.chain().ended(), Some(Height(3)));
}

#[test]
fn an_end_by_which_a_batch_closed_stays() {
    let mut day = Day::of(batches(2)).granted(1);
    assert!(refuses_to_resume(&day), "nobody has said that it ends");
    day.ask(&Input::EndSource);
    let task = day.tried().pop().expect("one runs");
    day.report(task, Outcome::Proved(result()));
    let closed = day.events.iter().any(|event| matches!(event, Event::BatchClosed { .. }));
    assert!(closed && refuses_to_resume(&day));
}

/// Two machines, of which the first by name is the one that cannot: a person who tries again wants
/// the other to.
#[test]
fn what_is_opened_again_goes_elsewhere_than_to_who_had_it_last() {
    let mut day = Day::with_grants(1);
    let two = Beat { dispatcher: "two".parse().expect("a name"), ..day.beat_of([]) };
    day.fleet.beat(day.now, &two, &day.scheduler);
    let task = day.tried().pop().expect("one runs");
    let is_parked = |day: &Day| day.scheduler.parked().next().is_some();
    for _ in 0..50 {
        let attempt = day.scheduler.attempts().next().expect("it is tried").clone();
        let class = FailureClass::InvalidInput;
        let outcome = Outcome::Failed { class, message: "it cannot be read".to_owned() };
        let report = day.report_on(attempt.id, task, outcome);
        day.ask(&Input::Report(Report { dispatcher: attempt.dispatcher, ..report }));
        day.follow_up();
        if is_parked(&day) {
            break;
        }
        day.grant();
    }
    assert!(is_parked(&day));
    let last = day.events.iter().rev().find_map(|event| {
        if let Event::Granted { dispatcher, .. } = event { Some(dispatcher.clone()) } else { None }
    });
    day.ask(&Input::Retry(task));
    for beat in [day.beat_of([]), two] {
        day.fleet.beat(day.now, &beat, &day.scheduler);
    }
    day.grant();
    let next = day.scheduler.attempts().next().expect("it is tried").dispatcher.clone();
    assert_ne!(Some(next), last);
}

fn refuses_to_resume(day: &Day) -> bool {
    matches!(day.scheduler.decide(day.now, &resume()), Err(Rejection::CannotResume(_)))
}

fn batches(items: u64) -> PipelineSpec {
    let mut spec = pipeline();
    let joined = StageSpec {
        inputs: vec!["prove".into()],
        collect: Some("sequence".into()),
        max: [("items".to_owned(), items)].into(),
        program: Some("prover".into()),
        ..StageSpec::default()
    };
    spec.stages.insert("join".into(), joined);
    spec.release.inputs = vec!["join".into()];
    spec
}

fn resume() -> Input {
    Input::ResumeSource { by: "a person".to_owned(), why: "it was the wrong terminal".to_owned() }
}

fn cordon(day: &mut Day) {
    let dispatcher = day.beat_of([]).dispatcher;
    let (by, why) = ("a person".to_owned(), "its disk is changed".to_owned());
    day.ask(&Input::Cordon { dispatcher, by, why });
}

fn uncordon() -> Input {
    let dispatcher = "one".parse().expect("a name");
    Input::Uncordon { dispatcher, by: "a person".to_owned(), why: "it is".to_owned() }
}

/// What the log says is what there is; all at one time, which is enough for what is told here.
fn assert_same_after_replay(day: &Day) {
    let turns = day.events.iter().zip(1..).map(|(event, seq)| {
        let is_last = seq == day.events.len() as u64;
        let at = if is_last { day.scheduler.now() } else { Timestamp(0) };
        Turn { epoch: Epoch(1), first: Seq(seq), at, events: vec![event.clone()] }
    });
    let turns: Vec<_> = turns.collect();
    let limits = *day.scheduler.limits();
    let replayed = Scheduler::replay(limits, &turns).expect("it is legal");
    let cordons =
        |scheduler: &Scheduler| scheduler.cordons().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    assert_eq!(cordons(&replayed), cordons(&day.scheduler));
    assert_eq!(replayed.chain().ended(), day.scheduler.chain().ended());
    assert_eq!(replayed.chain().beside(), day.scheduler.chain().beside());
}
