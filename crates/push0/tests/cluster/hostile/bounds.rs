//! The bounds of asking, by right: what is too long, too much at once, or one too many. Whoever has
//! the right may try.

use std::time::Duration;

use async_nats::Client;
use futures_util::{FutureExt as _, StreamExt as _};
use push0_core::Event;
use push0_testbed::until;
use serde_json::json;

use super::{block, count, engines, engines_in, spec};
use crate::user::User;
use crate::world::{BLOCKS, World};

/// As many bytes as may be are read; with one more nothing is, and the answer says how many there
/// may be.
#[test]
fn a_question_of_one_byte_more_than_its_right_has_is_not_read() {
    let world = engines_in(World::with_payload(2 << 20));
    world.block_on(async {
        let asker = User::new(&world, "anybody").await;
        for (right, most) in [("read", 1 << 10), ("submit", 1 << 20), ("operate", 256 << 10)] {
            let subject = format!("push0.engine.{right}");
            let question = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
            let why = asker.why_not(&subject, &question(most)).await;
            assert!(why.contains("cannot read the question"), "{right}: {why}");
            let why = asker.why_not(&subject, &question(most + 1)).await;
            assert!(why.contains(&format!("{most} bytes at the most")), "{right}: {why}");
        }
    });
}

/// What one right has under way is bounded too: who asks more is left out, told of, and answered
/// when it asks again.
#[test]
fn no_more_are_answered_at_once_than_a_right_has_seats() {
    let world = engines("20ms");
    world.submit();
    let was = spec(&world);
    let (mut window, mut salt) = (100, 0_u16);
    world.block_on(async {
        let (client, operator) =
            (User::new(&world, "client").await, User::new(&world, "operator").await);
        // Each comes to a record, which is what an answer waits for.
        let ahead = || {
            salt += 1;
            let height = 16_525_100 + u64::from(salt % 512);
            json!({ "add": [block(height, salt)] }).to_string()
        };
        let apply = || {
            window += 1;
            let mut spec = was.clone();
            spec.window = Some(window);
            json!({ "apply": spec }).to_string()
        };
        crowd(&world, &client.client, ("submit", 128), ahead).await;
        crowd(&world, &operator.client, ("operate", 16), apply).await;
        let answer = client.have("push0.engine.submit", "{\"submit\":[]}").await;
        assert_eq!(answer, json!({ "done": 0 }));
        let answer = operator.have("push0.engine.operate", "\"status\"").await;
        assert!(answer.get("status").is_some(), "{answer}");
    });
    assert_eq!(count(&world, |event| matches!(event, Event::Claimed { .. })), 1);
}

/// Asks as much as a second has, at once, until it is told that there were too many.
async fn crowd(
    world: &World,
    client: &Client,
    (right, seats): (&str, usize),
    mut question: impl FnMut() -> String,
) {
    let (subject, inbox) = (format!("push0.engine.{right}"), client.new_inbox());
    let told = format!("questions on engine.{right} were left out");
    let told = |said: &str| {
        said.lines()
            .any(|it| it.contains(&told) && it.contains(&format!("answers {seats} at once")))
    };
    let crowded = async {
        while !told(&world.said("e1")) {
            for _ in 0..4 * seats {
                let words = question().into();
                client
                    .publish_with_reply(subject.clone(), inbox.clone(), words)
                    .await
                    .expect("sent");
            }
            client.flush().await.expect("sent");
            tokio::time::sleep(Duration::from_millis(500)).await; // there is room again
        }
    };
    let crowded = tokio::time::timeout(push0_testbed::PATIENCE, crowded).await;
    crowded.unwrap_or_else(|_| panic!("{right}: nobody is left out: {}", world.said("e1")));
}

/// Each takes as long as there are parked tasks. While one is under way the others get no answer,
/// and ask again.
#[test]
fn all_parked_tasks_are_retried_by_one_question_at_a_time() {
    let world = World::with_provers(&["--exit", "77"], ", retry = { failed = 1 }");
    let mut world = engines_in(world);
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    world.submit();
    let parked = || count(&world, |event| matches!(event, Event::Parked { .. }));
    until("not all are parked", || (parked() >= BLOCKS).then_some(()));
    let asked = 20;
    until("each question was answered", || {
        let before = parked();
        let answered = world.block_on(answers(&world, asked));
        until("none is tried again", || (parked() > before).then_some(()));
        (answered < asked).then_some(())
    });
}

/// How many of so many questions at once, each to try all again, are answered before the engine has
/// answered another.
async fn answers(world: &World, asked: usize) -> usize {
    let asker = User::new(world, "anybody").await;
    let inbox = asker.client.new_inbox();
    let mut answers = asker.client.subscribe(inbox.clone()).await.expect("it may hear");
    for _ in 0..asked {
        let question = asker.client.publish_with_reply(
            "push0.engine.submit",
            inbox.clone(),
            "\"retry_all\"".into(),
        );
        question.await.expect("sent");
    }
    asker.client.flush().await.expect("sent");
    let first = tokio::time::timeout(push0_testbed::PATIENCE, answers.next()).await;
    first.expect("it is there").expect("an answer");
    for _ in 0..20 {
        // What was asked before these has its answer by then, if it has one.
        asker.have("push0.engine.submit", "{\"retry\":[\"abcd\"]}").await;
    }
    let mut answered = 1;
    while answers.next().now_or_never().flatten().is_some() {
        answered += 1;
    }
    answered
}
