//! Both engines are killed, and started again later.

use crate::world::{BLOCKS, World};

#[test]
fn what_was_proved_meanwhile_is_taken() {
    let mut world = World::usual(1, "300ms");
    world.submit();
    world.wait_accepted(4);
    world.kill("e2");
    world.kill("e1");
    let before = world.accepted();
    // The dispatchers go on, and hold what they have made.
    std::thread::sleep(std::time::Duration::from_millis(600));
    world.serve("e3");
    world.wait_for("e3", "leads in");
    world.wait_accepted(before + 1);
    let attempts = |world: &World| {
        let history = world.history();
        let granted =
            |event: &&push0_core::Event| matches!(event, push0_core::Event::Granted { .. });
        history.iter().flat_map(|turn| &turn.events).filter(granted).count()
    };
    world.wait_accepted(BLOCKS);
    assert_eq!(attempts(&world), BLOCKS, "no work was done twice");
    world.finish(BLOCKS);
}
