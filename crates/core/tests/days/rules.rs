//! Rules with an edge: what is just allowed, and what is not any more.

use std::time::Duration;

use push0_core::{
    Block, BlockHash, Digest, Event, FailureClass, Height, Input, Limits, Outcome, Rejection,
    ResultRef, Scheduler, Timestamp,
};

use crate::day::{Day, block, pipeline};

#[test]
fn a_lease_is_as_long_as_an_attempt_can_take_and_some() {
    let day = Day::with_grants(1);
    let (_, lease) = day.scheduler.leases().next().expect("one was granted");
    let stage = day.scheduler.pipeline().stages.first().expect("there is one").clone();
    let proving = stage.timeout + stage.grace;
    let verifying = stage.timeout * 3 / 10;
    let rest = lease.until.since(lease.since) - proving - verifying;
    assert!(rest >= Duration::from_secs(240), "what a dispatcher takes to try again: {rest:?}");
    assert!(rest <= Duration::from_secs(600), "and not much more: {rest:?}");
}

#[test]
fn a_message_is_kept_and_of_a_long_one_the_end() {
    let limit = Limits::default().message_bytes_max;
    for (told, kept) in [
        ("why".to_owned(), "why".to_owned()),
        ("x".repeat(limit) + "why", "x".repeat(limit - 3) + "why"),
        ("é".repeat(limit), "é".repeat(limit / 2)),
    ] {
        let mut day = Day::with_grants(1);
        let (task, _) =
            day.scheduler.leases().next().map(|(id, it)| (*id, it.clone())).expect("one");
        day.report(task, Outcome::Failed { class: FailureClass::Failed, message: told });
        let is_it =
            |event: &Event| matches!(event, Event::Failed { message, .. } if *message == kept);
        assert!(day.events.iter().any(is_it), "{kept:.9}");
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
    let tasks: Vec<_> = day.scheduler.leases().map(|(task, _)| *task).collect();
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
    assert_eq!(submit(stray(3)), Err(Rejection::Full { open: 2, limit: 2 }));
}
