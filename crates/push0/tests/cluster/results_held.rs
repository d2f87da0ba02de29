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
    until("two results are not held", || {
        let files = std::fs::read_dir(&held).ok()?.flatten();
        (files.filter(|file| file.path().extension().is_some_and(|it| it == "json")).count() == 2)
            .then_some(())
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
