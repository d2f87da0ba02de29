//! Who may operate: another pipeline that proves the same, and nothing past that.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use push0_core::{Event, PipelineSpec};
use push0_testbed::until;
use serde_json::json;

use super::{count, engines, spec};
use crate::user::User;
use crate::world::{PASSWORD, World};

#[test]
fn it_changes_how_things_go_on_and_not_what_is_proved() {
    let world = engines("20ms");
    let was = spec(&world);
    let with = |change: fn(&mut PipelineSpec)| {
        let mut spec = was.clone();
        change(&mut spec);
        json!({ "apply": spec }).to_string()
    };
    world.block_on(async {
        let operator = User::new(&world, "operator").await;
        for change in [
            (|spec| spec.allow_mock = false) as fn(&mut PipelineSpec),
            |spec| spec.name = "other".to_owned(),
            |spec| spec.source.chain = Some(1),
        ] {
            operator.why_not("push0.engine.operate", &with(change)).await;
        }
    });
    assert_eq!(spec(&world), was);
    world.block_on(async {
        let operator = User::new(&world, "operator").await;
        let wider = with(|spec| spec.window = Some(77));
        assert_eq!(operator.have("push0.engine.operate", &wider).await, json!({ "done": 1 }));
        // What others may ask, it may too, where it operates and on their subjects.
        let answer = operator.have("push0.engine.operate", "\"status\"").await;
        assert!(answer.get("status").is_some(), "{answer}");
        let answer = operator.have("push0.engine.submit", "{\"submit\":[]}").await;
        assert_eq!(answer, json!({ "done": 0 }));
    });
    assert_eq!(spec(&world).window, Some(77));
    assert_eq!(count(&world, |event| matches!(event, Event::Configured { .. })), 2);
}

#[test]
fn it_cannot_write_the_log_nor_speak_for_an_engine_or_a_dispatcher() {
    let world = engines("20ms");
    world.block_on(async {
        let mut operator = User::new(&world, "operator").await;
        let speaks = [
            "push0.log.a.b",
            "push0.engine.beat",
            "push0.engine.hear.gpu-1",
            "push0.dispatcher.gpu-1.1",
            "$JS.API.STREAM.DELETE.push0",
            "$JS.API.STREAM.PURGE.push0",
        ];
        operator.is_kept_from(&speaks, &["push0.log.>", "push0.engine.>", "_INBOX.>"]).await;
    });
}

/// All that it asks takes its own right, where its settings say that it operates.
#[test]
fn what_it_asks_is_answered_however_much_readers_and_clients_ask() {
    let world = engines("20ms");
    let settings = fs::read_to_string(world.path("reader.toml")).expect("it is there");
    let settings = settings.replace("[nats]", "[nats]\noperator = true");
    fs::write(world.path("operator.toml"), settings).expect("a writable directory");
    world.block_on(async {
        for (user, right) in [("reader", "read"), ("client", "submit")] {
            let user = User::new(&world, user).await;
            let junk = if right == "read" { "\"status\"" } else { "{\"submit\":[]}" };
            tokio::spawn(flood(user, format!("push0.engine.{right}"), junk));
        }
    });
    world.wait_for("e1", "questions on engine.read were left out");
    world.wait_for("e1", "questions on engine.submit were left out");
    for _ in 0..3 {
        // It asks once; on a busy machine an answer may come too late.
        until("the engine does not answer", || {
            let text = ran(&world, &["status"]);
            let is_led =
                text.contains("e1 leads in epoch-1") && !text.contains("no engine answers");
            is_led.then_some(())
        });
        ran(&world, &["retry", "--all"]);
    }
}

/// As fast as the servers take it, for as long as the test goes on.
async fn flood(user: User, subject: String, junk: &'static str) {
    let inbox = user.client.new_inbox();
    loop {
        for _ in 0..1_000 {
            let sent = user.client.publish_with_reply(subject.clone(), inbox.clone(), junk.into());
            if sent.await.is_err() {
                return;
            }
        }
        let _ = user.client.flush().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a command says that an operator runs.
fn ran(world: &World, words: &[&str]) -> String {
    let mut command = world.command(words);
    command.env("PUSH0_CONFIG", "operator.toml");
    command.env("PUSH0_NATS_USER", "operator").env("PUSH0_NATS_PASSWORD", PASSWORD);
    let ran = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("it starts");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{words:?}: {said}");
    String::from_utf8_lossy(&ran.stdout).into_owned() + &said
}

/// The file that ships has no password that opens an operator's user.
#[test]
fn nobody_operates_before_a_password_was_set() {
    let world = World::with_roles_as_shipped();
    world.block_on(async {
        for password in ["", "pass", "operator", "password"] {
            let options = async_nats::ConnectOptions::with_user_and_password(
                "operator".into(),
                password.into(),
            );
            assert!(options.connect(world.nats.urls()).await.is_err(), "{password:?}");
        }
        let _reader = User::new(&world, "reader").await; // the server is there, and lets others in
    });
}
