//! What machines say that they have, and how far that is believed.

use std::time::Duration;

use push0_core::{AttemptId, Beat, Capacity, Input, Life, Offer, Outcome, TaskId};

use crate::day::{Day, MEMORY, block, pipeline, result};

#[test]
fn a_claim_goes_as_far_as_it_was_shown() {
    let mut day = Day::of(pipeline());
    (0..500).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    day.follow_up();
    let mut held = Vec::new();
    for second in 0..20 {
        let Capacity { programs, .. } = day.beat_of([]).capacity;
        let (slots, memory_bytes, gpus) = (u32::MAX, u64::MAX, u32::MAX);
        let capacity = Capacity { programs, slots, memory_bytes, gpus };
        let running = day.beat_of(day.attempts().collect::<Vec<_>>()).running;
        let beat = Beat { capacity, running, ..day.beat_of([]) };
        day.now = day.now + Duration::from_secs(1);
        day.fleet.look(day.now);
        let _ = day.fleet.beat(day.now, &beat, &day.scheduler);
        while {
            let before = day.attempts().count();
            let offers = day.fleet.offers_at(day.now, &day.scheduler);
            day.ask(&Input::Assign(offers));
            day.follow_up();
            day.attempts().count() > before
        } {}
        held.push(day.attempts().count());
        assert!(day.attempts().count() <= 8 + 2 * second, "{held:?}");
    }
    assert!(*held.last().expect("many") > 40, "who confirms gets more: {held:?}");
}

/// Beats cost nothing: neither many at once nor many in a row show that it proves.
#[test]
fn a_claim_is_believed_no_faster_for_more_beats_and_no_further_for_beats_alone() {
    for (beats, every, at_most) in [(1_000, 1, 10), (600, 1_000, 130)] {
        let mut day = Day::of(pipeline());
        let capacity = Capacity { slots: u32::MAX, ..day.beat_of([]).capacity };
        let beat = Beat { capacity, ..day.beat_of([]) };
        for _ in 0..beats {
            day.fleet.look(day.now);
            let _ = day.fleet.beat(day.now, &beat, &day.scheduler);
            day.now = day.now + Duration::from_millis(every);
        }
        let slots = day.fleet.offers(&day.scheduler).pop().expect("it was heard").whole.slots;
        assert!((9..=at_most).contains(&slots), "{beats} beats: {slots}");
    }
}

#[test]
fn results_that_were_made_up_show_nothing() {
    let mut day = Day::with_grants(1);
    let claimed = |day: &Day| Beat {
        capacity: Capacity { slots: u32::MAX, ..day.beat_of([]).capacity },
        ..day.beat_of(day.attempts())
    };
    let beat = claimed(&day);
    let _ = day.fleet.beat(day.now, &beat, &day.scheduler);
    let slots = |day: &Day| day.fleet.offers(&day.scheduler).first().map(|it| it.whole.slots);
    let before = slots(&day).expect("it was heard");
    for number in 0..5_000 {
        let made_up = Outcome::Proved(result());
        let report = day.report_on(AttemptId(number), TaskId([9; 32]), made_up);
        day.fleet.ended(&report);
    }
    assert_eq!(slots(&day), Some(before));
    day.fleet.proved(&Life { dispatcher: beat.dispatcher, incarnation: beat.incarnation });
    assert_eq!(slots(&day), Some(before + 1), "an accepted one does");
}

#[test]
fn of_those_that_offer_the_same_none_gets_all() {
    let mut day = Day::of(pipeline());
    (0..8).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    day.follow_up();
    day.fleet.look(day.now);
    for (name, slots) in [("boaster", u32::MAX), ("modest", 4)] {
        let mut beat = day.beat_of([]);
        beat.dispatcher = name.parse().expect("a name");
        beat.capacity.slots = slots;
        let _ = day.fleet.beat(day.now, &beat, &day.scheduler);
    }
    for _ in 0..8 {
        let offers = day.fleet.offers_at(day.now, &day.scheduler);
        day.ask(&Input::Assign(offers));
    }
    let modest = day.scheduler.attempts().filter(|attempt| attempt.dispatcher.as_str() == "modest");
    assert_eq!(modest.count(), 4);
}

/// It claims all the memory that there is, has taken all that it may hold, and ends nothing. What
/// only a whole machine can prove waits for an honest one, which is kept for it.
#[test]
fn a_claim_of_memory_keeps_no_honest_machine_from_being_kept_for_the_head() {
    let mut spec = pipeline();
    let mut large = spec.programs.get("prover").expect("there is one").clone();
    large.memory = Some(MEMORY);
    spec.programs.insert("large".into(), large);
    let mut stage = spec.stages.get("prove").expect("there is one").clone();
    (stage.program, stage.inputs) = (Some("large".into()), vec!["prove".into()]);
    spec.stages.insert("wrap".into(), stage);
    spec.release.inputs = vec!["wrap".into()];
    for boasts in [None, Some("boaster")] {
        let mut day = Day::of(spec.clone());
        (0..40).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
        day.follow_up();
        let offers = |day: &Day| {
            let names = boasts.into_iter().chain(["honest"]);
            let offer = |name: &str| {
                let dispatcher = name.parse().expect("a name");
                let boasts = name == "boaster";
                let slots = if boasts { 8 } else { 2 };
                let memory_bytes = if boasts { 1 << 46 } else { MEMORY };
                let programs = ["prover", "large"].map(|name| name.parse().expect("a name"));
                let programs = programs.into_iter().collect();
                let whole = Capacity { programs, slots, memory_bytes, gpus: 0 };
                let held = day.scheduler.attempts_of(&dispatcher).count();
                let free = Capacity {
                    slots: slots - u32::try_from(held).expect("few"),
                    memory_bytes: memory_bytes - held as u64,
                    ..whole.clone()
                };
                Offer { dispatcher, free, whole }
            };
            names.map(offer).collect::<Vec<_>>()
        };
        // All that there is room for is small; then of honest work one piece ends after the other.
        for _ in 0..10 {
            day.ask(&Input::Assign(offers(&day)));
        }
        let honest = |day: &Day| {
            let of = |attempt: &push0_core::Attempt| attempt.dispatcher.as_str() == "honest";
            day.scheduler.attempts().find(|it| of(it)).map(|it| (it.id, it.task))
        };
        let is_large = |day: &Day, task| {
            let stage =
                day.scheduler.task(&task).map(|task| day.scheduler.pipeline().stage(task.stage));
            stage.is_some_and(|stage| stage.program.as_str() == "large")
        };
        let mut ended = 0;
        while let Some((attempt, task)) = honest(&day).filter(|(_, task)| !is_large(&day, *task)) {
            let mut report = day.report_on(attempt, task, Outcome::Proved(result()));
            report.dispatcher = "honest".parse().expect("a name");
            day.ask(&Input::Report(report));
            day.follow_up();
            day.ask(&Input::Assign(offers(&day)));
            ended += 1;
            assert!(ended <= 4, "it gets small work for ever, and {boasts:?} is kept");
        }
    }
}
