//! Who gets what: strictly in order, and never more than was offered.

use std::collections::BTreeMap;

use proptest::prelude::*;
use push0_core::{
    Capacity, DispatcherId, Event, Input, InputId, Offer, Program, ProgramName, ReleaseNumber,
    Scheduler, Task, TaskId, TaskState, Timestamp,
};

use crate::steps::{cases, remaking_cases};
use crate::world::{Decision, World};

proptest! {
    #![proptest_config(crate::steps::config())]

    #[test]
    fn nothing_is_granted_beyond_what_was_offered(case in cases()) {
        World::watched(&case, &mut |decision| {
            let Some((offers, granted)) = assigned(decision) else { return };
            for offer in offers {
                let theirs = granted.iter().filter(|(_, to)| *to == offer.dispatcher);
                let programs = theirs.map(|(task, _)| program(decision.before, task));
                let mut free = offer.free.clone();
                for (name, program) in programs {
                    assert!(fits(&free, name, program), "{name} does not fit {free:?}");
                    take(&mut free, program);
                }
            }
        });
    }

    #[test]
    fn no_task_is_passed_over_that_a_free_dispatcher_could_run(case in cases()) {
        let decision_max = case.limits().decision_max;
        World::watched(&case, &mut |decision| {
            let Some((offers, granted)) = assigned(decision) else { return };
            let granted: BTreeMap<_, _> = granted.into_iter().collect();
            let mut free: BTreeMap<_, _> =
                offers.iter().map(|offer| (&offer.dispatcher, offer.free.clone())).collect();
            let mut kept: Option<&DispatcherId> = None;
            let mut left = granted.len();
            for (task, _) in in_order(decision.before, decision.now) {
                let (name, program) = program(decision.before, &task);
                if let Some(to) = granted.get(&task) {
                    assert_ne!(Some(to), kept, "it was kept for an earlier task");
                    take(free.get_mut(to).expect("it was offered"), program);
                    left -= 1;
                } else if granted.len() < decision_max {
                    let able = free.iter().filter(|(_, free)| fits(free, name, program));
                    let able: Vec<_> = able.map(|(dispatcher, _)| *dispatcher).collect();
                    assert!(able.iter().all(|able| Some(*able) == kept), "{task} was passed over for nothing");
                    kept = kept.or_else(|| keep(offers, &free, name, program));
                }
            }
            assert_eq!(left, 0, "something was granted that was not ready");
        });
    }

    #[test]
    fn nothing_is_granted_whose_inputs_are_not_there(case in remaking_cases()) {
        World::watched(&case, &mut |decision| {
            let Some((_, granted)) = assigned(decision) else { return };
            for (task, _) in granted {
                let task = decision.before.task(&task).expect("it was granted");
                let is_fed = task.inputs.iter().all(|input| is_there(decision.before, input));
                assert!(is_fed, "{} was granted, and cannot be read", task.key);
            }
        });
    }

    #[test]
    fn the_one_that_a_head_waits_for_is_idle_once_it_has_room(case in cases()) {
        World::watched(&case, &mut |decision| {
            let Some((offers, granted)) = assigned(decision) else { return };
            let ready = in_order(decision.before, decision.now);
            let Some((head, _)) = ready.first() else { return };
            let (name, program) = program(decision.before, head);
            if offers.iter().any(|offer| fits(&offer.free, name, program)) {
                assert_eq!(granted.first().map(|(task, _)| *task), Some(*head));
            }
        });
    }
}

/// Whether what `input` names is there to be read.
pub(crate) fn is_there(scheduler: &Scheduler, input: &InputId) -> bool {
    match input {
        InputId::Block(hash) => {
            scheduler.chain().block(hash).is_some_and(|block| !block.payload_lost)
        }
        InputId::Task(maker) | InputId::Part(maker, _) => {
            scheduler.task(maker).is_some_and(|maker| matches!(maker.state, TaskState::Accepted))
        }
    }
}

type Granted = Vec<(TaskId, DispatcherId)>;

fn assigned<'a>(decision: &'a Decision<'_>) -> Option<(&'a [Offer], Granted)> {
    let Input::Assign(offers) = decision.input else { return None };
    if decision.before.asides().next().is_some() {
        return None; // who is set aside gets probes, and is passed over else: the simulator has that
    }
    let events = decision.answer.expect("an assignment is never refused");
    let granted = events.iter().map(|event| match event {
        Event::Granted { task, dispatcher, .. } => (*task, dispatcher.clone()),
        other => panic!("{other:?} was decided by an assignment"),
    });
    Some((offers, granted.collect()))
}

/// The tasks that may be tried, first things first.
fn in_order(scheduler: &Scheduler, now: Timestamp) -> Vec<(TaskId, &Task)> {
    let is_due = |task: &Task| matches!(task.state, TaskState::Ready { at } if at <= now);
    let reads = |task: &Task| task.inputs.iter().all(|input| is_there(scheduler, input));
    let due = scheduler.tasks().filter(|(_, task)| is_due(task) && reads(task));
    let mut due: Vec<_> = due.map(|(id, task)| (*id, task)).collect();
    due.sort_by_key(|(_, task)| {
        let from_end = scheduler.pipeline().stage(task.stage).from_end;
        let released = scheduler.releases(ReleaseNumber(0)).last();
        let is_behind = released.is_some_and(|release| task.key.first <= release.key.last);
        (is_behind, task.key.first, from_end, task.opened)
    });
    due
}

/// The one that is kept for a task that only busy ones can run: of those with a free slot, if any
/// has one, and by no more than the task needs.
fn keep<'a>(
    offers: &'a [Offer],
    free: &BTreeMap<&DispatcherId, Capacity>,
    name: &ProgramName,
    program: &Program,
) -> Option<&'a DispatcherId> {
    let able = offers.iter().filter(|offer| fits(&offer.whole, name, program));
    let freest = able.max_by_key(|offer| {
        let free = free.get(&offer.dispatcher).expect("it was offered");
        let (memory, gpus) =
            (free.memory_bytes.min(program.memory_bytes), free.gpus.min(program.gpus));
        (free.slots > 0, gpus, memory, free.slots)
    });
    freest.map(|offer| &offer.dispatcher)
}

fn program<'a>(scheduler: &'a Scheduler, task: &TaskId) -> (&'a ProgramName, &'a Program) {
    let stage = scheduler.pipeline().stage(scheduler.task(task).expect("a task").stage);
    scheduler.pipeline().programs.get_key_value(&stage.program).expect("a program")
}

fn fits(free: &Capacity, name: &ProgramName, program: &Program) -> bool {
    let has_room = free.memory_bytes >= program.memory_bytes && free.gpus >= program.gpus;
    free.slots >= 1 && has_room && free.programs.contains(name)
}

fn take(free: &mut Capacity, program: &Program) {
    free.slots -= 1;
    free.memory_bytes -= program.memory_bytes;
    free.gpus -= program.gpus;
}
