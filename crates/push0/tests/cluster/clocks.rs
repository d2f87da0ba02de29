//! An engine's wall clock is not that of the others.

use push0_testbed::until;

use crate::world::{BLOCKS, World};

/// The one that led says a time that no other has, and is heard no more.
#[test]
fn one_that_is_alone_with_its_time_does_not_claim_the_log_at_once() {
    let mut world = World::new(1, "50ms");
    world.serve("e1");
    world.wait_for("e1", "leads in epoch-1");
    world.serve("e2");
    world.wait_for("e2", "stands by");
    world.wait_for("e2", "e1 leads in epoch-1");
    let client = world.connected();
    // It hears this when it wakes, however long saying it takes, and its own sleep is no silence of
    // the leader's.
    world.freeze("e2");
    world.freeze("e1");
    world.say_as_leader(&client, r#"{"epoch":1,"engine":"e1","last":0,"store":"","at":1000000}"#);
    std::thread::sleep(SLEEP);
    world.thaw("e2");
    world.wait_for("e2", "clock is");
    assert!(!world.said("e2").contains("e2: leads"), "{}", world.said("e2"));
    // One that knows nothing of that time is better placed.
    world.serve("e3");
    world.wait_for("e3", "leads in epoch-2");
    world.kill("e1");
    world.dispatch("d1");
    world.submit();
    until("e2 does not know", || world.said("e2").contains("e3 leads in epoch-2").then_some(()));
    world.finish(BLOCKS);
}

/// More than the 0.2 s by which an engine knows that it stood still.
const SLEEP: std::time::Duration = std::time::Duration::from_millis(400);
