//! Machines that share one user, as `docs/nats.md` lets a fleet: each can speak on the subject of
//! every other, and on no subject but its own for itself.

use futures_util::StreamExt as _;
use push0_core::{AttemptId, Event, Seq};
use push0_testbed::{PATIENCE, until};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{count, engines_in};
use crate::user::User;
use crate::world::World;

/// It hears what the other is told, and so knows which life of it is at work. What it says in its
/// name on its own subject is dropped all the same; on the other's subject it is the other's word.
#[test]
fn a_message_is_of_the_dispatcher_that_its_subject_names() {
    let mut world = engines_in(World::with_shared_fleet("1s"));
    let (gpu, mut told) = world.block_on(async {
        let gpu = User::new(&world, "gpu-1").await;
        let told = gpu.client.subscribe("push0.dispatcher.gpu-2.*").await.expect("sent");
        gpu.client.flush().await.expect("it is connected");
        (gpu, told)
    });
    world.dispatch_with("gpu-2", 4);
    world.wait_for("gpu-2", "takes work");
    world.start_submit();
    let granted = |event: &Event| matches!(event, Event::Granted { .. });
    until("nothing is granted", || (count(&world, granted) >= 4).then_some(()));
    let heard =
        world.block_on(async { timeout(PATIENCE, told.next()).await }).expect("it hears it");
    let subject = heard.expect("it listens").subject.to_string();
    let life = subject.rsplit('.').next().and_then(|life| life.parse().ok()).expect("a number");
    let say = |subject: &'static str| {
        let words = json!(in_the_name_of_gpu_2(&world, life)).to_string();
        world.block_on(async {
            gpu.client.publish(subject, words.into()).await.expect("sent");
            gpu.client.flush().await.expect("sent");
        });
    };
    let ended = |event: &Event| {
        matches!(
            event,
            Event::Failed { .. }
                | Event::Lost { .. }
                | Event::Withdrawn { .. }
                | Event::Parked { .. }
        )
    };
    for _ in 0..5 {
        say("push0.engine.hear.gpu-1");
    }
    world.wait_accepted(8);
    assert_eq!(count(&world, ended), 0, "what gpu-2 held was ended by gpu-1");
    until("nobody speaks for gpu-2", || {
        say("push0.engine.hear.gpu-2");
        (count(&world, ended) > 0).then_some(())
    });
}

/// All that it runs has failed.
fn in_the_name_of_gpu_2(world: &World, life: u64) -> Vec<Value> {
    let mut said = Vec::new();
    for turn in world.history() {
        for (at, event) in (turn.first.0..).zip(&turn.events) {
            let Event::Granted { task, .. } = event else { continue };
            said.push(json!({ "Report": {
                "dispatcher": "gpu-2", "incarnation": life,
                "attempt": AttemptId::of(turn.epoch, Seq(at)).0, "task": task,
                "outcome": { "Failed": { "class": "transient", "message": "said by gpu-1" } },
                "ran": { "secs": 0, "nanos": 0 },
            }}));
        }
    }
    said
}
