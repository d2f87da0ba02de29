//! A prover is killed while it works.

use rustix::process::{Signal, kill_process};

use crate::world::{BLOCKS, World, now, tell};

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
    world.start_submit();
    let prover =
        push0_testbed::until("nothing is proved", || world.provers_of("d1").into_iter().next());
    let killed = now();
    kill_process(prover, Signal::KILL).expect("it is ours");
    tell("prover killed", world.given_out_again(killed));
    assert!(world.wait_end("submit").success());
    world.finish(BLOCKS);
}
