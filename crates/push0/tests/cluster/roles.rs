//! Servers that let each role do its part and no more, by the file that ships.

use std::time::Duration;

use futures_util::StreamExt as _;
use push0_core::{Event as Fact, Turn};
use push0_testbed::PATIENCE;
use serde_json::json;
use tokio::time::timeout;

use crate::user::{User, last};
use crate::world::{BLOCKS, World};

#[test]
fn each_does_its_part() {
    let mut world = World::with_roles("300ms");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.serve("e2");
    world.wait_for("e2", "stands by");
    for id in ["gpu-1", "gpu-2"] {
        world.dispatch(id);
        world.wait_for(id, "takes work");
    }
    world.status_of(&["e1", "e2"], &["gpu-1", "gpu-2"]);
    assert!(world.run(&["retry", "--all"]).success());
    assert!(world.run(&["apply", "pipeline.toml"]).success(), "nothing differs");
    world.submit();
    world.wait_accepted(2);
    let killed = world.kill("gpu-1");
    let is_lost = |turn: &Turn| {
        let lost = |fact: &Fact| matches!(fact, Fact::Lost { message, .. } if message.contains("connection"));
        turn.events.iter().any(lost)
    };
    world.first_after(killed, "nobody heard of the lost connection", is_lost);
    world.dispatch("gpu-1");
    world.kill("e1");
    world.wait_for("e2", "leads in");
    let said = ["e1", "e2", "gpu-1", "gpu-2"].map(|name| world.said(name)).concat();
    assert!(!said.contains("NATS refuses"), "{said}");
    world.finish(BLOCKS);
}

/// What a dispatcher might try beyond its part. Each is answered or heard where nobody is kept from
/// anything.
const FORBIDDEN: [(&str, &str); 12] = [
    ("push0.log.a.b", "no record"),
    ("push0.engine.beat", "a leader that is none"),
    ("push0.engine.read", "\"status\""),
    ("push0.engine.submit", "\"drain\""),
    ("push0.engine.operate", "\"retry_all\""),
    ("push0.engine.hear.gpu-2", "in another's name"),
    ("push0.dispatcher.gpu-2.1", "a grant that is none"),
    ("push0.output.gpu-2", "{\"attempt\":1}"),
    ("$JS.API.STREAM.MSG.DELETE.push0", "{\"seq\":1}"),
    ("$JS.API.STREAM.UPDATE.push0", "{}"),
    ("$JS.API.STREAM.PURGE.push0", ""),
    ("$JS.API.STREAM.DELETE.push0", ""),
];

const NOT_TO_BE_HEARD: [&str; 11] = [
    ">",
    "_INBOX.>",
    "_INBOX.push0.engine.>",
    "_INBOX.push0.client.>",
    "push0.log.>",
    "push0.engine.read",
    "push0.engine.submit",
    "push0.engine.operate",
    "push0.engine.hear.*",
    "push0.dispatcher.gpu-2.*",
    "push0.output.gpu-2",
];

#[test]
fn a_dispatcher_can_neither_write_the_log_nor_fake_a_leader_nor_hear_others() {
    let world = World::with_roles("20ms");
    assert!(world.history().is_empty()); // it is made now, as an engine
    world.block_on(async {
        let mut gpu = User::new(&world, "gpu-1").await;
        let engine = User::new(&world, "engine").await;
        let before = engine.last().await;
        for (subject, payload) in FORBIDDEN {
            let reply = "push0.dispatcher.gpu-1.0";
            gpu.client.publish_with_reply(subject, reply, payload.into()).await.expect("sent");
            gpu.refused(&format!("Publish to \"{subject}\"")).await;
        }
        for subject in NOT_TO_BE_HEARD {
            let _kept = gpu.client.subscribe(subject).await.expect("sent");
            gpu.refused(&format!("Subscription to \"{subject}\"")).await;
        }
        assert_eq!(engine.last().await, before, "nothing was written");
        // What it was refused is there to be had: the stream takes such a message from an engine.
        let written = engine.ask("push0.log.a.b", "no record").await;
        assert_eq!(written.get("seq"), Some(&json!(before + 1)), "{written}");
    });
}

#[test]
fn where_nobody_is_kept_from_anything_all_that_passes() {
    let world = World::new(1, "20ms");
    assert!(world.history().is_empty());
    world.block_on(async {
        let (anybody, other) =
            (User::new(&world, "anybody").await, User::new(&world, "anybody").await);
        for subject in NOT_TO_BE_HEARD {
            let mut heard = anybody.client.subscribe(subject).await.expect("sent");
            anybody.client.flush().await.expect("it is there");
            let told = subject.replace('*', "1").replace('>', "1.1");
            other.until_heard(&told, &mut heard).await;
        }
        for (subject, payload) in FORBIDDEN {
            let mut heard = other.client.subscribe(subject).await.expect("sent");
            other.until_heard(subject, &mut heard).await; // it listens now
            anybody.client.publish(subject, payload.into()).await.expect("sent");
            let is_it = async {
                while heard.next().await.expect("it listens").payload != payload.as_bytes() {}
            };
            timeout(PATIENCE, is_it).await.expect("it came");
        }
    });
}

/// JetStream answers wherever it is told to. Told to answer to the log's own subject, it writes to
/// the log: so a reader's answers must end in an account of its own.
#[test]
fn a_reader_cannot_have_the_servers_write_to_the_log() {
    let world = World::with_roles("20ms");
    assert!(world.history().is_empty());
    world.block_on(async {
        let (reader, engine) =
            (User::new(&world, "reader").await, User::new(&world, "engine").await);
        let before = engine.last().await;
        let (info, to) = ("STREAM.INFO.push0", "push0.log.a.b");
        let asked = reader.client.publish_with_reply(format!("push0.api.{info}"), to, "".into());
        asked.await.expect("sent");
        let answer = reader.ask(&format!("push0.api.{info}"), "").await;
        assert_eq!(last(&answer), before, "{answer}");
        let asked = engine.client.publish_with_reply(format!("$JS.API.{info}"), to, "".into());
        asked.await.expect("sent");
        let grown = async {
            while engine.last().await == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, grown).await.expect("in the log's own account it is written");
        assert_eq!(engine.last().await, before + 1, "and the reader's never came");
    });
}

/// Nor can a client have an engine write to the log, with a question that is to be answered there.
#[test]
fn a_client_cannot_have_an_engine_write_to_the_log() {
    let mut world = World::with_roles("20ms");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.block_on(async {
        let (client, engine) =
            (User::new(&world, "client").await, User::new(&world, "engine").await);
        let submit = json!({ "submit": [] }).to_string();
        let mut asked = engine.client.subscribe("push0.engine.submit").await.expect("sent");
        let before = engine.last().await;
        for to in ["push0.log.a.b", "push0.engine.beat", "$JS.API.STREAM.PURGE.push0"] {
            let question = submit.clone().into();
            client
                .client
                .publish_with_reply("push0.engine.submit", to, question)
                .await
                .expect("sent");
            let heard = timeout(PATIENCE, asked.next()).await.expect("it was asked");
            assert_eq!(heard.expect("it listens").reply.as_deref(), Some(to));
        }
        // Questions are answered in no order: when so many later ones were, those are over too.
        for _ in 0..16 {
            assert_eq!(client.ask("push0.engine.submit", &submit).await, json!({"done": 0}));
        }
        assert_eq!(engine.last().await, before, "nothing was written");
    });
    assert!(!world.said("e1").contains("NATS refuses"), "{}", world.said("e1"));
}
