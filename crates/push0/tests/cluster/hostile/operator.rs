//! Who may operate: another pipeline that proves the same, and nothing past that.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use push0_core::{Event, PipelineSpec, ProgramSpec, StageSpec};
use push0_testbed::until;
use serde_json::json;

use super::{count, engines, engines_in, spec};
use crate::user::{User, last};
use crate::world::{BLOCKS, PASSWORD, World};

/// What somebody would have another pipeline say.
type Change = fn(&mut PipelineSpec);

/// Name, chain, stages, programs' names and keys, and whether mocks may pass: none of them is
/// another from one moment to the next. How long things may take, and how much there may be of
/// them, is.
#[test]
fn it_changes_how_things_go_on_and_not_what_is_proved() {
    // A program that is no mock: such a one may have a key, and mocks may be allowed where they
    // were not.
    let world = World::with_roles("20ms");
    let path = world.path("pipeline.toml");
    let real = fs::read_to_string(&path).expect("it is there").replace(", mock = true }", " }");
    fs::write(&path, real.replace("allow_mock = true", "")).expect("writable");
    let world = engines_in(world);
    let was = spec(&world);
    let with = |change: Change| {
        let mut spec = was.clone();
        change(&mut spec);
        assert_ne!(spec, was);
        json!({ "apply": spec }).to_string()
    };
    let forbidden: [(&str, Change); 10] = [
        ("name", |spec| spec.name = "other".to_owned()),
        ("chain", |spec| spec.source.chain = Some(1)),
        ("a stage less", |spec| {
            let stage = spec.stages.remove("prove").expect("it has one");
            spec.stages.insert("other".to_owned(), stage);
            spec.release.inputs = vec!["other".to_owned()];
        }),
        ("a stage more", |spec| {
            let stage = spec.stages.get("prove").cloned().expect("it has one");
            spec.stages.insert("other".to_owned(), stage);
            spec.release.inputs.push("other".to_owned());
        }),
        ("a stage's arguments", |spec| stage(spec).args = vec!["prove".to_owned()]),
        ("a stage's collector", |spec| stage(spec).collect = Some("parts".to_owned())),
        ("a program's name", |spec| {
            let program = spec.programs.remove("mock").expect("it has one");
            spec.programs.insert("other".to_owned(), program);
            stage(spec).program = Some("other".to_owned());
        }),
        ("a program's key", |spec| {
            program(spec).vkey = Some(format!("sha256:{}", "ab".repeat(32)));
        }),
        ("allow_mock", |spec| spec.allow_mock = true),
        ("a mock", |spec| {
            spec.allow_mock = true;
            program(spec).mock = true;
        }),
    ];
    world.block_on(async {
        let operator = User::new(&world, "operator").await;
        for (what, change) in forbidden {
            let why = operator.why_not("push0.engine.operate", &with(change)).await;
            let is_it = why.contains("another pipeline") || why.contains("faults");
            assert!(is_it, "{what}: {why}");
            // A collector of parts fits no stage of blocks; all others are pipelines.
            assert_eq!(why.contains("faults"), what.ends_with("collector"), "{what}: {why}");
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

fn stage(spec: &mut PipelineSpec) -> &mut StageSpec {
    spec.stages.get_mut("prove").expect("it has one")
}

fn program(spec: &mut PipelineSpec) -> &mut ProgramSpec {
    spec.programs.get_mut("mock").expect("it has one")
}

/// In the log's account it could have JetStream answer to the log, which takes that for a record.
#[test]
fn it_cannot_have_the_servers_write_to_the_log() {
    let world = World::with_roles("20ms");
    assert!(world.history().is_empty());
    world.block_on(async {
        let (operator, engine) =
            (User::new(&world, "operator").await, User::new(&world, "engine").await);
        let before = engine.last().await;
        for api in ["push0.api", "$JS.API"] {
            for what in ["STREAM.INFO.push0", "STREAM.MSG.GET.push0"] {
                let asked = (operator.client).publish_with_reply(
                    format!("{api}.{what}"),
                    "push0.log.a.b",
                    "{\"seq\":1}".into(),
                );
                asked.await.expect("sent");
            }
        }
        let answer = operator.ask("push0.api.STREAM.INFO.push0", "").await;
        assert_eq!(last(&answer), before, "{answer}");
        assert_eq!(engine.last().await, before);
    });
}

/// By the commands, with the credentials that ship for it and no other.
#[test]
fn it_takes_back_results_and_keys() {
    let mut world = engines("20ms");
    world.dispatch("gpu-1");
    world.submit();
    world.wait_accepted(BLOCKS);
    let task = world.history().into_iter().flat_map(|turn| turn.events).find_map(|event| {
        let Event::Accepted { task, .. } = event else { return None };
        Some(task.to_string())
    });
    let task = task.expect("all are accepted");
    let discard = ["discard", &*task, "--why", "a test"];
    for (user, code) in [("client", 2), ("reader", 2), ("operator", 0)] {
        world.tell(user, "PUSH0_NATS_USER", user);
        world.tell(user, "PUSH0_CONFIG", "reader.toml");
        world.start(user, &discard);
        assert_eq!(world.wait_end(user).code(), Some(code), "{}", world.said(user));
        let taken = count(&world, |event| matches!(event, Event::Discarded { .. }));
        assert_eq!(taken, usize::from(code == 0), "{user}");
    }
    assert!(world.run(&["unpin", "mock", "--why", "a test"]).success());
    world.wait_accepted(BLOCKS + 1);
    world.finish(BLOCKS);
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
