//! Who may operate: another pipeline that proves the same, and nothing past that.

use push0_core::{Event, PipelineSpec};
use serde_json::json;

use super::{count, engines, spec};
use crate::user::User;
use crate::world::World;

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
