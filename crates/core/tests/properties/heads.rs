//! What is true when the source says which blocks are its chain, and changes its mind.

use std::collections::BTreeSet;

use proptest::prelude::*;
use push0_core::{Event, Height, InputId, Scheduler, TaskId, TaskState};

use crate::pipelines;
use crate::steps::{Case, Step, cases};
use crate::universe::{BLOCKS, START};
use crate::world::World;

proptest! {
    #![proptest_config(crate::steps::config())]

    #[test]
    fn nothing_is_waited_for_that_is_not_on_the_chain(case in cases()) {
        let case = Case { heads: true, ..case };
        World::watched(&case, &mut |decision| only_canonical(decision.after));
    }

    /// However often the chain was another one: what is proved of it in the end is what would have
    /// been had it come at once.
    #[test]
    fn in_the_end_the_tasks_are_those_of_the_chain_that_is_left(case in cases()) {
        // Age closes by arrival, and a chain that admits no block closes what it has.
        let pipeline = (case.pipeline..).find(|index| !pipelines::has_age(*index)).expect("most have none");
        let mut case = Case { pipeline, heads: true, narrow: case.narrow % 2, ..case };
        case.steps.retain(|(step, _)| !matches!(step, Step::Reconfigure(_)));
        let (branch, moved) = settled(&case, None);
        let straight = Case { steps: Vec::new(), ..case };
        let (_, at_once) = settled(&straight, Some(branch));
        prop_assert_eq!(moved, at_once);
    }

    #[test]
    fn what_is_released_is_final(case in cases()) {
        let case = Case { heads: true, ..case };
        World::watched(&case, &mut |decision| {
            for event in decision.answer.unwrap_or_default() {
                if let Event::Released { key, .. } = event {
                    let last = decision.before.chain().finalized();
                    assert!(last.is_some_and(|last| key.last <= last), "{key}, {last:?}");
                }
            }
        });
    }

    /// What is final is never another, so nothing is kept of what it might have been.
    #[test]
    fn of_what_is_final_nothing_else_is_remembered(case in cases()) {
        let mut world = World::after(&Case { heads: true, ..case });
        world.finalize(0);
        let Some(last) = world.scheduler.chain().finalized() else { return Ok(()) };
        let chain = world.scheduler.chain();
        for (id, task) in world.scheduler.tasks() {
            let is_past = task.key.last > last;
            prop_assert!(is_past || task.state != TaskState::Superseded, "{} of {}", id, task.key);
        }
        prop_assert_eq!(chain.known() - chain.len(), world.strays_past(last));
    }
}

impl World<'_> {
    /// Known blocks past a height that are not canonical.
    fn strays_past(&self, last: Height) -> usize {
        let known = self.events().filter_map(|(_, event)| match event {
            Event::BlockSubmitted { block } => Some(block),
            _ => None,
        });
        let chain = self.scheduler.chain();
        let is_stray = |block: &&push0_core::Block| chain.hash_at(block.number) != Some(block.hash);
        known.filter(|block| block.number > last).filter(is_stray).count()
    }
}

/// Every task that is not superseded is about canonical blocks, and reads what is not superseded;
/// nothing is read by two of them that join it.
fn only_canonical(scheduler: &Scheduler) {
    let is_live =
        |id: &TaskId| scheduler.task(id).is_some_and(|task| task.state != TaskState::Superseded);
    let mut read = BTreeSet::new();
    for (id, task) in scheduler.tasks().filter(|(id, _)| is_live(id)) {
        assert_eq!(
            scheduler.chain().hash_at(task.key.last),
            Some(task.key.tip),
            "{id} {}",
            task.key
        );
        for input in &task.inputs {
            let is_there = match input {
                InputId::Block(hash) => {
                    let known = scheduler.chain().block(hash).expect("a known block");
                    scheduler.chain().hash_at(known.number) == Some(*hash)
                }
                InputId::Task(maker) | InputId::Part(maker, _) => is_live(maker),
            };
            assert!(is_there, "{id} {} reads {input}", task.key);
            assert!(read.insert((task.stage, *input)), "{input} is read twice in {:?}", task.stage);
        }
    }
    for attempt in scheduler.attempts() {
        assert!(is_live(&attempt.task), "{} is tried, and superseded", attempt.task);
    }
}

/// The branch that a case ends on, and the tasks that are left once all of it is released.
fn settled(case: &Case, branch: Option<Vec<u8>>) -> (Vec<u8>, BTreeSet<TaskId>) {
    let mut world = World::after(case);
    if branch.is_some() {
        world.branch = branch;
    }
    for _ in 0..6 {
        if world.settle() {
            let chain = world.scheduler.chain();
            assert_eq!(chain.tip().map(|(tip, _)| tip), Some(Height(START + BLOCKS - 1)));
            let tasks = world.scheduler.tasks().map(|(id, _)| *id).collect();
            return (world.branch.unwrap_or_default(), tasks);
        }
        let parked: Vec<_> = world.scheduler.parked().map(|(id, _)| *id).collect();
        for task in parked {
            world.ask(&push0_core::Input::Retry(task));
        }
    }
    panic!("it wedges: {:#?}", world.open());
}
