//! Rules with an edge: what is just allowed, and what is not any more.

use std::collections::BTreeSet;

use push0_core::{
    AttemptId, Block, BlockHash, Capacity, Digest, Epoch, Event, FailureClass, Height, Input,
    Limits, Offer, Outcome, Pipeline, PipelineSpec, Rejection, ResultRef, Scheduler, TaskState,
    Timestamp, ToDispatcher, Turn,
};

use crate::day::{Day, block, pipeline};

#[test]
fn a_lease_is_as_long_as_an_attempt_can_take_and_some() {
    let day = Day::with_grants(1);
    let lease = day.scheduler.attempts().next().expect("one was granted");
    let stage = day.scheduler.pipeline().stages.first().expect("there is one").clone();
    let proving = stage.timeout + stage.grace;
    let verifying = stage.timeout * 3 / 10;
    let rest = lease.until.since(lease.since) - proving - verifying;
    assert_eq!(rest, Limits::default().report_grace, "what a dispatcher takes to report");
}

#[test]
fn a_message_is_kept_and_of_a_long_one_the_end() {
    let limit = Limits::default().message_bytes_max;
    for (told, kept) in [
        ("why".to_owned(), "why".to_owned()),
        ("x".repeat(limit) + "why", "x".repeat(limit - 3) + "why"),
        ("é".repeat(limit), "é".repeat(limit / 2)),
        ("é".repeat(limit) + "!", "é".repeat(limit / 2 - 1) + "!"),
    ] {
        let mut day = Day::with_grants(1);
        let task = day.scheduler.attempts().next().expect("one").task;
        day.report(task, Outcome::Failed { class: FailureClass::Failed, message: told });
        let is_it =
            |event: &Event| matches!(event, Event::Failed { message, .. } if *message == kept);
        assert!(day.events.iter().any(is_it), "{kept:.9}");
    }
}

#[test]
fn what_no_record_could_hold_is_refused_and_told_by_how_much() {
    let limits = Limits::default().within(40_000);
    let mut day = Day::of(pipeline());
    day.scheduler.set_limits(limits);
    let of = |fields: u64| {
        let fields = (0..fields).map(|at| (format!("{at:06}"), at)).collect();
        Input::Submit(Box::new(Block { fields, ..block(1) }))
    };
    // Of a block no more is recorded than is weighed.
    assert!([400, 600].iter().all(|fields| day.scheduler.decide(day.now, &of(*fields)).is_ok()));
    let words = "x".repeat(limits.input_bytes_max());
    let spec = PipelineSpec { name: "p".to_owned(), ..pipeline() };
    let args = spec.stages.iter().map(|(name, stage)| {
        let stage = push0_core::StageSpec { args: vec![words.clone()], ..stage.clone() };
        (name.clone(), stage)
    });
    let spec = PipelineSpec { stages: args.collect(), ..spec };
    let new = Scheduler::new(limits).decide(Timestamp(1), &Input::Configure(Box::new(spec)));
    let Err(Rejection::TooLarge { bytes, bytes_max }) = new else { panic!("{new:?}") };
    assert!(bytes > bytes_max && bytes_max == limits.input_bytes_max(), "{bytes}");
}

/// Of a quarter of a record a turn is full, half of one an input may take: the rest is what follows
/// of itself.
#[test]
fn whatever_follows_of_itself_has_room_in_a_record_beside_a_full_turn() {
    for record in [60_000, 250_000, 1_000_000, 4_000_000] {
        let limits = Limits::default().within(record);
        let opened = limits.inputs_max * 84 + limits.decision_max * 480;
        assert!(limits.turn_bytes_max() + opened + limits.decision_max * 480 < record, "{record}");
        assert!(limits.input_bytes_max() + limits.turn_bytes_max() < record, "{record}");
        let words = 2 * (6 * limits.message_bytes_max + 480);
        assert!(limits.turn_bytes_max() + words < record, "{record}");
        assert!(limits.parts_max <= limits.inputs_max, "{record}: one task reads them all");
    }
    let (usual, whole) = (Limits::default().within(1_000_000), Limits::default());
    assert_eq!(usual.inputs_max, whole.inputs_max);
    assert_eq!((usual.decision_max, usual.message_bytes_max), (whole.decision_max, 4_096));
}

/// It leaves as one message, which is no larger than a record.
#[test]
fn a_grant_of_as_many_inputs_as_a_task_may_read_is_no_larger_than_what_the_log_takes() {
    for record in [60_000, 120_000, 250_000] {
        let mut spec = PipelineSpec { window: Some(10_000), ..pipeline() };
        for stage in spec.stages.values_mut() {
            stage.collect = Some("sequence".to_owned());
            stage.max = [("blocks".to_owned(), 4_096)].into();
        }
        let limits = Limits::default().within(record);
        let mut day = Day::under(limits, spec);
        for number in 0..=limits.inputs_max as u64 {
            day.ask(&Input::Submit(Box::new(block(number))));
        }
        let day = day.granted(1);
        let attempt = day.attempts().next().expect("one was granted");
        let grant = day.scheduler.grant(attempt).expect("it lives");
        assert_eq!(grant.inputs.len(), limits.inputs_max);
        let grant = ToDispatcher::Grant(Box::new(grant));
        let bytes = serde_json::to_vec(&grant).expect("json").len();
        assert!(bytes <= record, "{bytes} bytes of {record}");
    }
}

#[test]
fn what_waits_wants_its_program() {
    let mut day = Day::of(pipeline());
    let wanted =
        |day: &Day| day.scheduler.wanted().into_iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(wanted(&day), [""; 0]);
    day.ask(&Input::Submit(Box::new(block(1))));
    day.follow_up();
    assert_eq!(wanted(&day), ["prover"]);
}

#[test]
fn what_happened_is_counted() {
    let mut day = Day::with_grants(3);
    let tasks: Vec<_> = day.scheduler.attempts().map(|attempt| attempt.task).collect();
    let &[proved, failed, _] = tasks.as_slice() else { panic!("three were granted") };
    let output = Digest::of(b"a");
    let (statement, parts) = (output, Vec::new());
    let result = ResultRef { output, bytes: 1, statement, vkey: None, mock: false, parts };
    day.report(proved, Outcome::Proved(result));
    day.report(failed, Outcome::Failed { class: FailureClass::Timeout, message: String::new() });
    let totals = day.scheduler.totals();
    assert_eq!((totals.blocks_submitted, totals.started, totals.accepted), (3, 3, 1));
    assert_eq!(totals.failed.get(&FailureClass::Timeout), Some(&1));
    assert_eq!(totals.ran_us, 2_000_000, "a second each");
    let running = day.scheduler.attempts().count() as u64;
    assert_eq!(totals.started + totals.late, running + ended(totals));
}

/// Of two attempts at a task, the first is given up, and brings the result all the same.
#[test]
fn each_attempt_is_counted_once_however_it_ended() {
    let mut day = Day::with_grants(1);
    let first = day.scheduler.attempts().next().cloned().expect("one");
    let message = "gone".to_owned();
    let lose = Input::Lose { dispatcher: first.dispatcher, but: BTreeSet::new(), message };
    day.ask(&lose);
    day.grant();
    let (started, running) = (day.scheduler.totals().started, day.scheduler.attempts().count());
    assert_eq!((started, running), (2, 1), "it was granted again");
    let output = Digest::of(b"a");
    let result =
        ResultRef { output, bytes: 1, statement: output, vkey: None, mock: false, parts: vec![] };
    day.report_of(first.id, first.task, Outcome::Proved(result));
    let totals = day.scheduler.totals();
    assert_eq!((totals.accepted, totals.late, totals.overtaken, totals.lost), (1, 1, 1, 1));
    assert_eq!(totals.started + totals.late, ended(totals), "none runs");
}

fn ended(totals: &push0_core::Totals) -> u64 {
    let failed: u64 = totals.failed.values().sum();
    totals.accepted + totals.lost + totals.withdrawn + totals.rejected + totals.overtaken + failed
}

#[test]
fn a_task_goes_to_the_freest_that_it_has_not_failed_on() {
    let mut day = Day::with_grants(1);
    let [task] = *day.tried() else { panic!("one was granted") };
    let to = |day: &Day| {
        let capacity = |slots| Capacity { slots, ..day.beat_of([]).capacity };
        let offers = [("two", 1), ("one", 8), ("three", 2)].map(|(name, slots)| Offer {
            dispatcher: name.parse().expect("a name"),
            free: capacity(slots),
            whole: capacity(slots),
        });
        let later = day.now + Limits::default().backoff_max;
        match day.scheduler.decide(later, &Input::Assign(offers.into())).as_deref() {
            Ok([Event::Granted { dispatcher, .. }]) => dispatcher.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let attempt = day.attempts().next().expect("it is being tried");
    day.ask(&Input::Withdraw { attempt, message: String::new(), cause: None });
    assert_eq!(to(&day), "one", "it was nobody's doing");
    day.grant();
    day.report(task, Outcome::Failed { class: FailureClass::Failed, message: String::new() });
    assert_eq!(to(&day), "three");
}

#[test]
fn each_failure_of_a_kind_waits_longer_than_the_one_before() {
    let mut day = Day::with_grants(1);
    let [task] = *day.tried() else { panic!("one was granted") };
    let mut shortest = Limits::default().backoff_min / 2;
    for _ in 0..3 {
        let class = FailureClass::Failed;
        day.report(task, Outcome::Failed { class, message: String::new() });
        let TaskState::Ready { at } = day.scheduler.task(&task).expect("a task").state else {
            panic!("it is tried again");
        };
        let wait = at.since(day.now);
        assert!((shortest..=shortest * 2).contains(&wait), "{wait:?}, not {shortest:?}");
        shortest *= 2;
        day.grant();
    }
}

#[test]
fn a_pipeline_gives_way_to_one_that_proves_the_same_and_to_no_other() {
    let day = Day::of(pipeline());
    let answer = |change: fn(&mut PipelineSpec)| {
        let mut spec = pipeline();
        change(&mut spec);
        let answer = day.scheduler.decide(day.now, &Input::Configure(Box::new(spec)));
        answer.map(|events| events.len())
    };
    assert_eq!(answer(|_| {}), Ok(0), "it runs already");
    assert_eq!(answer(|spec| spec.window = Some(7)), Ok(1));
    assert_eq!(answer(|spec| spec.source.chain = Some(2)), Err(Rejection::AnotherPipeline));
    let flip = |spec: &mut PipelineSpec| spec.allow_mock = !spec.allow_mock;
    assert_eq!(
        answer(flip),
        Err(Rejection::AnotherPipeline),
        "proofs would be worth another thing"
    );
}

#[test]
fn every_end_of_an_attempt_is_counted_as_what_it_was() {
    let mut day = Day::with_grants(3);
    let &[rejected, not_run, _] = day.tried().as_slice() else { panic!("three were granted") };
    day.report(rejected, Outcome::Rejected { message: String::new() });
    day.report(not_run, Outcome::NotRun { message: String::new() });
    let (dispatcher, but) = (day.beat_of([]).dispatcher, BTreeSet::new());
    day.ask(&Input::Lose { dispatcher, but, message: String::new() });
    let totals = day.scheduler.totals();
    assert_eq!((totals.rejected, totals.withdrawn, totals.lost), (1, 1, 1));
    assert_eq!(totals.ran_us, 1_000_000, "one of them proved something");
}

#[test]
fn a_chain_begins_where_it_began() {
    let mut day = Day::of(pipeline());
    day.ask(&Input::Submit(Box::new(block(5))));
    let refused = day.scheduler.decide(day.now, &Input::Submit(Box::new(block(3))));
    assert!(matches!(refused, Err(Rejection::BeforeStart { .. })), "{refused:?}");
}

#[test]
fn strays_are_counted_apart_from_the_chain() {
    let limits = Limits { strays_max: 2, ..Limits::default() };
    let mut scheduler = Scheduler::new(limits);
    let mut submit = |block: Block| {
        let submitted = Input::Submit(Box::new(block));
        let events = scheduler.decide(Timestamp(1), &submitted)?;
        scheduler.apply_all(Timestamp(1), &events).expect("it was decided");
        Ok::<_, Rejection>(())
    };
    let stray = |salt: u8| Block {
        number: Height(2),
        hash: BlockHash([salt; 32]),
        parent: block(1).hash,
        ..block(2)
    };
    (0..5).for_each(|number| submit(block(number)).expect("it follows"));
    assert_eq!([1, 2].map(|salt| submit(stray(salt))), [Ok(()), Ok(())]);
    assert_eq!(submit(stray(3)), Ok(()), "it is told that it is beside, and nothing is recorded");
    let ahead = Block { parent: BlockHash([9; 32]), ..block(7) };
    assert_eq!(submit(ahead), Err(Rejection::Full { open: 2, limit: 2 }));
    assert_eq!(scheduler.chain().known(), 7);
}

/// A log in which another attempt than the one that lives ends, or one of another task, was written
/// by no scheduler.
#[test]
fn only_an_attempt_of_its_task_that_lives_is_ended() {
    let day = Day::with_grants(2);
    let [one, two] = day.scheduler.attempts().collect::<Vec<_>>()[..] else { panic!("two live") };
    let lost = |task, attempt| {
        let (message, retry_at) = (String::new(), day.now);
        day.scheduler
            .clone()
            .apply_all(day.now, &[Event::Lost { task, attempt, message, retry_at }])
    };
    assert!(lost(one.task, one.id).is_ok());
    for attempt in [two.id, AttemptId(one.id.0 + 1_000), AttemptId(0)] {
        let refused = lost(one.task, attempt).expect_err("it does not live at this task");
        assert!(refused.what.contains("no attempt that lives"), "{refused}");
    }
}

#[test]
fn a_log_that_goes_back_in_time_or_lacks_a_turn_is_refused() {
    let turn = |first, at| Turn { epoch: Epoch(1), first, at, events: vec![Event::Led {}] };
    let day = Day::with_grants(1);
    let (next, now) = (day.scheduler.last().next(), day.now);
    let read = |turn: &Turn| day.scheduler.clone().replay_turn(turn);
    assert_eq!(read(&turn(next, now)), Ok(()));
    let before = Timestamp(now.0 - 1);
    let refused = read(&turn(next, before)).expect_err("time went back");
    assert!(refused.what.contains("time"), "{refused}");
    for other in [day.scheduler.last(), next.next()] {
        let refused = read(&turn(other, now)).expect_err("it is not the next");
        assert!(refused.what.contains("comes next"), "{refused}");
    }
}

/// What ran once is read for ever, whatever `check` came to refuse since; what no pipeline can be
/// made of never ran.
#[test]
fn a_log_of_a_pipeline_that_would_be_refused_today_is_read() {
    let replayed = |spec: PipelineSpec| {
        let events = [
            Event::Claimed { epoch: Epoch(1), ids_hold_it: true },
            Event::Configured { pipeline: Box::new(spec) },
        ];
        Scheduler::new(Limits::default()).apply_all(Timestamp(1), &events)
    };
    let strict = PipelineSpec { window: Some(u64::MAX), ..pipeline() };
    assert!(Pipeline::check(&strict).is_err(), "it would be refused");
    assert_eq!(replayed(strict), Ok(()));
    let mut broken = pipeline();
    broken.stages.values_mut().for_each(|stage| stage.program = None);
    assert!(replayed(broken).is_err());
}
