//! What an operator sees and says: status, apply, retry.

use push0_core::Event;
use push0_testbed::{Proxy, Wire};
use serde_json::json;

use crate::world::{BLOCKS, World, at};

#[test]
fn status_names_who_is_there_and_what_is_done() {
    let mut world = World::usual(1, "50ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    let status = world.status_of(&["e1", "e2"], &["d1", "d2"]);
    let engines = json!([{"engine": "e1", "leads": 1}, {"engine": "e2", "leads": null}]);
    assert_eq!(at(&status, "/cluster/engines"), engines);
    let dispatchers = at(&status, "/cluster/dispatchers");
    let dispatchers = dispatchers.as_array().expect("a list");
    assert!(
        dispatchers
            .iter()
            .all(|it| at(it, "/slots") == 2 && at(it, "/memory_limit") != json!(null))
    );
    assert_eq!(at(&status, "/blocks/submitted"), BLOCKS);
    assert_eq!(at(&status, "/pipeline"), "cluster");
    let ended = at(&status, "/by_dispatcher");
    let ended = ended.as_array().expect("a list").iter().map(|it| at(it, "/accepted"));
    assert_eq!(ended.filter_map(|it| it.as_u64()).sum::<u64>(), BLOCKS as u64);
    assert!(at(&status, "/stages/0/usual_seconds").as_f64().is_some_and(|usual| usual >= 0.05));
    assert!(at(&status, "/space/free_bytes").as_u64().is_some_and(|free| free > 0));
    assert!(at(&status, "/led_seconds").is_u64());
    // An answer that takes too long is left out here too.
    push0_testbed::until("it does not say who leads and who stands by", || {
        let text = world.output(&["status"]);
        let leads = text.contains("e1 leads in epoch-1, for ");
        (leads && text.contains("; as they report it: e2 stands by")).then_some(())
    });
    // Where no engine is, the log tells.
    for name in ["e1", "e2", "d1", "d2"] {
        world.kill(name);
    }
    let text = world.output(&["status"]);
    assert!(text.contains("no engine answers") && text.contains("no dispatcher answers"), "{text}");
    assert!(text.contains("20 submitted"), "{text}");
    for name in ["e1", "d1"] {
        match name {
            "e1" => world.serve(name),
            _ => world.dispatch(name),
        }
    }
    world.finish(BLOCKS);
}

/// A log that takes its time is not one that holds nothing.
#[test]
fn what_is_read_over_a_slow_wire_is_the_whole_log() {
    let mut world = World::usual(1, "20ms");
    world.submit();
    world.wait_accepted(BLOCKS);
    world.drain();
    for name in ["e1", "e2"] {
        world.stop(name);
    }
    let wire = Proxy::to(world.nats.port(0));
    wire.set(Wire::SlowAnswers);
    for (name, args) in [
        ("status", &["status"][..]),
        ("apply", &["apply", "pipeline.toml"]),
        ("reader", &["proofs", "pipeline.toml", "--out", "slow"]),
    ] {
        world.tell(name, "PUSH0_NATS", wire.url());
        world.start(name, args);
        assert!(world.wait_end(name).success(), "{}", world.said(name));
    }
    let (status, applied) = (world.printed("status"), world.said("apply"));
    assert!(status.contains("20 submitted"), "{status}");
    assert!(applied.contains("nothing differs"), "{applied}");
    let files = std::fs::read_dir(world.path("slow")).expect("it was made").count();
    assert!(files >= BLOCKS, "{files}");
    world.serve("e1");
    world.finish(BLOCKS);
}

#[test]
fn a_pipeline_is_changed_by_apply_alone_and_parked_tasks_are_retried_by_name() {
    let mut world = World::with_provers(&["--exit", "77"], ", retry = { failed = 1 }");
    let path = world.path("pipeline.toml");
    let once = std::fs::read_to_string(&path).expect("it was written");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    world.submit();
    let status = push0_testbed::until("not all are parked", || {
        Some(world.status()).filter(|status| at(status, "/stages/0/parked") == BLOCKS)
    });
    let parked = at(&status, "/parked/0/task").as_str().expect("a task").to_owned();
    assert!(
        at(&status, "/head/why").as_str().is_some_and(|why| why.contains("is parked")),
        "{status}"
    );
    assert!(world.output(&["status"]).contains("push0 retry --all"));

    // Nobody confirms, so nothing changes.
    std::fs::write(&path, once.replace("failed = 1", "failed = 2")).expect("writable");
    assert!(!world.run(&["apply", "pipeline.toml"]).success());
    assert!(world.run(&["apply", "pipeline.toml", "--yes"]).success());
    assert!(!world.run(&["retry", "ffff"]).success(), "there is no such task");
    assert!(world.run(&["retry", &parked]).success());
    let attempts = |status: &serde_json::Value| at(status, "/attempts/started").as_u64();
    push0_testbed::until("it is not tried again", || {
        let status = world.status();
        let is_done = attempts(&status) == Some(BLOCKS as u64 + 1)
            && at(&status, "/stages/0/parked") == BLOCKS;
        is_done.then_some(())
    });
    let history = world.history();
    let configured = history.iter().flat_map(|turn| &turn.events).filter_map(|event| {
        let Event::Configured { pipeline } = event else { return None };
        pipeline.stages.get("prove")?.retry.get("failed").copied()
    });
    assert_eq!(configured.collect::<Vec<_>>(), [1, 2]);

    // Another thing proved is another pipeline.
    let other = once.replace("\"--exit\", \"77\"", "\"prove\"");
    std::fs::write(&path, other).expect("writable");
    assert!(!world.run(&["apply", "pipeline.toml", "--yes"]).success());
}
