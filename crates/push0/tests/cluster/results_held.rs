//! A dispatcher finishes its work while no engine is there, is killed, and is started again.

use push0_core::Event;
use push0_testbed::until;

use crate::world::{BLOCKS, World};

#[test]
fn its_results_are_taken_from_its_next_life() {
    let mut world = World::new(1, "300ms");
    world.serve("e1");
    world.dispatch("d1");
    world.submit();
    world.wait_accepted(2);
    world.kill("e1");
    let held = world.path("cluster.d1/held");
    // One for each slot, and one more where the engine was killed between an acceptance and its
    // verdict: so the number of files is no sign that the last is there, and what still works when
    // its dispatcher is killed is lost.
    let mut looks = 0;
    until("not all results are held", || {
        let files = std::fs::read_dir(&held).ok()?.flatten();
        let files = files.filter(|file| file.path().extension().is_some_and(|it| it == "json"));
        let is_done = files.count() >= 2 && world.provers_of("d1").is_empty();
        looks = if is_done { looks + 1 } else { 0 };
        (looks == CALM_LOOKS).then_some(())
    });
    world.kill("d1");
    world.dispatch("d1");
    world.serve("e3");
    world.wait_accepted(BLOCKS);
    let is_waste = |event: &&Event| matches!(event, Event::Lost { .. } | Event::Withdrawn { .. });
    let history = world.history();
    let waste: Vec<_> = history.iter().flat_map(|turn| &turn.events).filter(is_waste).collect();
    assert!(waste.is_empty(), "no work was done twice: {waste:?}");
    until("results are held for ever", || {
        (std::fs::read_dir(&held).ok()?.count() == 0).then_some(())
    });
    world.finish(BLOCKS);
}

/// Half a second: from a prover's end to its result's file there are milliseconds.
const CALM_LOOKS: u32 = 50;
