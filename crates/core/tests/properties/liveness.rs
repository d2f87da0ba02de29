//! Something always happens next, until everything is done.

use std::time::Duration;

use proptest::prelude::*;
use push0_core::{Collect, Input, TaskState};

use crate::pipelines;
use crate::steps::{Case, Step, cases};
use crate::world::World;

proptest! {
    #![proptest_config(crate::steps::config())]

    #[test]
    fn every_deadline_is_got_past(case in cases()) {
        let mut world = World::after(&case);
        for passed in 0.. {
            prop_assert!(passed < DEADLINES_MAX, "there is always another deadline");
            let Some(deadline) = world.scheduler.poll_timeout(world.now) else { break };
            prop_assert!(deadline.at > world.now, "{deadline:?} at {:?}", world.now);
            world.now = deadline.at;
            world.fleet.look(world.now);
            world.follow_up();
            world.commit();
            for attempt in world.scheduler.attempts() {
                prop_assert!(attempt.until > world.now, "{attempt:?} at {:?}", world.now);
            }
            if world.fleet.is_empty() && world.scheduler.attempts().next().is_none() {
                continue;
            }
            // Nobody answers: every attempt ends by its deadline, and every task runs out of
            // budget.
        }
    }

    #[test]
    fn no_deadline_is_forgotten(case in cases()) {
        let world = World::after(&case);
        let next = world.scheduler.poll_timeout(world.now).map(|deadline| deadline.at);
        for (id, task) in world.scheduler.tasks() {
            let due = match &task.state {
                TaskState::Leased { .. } => world.scheduler.attempts_at(*id).map(|attempt| attempt.until).min(),
                TaskState::Ready { at } => {
                    let is_bound = task.inputs.iter().all(|input| crate::order::is_there(&world.scheduler, input));
                    (*at > world.now && is_bound).then_some(*at)
                }
                TaskState::Accepted | TaskState::Parked | TaskState::Superseded => None,
            };
            if let Some(due) = due {
                prop_assert!(next.is_some_and(|next| next <= due), "{id} is due at {due:?}, not {next:?}");
            }
        }
    }

    #[test]
    fn once_faults_stop_everything_is_released_or_held_behind_a_parked_task(case in cases()) {
        let mut world = World::after(&case);
        for _ in 0..RETRIES_MAX {
            if world.settle() {
                return Ok(());
            }
            let parked: Vec<_> = world.scheduler.parked().map(|(id, _)| *id).collect();
            prop_assert!(!parked.is_empty(), "it wedges: {:#?}", world.open());
            for task in parked {
                world.decide(&Input::Retry(task)).expect("a parked task can be opened again");
            }
        }
        prop_assert!(false, "parked tasks never come to an end: {:#?}", world.open());
    }

    #[test]
    fn nothing_is_given_up_for_the_time_in_which_no_engine_ran(case in cases()) {
        let mut world = World::after(&case);
        world.follow_up();
        world.commit();
        world.sync();
        let held = |world: &World<'_>| {
            world.scheduler.attempts().map(|attempt| attempt.id).collect::<Vec<_>>()
        };
        let parked =
            |world: &World<'_>| world.scheduler.parked().map(|(id, _)| *id).collect::<Vec<_>>();
        let before = (held(&world), parked(&world));
        world.now = world.now + Duration::from_secs(3_600);
        world.step(&Step::Crash { effects: true });
        prop_assert_eq!((held(&world), parked(&world)), before);
    }

    #[test]
    fn a_dispatcher_that_was_started_again_holds_nothing_of_its_life_before(case in cases()) {
        let mut world = World::after(&case);
        for index in 0..world.crew.len() {
            world.beat(index);
            let machine = world.crew.get_mut(index).expect("a machine");
            machine.restart();
            let id = machine.id.clone();
            world.beat(index);
            prop_assert_eq!(world.scheduler.attempts_of(&id).count(), 0, "{}", id);
            world.follow_up();
        }
    }

    #[test]
    fn a_batch_that_is_old_enough_waits_for_no_further_block(case in cases()) {
        let pipeline = (0..).map(|by| case.pipeline + by).find(|index| pipelines::has_age(*index));
        let case = Case { pipeline: pipeline.expect("some have an age"), ..case };
        let mut world = World::after(&case);
        world.settle_without_source();
        prop_assume!(world.scheduler.parked().next().is_none());
        for stage in world.scheduler.stages() {
            let index = world.scheduler.pipeline().find(&stage.name).expect("a stage");
            let (Collect::Sequence(bounds) | Collect::Tree(_, bounds)) =
                &world.scheduler.pipeline().stage(index).collect else { continue };
            if bounds.age.is_some() {
                let least = bounds.min.blocks.unwrap_or(1);
                prop_assert!(stage.waiting < least, "{stage:?} {:#?}", world.open());
            }
        }
    }
}

const DEADLINES_MAX: usize = 2_000;
const RETRIES_MAX: usize = 6;
