//! Every consumer that there may be is taken: whoever follows the log does it without.

use serde_json::json;

use crate::user::User;
use crate::world::{BLOCKS, World};

/// An engine that begins to follow says why it is slower, takes over, and readers read.
#[test]
fn an_engine_takes_over_and_readers_read() {
    let mut world = World::with_roles("100ms");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.start_submit();
    world.wait_accepted(2);
    let taken = world.block_on(async {
        let engine = User::new(&world, "engine").await;
        for number in 0..1_000 {
            let name = format!("c{number}");
            let config = json!({ "name": name, "durable_name": name, "ack_policy": "none" });
            let body = json!({ "stream_name": "push0", "config": config }).to_string();
            let made = engine.ask(&format!("$JS.API.CONSUMER.CREATE.push0.{name}"), &body).await;
            if made.get("error").is_some() {
                return number;
            }
        }
        1_000
    });
    assert!(
        (32..1_000).contains(&taken),
        "{taken}: as many as a fleet's engines need, and no more"
    );
    world.serve("e2");
    world.wait_for("e2", "the servers make no consumer of the log");
    world.kill("e1");
    world.wait_for("e2", "e2: leads in");
    world.wait_accepted(BLOCKS);
    let said = world.said("e2");
    assert_eq!(said.matches("make no consumer").count(), 1, "told once: {said}");
    world.finish(BLOCKS);
}
