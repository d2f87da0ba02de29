//! How blocks stand to one another, and which are refused.

use std::collections::BTreeMap;

use push0_core::{
    Arrival, Block, BlockHash, Event, Height, Input, Limits, Outcome, Rejection, Scheduler,
    StageSpec, Standing,
};

use crate::day::{Day, block, pipeline, result};

#[test]
fn a_block_is_canonical_or_waits_or_is_beside_the_chain() {
    let mut day = Day::of(pipeline());
    assert!(day.scheduler.chain().is_empty());
    let blocks = [block(5), block(6), block(8), beside(5, 1), beside(6, 2)];
    blocks.iter().for_each(|block| submit(&mut day, block).expect("it is taken"));
    let standings = blocks.map(|block| day.scheduler.chain().standing(&block.hash));
    let [canonical, waits, beside] =
        [Standing::Canonical, Standing::Waiting, Standing::Beside].map(Some);
    assert_eq!(standings, [canonical, canonical, waits, beside, beside]);
    let chain = day.scheduler.chain();
    assert_eq!(chain.standing(&block(9).hash), None);
    assert_eq!((chain.is_empty(), chain.beside()), (false, 2));
}

#[test]
fn a_block_after_another_than_the_tip_does_not_become_canonical() {
    let mut day = Day::of(pipeline());
    let fork = beside(6, 1);
    let child = Block { parent: fork.hash, ..beside(7, 2) };
    for block in [&block(5), &block(6), &fork, &child] {
        submit(&mut day, block).expect("it is taken");
    }
    assert_eq!(day.scheduler.chain().tip(), Some((Height(6), block(6).hash)));
}

#[test]
fn the_source_does_not_end_while_a_block_waits_for_its_parent() {
    let mut day = Day::of(pipeline());
    [block(5), block(7)].iter().for_each(|block| submit(&mut day, block).expect("it is taken"));
    let ended = |day: &Day| day.scheduler.decide(day.now, &Input::EndSource);
    assert!(matches!(ended(&day), Err(Rejection::CannotEnd(_))));
    submit(&mut day, &block(6)).expect("it is taken");
    assert!(ended(&day).is_ok());
}

#[test]
fn a_block_whose_parent_did_not_come_in_time_is_left_out_and_so_told() {
    let mut day = Day::of(pipeline());
    [block(5), block(7)].iter().for_each(|block| submit(&mut day, block).expect("it is taken"));
    day.now = day.now + Limits::default().stray_wait;
    day.ask(&Input::EndSource);
    let chain = day.scheduler.chain();
    assert_eq!(chain.ended(), Some(Height(5)));
    assert_eq!(chain.standing(&block(7).hash), Some(Standing::Beside));
    assert_eq!(chain.arrival(&block(7)), Arrival::Beside);
}

#[test]
fn whoever_submits_is_told_how_each_block_stands() {
    let mut day = Day::of(pipeline());
    let fork = beside(6, 1);
    let after_fork = Block { parent: fork.hash, ..beside(7, 2) };
    let far_after = Block { parent: after_fork.hash, ..beside(8, 3) };
    let blocks = [block(5), block(6), block(5), fork, after_fork, far_after, block(9)];
    let told = blocks.map(|block| {
        let arrival = day.scheduler.chain().arrival(&block);
        submit(&mut day, &block).expect("it is taken");
        arrival
    });
    let beside = Arrival::Beside;
    let expected =
        [Arrival::New, Arrival::New, Arrival::Known, beside, beside, beside, Arrival::Ahead];
    assert_eq!(told, expected);
}

#[test]
fn nobody_writes_more_than_a_few_facts_of_blocks_that_are_never_proved() {
    let mut day = Day::of(pipeline());
    (0..4).for_each(|number| submit(&mut day, &block(number)).expect("it follows"));
    let before = day.events.len();
    for salt in 0..=u8::MAX {
        submit(&mut day, &beside(2, salt)).expect("it is beside");
        let other = Block { payload: push0_core::Digest::of(&[salt]), ..block(1) };
        submit(&mut day, &other).expect("it is known");
        let ahead = Block { parent: BlockHash([0xfe; 32]), ..beside(9, salt) };
        let _ = submit(&mut day, &ahead);
    }
    assert!(day.events.len() - before <= 16, "{}", day.events.len() - before);
}

#[test]
fn no_block_is_taken_past_the_end_of_the_source() {
    let mut day = Day::of(pipeline());
    [block(5), block(6)].iter().for_each(|block| submit(&mut day, block).expect("it is taken"));
    day.ask(&Input::EndSource);
    let (number, last) = (Height(7), Height(6));
    assert_eq!(submit(&mut day, &block(7)), Err(Rejection::PastEnd { number, last }));
    assert_eq!(submit(&mut day, &beside(6, 1)), Ok(()), "it is beside the last");
}

#[test]
fn a_block_comes_so_far_ahead_of_its_parents_and_no_farther() {
    let limits = Limits { reorder_max: 3, ..Limits::default() };
    let mut day = Day::under(limits, pipeline());
    submit(&mut day, &block(5)).expect("it is the first");
    let (number, tip) = (Height(9), Height(5));
    assert_eq!(submit(&mut day, &block(9)), Err(Rejection::TooFarAhead { number, tip }));
    assert_eq!(submit(&mut day, &block(8)), Ok(()));
}

#[test]
fn a_height_that_could_not_be_counted_on_from_is_refused() {
    let refused = |number| {
        let scheduler = Day::of(pipeline()).scheduler;
        decide(&scheduler, &Block { number: Height(number), ..block(5) }).is_err()
    };
    assert_eq!([u64::MAX / 4, u64::MAX / 4 + 1, u64::MAX].map(refused), [false, true, true]);
}

#[test]
fn so_many_blocks_wait_to_be_released_and_no_more() {
    let limits = Limits { blocks_max: 2, ..Limits::default() };
    let mut day = Day::under(limits, pipeline()).granted(2);
    let full = Err(Rejection::Full { open: 2, limit: 2 });
    assert_eq!(submit(&mut day, &block(2)), full);
    for task in day.tried() {
        day.report(task, Outcome::Proved(result()));
    }
    assert_eq!(day.scheduler.totals().blocks_released, 2);
    assert_eq!([2, 3].map(|number| submit(&mut day, &block(number))), [Ok(()), Ok(())]);
    assert_eq!(submit(&mut day, &block(4)), full);
}

#[test]
fn where_no_further_block_can_come_a_batch_closes_once_all_before_it_is_proved() {
    let limits = Limits { blocks_max: 2, ..Limits::default() };
    let mut spec = pipeline();
    let prove = spec.stages.get("prove").expect("it is there").clone();
    let (inputs, collect) = (vec!["prove".to_owned()], Some("sequence".to_owned()));
    let max = BTreeMap::from([("blocks".to_owned(), 10)]);
    spec.stages.insert("batch".to_owned(), StageSpec { inputs, collect, max, ..prove });
    spec.release.inputs = vec!["batch".to_owned()];
    let mut day = Day::under(limits, spec).granted(2);
    let closed = |day: &Day| {
        day.events.iter().find_map(|event| {
            let Event::BatchClosed { items, .. } = event else { return None };
            Some(*items)
        })
    };
    let told = day.tried().into_iter().map(|task| {
        day.report(task, Outcome::Proved(result()));
        closed(&day)
    });
    assert_eq!(told.collect::<Vec<_>>(), [None, Some(2)]);
}

fn submit(day: &mut Day, block: &Block) -> Result<(), Rejection> {
    decide(&day.scheduler, block)?;
    day.ask(&Input::Submit(Box::new(block.clone())));
    Ok(())
}

fn decide(scheduler: &Scheduler, block: &Block) -> Result<(), Rejection> {
    scheduler.decide(scheduler.now(), &Input::Submit(Box::new(block.clone()))).map(|_| ())
}

/// Another block of that height, after the same parent.
fn beside(number: u64, salt: u8) -> Block {
    Block { hash: BlockHash([salt; 32]), ..block(number) }
}

#[test]
fn the_source_says_where_the_chain_begins_and_not_what_arrives_first() {
    let mut spec = pipeline();
    spec.source.start = Some(5);
    let mut day = Day::of(spec.clone());
    let refused = submit(&mut day, &block(4)).map(|_| ());
    assert!(matches!(refused, Err(Rejection::BeforeStart { .. })), "{refused:?}");
    for early in [&block(7), &block(6)] {
        assert_eq!(day.scheduler.chain().arrival(early), Arrival::Ahead);
        submit(&mut day, early).expect("it waits");
        assert_eq!(day.scheduler.chain().standing(&early.hash), Some(Standing::Waiting));
    }
    let far = Height(5 + Limits::default().reorder_max + 1);
    let refused = submit(&mut day, &block(far.0)).map(|_| ());
    assert!(matches!(refused, Err(Rejection::TooFarAhead { .. })), "{refused:?}");
    let moved = |day: &Day, start| {
        let mut spec = spec.clone();
        spec.source.start = start;
        day.scheduler.decide(day.now, &Input::Configure(Box::new(spec)))
    };
    for start in [None, Some(6)] {
        let refused = moved(&day, start);
        assert!(matches!(refused, Err(Rejection::OtherStart { .. })), "{start:?}: {refused:?}");
    }
    assert_eq!(day.scheduler.chain().arrival(&block(5)), Arrival::New);
    submit(&mut day, &block(5)).expect("it is the first");
    let chain = day.scheduler.chain();
    assert_eq!((chain.start(), chain.tip()), (Some(Height(5)), Some((Height(7), block(7).hash))));
    assert!(moved(&day, None).is_ok(), "it begins where it began");
    assert!(moved(&day, Some(6)).is_err());
}

#[test]
fn a_file_says_by_its_first_block_where_the_chain_begins() {
    let mut spec = pipeline();
    (spec.source.kind, spec.source.path) = ("file".to_owned(), Some("b.jsonl".to_owned()));
    assert!(push0_core::Pipeline::check(&spec).is_ok());
    spec.source.start = Some(5);
    let faults = push0_core::Pipeline::check(&spec).expect_err("a file needs none");
    assert!(faults.iter().any(|fault| fault.path == "source.start"), "{faults:?}");
}
