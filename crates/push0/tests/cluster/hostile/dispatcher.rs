//! Who runs provers: for itself alone, under a name of its own.
//!
//! Not here: what it may publish and hear (`roles`).

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt as _;
use push0_core::{AttemptId, Event, Seq};
use push0_dispatch::Store;
use push0_testbed::until;
use serde_json::{Value, json};

use super::{at_work, count, engines, engines_in};
use crate::peer::{Peer, made_up};
use crate::user::User;
use crate::world::{BLOCKS, World, at};

/// Started under a name whose dispatcher lives, it is refused each time; the one at work notices
/// nothing.
#[test]
fn a_second_one_of_a_name_is_refused_and_says_so() {
    let mut world = engines("100ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.start_submit();
    world.wait_accepted(1);
    let twin = ["dispatch", "pipeline.toml", "--id", "gpu-1", "--dir", "twin", "--slots", "2"];
    for _ in 0..2 {
        world.start("twin", &[&twin[..], &["--memory", "8GiB"]].concat());
        let ended = world.wait_end("twin");
        assert_eq!(ended.code(), Some(5), "{}", world.said("twin"));
    }
    assert!(
        world.said("twin").contains(" ERROR another dispatcher is named gpu-1, and is at work")
    );
    let said = world.said("e1");
    assert_eq!(said.matches("another dispatcher is named gpu-1").count(), 1, "told once: {said}");
    let status = world.status_of(&["e1", "e2"], &["gpu-1"]);
    assert_eq!(at(&status, "/cluster/engines/0/doubled"), json!(["gpu-1"]));
    assert!(world.output(&["status"]).contains("warning: another dispatcher was named gpu-1"));
    world.wait_accepted(BLOCKS);
    assert_eq!(
        count(&world, |event| matches!(event, Event::Lost { .. })),
        0,
        "nothing was taken from the first"
    );
    world.finish(BLOCKS);
}

/// Whoever hears a roll call may answer it as anybody; who leads is by the engine's answer alone.
#[test]
fn what_it_answers_to_a_roll_call_makes_nobody_lead() {
    let mut world = engines("20ms");
    world.block_on(async {
        let gpu = User::new(&world, "gpu-2").await;
        let mut calls = gpu.client.subscribe("push0.present").await.expect("it may hear");
        gpu.client.flush().await.expect("it is connected");
        let lie = json!({ "engine": { "engine": "e9", "leads": 99, "doubled": ["gpu-1"] } });
        tokio::spawn(async move {
            while let Some(call) = calls.next().await {
                let to = call.reply.expect("it asks");
                gpu.client.publish(to, lie.to_string().into()).await.expect("sent");
            }
        });
    });
    let told = until("nobody says that it leads", || {
        let told = world.output(&["status"]);
        (told.contains("e1 leads in epoch-1, for ") && told.contains("e9")).then_some(told)
    });
    let own = told.split_once("as they report it: ").expect("others answer").1;
    assert!(own.contains("e9 leads in epoch-99"), "{told}");
    assert!(!told.contains("another dispatcher was named"), "{told}");
    let status = world.status_of(&["e1", "e2", "e9"], &[]);
    assert_eq!(at(&status, "/cluster/leader"), json!({ "engine": "e1", "epoch": 1 }));
    assert_eq!(at(&status, "/running"), json!(true));
    for name in ["e1", "e2"] {
        world.kill(name);
    }
    assert_eq!(at(&world.status(), "/running"), json!(false));
    let told = world.output(&["status"]);
    assert!(told.contains("no engine that leads answers; as they report it: e9 leads"), "{told}");
    world.serve("e1");
    world.dispatch("gpu-1");
    world.submit();
    world.finish(BLOCKS);
}

/// Started elsewhere after it was killed, it takes over once the dead one has been silent.
#[test]
fn one_that_lost_its_machine_takes_over_elsewhere() {
    let mut world = engines("20ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.kill("gpu-1");
    let moved = ["dispatch", "pipeline.toml", "--id", "gpu-1", "--dir", "moved", "--slots", "2"];
    world.start("moved", &[&moved[..], &["--memory", "8GiB"]].concat());
    world.wait_for("moved", "takes work");
    world.submit();
    world.wait_accepted(BLOCKS);
    assert!(!world.said("e1").contains("another dispatcher is named"), "{}", world.said("e1"));
    world.finish(BLOCKS);
}

/// One that was frozen for so long that another took its place ends when it is thawed, and takes
/// nothing back.
#[test]
fn one_that_was_displaced_ends_when_it_comes_back() {
    let mut world = engines("20ms");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.freeze("gpu-1");
    let moved = ["dispatch", "pipeline.toml", "--id", "gpu-1", "--dir", "moved", "--slots", "2"];
    world.start("moved", &[&moved[..], &["--memory", "8GiB"]].concat());
    world.submit();
    world.wait_accepted(BLOCKS);
    world.thaw("gpu-1");
    let ended = world.wait_end("gpu-1");
    assert_eq!(ended.code(), Some(5), "{}", world.said("gpu-1"));
    world.finish(BLOCKS);
}

/// Attempts are numbered, so another's can be guessed, and tasks are in what each is granted: a
/// failure counts only from who holds the lease.
#[test]
fn it_cannot_fail_what_another_holds() {
    let mut world = engines("1s");
    world.dispatch_with("gpu-2", 4);
    world.wait_for("gpu-2", "takes work");
    world.start_submit();
    let granted = |event: &Event| matches!(event, Event::Granted { .. });
    until("nothing is granted", || (count(&world, granted) >= 4).then_some(()));
    let capacity = json!({ "programs": ["mock"], "slots": 0, "memory_bytes": 0, "gpus": 0 });
    let said = json!({ "dispatcher": "gpu-1", "incarnation": 7, "running": {}, "held": [], "capacity": capacity });
    let mut said = vec![json!({ "Beat": said })];
    for turn in world.history() {
        for (at, event) in (turn.first.0..).zip(&turn.events) {
            let attempt = AttemptId::of(turn.epoch, Seq(at)).0;
            let Event::Granted { task, .. } = event else { continue };
            for outcome in [
                json!({ "Failed": { "class": "unprovable", "message": "said by gpu-1" } }),
                json!({ "Rejected": { "message": "said by gpu-1" } }),
                json!({ "NotRun": { "message": "said by gpu-1" } }),
                json!("Cancelled"),
            ] {
                said.push(json!({ "Report": {
                    "dispatcher": "gpu-1", "incarnation": 7, "attempt": attempt, "task": task,
                    "outcome": outcome, "ran": { "secs": 0, "nanos": 0 },
                } }));
            }
        }
    }
    let words = json!(said).to_string();
    world.block_on(async {
        let gpu = User::new(&world, "gpu-1").await;
        for _ in 0..3 {
            gpu.client
                .publish("push0.engine.hear.gpu-1", words.clone().into())
                .await
                .expect("sent");
        }
        gpu.client.flush().await.expect("sent");
    });
    world.wait_accepted(8);
    let ended = |event: &Event| {
        matches!(
            event,
            Event::Failed { .. }
                | Event::Rejected { .. }
                | Event::Lost { .. }
                | Event::Parked { .. }
                | Event::Withdrawn { .. }
        )
    };
    assert_eq!(count(&world, ended), 0, "what gpu-2 held was ended by gpu-1");
}

/// The servers tell engines of connections that end, by the name that whoever connects gave
/// himself.
#[test]
fn it_cannot_pass_for_another_that_has_gone() {
    let mut world = engines("1s");
    world.dispatch("gpu-2");
    world.wait_for("gpu-2", "takes work");
    world.start_submit();
    let granted = |event: &Event| matches!(event, Event::Granted { .. });
    until("nothing is granted", || (count(&world, granted) >= 2).then_some(()));
    for name in
        ["push0-dispatch:gpu-2", "push0-dispatch:gpu-2:0000000000000007", "push0-dispatch:gpu-2:x"]
    {
        world.block_on(async { drop(User::named(&world, "gpu-1", name).await) });
    }
    world.wait_accepted(6);
    assert_eq!(count(&world, |event| matches!(event, Event::Lost { .. })), 0);
}

/// It says of whatever it is granted that the input is lost. The engine finds each in the store:
/// nothing is made again, and after a few such words it is given no more work, which the others do.
#[test]
fn its_word_alone_loses_nothing() {
    let mut world = engines("20ms");
    let told = Arc::new(AtomicU64::new(0));
    let heard = Arc::clone(&told);
    at_work(&world, "gpu-1", 2, move |grant| {
        heard.fetch_add(1, Ordering::Relaxed);
        Some(json!({ "InputLost": { "artifact": at(grant, "/inputs/0/artifact") } }))
    });
    world.submit();
    world.wait_for("e1", "no work for 60 s");
    assert!(told.load(Ordering::Relaxed) >= 3);
    world.dispatch("gpu-2");
    world.wait_accepted(BLOCKS);
    let is_lost = |event: &Event| {
        matches!(event, Event::PayloadLost { .. } | Event::Reopened { .. } | Event::Parked { .. })
    };
    assert_eq!(count(&world, is_lost), 0);
    let said = world.said("e1");
    assert_eq!(
        said.matches("gpu-1 says that an input of task").count(),
        2,
        "told once, then why it rests: {said}"
    );
    world.finish(BLOCKS);
}

/// What says nothing costs little, and keeps no other from being heard.
#[test]
fn however_much_it_says_that_means_nothing_the_work_goes_on() {
    let mut world = engines("20ms");
    world.dispatch("gpu-2");
    world.wait_for("gpu-2", "takes work");
    let deep = "[".repeat(50_000);
    world.block_on(async {
        let gpu = User::new(&world, "gpu-1").await;
        for round in 0..4_000 {
            let junk = ["", "[]", "{", "null", "[{\"Beat\":{}}]"].get(round % 5).copied();
            let words =
                if round % 100 == 0 { deep.clone() } else { junk.unwrap_or_default().to_owned() };
            gpu.client.publish("push0.engine.hear.gpu-1", words.into()).await.expect("sent");
        }
        gpu.client.flush().await.expect("sent");
    });
    world.submit();
    world.wait_accepted(BLOCKS);
    assert_eq!(
        count(&world, |event| matches!(event, Event::Claimed { .. })),
        1,
        "e1 led throughout"
    );
    world.finish(BLOCKS);
}

/// It says that it has proved what nobody has: an engine takes its word, and whoever is to hand the
/// proof out does not. What is said then to be done about it does it.
#[test]
fn its_lie_is_refused_at_delivery_and_taken_back_by_the_command_that_is_named() {
    let mut world = engines("20ms");
    let garbage = b"no proof of anything";
    let store = Store::open(&world.path("store")).expect("the engines made it");
    let output = store.put(garbage).expect("there is room").to_string();
    let says = made_up(&output, garbage.len(), &"ab".repeat(32), true);
    let mut lie = Some(says);
    at_work(&world, "gpu-1", 1, move |_| {
        let failed = || json!({ "Failed": { "class": "transient", "message": "so it says" } });
        Some(lie.take().unwrap_or_else(failed))
    });
    world.submit();
    world.wait_accepted(1);
    world.dispatch("gpu-2");
    let reader = ["proofs", "pipeline.toml", "--out", "out"];
    let said = until("the lie is not looked at", || {
        world.start("reader", &reader);
        let code = world.wait_end("reader").code();
        let said = world.said("reader");
        assert!(matches!(code, Some(0 | 1)), "{said}"); // it may not be released yet
        (code == Some(1)).then_some(said)
    });
    let (_, command) = said.split_once("`push0 discard ").expect("it names the command");
    let task = command.split(' ').next().expect("a task");
    assert!(world.run(&["discard", task, "--why", "a lie"]).success());
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

/// What it says of a key holds for itself alone.
#[test]
fn a_key_that_it_names_is_nobody_elses() {
    let world = World::with_roles("20ms");
    let path = world.path("pipeline.toml");
    let real = fs::read_to_string(&path).expect("it is there").replace(", mock = true }", " }");
    fs::write(&path, real).expect("writable");
    let world = engines_in(world);
    let (keys, output) =
        (["aa", "bb"].map(|key| format!("sha256:{}", key.repeat(32))), "cd".repeat(32));
    for (gpu, key) in ["gpu-1", "gpu-2"].into_iter().zip(&keys) {
        let mut says = made_up(&output, 1, &"ab".repeat(32), false);
        if let Some(result) = says.pointer_mut("/Proved").and_then(Value::as_object_mut) {
            result.insert("vkey".to_owned(), json!(key));
        }
        at_work(&world, gpu, 1, move |_| Some(says.clone()));
    }
    world.submit();
    let named = |key: &str| {
        count(
            &world,
            |event| matches!(event, Event::KeyNamed { vkey, .. } if vkey.to_string() == key),
        )
    };
    until("not both name a key", || keys.iter().all(|key| named(key) == 1).then_some(()));
    world.wait_accepted(BLOCKS);
    assert_eq!(count(&world, |event| matches!(event, Event::Pinned { .. })), 0);
    assert_eq!(count(&world, |event| matches!(event, Event::Rejected { .. })), 0);
}

/// Whatever it claims to have: eight at once from the start, and two more with each beat.
#[test]
fn however_much_it_claims_what_it_has_not_shown_is_not_given_to_it() {
    let world = engines("20ms");
    world.submit();
    world.block_on(async {
        let client = User::new(&world, "gpu-1").await.client;
        let mut peer = Peer::new(client, "gpu-1", 7, u32::MAX).await.expect("it may hear");
        let mut told = 0;
        for beats in 1..=4 {
            let mut says = |_: &Value| {
                told += 1;
                None
            };
            assert!(peer.go_on(&mut says).await);
            assert!(told <= 8 + 2 * beats, "{told} after {beats} beats");
        }
        assert!(told > 0, "it gets nothing");
    });
}
