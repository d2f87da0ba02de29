//! Peers that mean harm, each with the credentials of one role and nothing of push0 in between: every sentence of
//! `docs/nats.md` that says what a role can or cannot do. A file for each role.
//!
//! Not here: that each role can do its part (`roles`).

mod client;
mod dispatcher;
mod operator;
mod reader;
mod stranger;

use push0_core::{Event, PipelineSpec};

use crate::world::World;

/// Two engines, of which `e1` leads.
fn engines(time: &str) -> World {
    let mut world = World::with_roles(time);
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.serve("e2");
    world.wait_for("e2", "stands by");
    world
}

/// How often anything of this kind is in the log.
fn count(world: &World, is_it: impl Fn(&Event) -> bool) -> usize {
    world.history().iter().flat_map(|turn| &turn.events).filter(|event| is_it(event)).count()
}

/// The pipeline that runs, as the log has it.
fn spec(world: &World) -> PipelineSpec {
    let history = world.history();
    let mut configured = history.iter().flat_map(|turn| &turn.events).filter_map(|event| {
        let Event::Configured { pipeline } = event else { return None };
        Some((**pipeline).clone())
    });
    configured.next_back().expect("one runs")
}
