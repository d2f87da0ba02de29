//! What a review found untrue, each as what should be true.

#![expect(clippy::indexing_slicing, reason = "a test that finds nothing there fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{
    AttemptId, Block, BlockHash, Capacity, Digest, DispatcherId, Event, FailureClass, Input,
    InputId, Limits, Offer, Outcome, Rejection, Report, ResultRef, StageSpec, TaskId, TaskState,
    Verdict, Vkey,
};

use crate::day::{Day, block, pipeline, result};

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
    // `two` ran the same task under the same number: its record was lost with the engine that granted it.
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
        let Some((task, lease)) = day.scheduler.leases().map(|(t, l)| (*t, l.clone())).next()
        else {
            break;
        };
        *went.entry(lease.dispatcher.to_string()).or_default() += 1;
        if lease.dispatcher == id("good") {
            return;
        }
        day.ask(&report("hole", lease.attempt, task, Outcome::NotRun { message: "busy".into() }));
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
        let attempt = day.scheduler.task(&task).and_then(|task| task.lease()).expect("it").attempt;
        let mut said = day.report_on(attempt, task, Outcome::Proved(result()));
        said.ran = Duration::MAX;
        day.ask(&Input::Report(said));
    }
}

// 10. A stray keeps the source from ending.
#[test]
fn r10_a_block_whose_parent_never_comes_does_not_keep_the_source_open_for_ever() {
    let mut day = Day::of(pipeline());
    day.ask(&Input::Submit(Box::new(block(0))));
    let orphan = Block { hash: BlockHash([7; 32]), parent: BlockHash([6; 32]), ..block(2) };
    day.ask(&Input::Submit(Box::new(orphan)));
    day.now = day.now + Duration::from_secs(30 * 24 * 3600);
    day.follow_up();
    let answer = day.scheduler.decide(day.now, &Input::EndSource);
    assert!(answer.is_ok(), "{answer:?}");
}

// 11. `Full` says to come back when blocks are released.
#[test]
fn r11_what_is_refused_as_full_is_taken_once_blocks_are_released() {
    let limits = Limits { strays_max: 2, ..Limits::default() };
    let mut day = Day::under(limits, pipeline()).granted(2);
    for salt in [1, 2] {
        let beside = Block { hash: BlockHash([salt; 32]), ..block(1) };
        day.ask(&Input::Submit(Box::new(beside)));
    }
    let ahead = Input::Submit(Box::new(block(3)));
    let full = day.scheduler.decide(day.now, &ahead);
    assert!(matches!(full, Err(Rejection::Full { .. })));
    assert_eq!(day.scheduler.open_blocks(), 4, "two of the chain and two beside it");
    for task in day.tried() {
        day.report(task, Outcome::Proved(result()));
    }
    assert_eq!(day.scheduler.totals().blocks_released, 2);
    assert_eq!(day.scheduler.open_blocks(), 0, "what is beside the released takes no room");
    assert!(day.scheduler.decide(day.now, &ahead).is_ok(), "{}", full.expect_err("full"));
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

// 18. A block's numeric fields that nobody weighs.
#[test]
fn r18_what_the_pipeline_does_not_weigh_is_not_recorded() {
    let day = Day::of(pipeline());
    let fields = (0..2_000).map(|n| (format!("{n:064}"), n)).collect();
    let submit = Input::Submit(Box::new(Block { fields, ..block(0) }));
    let events = day.scheduler.decide(day.now, &submit).expect("it is taken");
    let bytes = serde_json::to_vec(&events).expect("json").len();
    assert!(bytes < 1_024, "{bytes} bytes of one block, counted as 512 by `Gathered::add`");
}
