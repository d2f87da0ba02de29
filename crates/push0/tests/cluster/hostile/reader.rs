//! Who may read: the log and the state, and whatever that is not is refused.

use std::fs;
use std::time::Duration;

use futures_util::StreamExt as _;
use push0_core::Event;
use serde_json::json;

use super::{count, engines, spec};
use crate::user::{User, last};
use crate::world::BLOCKS;

#[test]
fn it_speaks_on_its_own_subjects_alone_and_hears_its_own_answers() {
    let world = engines("20ms");
    world.block_on(async {
        let mut reader = User::new(&world, "reader").await;
        let speaks = [
            "push0.engine.submit",
            "push0.engine.operate",
            "push0.engine.beat",
            "push0.engine.hear.gpu-1",
            "push0.dispatcher.gpu-1.1",
            "push0.log.a.b",
            "$JS.API.STREAM.INFO.push0",
            "$JS.API.STREAM.PURGE.push0",
        ];
        reader
            .is_kept_from(
                &speaks,
                &[">", "_INBOX.>", "_INBOX.push0.client.>", "push0.>", "push0.output.gpu-1"],
            )
            .await;
    });
}

/// A command that needs another role ends at once, and says what it lacks.
#[test]
fn its_credentials_run_no_command_of_anothers() {
    let mut world = engines("20ms");
    for (name, args) in [
        ("apply", &["apply", "pipeline.toml", "--yes"][..]),
        ("finish", &["finish", "--yes"]),
        ("drain", &["drain", "--all"]),
        ("cordon", &["cordon", "gpu-1"]),
    ] {
        world.tell(name, "PUSH0_NATS_USER", "reader");
        world.start(name, args);
        let ended = world.wait_end(name);
        let said = world.said(name);
        assert_eq!(ended.code(), Some(2), "{said}");
        assert!(said.contains("docs/nats.md, Roles"), "{said}");
    }
}

/// It may name whatever it likes under the name that the API has for it: what is not imported
/// reaches nobody.
#[test]
fn of_the_api_it_has_what_reads_and_nothing_that_changes() {
    let world = engines("20ms");
    world.block_on(async {
        let (reader, engine) =
            (User::new(&world, "reader").await, User::new(&world, "engine").await);
        let before = engine.last().await;
        let info = reader.ask("push0.api.STREAM.INFO.push0", "").await;
        assert_eq!(last(&info), before);
        for (verb, body) in [
            ("STREAM.CREATE.push0", "{\"name\":\"push0\"}"),
            ("STREAM.CREATE.other", "{\"name\":\"other\",\"subjects\":[\"other\"]}"),
            ("STREAM.UPDATE.push0", "{\"name\":\"push0\",\"max_msgs\":1}"),
            ("STREAM.PURGE.push0", ""),
            ("STREAM.DELETE.push0", ""),
            ("STREAM.MSG.DELETE.push0", "{\"seq\":1}"),
            ("STREAM.NAMES", ""),
            ("CONSUMER.CREATE.push0.a", "{\"stream_name\":\"push0\",\"config\":{\"name\":\"a\"}}"),
            (
                "CONSUMER.DURABLE.CREATE.push0.a",
                "{\"stream_name\":\"push0\",\"config\":{\"durable_name\":\"a\"}}",
            ),
            ("CONSUMER.MSG.NEXT.push0.a", ""),
            ("CONSUMER.NAMES.push0", ""),
            ("CONSUMER.DELETE.push0.a", ""),
        ] {
            let answer = reader.client.request(format!("push0.api.{verb}"), body.into()).await;
            let nobody = answer.expect_err("nobody is there").kind();
            assert_eq!(nobody, async_nats::RequestErrorKind::NoResponders, "{verb}");
        }
        assert_eq!(engine.last().await, before);
    });
}

#[test]
fn what_changes_anything_is_refused_and_changes_nothing() {
    let world = engines("20ms");
    let mut changed = spec(&world);
    changed.window = Some(1);
    let before = world.history().len();
    world.block_on(async {
        let reader = User::new(&world, "reader").await;
        let long = format!("\"{}\"", "x".repeat(2_000));
        let why = reader.why_not("push0.engine.read", &long).await;
        assert!(why.contains("1024 bytes at the most"), "{why}");
        let apply = json!({ "apply": changed }).to_string();
        for (question, right) in [
            (&*apply, "operate"),
            ("\"drain\"", "submit"),
            ("\"retry_all\"", "submit"),
            ("{\"submit\":[]}", "submit"),
        ] {
            if question.len() > 1 << 10 {
                reader.why_not("push0.engine.read", question).await;
                continue;
            }
            let why = reader.why_not("push0.engine.read", question).await;
            assert!(why.contains(&format!("needs the right to {right}")), "{why}");
            reader.why_not("push0.engine.ask", question).await;
        }
    });
    assert_eq!(world.history().len(), before);
}

/// What is whole in the engine's store is not made again, however often a reader says that it is
/// lost; what is lost is.
#[test]
fn a_result_is_made_again_only_if_the_engine_finds_it_lost_too() {
    let mut world = engines("20ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.submit();
    world.wait_accepted(BLOCKS);
    let accepted = world.history().into_iter().flat_map(|turn| turn.events).find_map(|event| {
        let Event::Accepted { task, result, .. } = event else { return None };
        Some((task, result.output))
    });
    let (task, output) = accepted.expect("all are accepted");
    let reopened =
        |world: &crate::world::World| count(world, |event| matches!(event, Event::Reopened { .. }));
    let remake = json!({ "remake": task }).to_string();
    world.block_on(async {
        let reader = User::new(&world, "reader").await;
        for _ in 0..30 {
            let why = reader.why_not("push0.engine.read", &remake).await;
            assert!(why.contains("it is whole in the store that the engine has"), "{why}");
        }
    });
    assert_eq!(reopened(&world), 0);
    let name = output.to_string();
    fs::remove_file(world.path("store").join(&name[..2]).join(&name)).expect("it is there");
    world.block_on(async {
        let reader = User::new(&world, "reader").await;
        // What was found whole is not looked at again for a while.
        let done = async {
            while reader.have("push0.engine.read", &remake).await != json!({ "done": 1 }) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(push0_testbed::PATIENCE, done).await.expect("it is lost");
    });
    assert_eq!(reopened(&world), 1);
    world.finish(BLOCKS);
}

/// What it holds would be carried to every process.
#[test]
fn a_roll_call_that_holds_anything_is_answered_by_nobody() {
    let mut world = engines("20ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.block_on(async {
        let reader = User::new(&world, "reader").await;
        let call = async |words: Vec<u8>| {
            let inbox = reader.client.new_inbox();
            let answers = reader.client.subscribe(inbox.clone()).await.expect("it may hear");
            let called = reader.client.publish_with_reply("push0.present", inbox, words.into());
            called.await.expect("sent");
            answers
        };
        for _ in 0..200 {
            call(vec![b' '; 900_000]).await;
        }
        let mut to_none = call(b"who?".to_vec()).await;
        let mut to_all = call(Vec::new()).await;
        for _ in ["e1", "e2", "gpu-1"] {
            let answer = tokio::time::timeout(push0_testbed::PATIENCE, to_all.next()).await;
            answer.expect("it is there").expect("an answer");
        }
        // They are answered in the order in which they come.
        let none = tokio::time::timeout(Duration::from_millis(100), to_none.next()).await;
        assert!(none.is_err(), "{none:?}");
    });
    for name in ["e1", "gpu-1"] {
        world.wait_for(name, "roll calls were left out");
    }
    world.submit();
    world.wait_accepted(BLOCKS);
    assert_eq!(count(&world, |event| matches!(event, Event::Claimed { .. })), 1);
    assert_eq!(count(&world, |event| matches!(event, Event::Lost { .. })), 0);
    world.finish(BLOCKS);
}

#[test]
fn however_much_it_asks_who_is_there_the_work_goes_on() {
    let mut world = engines("20ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.block_on(async {
        let reader = User::new(&world, "reader").await;
        let inbox = reader.client.new_inbox();
        for _ in 0..10_000 {
            for (subject, question) in [("push0.present", ""), ("push0.engine.read", "\"status\"")]
            {
                let sent =
                    reader.client.publish_with_reply(subject, inbox.clone(), question.into());
                sent.await.expect("sent");
            }
        }
        reader.client.flush().await.expect("sent");
    });
    world.submit();
    world.wait_accepted(BLOCKS);
    assert_eq!(
        count(&world, |event| matches!(event, Event::Claimed { .. })),
        1,
        "e1 led throughout"
    );
    let said = world.said("e1");
    assert!(said.contains("roll calls were left out"), "{said}");
    assert!(said.contains("questions on engine.read were left out"), "{said}");
    world.finish(BLOCKS);
}
