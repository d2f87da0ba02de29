//! Connections that are lost and come back are told of, on whatever is connected for long.

use push0_testbed::until;

use crate::world::{BLOCKS, World};

#[test]
fn a_server_that_is_killed_is_named_once_when_it_goes_and_once_when_it_is_back() {
    let mut world = World::usual(1, "20ms");
    world.start("reader", &["proofs", "pipeline.toml", "--follow"]);
    world.submit();
    world.wait_accepted(BLOCKS);
    let url = world.nats.urls().remove(0);
    let names = ["e1", "e2", "d1", "d2", "reader"];
    world.nats.kill(0);
    for name in names {
        wait_for(&world, name, &format!("WARN  lost the connection to {url} ("));
    }
    world.nats.restart(0);
    for name in names {
        wait_for(&world, name, &format!("INFO  connected again to {url} after "));
        let told = |words: &str| world.said(name).matches(words).count();
        let both = (told("lost the connection"), told("connected again"));
        assert_eq!(both, (1, 1), "{name}: {}", world.said(name));
    }
    world.finish(BLOCKS);
}

#[test]
fn of_three_servers_the_one_that_goes_and_the_one_that_is_next_are_named() {
    let mut world = World::usual(3, "20ms");
    let urls = world.nats.urls();
    let [first, others @ ..] = &urls[..] else { panic!("there are three") };
    world.nats.kill(0); // all processes are connected to the first that they are told of
    for name in ["e1", "d1"] {
        wait_for(&world, name, &format!("WARN  lost the connection to {first} ("));
        until(&format!("{name} is not back"), || {
            let said = world.said(name);
            let is_at = |url: &String| said.contains(&format!("connected again to {url} after "));
            others.iter().any(is_at).then_some(())
        });
    }
    world.nats.restart(0);
    world.submit();
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

#[test]
fn programs_read_the_server_by_name_and_no_password_is_told() {
    let mut world = World::new(1, "20ms");
    let url = world.nats.urls().remove(0);
    let secret = url.replace("nats://", "nats://somebody:Secret-1@");
    world.tell("e1", "PUSH0_NATS", secret);
    world.tell("e1", "PUSH0_LOG_FORMAT", "json");
    world.serve("e1");
    wait_for(&world, "e1", "leads in");
    world.nats.kill(0);
    wait_for(&world, "e1", "lost the connection");
    world.nats.restart(0);
    wait_for(&world, "e1", "connected again");
    let said = world.said("e1");
    for (words, level) in [("lost the connection", "warn"), ("connected again", "info")] {
        let line = said.lines().find(|line| line.contains(words)).expect("it is told");
        let line: serde_json::Value = serde_json::from_str(line).expect("an object");
        assert_eq!((at(&line, "/level"), at(&line, "/server")), (level, &*url), "{line}");
    }
    assert!(!said.contains("Secret-1"), "{said}");
}

/// Waits until a process has said these words, whatever else goes wrong meanwhile.
fn wait_for(world: &World, name: &str, words: &str) {
    until(&format!("{name} does not say {words:?}"), || {
        world.said(name).contains(words).then_some(())
    });
}

fn at<'a>(line: &'a serde_json::Value, pointer: &str) -> &'a str {
    line.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default()
}
