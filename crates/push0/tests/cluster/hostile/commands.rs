//! Commands with the credentials of a role that may not run them: each ends at once, and names the
//! subject that it lacks.

use std::process::ExitStatus;

use push0_testbed::until;

use super::engines;
use crate::user::User;
use crate::world::{World, blocks};

#[test]
fn of_a_client() {
    let mut world = engines("20ms");
    for (args, lacks) in [
        (&["apply", "pipeline.toml", "--yes"][..], LOG),
        (&["discard", "abcd", "--why", "a test"], OPERATE),
        (&["unpin", "mock", "--why", "a test"], OPERATE),
        (&["drain", "--all"], OPERATE),
        (&["cordon", "gpu-1", "--why", "a test"], OPERATE),
        (&["uncordon", "gpu-1"], OPERATE),
        (&["proofs", "pipeline.toml"], LOG),
        (&["log", "cat"], LOG),
    ] {
        lacks_the_right(&mut world, "client", args, lacks);
    }
}

#[test]
fn of_a_reader() {
    let mut world = engines("20ms");
    let all = blocks();
    for (args, lacks) in [
        (&["submit", "pipeline.toml", &*all][..], SUBMIT),
        (&["finish", "--yes"], SUBMIT),
        (&["retry", "--all"], SUBMIT),
        (&["retry", "abcd"], SUBMIT),
        (&["discard", "abcd", "--why", "a test"], OPERATE),
        (&["unpin", "mock", "--why", "a test"], OPERATE),
        (&["drain", "--all"], OPERATE),
        (&["cordon", "gpu-1", "--why", "a test"], OPERATE),
        (&["uncordon", "gpu-1"], OPERATE),
    ] {
        lacks_the_right(&mut world, "reader", args, lacks);
    }
}

/// An operator may ask whatever there is. What it may not is to be an engine or a dispatcher.
#[test]
fn of_an_operator() {
    let mut world = engines("20ms");
    for args in [&["retry", "--all"][..], &["status"], &["log", "cat"]] {
        let ended = run_as(&mut world, "operator", args);
        assert!(ended.success(), "{args:?}: {}", world.said("operator"));
    }
}

/// It is let nothing of what it needs. It goes on to look for that, since servers may be told
/// otherwise at any time, and says so once.
#[test]
fn an_engine_of_another_role_neither_leads_nor_floods_whoever_reads_its_words() {
    let mut world = engines("20ms");
    let before = world.history().len();
    world.tell("e3", "PUSH0_NATS_USER", "operator");
    world.tell("e3", "PUSH0_CONFIG", "reader.toml");
    world.start("e3", &["serve", "pipeline.toml", "--name", "e3", "--verbose"]);
    world.wait_for("e3", READS_NOT);
    until("it does not try again", || {
        (world.said("e3").matches(READS_NOT).count() >= 5).then_some(())
    });
    let said = world.said("e3");
    let told = said.lines().filter(|line| line.contains(READS_NOT) && line.contains(" WARN "));
    assert_eq!(told.count(), 1, "{said}");
    assert!(world.stop("e3").success());
    assert_eq!(world.history().len(), before);
}

/// Nobody but an engine makes the stream: where none has made it, a reader waits for it, and says
/// so.
#[test]
fn of_a_reader_where_no_stream_is() {
    let mut world = World::with_roles("20ms");
    let ended = run_as(&mut world, "reader", &["log", "cat"]);
    let said = world.said("reader");
    assert_eq!(ended.code(), Some(6), "{said}");
    world.block_on(async {
        let engine = User::new(&world, "engine").await;
        let answer = engine.ask("$JS.API.STREAM.INFO.push0", "").await;
        assert_eq!(answer.pointer("/error/err_code"), Some(&serde_json::json!(NO_STREAM)));
    });
}

/// Whoever leads then: the command was begun when nobody did.
#[test]
fn one_that_gets_no_answer_asks_again() {
    let mut world = engines("20ms");
    for name in ["e1", "e2"] {
        world.kill(name);
    }
    world.start("retry", &["retry", "--all"]);
    world.wait_for("retry", "no engine answers yet");
    world.serve("e2");
    assert!(world.wait_end("retry").success(), "{}", world.said("retry"));
}

fn lacks_the_right(world: &mut World, user: &str, args: &[&str], lacks: &str) {
    let before = world.history().len();
    let ended = run_as(world, user, args);
    let said = world.said(user);
    assert_eq!(ended.code(), Some(2), "{args:?}: {said}");
    // Or where it would hear the answer, whichever the servers refuse first.
    let is_named = said.contains(lacks) || (lacks == LOG && said.contains("\"_INBOX.push0."));
    assert!(is_named, "{args:?} lacks {lacks}: {said}");
    assert_eq!(world.history().len(), before, "{args:?}");
}

/// Runs a command as another than who is to run it. What it says is kept by the name of the user.
fn run_as(world: &mut World, user: &str, args: &[&str]) -> ExitStatus {
    let _ = std::fs::remove_file(world.path(&format!("{user}.err")));
    world.tell(user, "PUSH0_NATS_USER", user);
    world.tell(user, "PUSH0_NATS_PASSWORD", crate::world::PASSWORD);
    world.tell(user, "PUSH0_CONFIG", "reader.toml");
    world.start(user, args);
    world.wait_end(user)
}

/// What the log is read by, under the name that accounts beside the log's have for it.
const LOG: &str = "push0.api.STREAM.INFO.push0";

const SUBMIT: &str = "engine.submit needs a user who may publish there";
const OPERATE: &str = "engine.operate needs a user who may publish there";

const READS_NOT: &str = "does not let this user read the log";

/// Of the servers' errors.
const NO_STREAM: u64 = 10_059;
