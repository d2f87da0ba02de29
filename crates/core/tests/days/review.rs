//! What a review found untrue, each as what should be true.

#![expect(clippy::indexing_slicing, reason = "a test that finds nothing there fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{
    AttemptId, Beat, Block, Capacity, Digest, DispatcherId, Event, FailureClass, Input, InputId,
    Offer, Outcome, Rejection, Report, ResultRef, StageSpec, TaskId, TaskState, Verdict, Vkey,
};

use crate::day::{Day, MEMORY, SILENCE_MAX, SLOTS, block, pipeline, result};

mod head;

fn id(name: &str) -> DispatcherId {
    name.parse().expect("a name")
}

fn report(who: &str, attempt: AttemptId, task: TaskId, outcome: Outcome) -> Input {
    Input::Report(Report {
        dispatcher: id(who),
        incarnation: 1,
        attempt,
        task,
        outcome,
        ran: Duration::from_secs(1),
    })
}

fn capacity(day: &Day, slots: u32) -> Capacity {
    Capacity { slots, ..day.beat_of([]).capacity }
}

fn offer(day: &Day, name: &str, free: u32, whole: u32) -> Offer {
    Offer { dispatcher: id(name), free: capacity(day, free), whole: capacity(day, whole) }
}

// 1. A ghost of the same number and the same task at ANOTHER dispatcher.
#[test]
fn r01_a_ghosts_end_does_not_end_the_attempt_of_its_number_elsewhere() {
    let day = Day::with_grants(1); // `one` holds it
    let attempt = day.attempts().next().expect("one");
    let task = day.tried()[0];
    // `two` ran the same task under the same number: its record was lost with the engine that
    // granted it.
    for outcome in [
        Outcome::Cancelled,
        Outcome::Failed { class: FailureClass::Unprovable, message: String::new() },
    ] {
        let answer = day.scheduler.decide(day.now, &report("two", attempt, task, outcome));
        assert_eq!(answer, Err(Rejection::Answered(Verdict::Unwanted)));
    }
}

// 3. A dispatcher that offers much and refuses all.
#[test]
fn r03_a_dispatcher_that_refuses_everything_does_not_hold_the_head_for_ever() {
    let mut day = Day::of(pipeline());
    day.ask(&Input::Submit(Box::new(block(0))));
    day.follow_up();
    let mut went = BTreeMap::<String, u32>::new();
    for _ in 0..1_000 {
        let offers = vec![offer(&day, "good", 1, 1), offer(&day, "hole", 8, 8)];
        day.ask(&Input::Assign(offers));
        let Some(lease) = day.scheduler.attempts().next().cloned() else {
            break;
        };
        *went.entry(lease.dispatcher.to_string()).or_default() += 1;
        if lease.dispatcher == id("good") {
            return;
        }
        day.ask(&report("hole", lease.id, lease.task, Outcome::NotRun { message: "busy".into() }));
        day.now = day.now + Duration::from_secs(1);
        day.follow_up();
    }
    panic!("{went:?}; {} facts in the log for one task", day.events.len());
}

// 5. A result told again after its artifact was found lost.
#[test]
fn r05_a_result_that_was_found_lost_is_not_accepted_again_because_it_is_told_again() {
    let mut spec = pipeline();
    let prove = spec.stages["prove"].clone();
    spec.stages.insert("wrap".into(), StageSpec { inputs: vec!["prove".into()], ..prove });
    spec.release.inputs = vec!["wrap".into()];
    let mut day = Day::of(spec).granted(1);
    let (maker, attempt) = (day.tried()[0], day.attempts().next().expect("one"));
    day.report(maker, Outcome::Proved(result()));
    day.grant();
    let reader = day.tried()[0];
    day.report(reader, Outcome::InputLost { artifact: result().output });
    // The verdict on the first report was lost, so its dispatcher says it again with its next beat.
    day.report_of(attempt, maker, Outcome::Proved(result()));
    let state = &day.scheduler.task(&maker).expect("it").state;
    let is_same = day
        .events
        .iter()
        .any(|event| matches!(event, Event::Remade { old, new, .. } if old == new));
    assert!(!is_same && *state != TaskState::Accepted, "remade as the very bytes that are lost");
}

// 5, once more: whoever made one of the results before is as well known as who made the last.
#[test]
fn r05_a_result_that_was_replaced_and_is_told_again_does_not_come_back() {
    let mut day = Day::with_grants(1);
    let (task, first) = (day.tried()[0], day.attempts().next().expect("one"));
    day.report(task, Outcome::Proved(result()));
    for _ in 0..2 {
        day.ask(&Input::Remake(task));
        day.follow_up();
        day.report_of(first, task, Outcome::Proved(result()));
        assert!(day.scheduler.task(&task).expect("it").is_open(), "it is still lost");
        day.grant();
        day.report(task, Outcome::Proved(result()));
        assert_eq!(day.scheduler.task(&task).expect("it").state, TaskState::Accepted);
    }
}

// 6. protocol 1: "once accepted, it is recorded and ignored".
#[test]
fn r06_another_payload_of_a_block_that_is_proved_binds_nothing() {
    let mut day = Day::with_grants(1);
    let task = day.tried()[0];
    day.report(task, Outcome::Proved(result()));
    let input = InputId::Block(block(0).hash);
    let before = day.scheduler.bound(&input);
    day.ask(&Input::Submit(Box::new(Block { payload: Digest::of(b"other"), ..block(0) })));
    assert_eq!(day.scheduler.bound(&input), before);
}

// 7. Prefix sums that saturate.
#[test]
fn r07_one_heavy_block_does_not_make_all_later_ones_weigh_nothing() {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.collect = Some("sequence".into());
        stage.max = BTreeMap::from([("cycles".into(), 10)]);
    }
    let mut day = Day::of(spec);
    for (number, weight) in (0..).zip([4, 7, u64::MAX, 4, 7, 3, 9, 2, 9, 9, 9]) {
        let fields = BTreeMap::from([("cycles".to_owned(), weight)]);
        day.ask(&Input::Submit(Box::new(Block { fields, ..block(number) })));
    }
    day.follow_up();
    let cut: Vec<_> = day
        .events
        .iter()
        .filter_map(|event| {
            let Event::BatchClosed { key, .. } = event else { return None };
            Some((key.first.0, key.last.0))
        })
        .collect();
    assert_eq!(cut, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 5), (6, 6), (7, 7), (8, 8), (9, 9)]);
}

// 8. `ran` is a dispatcher's word.
#[test]
fn r08_no_dispatchers_word_on_how_long_it_ran_ends_the_engine() {
    let mut day = Day::with_grants(2);
    for task in day.tried() {
        let attempt = day.scheduler.attempts_at(task).next().expect("it").id;
        let mut said = day.report_on(attempt, task, Outcome::Proved(result()));
        said.ran = Duration::MAX;
        day.ask(&Input::Report(said));
    }
}

// 14. What a mock names is no program's key.
#[test]
fn r14_a_mock_pins_no_verification_key() {
    let mut spec = pipeline();
    spec.allow_mock = true;
    let mut day = Day::of(spec).granted(2);
    let tasks = day.tried();
    let mock = ResultRef { mock: true, vkey: Some(Vkey([1; 32])), ..result() };
    day.report(tasks[0], Outcome::Proved(mock));
    let real = ResultRef { vkey: Some(Vkey([2; 32])), ..result() };
    day.report(tasks[1], Outcome::Proved(real));
    assert_eq!(day.scheduler.task(&tasks[1]).expect("it").state, TaskState::Accepted);
}

// 16. Contradiction and an operator.
#[test]
fn r16_a_person_can_settle_a_contradiction() {
    let mut day = Day::with_grants(1);
    let task = day.tried()[0];
    let lie = ResultRef { statement: Digest::of(b"a lie"), ..result() };
    day.report(task, Outcome::Proved(lie));
    day.ask(&Input::Remake(task));
    for _ in 0..3 {
        day.grant();
        day.report(task, Outcome::Proved(result()));
        if day.scheduler.task(&task).expect("it").state == TaskState::Accepted {
            return;
        }
        day.ask(&Input::Retry(task));
        day.follow_up();
    }
    panic!("honest results contradict the first for ever");
}

// 2. "A retry prefers another dispatcher."
#[test]
fn r02_a_transient_failure_is_retried_elsewhere_where_there_is_room() {
    let mut day = Day::with_grants(1); // on `one`
    let task = day.tried()[0];
    let mut went = vec!["one".to_owned()];
    for _ in 0..4 {
        let class = FailureClass::Transient;
        day.report(task, Outcome::Failed { class, message: "store: access denied".into() });
        day.now = day.now + Duration::from_secs(60);
        let offers = vec![offer(&day, "one", 8, 8), offer(&day, "two", 2, 2)];
        day.ask(&Input::Assign(offers));
        if let Some(Event::Granted { dispatcher, .. }) = day.events.last() {
            went.push(dispatcher.to_string());
        }
        if went.iter().any(|to| to == "two") {
            return;
        }
    }
    panic!("it went to {went:?}");
}

// 4. A dispatcher whose beats are heard and which hears nothing.
#[test]
fn r04_a_deaf_dispatcher_does_not_hold_the_head_for_ever() {
    let mut day = Day::of(pipeline());
    day.ask(&Input::Submit(Box::new(block(0))));
    day.fleet.look(day.now);
    let beat = |day: &Day, name: &str, slots| Beat {
        dispatcher: id(name),
        capacity: capacity(day, slots),
        running: BTreeMap::new(),
        ..day.beat_of([])
    };
    let mut went = BTreeMap::<String, u32>::new();
    for _ in 0..3_600 {
        day.now = day.now + Duration::from_secs(1);
        day.fleet.look(day.now);
        for (name, slots) in [("deaf", 8), ("good", 1)] {
            let said = beat(&day, name, slots);
            let (inputs, _) = day.fleet.beat(day.now, &said, &day.scheduler);
            inputs.iter().for_each(|input| day.ask(input));
        }
        day.follow_up();
        let offers = day.fleet.offers_at(day.now, &day.scheduler);
        day.ask(&Input::Assign(offers));
        if let Some(lease) = day.scheduler.attempts().next() {
            *went.entry(lease.dispatcher.to_string()).or_default() += 1;
            if lease.dispatcher == id("good") {
                return;
            }
        }
    }
    let withdrawn = day.scheduler.totals().withdrawn;
    panic!("an hour: {withdrawn} withdrawn, parked {}", day.scheduler.parked().count());
}

// 17. A lease outlives its time by what the leader before was idle.
#[test]
fn r17_a_takeover_gives_a_lease_the_time_in_which_nobody_led_and_no_more() {
    let mut day = Day::with_grants(1);
    let attempt = day.attempts().next().expect("one");
    let until = |day: &Day| day.scheduler.attempts().next().expect("it").until;
    let before = until(&day);
    // The leader hears a beat a second for an hour, and has nothing to record.
    for _ in 0..3_600 {
        day.now = day.now + Duration::from_secs(1);
        day.fleet.look(day.now);
        day.beat([attempt]);
        day.follow_up();
    }
    // Another takes over within half a second.
    day.now = day.now + Duration::from_millis(500);
    day.ask(&Input::Claim(push0_core::Epoch(2)));
    let more = until(&day).since(before);
    assert!(more < Duration::from_secs(60), "{more:?} more");
}

// 19. A ghost that has ended and is held.
#[test]
fn r19_a_held_ghost_is_not_taken_for_the_attempt_of_its_number() {
    let mut day = Day::with_grants(1);
    let attempt = day.attempts().next().expect("one");
    let beat = Beat { held: [(attempt, TaskId([8; 32]))].into(), ..day.beat_of([]) };
    let ghost = day.report_on(attempt, TaskId([8; 32]), Outcome::Proved(result()));
    for second in 1..=59 {
        day.now = day.now + Duration::from_secs(1);
        day.fleet.look(day.now);
        let (inputs, _) = day.fleet.beat(day.now, &beat, &day.scheduler);
        if !inputs.is_empty() {
            assert!(second <= 5);
            return;
        }
        assert!(day.fleet.awaits(day.now, &ghost, &day.scheduler));
    }
    panic!("for a minute nobody proves the task");
}

// 20. What runs without a lease is known by its task.
#[test]
fn r20_what_runs_on_after_its_lease_was_lost_takes_its_memory() {
    let mut day = Day::with_grants(1);
    let attempt = day.attempts().next().expect("one");
    let said = day.beat_of([attempt]); // names the task
    day.sleep(SILENCE_MAX + Duration::from_secs(2));
    assert_eq!(day.lost(), 1);
    let _ = day.fleet.beat(day.now, &said, &day.scheduler);
    assert_eq!((day.free().slots, day.free().memory_bytes), (SLOTS - 1, MEMORY - 1));
}
