//! What provers print: asked of the dispatcher that has it, and there when that is not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use push0_core::Event;
use push0_testbed::{PATIENCE, until};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::binaries::push0;
use crate::user::User;
use crate::world::{BLOCKS, World};

#[test]
fn an_attempt_that_runs_is_followed_to_its_end() {
    let mut world = with_prover(World::new(1, "20ms"), STEPS);
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    world.submit();
    world.wait_granted_to("d1", 2);
    world.start("cat", &["log", "cat", "-f", "--event", "granted,released", "--block", FIRST]);
    world.start("all", &["logs", "--block", FIRST, "-f"]);
    wait_printed(&world, "all", "step 3");
    let shown = world.output(&["logs", "--block", FIRST]);
    assert!(shown.contains("begins") && shown.contains("is running, for "), "{shown}");
    assert!(shown.contains("\u{fffd}") || !shown.contains('\u{1b}'), "{shown}");
    fs::write(world.path("go"), "").expect("writable");
    assert!(world.wait_end("all").success(), "{}", world.said("all"));
    let all = world.printed("all");
    let words = ["begins", "goes on", ": accepted at"]
        .map(|words| all.find(words).unwrap_or_else(|| panic!("{words}: {all}")));
    assert!(words.is_sorted(), "{all}");
    assert_eq!(all.matches("step 1\n").count(), 1, "nothing comes twice: {all}");
    wait_printed(&world, "cat", "released");
    world.signal("cat", Signal::INT);
    assert!(world.wait_end("cat").success(), "{}", world.said("cat"));
    let cat = world.printed("cat");
    assert!(cat.lines().all(|line| line.contains(&format!("key={FIRST}"))), "{cat}");
    assert!(cat.contains("granted") && cat.contains("stage=prove"), "{cat}");
    let whole = world.output(&["logs", FIRST]);
    assert!(whole.contains("-- from d1") && whole.contains("goes on"), "{whole}");
    until("the log is shown in part", || {
        let shown = world.output(&["log", "cat"]).lines().count(); // more comes meanwhile
        (shown == facts(&world)).then_some(())
    });
    assert!(world.output(&["log", "step", "--to", "9"]).contains("+ epoch: 1"));
    assert!(world.output(&["artifacts"]).contains("final proof of stage prove"));
    world.finish(BLOCKS);
}

#[test]
fn what_a_failed_attempt_printed_outlives_its_machine() {
    for mut world in [World::new(1, "20ms"), World::over_s3("20ms", "number")] {
        world = with_prover(world, FAILS);
        world.serve("e1");
        world.wait_for("e1", "leads in");
        world.dispatch("d1");
        world.wait_for("d1", "takes work");
        world.submit();
        until("nothing fails", || {
            let failed = world.facts(|fact| matches!(fact, Event::Failed { .. }));
            (failed > 0).then_some(())
        });
        world.kill("d1");
        fs::remove_dir_all(world.path("cluster.d1")).expect("its machine is gone");
        let failed = world.history().into_iter().flat_map(|turn| turn.events).find_map(|event| {
            let Event::Failed { attempt, message, .. } = event else { return None };
            Some((attempt.position().0.to_string(), message))
        });
        let (attempt, message) = failed.expect("it failed");
        let shown = world.output(&["logs", &attempt]);
        assert!(shown.contains("-- from the store") && shown.contains("\nline 1 "), "{shown}");
        assert!(shown.contains("no device") && !message.contains("line 1 "), "{message}");
        assert!(world.output(&["artifacts"]).contains("what failed attempts printed"));
        fs::write(world.path("go"), "").expect("writable");
        assert!(world.run(&["retry", "--all"]).success());
        world.dispatch("d1");
        world.wait_accepted(BLOCKS);
        world.finish(BLOCKS);
    }
}

#[test]
fn a_reader_may_ask_for_outputs_and_nothing_more_and_floods_nobody() {
    let mut world = with_prover(World::with_roles("20ms"), FLOOD);
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.submit();
    world.wait_granted_to("gpu-1", 1);
    let shown = || world.output(&["logs", "--block", FIRST]);
    until("it prints nothing", || shown().contains("the end of it").then_some(()));
    let attempt = until("it runs", || {
        let events = world.history().into_iter().flat_map(|turn| (turn.first.0..).zip(turn.events));
        let granted = |(seq, event)| matches!(event, Event::Granted { .. }).then_some(seq);
        events.into_iter().find_map(granted)
    });
    let id = 1_u64 << 40 | attempt;
    world.block_on(async {
        let reader = User::new(&world, "reader").await;
        let answer = reader.have(SUBJECT, &json!({ "attempt": id }).to_string()).await;
        assert!(answer.pointer("/piece/text").is_some_and(Value::is_string), "{answer:.200}");
        let length = answer.to_string().len();
        assert!((4_000..64 << 10).contains(&length), "{length}");
        let far = json!({ "attempt": id, "from": u64::MAX }).to_string();
        assert_eq!(reader.have(SUBJECT, &far).await.pointer("/piece/text"), Some(&json!("")));
        assert_eq!(reader.have(SUBJECT, "{\"attempt\":7}").await, json!("none"));
        assert!(reader.have(SUBJECT, "\"status\"").await.get("later").is_some());
        let inbox = reader.client.new_inbox();
        for _ in 0..5_000 {
            for question in ["{\"attempt\":7}".to_owned(), "x".repeat(20_000)] {
                let asked =
                    reader.client.publish_with_reply(SUBJECT, inbox.clone(), question.into());
                asked.await.expect("sent");
            }
        }
        reader.client.flush().await.expect("sent");
    });
    world.wait_for("gpu-1", " for outputs: it takes ");
    assert!(!world.said("gpu-1").contains("NATS refuses"), "{}", world.said("gpu-1"));
    fs::write(world.path("go"), "").expect("writable");
    world.wait_accepted(BLOCKS);
    assert_eq!(world.facts(|fact| matches!(fact, Event::Lost { .. })), 0, "the work went on");
    world.finish(BLOCKS);
}

/// Else whoever may ask could have a dispatcher write to the log.
#[test]
fn a_dispatcher_answers_to_inboxes_alone() {
    let mut world = World::new(1, "20ms");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    let before = world.history().len();
    let client = world.connected();
    world.block_on(async {
        let ask = || "{\"attempt\":7}".into();
        client.publish_with_reply("push0.output.d1", "push0.log.a.b", ask()).await.expect("sent");
        // Answered in the order in which they come.
        let asked = client.request("push0.output.d1", ask());
        let answer =
            tokio::time::timeout(PATIENCE, asked).await.expect("in time").expect("answered");
        assert_eq!(&answer.payload[..], b"\"none\"");
    });
    assert_eq!(world.history().len(), before, "nothing was written");
    world.submit();
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

/// A world whose provers do this first.
fn with_prover(world: World, script: &str) -> World {
    let (program, mock) = (world.path("prove"), push0().with_file_name("push0-prover-mock"));
    let go = world.path("go").display().to_string();
    let script =
        format!("#!/bin/sh\n{}exec {} \"$@\"\n", script.replace("GO", &go), mock.display());
    fs::write(&program, script).expect("it is writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = world.path("pipeline.toml");
    let pipeline = fs::read_to_string(&path).expect("it was written");
    let command = program.display().to_string();
    fs::write(&path, pipeline.replace("push0-prover-mock", &command)).expect("writable");
    world
}

fn wait_printed(world: &World, name: &str, words: &str) {
    until(&format!("{name} does not print {words:?}"), || {
        world.printed(name).contains(words).then_some(())
    });
}

fn facts(world: &World) -> usize {
    world.history().iter().map(|turn| turn.events.len()).sum()
}

const SUBJECT: &str = "push0.output.gpu-1";

/// The first block, as a height and as a key.
const FIRST: &str = "16525000";

/// Says that it lives, until it may go on.
const STEPS: &str = "echo 'begins' >&2; printf '\\033[2Jbare \\001\\n' >&2; n=0
while [ ! -e GO ]; do n=$((n+1)); echo \"step $n\" >&2; sleep 0.1; done; echo 'goes on' >&2
";

/// Says much, and fails, until it may go on.
const FAILS: &str = "n=0; while [ $n -lt 300 ]; do n=$((n+1)); echo \"line $n of many\" >&2; done
[ -e GO ] || { echo 'no device' >&2; exit 1; }
";

/// Says as much as is kept, all of it control characters and what is turned around, and waits.
const FLOOD: &str = "n=0; while [ $n -lt 3000 ]; do n=$((n+1)); printf '\\001a\\002b\\342\\200\\256\\\\\"\\n' >&2; done
echo 'the end of it' >&2; while [ ! -e GO ]; do sleep 0.1; done
";
