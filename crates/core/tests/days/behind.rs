//! What is made again of what was released long ago: it holds back nothing that is new.

use std::time::Duration;

use push0_core::{
    Input, Limits, Outcome, ParkedBy, PipelineSpec, ReleaseNumber, StageSpec, TaskState,
};

use crate::crew::{end, grant, later};
use crate::day::{Day, block, pipeline, result};

/// As many of them as may be open at once.
#[test]
fn old_proofs_that_cannot_be_made_again_take_no_place_of_new_ones() {
    let limits = Limits { tasks_max: 1, ..Limits::default() };
    let mut day = released(limits, pipeline(), 4);
    park_the_first(&mut day);
    submit(&mut day, 4..8);
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().blocks_released, 8);
}

/// Where no further block is admitted a batch closes with those that are there.
#[test]
fn an_old_proof_that_cannot_be_made_again_keeps_no_batch_open_that_gets_no_more_blocks() {
    let limits = Limits { blocks_max: 2, ..Limits::default() };
    let mut spec = pipeline();
    for stage in spec.stages.values_mut() {
        let max = [("blocks".to_owned(), 10)].into();
        *stage = StageSpec { collect: Some("sequence".to_owned()), max, ..stage.clone() };
    }
    let mut day = released(limits, spec, 2);
    park_the_first(&mut day);
    submit(&mut day, 2..4);
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().blocks_released, 4);
}

/// A day on which so many blocks were released.
fn released(limits: Limits, spec: PipelineSpec, blocks: u64) -> Day {
    let mut day = Day::under(limits, spec);
    submit(&mut day, 0..blocks);
    prove_all(&mut day);
    assert_eq!(day.scheduler.totals().blocks_released, blocks);
    day
}

/// A reader of the feed finds the first proof gone. Its payload is gone too, and never comes.
fn park_the_first(day: &mut Day) {
    let first = day.scheduler.releases(ReleaseNumber(0)).first().expect("one was released");
    let old = *first.tasks.first().expect("it is of a task");
    day.ask(&Input::Remake(old));
    assert_eq!(grant(day, &[("one", 8)]), [(old, "one".to_owned())]);
    end(day, old, Outcome::InputLost { artifact: block(0).payload });
    later(day, Limits::default().resupply_max + Duration::from_secs(1));
    let task = day.scheduler.task(&old).expect("it");
    let why = task.parked.as_ref().map(|(why, _)| *why);
    assert_eq!((&task.state, why), (&TaskState::Parked, Some(ParkedBy::InputLost)));
}

fn submit(day: &mut Day, blocks: std::ops::Range<u64>) {
    blocks.for_each(|number| day.ask(&Input::Submit(Box::new(block(number)))));
    day.follow_up();
}

/// Proves what can be proved, until nothing can.
fn prove_all(day: &mut Day) {
    for _ in 0..20 {
        for (task, _) in grant(day, &[("one", 8)]) {
            end(day, task, Outcome::Proved(result()));
        }
    }
}
