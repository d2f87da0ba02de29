//! What is released, and what is held at once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use push0_core::{
    Collect, Event, Height, Inflow, Input, Output, Referred, Rejection, ReleaseNumber, Scheduler,
    StageIndex, Task, TaskState,
};

use crate::steps::{cases, lying_cases};
use crate::universe::START;
use crate::world::World;

proptest! {
    #![proptest_config(crate::steps::config())]

    #[test]
    fn what_is_released_is_a_gapless_prefix_in_order(case in cases()) {
        let mut world = World::after(&case);
        world.settle();
        let (mut next, mut numbers) = (START, 1..);
        for (seq, event) in world.events() {
            if let Event::Released { number, key, tasks } = event {
                prop_assert_eq!(Some(number.0), numbers.next(), "at {}", seq);
                prop_assert_eq!(key.first, Height(next), "at {}", seq);
                prop_assert_eq!(Some(key.tip), world.scheduler.chain().hash_at(key.last));
                prop_assert_eq!(tasks.len(), case.pipeline().release.inputs.len());
                next = key.last.0 + 1;
            }
        }
        let log: Vec<_> = world.scheduler.releases(ReleaseNumber(0)).to_vec();
        let mut told = world.releases_told();
        // A crash may swallow what it did not tell; the feed is read by cursor.
        prop_assert!(told.all(|told| log.iter().any(|release| release == told)));
    }

    #[test]
    fn what_is_released_was_accepted(case in cases()) {
        World::watched(&case, &mut |decision| {
            for event in decision.answer.unwrap_or_default() {
                let Event::Released { tasks, key, .. } = event else { continue };
                for task in tasks {
                    let task = decision.before.task(task).expect("a task");
                    assert!(task.result.is_some(), "{key} has no result");
                    assert!(task.key.first == key.first && task.key.last == key.last);
                }
            }
        });
    }

    #[test]
    fn no_task_is_opened_past_the_window(case in cases()) {
        World::watched(&case, &mut |decision| {
            let events = decision.answer.unwrap_or_default();
            let opened = events.iter().filter_map(|event| match event {
                Event::TaskOpened { key, .. } => Some(key.first),
                _ => None,
            });
            let opened: Vec<_> = opened.filter(|first| is_ahead(decision.before, *first)).collect();
            let open = decision.before.tasks().filter(|(_, task)| task.is_open());
            let open = open.filter(|(_, task)| is_ahead(decision.before, task.key.first));
            let lowest = open.map(|(_, task)| task.key.first).min();
            let lowest = lowest.or_else(|| opened.iter().min().copied());
            for first in opened {
                let window = decision.before.pipeline().window;
                assert!(Some(first.0) < lowest.map(|lowest| lowest.0 + window), "{first}");
            }
        });
    }

    #[test]
    fn limits_hold(case in lying_cases()) {
        let limits = case.limits();
        World::watched(&case, &mut |decision| {
            let events = decision.answer.unwrap_or_default();
            let opened = events.iter().filter(|event| matches!(event, Event::TaskOpened { .. }));
            let opened = opened.count();
            let read = events.iter().map(|event| match event {
                Event::TaskOpened { inputs, .. } => inputs.len(),
                _ => 0,
            });
            assert!(read.sum::<usize>() <= limits.inputs_max);
            // What is below what is released is made again beside them.
            let open = decision.after.tasks().filter(|(_, task)| task.is_open());
            let open = open.filter(|(_, task)| is_ahead(decision.after, task.key.first)).count();
            assert!(opened == 0 || open <= limits.tasks_max, "{open} tasks are open");
            assert!(events.len() <= (limits.decision_max + 1).max(5), "{} facts of {:?}", events.len(), decision.input);
            if let Input::Assign(_) = decision.input {
                assert!(events.len() <= limits.decision_max, "{} grants", events.len());
            }
            for event in events {
                match event {
                    Event::Failed { message, .. } | Event::Rejected { message, .. } | Event::Lost { message, .. }
                    | Event::Withdrawn { message, .. } | Event::Parked { message, .. } => {
                        assert!(message.len() <= limits.message_bytes_max, "{message}");
                    }
                    Event::Accepted { result, .. } => assert!(result.parts.len() <= limits.parts_max),
                    _ => {}
                }
            }
            if let Input::Submit(block) = decision.input {
                let (chain, before) = (decision.after.chain(), decision.before.chain());
                let released = decision.before.totals().blocks_released;
                let unreleased = before.len() as u64 - released;
                let takes_place = case.heads && before.tip().is_some_and(|(tip, _)| tip >= block.number);
                assert!(events.is_empty() || takes_place || chain.known() == before.known() || unreleased < limits.blocks_max as u64);
                // Beside what is released there are so many at a height, and what they are is
                // settled.
                let released = usize::try_from(decision.after.totals().blocks_released).expect("a count");
                let strays = decision.after.open_blocks() - (chain.len() - released);
                assert!(case.heads || strays <= limits.strays_max, "{strays}");
            }
        });
    }

    #[test]
    fn a_refusal_changes_nothing_and_a_repetition_is_no_news(case in cases()) {
        World::watched(&case, &mut |decision| {
            let again = decision.after.decide(decision.now, decision.input);
            match (decision.input, decision.answer) {
                (Input::Submit(_) | Input::EndSource, Ok(_)) => assert_eq!(again, Ok(Vec::new())),
                (Input::Claim(_), Ok(_)) => assert!(matches!(again, Err(Rejection::Epoch { .. }))),
                (Input::Report(_), Ok([])) => assert_eq!(again, Ok(Vec::new())),
                (Input::Report(_), Ok(_)) => assert!(matches!(again, Err(Rejection::Answered(_))), "{again:?}"),
                (Input::Withdraw { .. } | Input::Retry(_), Ok(_)) => assert!(again.is_err()),
                (Input::Remake(_), Ok(_)) => assert_eq!(again, Ok(Vec::new())),
                (_, Err(_)) => assert!(decision.before == decision.after),
                (_, Ok(_)) => {}
            }
        });
    }

    #[test]
    fn what_waits_in_a_stage_has_flowed_in_and_is_in_no_task(case in cases()) {
        let world = World::after(&case);
        for stage in world.scheduler.stages() {
            let index = world.scheduler.pipeline().find(&stage.name).expect("a stage");
            let Some(flowed) = flowed(&world.scheduler, index) else { continue };
            let read = live_tasks(&world.scheduler).filter(|task| task.stage == index);
            let read: usize = read.map(|task| task.inputs.len()).sum();
            prop_assert_eq!(stage.waiting, (flowed - read) as u64, "{:?}", stage);
        }
    }

    #[test]
    fn what_a_task_reads_is_referred_to(case in cases()) {
        let world = World::after(&case);
        let referred: BTreeSet<_> = world.scheduler.references().map(|of| of.artifact).collect();
        for (id, task) in world.scheduler.tasks() {
            let mut read = task.inputs.iter().filter_map(|input| world.scheduler.bound(input));
            prop_assert!(read.all(|artifact| referred.contains(&artifact)), "of {}", id);
        }
    }

    #[test]
    fn an_artifact_is_kept_in_case_it_is_lost_once_all_that_it_went_into_is_released(case in cases()) {
        let world = World::after(&case);
        let releases = world.scheduler.releases(ReleaseNumber(0));
        for reference in world.scheduler.references() {
            let last = match reference.as_what {
                Referred::Payload { block } => block,
                Referred::Result { key, .. } | Referred::Part { key, .. } => key.last,
            };
            let is_released = releases.iter().any(|release| last <= release.key.last);
            prop_assert_eq!(reference.is_released, is_released, "{:?}", reference);
            if let Referred::Result { stage, key, is_final } = reference.as_what {
                let mut tasks = releases.iter().flat_map(|release| &release.tasks);
                let was_released = tasks.any(|id| {
                    let task = world.scheduler.task(id).expect("a task");
                    (task.stage, task.key) == (stage, key)
                });
                prop_assert_eq!(is_final, was_released, "{:?}", key);
            }
        }
    }

    #[test]
    fn counts_are_of_the_tasks_there_are(case in cases()) {
        let world = World::after(&case);
        let mut counts = BTreeMap::new();
        for (_, task) in world.scheduler.tasks() {
            let (ready, leased, accepted, parked, superseded) =
                counts.entry(task.stage).or_insert((0, 0, 0, 0, 0));
            *match task.state {
                TaskState::Ready { .. } => ready,
                TaskState::Leased { .. } => leased,
                TaskState::Accepted => accepted,
                TaskState::Parked => parked,
                TaskState::Superseded => superseded,
            } += 1;
        }
        for stage in world.scheduler.stages() {
            let index = world.scheduler.pipeline().find(&stage.name).expect("a stage");
            let counted = counts.get(&index).copied().unwrap_or_default();
            let told = (stage.ready, stage.leased, stage.accepted, stage.parked, stage.superseded);
            prop_assert_eq!(told, counted);
        }
        let open = world.scheduler.tasks().filter(|(_, task)| task.is_open()).count();
        prop_assert_eq!(world.scheduler.totals().tasks_open, open);
        for (id, task) in world.scheduler.tasks() {
            let live = match task.state {
                TaskState::Leased { live } => live,
                TaskState::Ready { .. }
                | TaskState::Accepted
                | TaskState::Parked
                | TaskState::Superseded => 0,
            };
            prop_assert_eq!(world.scheduler.attempts_at(*id).count(), live as usize);
        }
    }
}

/// How many items have flowed into a stage. Nobody counts what is read from the chain as it goes,
/// nor the joins of a tree.
fn flowed(scheduler: &Scheduler, index: StageIndex) -> Option<usize> {
    let stage = scheduler.pipeline().stage(index);
    match (&stage.collect, stage.input) {
        (Collect::Tree(..), _) | (Collect::Each, Inflow::Blocks) => None,
        (_, Inflow::Blocks) => Some(scheduler.chain().len()),
        (_, Inflow::Stage(from)) => {
            let maker = scheduler.pipeline().stage(from);
            let results = live_tasks(scheduler).filter(|task| task.stage == from);
            let results = results.filter_map(|task| task.result.as_ref());
            match (&maker.collect, maker.output) {
                (Collect::Tree(..), _) => None,
                (_, Output::Parts) => Some(results.map(|result| result.what.parts.len()).sum()),
                (_, Output::Proof) => Some(results.count()),
            }
        }
    }
}

/// The tasks that are not superseded.
fn live_tasks(scheduler: &Scheduler) -> impl Iterator<Item = &Task> {
    let tasks = scheduler.tasks().map(|(_, task)| task);
    tasks.filter(|task| task.state != TaskState::Superseded)
}

/// Whether something waits to be released that begins at `height`.
fn is_ahead(scheduler: &Scheduler, height: Height) -> bool {
    let released = scheduler.releases(ReleaseNumber(0)).last();
    released.is_none_or(|released| height > released.key.last)
}
