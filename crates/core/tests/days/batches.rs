//! Where a batch is cut: by the blocks alone, whenever they arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{
    Block, Event, Input, Limits, Outcome, PipelineSpec, Scheduler, StageSpec, Timestamp,
};

use crate::day::{Day, START, block, pipeline, result};

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
fn only_a_batch_that_has_its_least_is_waited_for() {
    let age = Duration::from_secs(60);
    for (blocks, waits) in [(1, None), (2, Some(START + age))] {
        let mut day = Day::of(aged(2, age));
        (0..blocks).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
        let deadline = day.scheduler.poll_timeout(day.now).map(|deadline| deadline.at);
        assert_eq!(deadline, waits, "{blocks} blocks, of which two are the least");
    }
}

#[test]
fn a_batch_that_the_next_block_would_pass_its_max_closes_before_it() {
    let weights = [4, 7, 3, 9, 2];
    let cut = [(0, 0), (1, 2), (3, 3)];
    assert_eq!(batches(&weights, true), cut);
    assert_eq!(batches(&weights, false), cut);
}

#[test]
fn a_batch_is_cut_by_whatever_it_is_weighed_by() {
    for weight in ["items", "blocks", "bytes", "gasUsed"] {
        let fields = BTreeMap::from([("gasUsed".to_owned(), 1)]);
        let blocks = (5..12).map(|number| Block { fields: fields.clone(), ..block(number) });
        assert_eq!(cut(sequence(weight, 3), blocks, false), [(5, 7), (8, 10)], "{weight}");
    }
}

#[test]
fn an_item_is_as_old_as_its_arrival_at_the_stage() {
    let (group, batch) = (Duration::from_secs(60), Duration::from_secs(100));
    let mut day = Day::of(grouped(group, batch)).granted(1);
    let closed = |day: &Day| {
        let is_closing = |event: &&Event| matches!(event, Event::BatchClosed { .. });
        day.events.iter().filter(is_closing).count()
    };
    let [leaf] = *day.tried() else { panic!("one was granted") };
    day.report(leaf, Outcome::Proved(result()));
    day.sleep(group);
    assert_eq!(closed(&day), 1, "the group, whose only proof goes on to the sequence");
    day.sleep(batch - Duration::from_secs(1));
    assert_eq!(closed(&day), 1, "it has not waited there so long");
    day.sleep(Duration::from_secs(2));
    assert_eq!(closed(&day), 2);
}

#[test]
fn a_batch_has_no_more_items_than_one_task_may_read() {
    let limits = Limits { inputs_max: 5, ..Limits::default() };
    let mut day = Day::under(limits, sequence("blocks", 100));
    (0..12).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    day.follow_up();
    let read = day.scheduler.tasks().map(|(_, task)| task.inputs.len());
    assert_eq!(read.collect::<Vec<_>>(), [5, 5]);
}

#[test]
fn one_decision_opens_what_fits_and_one_task_at_least() {
    let read = |max| {
        let limits = Limits { inputs_max: 5, ..Limits::default() };
        let mut day = Day::under(limits, sequence("blocks", max));
        (0..6).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
        let inputs = |event: &Event| {
            let Event::TaskOpened { inputs, .. } = event else { return 0 };
            inputs.len()
        };
        let mut opened = Vec::new();
        loop {
            let before = day.events.len();
            day.ask(&Input::Wake);
            let Some(decided @ [_, ..]) = day.events.get(before..) else { break opened };
            opened.extend(Some(decided.iter().map(inputs).sum::<usize>()).filter(|sum| *sum > 0));
        }
    };
    assert_eq!(read(2), [4, 2]);
    assert_eq!(read(3), [3, 3]);
}

/// A sequence of groups, each closed by age alone.
fn grouped(group: Duration, batch: Duration) -> PipelineSpec {
    let mut spec = pipeline();
    let prove = spec.stages.get("prove").expect("it is there").clone();
    for (name, input, collect, age) in
        [("group", "prove", "tree", group), ("whole", "group", "sequence", batch)]
    {
        let (inputs, collect) = (vec![input.to_owned()], Some(collect.to_owned()));
        let stage = StageSpec { inputs, collect, age: Some(age), ..prove.clone() };
        spec.stages.insert(name.to_owned(), stage);
    }
    spec.release.inputs = vec!["whole".to_owned()];
    spec
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

/// The spans of blocks of these weights that are closed under a max of 10.
fn batches(weights: &[u64], at_once: bool) -> Vec<(u64, u64)> {
    let blocks = (0..).zip(weights).map(|(number, weight)| {
        let fields = BTreeMap::from([("gasUsed".to_owned(), *weight)]);
        Block { fields, ..block(number) }
    });
    cut(sequence("gasUsed", 10), blocks, at_once)
}

/// The spans that a pipeline closes, with each block decided on as it comes or all at once.
fn cut(
    spec: PipelineSpec,
    blocks: impl IntoIterator<Item = Block>,
    at_once: bool,
) -> Vec<(u64, u64)> {
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
    decide(&Input::Configure(Box::new(spec)));
    for block in blocks {
        decide(&Input::Submit(Box::new(block)));
        while !at_once && decide(&Input::Wake) > 0 {}
    }
    while decide(&Input::Wake) > 0 {}
    closed
}

fn sequence(weight: &str, max: u64) -> PipelineSpec {
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        stage.collect = Some("sequence".to_owned());
        stage.max = BTreeMap::from([(weight.to_owned(), max)]);
    }
    spec
}
