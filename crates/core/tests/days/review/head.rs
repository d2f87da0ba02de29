//! What was found of the head of the chain: what may hold it, and what may fill the log or a
//! message.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{Block, BlockHash, Input, Limits, Outcome, ParkedBy, Rejection, ToDispatcher};

use super::{Day, block, offer, pipeline, result};

// 9. Oldest first, where not everything may be open.
#[test]
fn r09_the_head_is_opened_before_later_blocks_of_another_stage() {
    let mut spec = pipeline();
    let prove = spec.stages["prove"].clone();
    spec.stages.insert("second".into(), prove);
    spec.release.inputs = vec!["prove".into(), "second".into()];
    spec.window = Some(200_000);
    let limits = Limits { tasks_max: 64, ..Limits::default() };
    let mut day = Day::under(limits, spec);
    (0..500).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    day.fleet.look(day.now);
    day.beat([]);
    let mut proved = 0;
    while day.scheduler.totals().blocks_released == 0 {
        day.follow_up();
        day.ask(&Input::Assign(vec![offer(&day, "one", 8, 8)]));
        for task in day.tried() {
            day.report(task, Outcome::Proved(result()));
            proved += 1;
        }
    }
    assert!(proved <= 70, "{proved} proofs before block 0, which needs 2, was released");
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

// 12. A grant of as many inputs as a task may read.
#[test]
fn r12_a_grant_of_as_many_inputs_as_a_task_may_read_fits_a_message_of_one_megabyte() {
    let mut spec = pipeline();
    spec.window = Some(10_000);
    for stage in spec.stages.values_mut() {
        stage.collect = Some("sequence".into());
        stage.max = BTreeMap::from([("blocks".into(), 4_096)]);
    }
    let mut day = Day::under(Limits::default(), spec);
    (0..4_096).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    day.follow_up();
    day.ask(&Input::Assign(vec![offer(&day, "one", 1, 1)]));
    let attempt = day.attempts().next().expect("one");
    let grant = ToDispatcher::Grant(Box::new(day.scheduler.grant(attempt).expect("it")));
    let bytes = serde_json::to_vec(&grant).expect("json").len();
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

// 15. A remake of what was released long ago, and the window.
#[test]
fn r15_making_an_old_proof_again_does_not_stop_the_head() {
    let mut spec = pipeline();
    spec.window = Some(8);
    let mut day = Day::under(Limits::default(), spec);
    let prove_all = |day: &mut Day| {
        for _ in 0..100 {
            day.follow_up();
            day.ask(&Input::Assign(vec![offer(day, "one", 8, 8)]));
            for task in day.tried() {
                day.report(task, Outcome::Proved(result()));
            }
        }
    };
    (0..40).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().blocks_released, 40);
    let old = day.scheduler.releases(push0_core::ReleaseNumber(0))[0].tasks[0];
    // A reader of the feed finds the first proof gone. Its payload is gone too, and never comes.
    day.ask(&Input::Remake(old));
    day.follow_up();
    day.ask(&Input::Assign(vec![offer(&day, "one", 8, 8)]));
    day.report(old, Outcome::InputLost { artifact: block(0).payload });
    day.now = day.now + Limits::default().resupply_max + Duration::from_secs(1);
    day.follow_up();
    let parked = day.scheduler.task(&old).and_then(|task| task.parked.clone()).map(|(why, _)| why);
    assert_eq!(parked, Some(ParkedBy::InputLost));
    (40..60).for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    prove_all(&mut day);
    let released = day.scheduler.totals().blocks_released;
    assert!(released > 40, "{released} released: nothing above the window of block 0 is opened");
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
