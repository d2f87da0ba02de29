//! Every core is kept busy by provers, for longer than a silence is borne.

use std::time::Duration;

use push0_core::{Event, Turn};

use crate::world::{BLOCKS, World};

/// `PUSH0_TEST_BUSY` has more seconds of it.
#[test]
fn no_live_dispatcher_is_given_up() {
    let seconds = std::env::var("PUSH0_TEST_BUSY").ok().and_then(|text| text.parse().ok());
    let seconds: u64 = seconds.unwrap_or(14);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut world = World::with_provers(&["--for", &format!("{}s", seconds / 2), "--busy"], "");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    for id in ["d1", "d2"] {
        world.dispatch_with(id, cores);
        world.wait_for(id, "takes work");
    }
    world.submit();
    // Two provers for each core, for two rounds; then the others find the same.
    let rounds = BLOCKS.min(cores * 4);
    let mut waited = Duration::ZERO;
    while world.accepted() < rounds {
        assert!(waited < Duration::from_secs(10 * seconds), "the provers do not end");
        std::thread::sleep(LOOK);
        waited += LOOK;
    }
    let is_given_up = |turn: &Turn| {
        turn.events
            .iter()
            .any(|event| matches!(event, Event::Lost { .. } | Event::Withdrawn { .. }))
    };
    let given_up: Vec<_> = world.history().into_iter().filter(is_given_up).collect();
    assert!(given_up.is_empty(), "{given_up:?}");
}

const LOOK: Duration = Duration::from_millis(500);
