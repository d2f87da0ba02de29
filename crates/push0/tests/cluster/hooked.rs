//! The hook of `push0 proofs`, run by the command itself.

use std::collections::BTreeSet;
use std::fs;

use push0_core::Event;
use push0_testbed::{program, until};

use crate::world::{BLOCKS, World};

#[test]
fn it_runs_once_for_a_file_that_several_stages_share_and_by_nobody_else_meanwhile() {
    let mut world = World::new(1, "20ms");
    let path = world.path("pipeline.toml");
    let pipeline = fs::read_to_string(&path).expect("it was written");
    let pipeline = pipeline
        .replace("[release]", "twice = { inputs = [\"blocks\"], program = \"mock\" }\n[release]")
        .replace("inputs = [\"prove\"]", "inputs = [\"prove\", \"twice\"]");
    fs::write(&path, pipeline).expect("writable");
    peopled(&mut world);
    world.submit();
    world.drain();
    released(&world);
    hook(&world, "while [ ! -e go ]; do sleep 0.1; done");
    world.start("p1", &HOOKED);
    until("no hook runs", || world.path("out/.hooked").exists().then_some(()));
    world.start("p2", &HOOKED);
    assert_eq!(world.wait_end("p2").code(), Some(5), "{}", world.said("p2"));
    assert!(world.said("p2").contains("another `push0 proofs`"), "{}", world.said("p2"));
    fs::write(world.path("go"), "").expect("writable");
    assert!(world.wait_end("p1").success(), "{}", world.said("p1"));
    let files = ran(&world);
    assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), BLOCKS, "{files:?}");
    assert_eq!(files.len(), BLOCKS, "{files:?}");
    let shared = files.first().and_then(|file| fs::read_to_string(world.path(file)).ok());
    assert!(shared.is_some_and(|file| file.contains("\"proofs\":[")), "{files:?}");
    assert_eq!(proofs(&mut world, "p1"), Some(0));
    assert_eq!(ran(&world).len(), BLOCKS, "nothing is left to run");
}

#[test]
fn a_mark_is_of_one_log_and_of_one_history_of_it() {
    let mut world = World::new(1, "20ms");
    peopled(&mut world);
    world.submit();
    world.drain();
    hook(&world, "");
    released(&world);
    assert_eq!(proofs(&mut world, "p1"), Some(0), "{}", world.said("p1"));
    let mark = world.path("out/.hooked");
    let marked = fs::read_to_string(&mark).expect("a mark");
    let words: Vec<_> = marked.split_whitespace().collect();
    let [log, number, history] = words.as_slice() else { panic!("{marked}") };
    assert_eq!(*number, BLOCKS.to_string());
    for (text, says) in [
        (format!("{} 5 {history}\n", "0".repeat(32)), "of another log (0000"),
        (format!("{log} 21 {history}\n"), "and the log has 20: it was put back to an older copy"),
        (format!("{log} 5 {history}\n"), "has other releases than those"),
        ("five\n".to_owned(), "it holds no log and number"),
    ] {
        fs::write(&mark, &text).expect("writable");
        for follow in [&[][..], &["--follow"]] {
            world.start("p2", &[&HOOKED, follow].concat());
            assert_eq!(world.wait_end("p2").code(), Some(4), "{text}: {}", world.said("p2"));
        }
        let said = world.said("p2");
        assert!(
            said.contains(says) && said.contains(&format!("write `{log} N`")),
            "{says}: {said}"
        );
    }
    fs::remove_file(&mark).expect("it is there");
    assert_eq!(proofs(&mut world, "p3"), Some(4), "{}", world.said("p3"));
    assert!(world.said("p3").contains("there are proofs, and no mark"), "{}", world.said("p3"));
    assert_eq!(ran(&world).len(), BLOCKS, "none of them ran the hook");
    // As the message says; and as push0 wrote it before.
    for by_hand in [format!("{log} 18\n"), "19\n".to_owned()] {
        fs::write(&mark, by_hand).expect("writable");
        assert_eq!(proofs(&mut world, "p4"), Some(0), "{}", world.said("p4"));
        assert_eq!(fs::read_to_string(&mark).expect("a mark"), marked);
    }
    assert_eq!(ran(&world).len(), BLOCKS + 2 + 1);
    another_log(&mut world);
}

#[test]
fn it_is_given_what_is_named_and_nothing_else_of_ours() {
    let mut world = World::new(1, "20ms");
    peopled(&mut world);
    world.submit();
    world.drain();
    hook(&world, "echo \"$SETTLE_KEY/$OTHER/$PUSH0_NATS\" >>given");
    released(&world);
    let by = ["env", "SETTLE_KEY=abc", "OTHER=x"];
    world.start_by(&by, "p1", &[&HOOKED[..], &["--hook-pass", "SETTLE_KEY"]].concat());
    assert!(world.wait_end("p1").success(), "{}", world.said("p1"));
    let given = fs::read_to_string(world.path("given")).expect("it ran");
    assert_eq!(given.lines().collect::<BTreeSet<_>>(), BTreeSet::from(["abc//"]));
    for (name, says) in
        [("PUSH0_NATS_PASSWORD", "a credential of push0's own"), ("A-B", "no variable")]
    {
        world.start("p2", &[&HOOKED[..], &["--hook-pass", name]].concat());
        assert_eq!(world.wait_end("p2").code(), Some(2));
        assert!(world.said("p2").contains(says), "{}", world.said("p2"));
    }
}

/// Its numbers begin anew: by the mark of the first, no hook would see its releases.
fn another_log(world: &mut World) {
    let other = "[nats]\nstream = \"other\"\nprefix = \"other\"\nmax_bytes = \"16MiB\"\n";
    fs::write(world.path("other.toml"), other).expect("a writable directory");
    let as_other = ["--config", "other.toml", "--store", "other"];
    world.start("e9", &[&["serve", "pipeline.toml", "--name", "e9"][..], &as_other].concat());
    world.wait_for("e9", "leads in");
    for hook in [&["--hook", "./hook"][..], &[]] {
        let args = [&["proofs", "pipeline.toml", "--out", "out"], &as_other[..], hook].concat();
        world.start("p9", &args);
        assert_eq!(world.wait_end("p9").code(), Some(4), "{}", world.said("p9"));
    }
    let said = world.said("p9");
    assert!(said.contains("the mark is of another log") && said.contains("(--out)"), "{said}");
}

fn peopled(world: &mut World) {
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
}

fn released(world: &World) {
    let is_it = |event: &Event| matches!(event, Event::Released { .. });
    until("not all is released", || (world.facts(is_it) == BLOCKS).then_some(()));
}

/// A hook that does this, and then notes the file.
fn hook(world: &World, script: &str) {
    program(&world.path("hook"), &format!("{script}\necho \"$1\" >>ran"));
}

fn ran(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.path("ran")).unwrap_or_default();
    text.lines().map(ToOwned::to_owned).collect()
}

fn proofs(world: &mut World, name: &str) -> Option<i32> {
    world.start(name, &HOOKED);
    world.wait_end(name).code()
}

const HOOKED: [&str; 6] = ["proofs", "pipeline.toml", "--out", "out", "--hook", "./hook"];
