//! What `push0 status` says of each block, beside what really happens.

use push0_testbed::until;
use serde_json::{Value, json};

use crate::world::{World, at};

const KIND: &str = "/head/reason/kind";

/// Waits until the first block has this reason, and answers the whole.
fn reason(world: &World, kind: &str) -> Value {
    until(&format!("the head is not {kind}"), || {
        let status = world.status_now()?;
        (at(&status, KIND) == kind).then_some(status)
    })
}

fn text(world: &World) -> String {
    world.output(&["status"])
}

#[test]
fn each_block_is_told_why_it_waits_at_each_moment() {
    let mut world = World::new(1, "90s");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.start_submit();
    let status = reason(&world, "not_offered");
    assert_eq!(at(&status, "/head/reason/needs/memory_bytes"), 64 << 20);
    assert!(text(&world).contains("no dispatcher runs mock, which needs 64.0 MiB"));

    world.dispatch_with("d1", 1);
    let status = until("d1 does not say what it does", || {
        let status = world.status_now()?;
        (at(&status, "/runs/0/doing") == "proving").then_some(status)
    });
    assert_eq!(at(&status, KIND), "proving");
    assert_eq!(at(&status, "/runs/0/dispatcher"), "d1");
    let next = json!({"kind": "busy", "program": "mock", "dispatchers": 1, "who": ["d1"]});
    assert_eq!(at(&status, "/unreleased/1/reason"), next);

    world.freeze("d1");
    // At once: the engine itself waits for three beats before it calls it silent.
    let status = world.status();
    assert_eq!(at(&status, KIND), "silent", "{status}");
    assert_eq!(at(&status, "/unreleased/1/reason/kind"), "mute", "{status}");
    assert_eq!(at(&status, "/cluster/silent/0/dispatcher"), "d1", "it stays listed: {status}");
    let shown = text(&world);
    assert!(shown.contains("d1 (silent ") && !shown.contains("is being proved"), "{shown}");
    until("who is given up is listed still", || {
        at(&world.status_now()?, "/cluster/silent/0").is_null().then_some(())
    });
    world.thaw("d1");
    reason(&world, "proving");

    world.kill("e1");
    let status = until("an engine that is dead is said to lead", || {
        let status = world.status_now()?;
        (at(&status, "/running") == false).then_some(status)
    });
    assert_eq!(at(&status, KIND), "proving", "who has it goes on: {status}");
    assert_eq!(at(&status, "/unreleased/1/reason/kind"), "no_engine");
    world.kill("d1");
    until("a dispatcher that is dead is said to prove", || {
        let status = world.status_now()?;
        (at(&status, KIND) == "silent").then_some(())
    });
    assert!(text(&world).contains("d1 does not answer"), "{}", text(&world));
}

/// A dispatcher that was killed says no last word.
#[test]
fn who_was_killed_is_not_said_to_prove() {
    let mut world = World::new(1, "90s");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch_with("d1", 1);
    world.wait_for("d1", "takes work");
    world.start_submit();
    reason(&world, "proving");
    world.kill("d1");
    let status = world.status();
    assert_eq!(at(&status, KIND), "silent", "{status}");
    assert!(at(&status, "/head/why").to_string().contains("d1 has said nothing for "), "{status}");
}

/// A dispatcher that has the program, and cannot start it.
#[test]
fn who_cannot_run_a_program_is_named_with_why() {
    let mut world = World::new(1, "50ms");
    let pipeline = std::fs::read_to_string(world.path("pipeline.toml")).expect("it is there");
    let broken = pipeline.replace("push0-prover-mock", "./broken");
    std::fs::write(world.path("pipeline.toml"), broken).expect("writable");
    let broken = world.path("broken");
    std::fs::write(&broken, "#!/no/such/interpreter\n").expect("writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&broken, mode).expect("it is ours");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    world.start_submit();
    let said = until("nobody says why", || {
        let status = world.status_now()?;
        let cannot = at(&status, "/head/reason/cannot/0");
        cannot.as_str().map(str::to_owned)
    });
    assert!(said.starts_with("d1 cannot: ") && said.contains("/no/such/interpreter"), "{said}");
}

#[test]
fn a_block_is_explained_by_what_happened_what_it_waits_for_and_what_to_do() {
    let mut world = World::new(1, "90s");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.submit();
    let block = at(&world.status(), "/head/block").to_string();
    let explain = |world: &World, what: &str| world.output(&["explain", what]);
    let told = explain(&world, &block);
    assert!(told.starts_with(&format!("block {block}\n  submitted ")), "{told}");
    assert!(
        told.contains("no dispatcher runs mock") && told.contains("push0 dispatch PIPELINE"),
        "{told}"
    );

    world.dispatch_with("d1", 1);
    world.wait_granted_to("d1", 1);
    let told = until("it is not explained that it is proved", || {
        let told = explain(&world, &block);
        told.contains("is being proved").then_some(told)
    });
    assert!(
        told.contains(" on d1, ") && told.contains("-f shows what its prover prints"),
        "{told}"
    );
    // A program reads the same, and a task has a name too.
    let json: Value =
        serde_json::from_str(&world.output(&["explain", &block, "--json"])).expect("JSON");
    assert_eq!(at(&json, "/now/reason/kind"), "proving");
    let task = at(&world.status(), "/head/task").as_str().expect("a task").to_owned();
    let told = explain(&world, &task);
    assert!(told.starts_with(&format!("prove {block}, task ")), "{told}");

    // The others wait for the one dispatcher, and then for its operator.
    let next = (block.parse::<u64>().expect("a number") + 1).to_string();
    assert!(explain(&world, &next).contains("is busy"), "{}", explain(&world, &next));
    assert!(world.run(&["cordon", "d1", "--why", "a test"]).success());
    let told = until("it is not explained who must not take it", || {
        let told = explain(&world, &next);
        told.contains("cordoned").then_some(told)
    });
    assert!(told.contains("to do: push0 uncordon d1"), "{told}");

    world.kill("e1");
    let told = until("it is explained as if an engine led", || {
        let told = explain(&world, &next);
        told.contains("none leads").then_some(told)
    });
    assert!(told.contains("push0 serve PIPELINE"), "{told}");
}
