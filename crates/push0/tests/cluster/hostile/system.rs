//! The user of the servers' own account: it hears who comes and goes, and says nothing.

use futures_util::StreamExt as _;
use push0_testbed::PATIENCE;
use serde_json::Value;
use tokio::time::timeout;

use crate::user::User;
use crate::world::World;

#[test]
fn it_publishes_nothing_and_hears_its_two_subjects_alone() {
    let world = World::with_roles("20ms");
    assert!(world.history().is_empty()); // the stream is made now
    world.block_on(async {
        let mut system = User::new(&world, "system").await;
        let speaks = [
            "$SYS.REQ.SERVER.PING",
            "$SYS.REQ.SERVER.PING.VARZ",
            "$SYS.REQ.SERVER.NABC.RELOAD",
            "$SYS.REQ.ACCOUNT.PUSH0.CONNZ",
            "$SYS.REQ.ACCOUNT.PING.STATZ",
            "$SYS.REQ.CLAIMS.UPDATE",
            "$SYS.ACCOUNT.PUSH0.DISCONNECT",
            "$JS.API.STREAM.INFO.push0",
            "$JS.API.STREAM.PURGE.push0",
            "push0.log.a.b",
            "push0.engine.operate",
            "_INBOX.push0.engine.a",
            "_R_.a",
        ];
        let hears = [
            ">",
            "$SYS.>",
            "$SYS.ACCOUNT.>",
            "$SYS.REQ.>",
            "$SYS.SERVER.*.STATSZ",
            "push0.log.>",
            "_INBOX.>",
            "_INBOX.push0.system.>",
        ];
        system.is_kept_from(&speaks, &hears).await;
        let mut told = system.client.subscribe("$SYS.ACCOUNT.*.CONNECT").await.expect("sent");
        system.client.flush().await.expect("it is connected");
        let _comes = User::named(&world, "gpu-1", "who comes").await;
        let is_it = async {
            loop {
                let message = told.next().await.expect("it listens");
                let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
                if event.pointer("/client/name").and_then(Value::as_str) == Some("who comes") {
                    return event;
                }
            }
        };
        let event = timeout(PATIENCE, is_it).await.expect("it is told who comes");
        assert!(!event.to_string().contains("\"pass\""), "no password is in it: {event}");
    });
}
