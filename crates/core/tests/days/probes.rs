//! What a dispatcher that is set aside is given, and what it does not keep from others.

use std::time::Duration;

use push0_core::{Beat, FailureClass, Height, Input, Outcome, PipelineSpec, TaskId};

use crate::crew::{asides, end, failed, grant, later, offer, set_aside, waiting};
use crate::day::{Day, pipeline, result};

/// It has failed all of them, so none is new to it; and all but the first fail wherever they are
/// tried.
#[test]
fn a_mended_machine_is_back_though_the_head_alone_can_be_proved() {
    let mut day = waiting(patient(), 4);
    while asides(&day).is_empty() {
        assert!(day.events.len() < 200, "it is never set aside");
        later(&mut day, Duration::from_secs(200));
        for (task, _) in grant(&mut day, &[("one", 4)]) {
            end(&mut day, task, failed(FailureClass::Failed));
        }
    }
    assert!(is_back_after(&mut day, "one", &[1, 2, 3].map(Height)) <= 4);
}

/// What it has not failed yet is tried before what it has.
#[test]
fn a_mended_machine_is_back_though_the_first_and_the_last_that_wait_cannot_be_proved() {
    let mut day = waiting(patient(), 5);
    let now = day.now;
    set_aside(&mut day, "one", "prover", now);
    assert!(is_back_after(&mut day, "one", &[Height(0), Height(4)]) <= 4);
}

/// However many there are, the log grows by a few facts a minute.
#[test]
fn the_more_are_set_aside_the_more_rarely_each_is_probed() {
    let wait = |others: u32| {
        let mut day = waiting(patient(), 4);
        let now = day.now;
        for number in 0..others {
            set_aside(&mut day, &format!("other-{number}"), "prover", now);
        }
        set_aside(&mut day, "one", "prover", now);
        let (task, _) = grant(&mut day, &[("one", 1)]).pop().expect("a probe");
        end(&mut day, task, failed(FailureClass::Failed));
        let until = asides(&day).into_iter().find(|(who, _)| who == "one").expect("it still is");
        until.1.since(day.now)
    };
    assert_eq!(wait(0), Duration::from_secs(2));
    assert_eq!(wait(10), Duration::from_secs(2));
    assert!(wait(160) >= Duration::from_secs(20), "{:?}", wait(160));
}

/// The healthy one is the last by name, and those before it get nothing.
#[test]
fn a_healthy_machine_is_found_behind_any_number_that_are_set_aside() {
    let mut day = waiting(pipeline(), 1);
    let far = day.now + Duration::from_secs(300);
    for number in 0..40 {
        let name = format!("a{number}");
        hear(&mut day, &name);
        set_aside(&mut day, &name, "prover", far);
    }
    hear(&mut day, "z");
    let offers = day.fleet.offers_at(day.now, &day.scheduler);
    day.ask(&Input::Assign(offers));
    let holders = day.scheduler.attempts().map(|attempt| attempt.dispatcher.to_string());
    assert_eq!(holders.collect::<Vec<_>>(), ["z"]);
}

/// It is set aside for the program of the head, and for no other.
#[test]
fn who_may_not_have_the_head_is_not_kept_for_it() {
    let mut day = waiting(two_programs(), 3);
    let far = day.now + Duration::from_secs(300);
    set_aside(&mut day, "one", "prover", far);
    let mut both = offer(&day, "one", 8);
    for capacity in [&mut both.free, &mut both.whole] {
        capacity.programs =
            ["prover", "other"].into_iter().map(|name| name.parse().expect("a name")).collect();
    }
    day.ask(&Input::Assign(vec![both]));
    let tried = day.scheduler.attempts().map(|attempt| attempt.task);
    let programs: Vec<_> = tried.map(|task| program(&day, task)).collect();
    assert_eq!(programs, ["other"; 3]);
}

/// How many probes `who` gets until it is back, which proves all but those of these heights.
fn is_back_after(day: &mut Day, who: &str, bad: &[Height]) -> u32 {
    for probes in 1..20 {
        later(day, Duration::from_secs(300));
        let granted = grant(day, &[(who, 4)]);
        let [(task, _)] = granted.as_slice() else { panic!("a probe is one: {granted:?}") };
        let first = day.scheduler.task(task).expect("it").key.first;
        match bad.contains(&first) {
            true => end(day, *task, failed(FailureClass::Failed)),
            false => end(day, *task, Outcome::Proved(result())),
        }
        if asides(day).is_empty() {
            return probes;
        }
    }
    panic!("it never comes back");
}

fn hear(day: &mut Day, name: &str) {
    let beat = Beat { dispatcher: name.parse().expect("a name"), ..day.beat_of([]) };
    day.fleet.beat(day.now, &beat, &day.scheduler);
}

fn program(day: &Day, task: TaskId) -> String {
    let stage = day.scheduler.task(&task).expect("it").stage;
    day.scheduler.pipeline().stage(stage).program.to_string()
}

/// Tasks do not park.
fn patient() -> PipelineSpec {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.retry = [("failed".to_owned(), 90)].into();
    }
    spec
}

/// Each block is proved by two.
fn two_programs() -> PipelineSpec {
    let mut spec = pipeline();
    let other = spec.programs.get("prover").expect("there is one").clone();
    spec.programs.insert("other".into(), other);
    let mut stage = spec.stages.get("prove").expect("there is one").clone();
    stage.program = Some("other".into());
    spec.stages.insert("second".into(), stage);
    spec.release.inputs.push("second".into());
    spec
}
