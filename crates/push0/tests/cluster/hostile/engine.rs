//! Who keeps the log: everything but to delete, purge or change the stream, and nothing of
//! another's.

use async_nats::HeaderMap;
use push0_testbed::PATIENCE;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::engines;
use crate::user::{User, last};
use crate::world::World;

/// What changes the stream or removes of it, what is of another stream, and what is of the account
/// or the servers.
const FORBIDDEN: [&str; 29] = [
    "$JS.API.STREAM.DELETE.push0",
    "$JS.API.STREAM.PURGE.push0",
    "$JS.API.STREAM.UPDATE.push0",
    "$JS.API.STREAM.MSG.DELETE.push0",
    "$JS.API.STREAM.SNAPSHOT.push0",
    "$JS.API.STREAM.RESTORE.push0",
    "$JS.API.STREAM.PEER.REMOVE.push0",
    "$JS.API.STREAM.LEADER.STEPDOWN.push0",
    "$JS.API.STREAM.CREATE.other",
    "$JS.API.STREAM.INFO.other",
    "$JS.API.STREAM.MSG.GET.other",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    "$JS.API.CONSUMER.CREATE.push0.a.push0.log.a.b",
    "$JS.API.CONSUMER.CREATE.other.a",
    "$JS.API.CONSUMER.DURABLE.CREATE.push0.a",
    "$JS.API.CONSUMER.DELETE.push0.a",
    "$JS.API.CONSUMER.NAMES.push0",
    "$JS.API.CONSUMER.PAUSE.push0.a",
    "$JS.API.DIRECT.GET.push0",
    "$JS.API.ACCOUNT.PURGE.PUSH0",
    "$JS.API.SERVER.REMOVE",
    "$JS.ACK.push0.a.1.1.1.1.0",
    "push0.log.a",
    "push0.log.a.b.c",
    "push0.engine.operate",
    "push0.engine.hear.gpu-1",
    "push0.present",
    "_INBOX.push0.reader.a",
];

const NOT_TO_BE_HEARD: [&str; 9] = [
    ">",
    "_INBOX.>",
    "_INBOX.push0.client.>",
    "_INBOX.push0.reader.>",
    "push0.log.>",
    "push0.dispatcher.>",
    "push0.output.gpu-1",
    "$JS.>",
    "$SYS.ACCOUNT.*.CONNECT",
];

#[test]
fn it_cannot_delete_purge_or_change_the_stream_nor_touch_another() {
    let world = engines("20ms");
    world.block_on(async {
        let mut engine = User::new(&world, "engine").await;
        let before = engine.ask("$JS.API.STREAM.INFO.push0", "").await;
        engine.is_kept_from(&FORBIDDEN, &NOT_TO_BE_HEARD).await;
        let after = engine.ask("$JS.API.STREAM.INFO.push0", "").await;
        assert_eq!(last(&after), last(&before));
        assert_eq!(after.get("config"), before.get("config"));
    });
}

/// It may make the stream, and so ask for one of the same name that keeps less.
#[test]
fn to_make_the_stream_again_otherwise_changes_nothing() {
    let world = engines("20ms");
    world.block_on(async {
        let engine = User::new(&world, "engine").await;
        let before = engine.ask("$JS.API.STREAM.INFO.push0", "").await;
        let config = before.get("config").cloned().expect("it says so");
        let create = "$JS.API.STREAM.CREATE.push0";
        for (setting, value) in [
            ("max_msgs", json!(1)),
            ("max_age", json!(3_600_000_000_000_u64)),
            ("deny_delete", json!(false)),
            ("allow_rollup_hdrs", json!(true)),
            ("subjects", json!(["push0.log.*.*", "other"])),
        ] {
            let mut less = config.clone();
            less.as_object_mut().expect("settings").insert(setting.to_owned(), value);
            let answer = engine.ask(create, &less.to_string()).await;
            let code = answer.pointer("/error/err_code").and_then(Value::as_u64);
            assert_eq!(code, Some(NAME_IN_USE), "{setting}: {answer}");
        }
        let after = engine.ask("$JS.API.STREAM.INFO.push0", "").await;
        assert_eq!(after.get("config"), Some(&config));
    });
}

/// A record may ask the stream to be rolled up to itself: that is a purge by who may write.
#[test]
fn no_record_that_it_writes_removes_another() {
    let world = World::with_roles("20ms");
    assert!(world.history().is_empty()); // it is made now, as an engine
    world.block_on(async {
        let engine = User::new(&world, "engine").await;
        let before = engine.last().await;
        for (name, value) in [("Nats-Rollup", "all"), ("Nats-Rollup", "sub"), ("Nats-TTL", "1s")] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value);
            let asked =
                engine.client.request_with_headers("push0.log.a.b", headers, "no record".into());
            let answer = timeout(PATIENCE, asked).await.expect("in time").expect("an answer");
            let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
            assert!(answer.get("error").is_some(), "{name}: {value}: {answer}");
        }
        assert_eq!(engine.last().await, before, "nothing was written");
    });
}

/// Of the servers' errors: a stream of that name is there, with another configuration.
const NAME_IN_USE: u64 = 10_058;
