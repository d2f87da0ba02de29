//! A prover is killed while it works.

use push0_core::{Event, Turn};
use rustix::process::{Pid, Signal, kill_process};

use crate::world::{BLOCKS, World, now, provers_of, tell};

#[test]
fn its_task_is_given_out_again() {
    let mut world = World::new(1, "1s");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    for id in ["d1", "d2"] {
        // There is always a free slot: what is measured is not the wait for one.
        world.dispatch_with(id, BLOCKS);
        world.wait_for(id, "takes work");
    }
    world.submit();
    let prover = push0_testbed::until("nothing is proved", || {
        provers_of(world.pid("d1")).into_iter().next()
    });
    kill_process(Pid::from_raw(prover).expect("a process"), Signal::KILL).expect("it is ours");
    let killed = now();
    let failed =
        |turn: &Turn| turn.events.iter().any(|event| matches!(event, Event::Failed { .. }));
    let noted = world.first_after(killed, "nobody notes it", failed);
    let failed = |event: &Event| {
        let Event::Failed { task, .. } = event else { return None };
        Some(*task)
    };
    let history = world.history();
    let task = history.iter().flat_map(|turn| &turn.events).find_map(failed).expect("it failed");
    let is_granted = |turn: &Turn| {
        turn.events
            .iter()
            .any(|event| matches!(event, Event::Granted { task: of, .. } if *of == task))
    };
    let again = world.first_after(killed + noted, "it is not given out again", is_granted);
    tell("prover killed", noted + again);
    world.finish(BLOCKS);
}
