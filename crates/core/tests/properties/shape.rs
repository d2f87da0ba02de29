//! What is asked depends on the blocks alone.

use std::collections::BTreeSet;

use proptest::prelude::*;
use push0_core::{Event, Input, TaskId};

use crate::pipelines;
use crate::steps::{Case, cases};
use crate::world::World;

proptest! {
    #![proptest_config(crate::steps::config())]

    #[test]
    fn the_same_tasks_are_opened_whatever_happens_on_the_way(one in cases(), other in cases()) {
        // Age closes by arrival, and a chain that admits no block closes what it has.
        let pipeline = (one.pipeline..).find(|index| !pipelines::has_age(*index)).expect("most have none");
        let one = Case { pipeline, heads: false, narrow: one.narrow % 2, ..one };
        let other = Case { pipeline, heads: false, narrow: other.narrow % 2, ..other };
        let (one, other) = (settled(&one), settled(&other));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_task_is_the_same_whatever_bytes_prove_it(case in cases()) {
        let other = Case { salt: 1, ..case.clone() };
        let (one, other) = (World::after(&case), World::after(&other));
        prop_assert!(opened(&one).eq(opened(&other)));
        let is_accepted = |(_, event): (_, &Event)| matches!(event, Event::Accepted { .. });
        prop_assert_eq!(one.log != other.log, one.events().any(is_accepted));
    }

    #[test]
    fn a_re_made_result_flows_nothing_twice(case in cases()) {
        let case = Case { heads: false, ..case };
        let mut world = World::after(&case);
        world.settle();
        let all: Vec<_> = opened(&world).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        prop_assert_eq!(all.len(), distinct.len());
    }
}

/// Every task that a case opens, all of it released.
fn settled(case: &Case) -> BTreeSet<TaskId> {
    let mut case = case.clone();
    case.steps.retain(|(step, _)| !matches!(step, crate::steps::Step::Reconfigure(_)));
    let mut world = World::after(&case);
    for _ in 0..6 {
        if world.settle() {
            return opened(&world).collect();
        }
        let parked: Vec<_> = world.scheduler.parked().map(|(id, _)| *id).collect();
        for task in parked {
            world.ask(&Input::Retry(task));
        }
    }
    panic!("it wedges: {:#?}", world.open());
}

fn opened<'a>(world: &'a World<'_>) -> impl Iterator<Item = TaskId> + 'a {
    world.events().filter_map(|(_, event)| match event {
        Event::TaskOpened { task, .. } => Some(*task),
        _ => None,
    })
}
