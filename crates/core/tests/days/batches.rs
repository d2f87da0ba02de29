//! Where a batch is cut: by the blocks alone, whenever they arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{Block, Event, Input, Limits, PipelineSpec, Scheduler, Timestamp};

use crate::day::{Day, block, pipeline};

#[test]
fn a_batch_that_reaches_its_max_takes_no_weightless_block_after_it() {
    let weights = [4, 6, 0, 3, 0, 7, 1];
    let cut = [(0, 1), (2, 5)];
    assert_eq!(batches(&weights, true), cut);
    assert_eq!(batches(&weights, false), cut);
}

#[test]
fn age_closes_a_batch_that_has_just_its_least() {
    for (blocks, is_closed) in [(1, false), (2, true), (3, true)] {
        let mut day = Day::of(aged(2, Duration::from_secs(60)));
        (0..blocks).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
        let has_closed =
            |day: &Day| day.events.iter().any(|event| matches!(event, Event::BatchClosed { .. }));
        day.sleep(Duration::from_secs(59));
        assert!(!has_closed(&day), "it is not old enough");
        day.sleep(Duration::from_secs(2));
        assert_eq!(has_closed(&day), is_closed, "{blocks} blocks, of which two are the least");
    }
}

#[test]
fn a_batch_that_the_next_block_would_pass_its_max_closes_before_it() {
    let weights = [4, 7, 3, 9, 2];
    let cut = [(0, 0), (1, 2), (3, 3)];
    assert_eq!(batches(&weights, true), cut);
    assert_eq!(batches(&weights, false), cut);
}

/// A sequence that age closes once it has so many blocks.
fn aged(least: u64, age: Duration) -> PipelineSpec {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.collect = Some("sequence".to_owned());
        stage.max = BTreeMap::from([("blocks".to_owned(), 10)]);
        stage.min = BTreeMap::from([("blocks".to_owned(), least)]);
        stage.age = Some(age);
    }
    spec
}

/// The spans that were closed under a max of 10, with each block decided on as it comes or all at once.
fn batches(weights: &[u64], at_once: bool) -> Vec<(u64, u64)> {
    let mut scheduler = Scheduler::new(Limits::default());
    let mut closed = Vec::new();
    let mut decide = |input: &Input| {
        let events = scheduler.decide(Timestamp(1), input).expect("nothing is refused");
        scheduler.apply_all(Timestamp(1), &events).expect("what was decided can be applied");
        for event in &events {
            if let Event::BatchClosed { key, .. } = event {
                closed.push((key.first.0, key.last.0));
            }
        }
        events.len()
    };
    decide(&Input::Configure(Box::new(sequence())));
    for (number, weight) in (0..).zip(weights) {
        let fields = BTreeMap::from([("gasUsed".to_owned(), *weight)]);
        decide(&Input::Submit(Box::new(Block { fields, ..block(number) })));
        while !at_once && decide(&Input::Wake) > 0 {}
    }
    while decide(&Input::Wake) > 0 {}
    closed
}

fn sequence() -> PipelineSpec {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.collect = Some("sequence".to_owned());
        stage.max = BTreeMap::from([("gasUsed".to_owned(), 10)]);
    }
    spec
}
