//! Dispatchers that leave: what they run is ended and handed over, and they take nothing new.

use std::process::Stdio;
use std::time::SystemTime;

use push0_core::{Event as Fact, Turn};
use push0_testbed::until;
use rustix::process::Signal;

use crate::world::{BLOCKS, World, at};

/// A rolling update costs no proof that is being made.
#[test]
fn one_that_is_told_to_leave_ends_what_it_runs_and_no_attempt_is_lost() {
    let mut world = World::new(1, "1500ms").peopled();
    world.submit();
    world.wait_running("d1", 2);
    let ended = world.stop("d1");
    assert_eq!(ended.code(), Some(0), "{}", world.said("d1"));
    let said = world.said("d1");
    assert!(said.contains("leaves, since SIGTERM: takes nothing new"), "{said}");
    assert!(said.contains("leaves: nothing is left to do"), "{said}");
    world.wait_accepted(BLOCKS);
    let ended_otherwise = world.facts(|fact| {
        matches!(fact, Fact::Withdrawn { .. } | Fact::Lost { .. } | Fact::Failed { .. })
    });
    assert_eq!(ended_otherwise, 0);
    world.finish(BLOCKS);
}

/// Somebody is in a hurry: what runs is given to others.
#[test]
fn one_that_is_told_twice_stops_at_once() {
    let mut world = World::new(1, "60s");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.start_submit();
    world.wait_running("d1", 2);
    world.signal("d1", Signal::TERM);
    world.wait_for("d1", "leaves, since SIGTERM");
    let leaves = || {
        let status = world.status_now()?;
        (at(&status, "/cluster/dispatchers/0/leaving") == true).then_some(())
    };
    until("status does not say that it leaves", leaves);
    assert_eq!(world.provers_of("d1").len(), 2, "they run on");
    assert_eq!(world.stop("d1").code(), Some(0));
    assert!(world.said("d1").contains("stops: 2 attempts are taken back"), "{}", world.said("d1"));
    let withdrawn =
        |turn: &Turn| turn.events.iter().any(|fact| matches!(fact, Fact::Withdrawn { .. }));
    world.first_after(SystemTime::UNIX_EPOCH, "nothing was taken back", withdrawn);
}

/// A terminal that is closed has the kernel and the shell say so both.
#[test]
fn one_whose_terminal_goes_leaves_and_is_not_hurried() {
    let mut world = World::new(1, "1500ms").peopled();
    world.start_by(HEARS, "d3", &D3);
    world.start_by(HEARS, "e3", &["serve", "pipeline.toml", "--name", "e3"]);
    world.wait_for("d3", "takes work");
    world.wait_for("e3", "stands by");
    world.submit();
    world.wait_running("d3", 1);
    world.signal("d3", Signal::HUP);
    world.wait_for("d3", "d3: leaves, since SIGHUP");
    world.signal("d3", Signal::HUP);
    assert_eq!(world.wait_end("d3").code(), Some(0), "{}", world.said("d3"));
    let said = world.said("d3");
    assert!(said.contains("d3: leaves: nothing is left to do"), "{said}");
    world.signal("e3", Signal::HUP);
    assert_eq!(world.wait_end("e3").code(), Some(0), "{}", world.said("e3"));
    world.finish(BLOCKS);
}

#[test]
fn one_that_was_started_by_nohup_outlives_its_terminal() {
    let mut world = World::new(1, "50ms");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.start_by(&["nohup"], "d3", &D3);
    world.wait_for("d3", "takes work");
    world.signal("d3", Signal::HUP);
    world.submit();
    world.wait_accepted(BLOCKS);
    assert!(!world.said("d3").contains("leaves"), "{}", world.said("d3"));
    world.finish(BLOCKS);
}

/// Whoever runs the tests may ignore SIGHUP, and what he starts does too.
const HEARS: &[&str] = &["env", "--default-signal=HUP"];

const D3: [&str; 8] =
    ["dispatch", "pipeline.toml", "--id", "d3", "--slots", "1", "--memory", "8GiB"];

#[test]
fn one_is_asked_from_afar_and_what_runs_too_long_is_given_to_others() {
    let mut world = World::new(1, "60s");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    let what = ["dispatch", "pipeline.toml", "--id", "d1", "--slots", "1", "--memory", "8GiB"];
    world.start("d1", &[&what[..], &["--drain", "1s"]].concat());
    world.start_submit();
    world.wait_running("d1", 1);
    assert_eq!(world.run(&["drain"]).code(), Some(2), "nobody is named");
    let nobody = world.command(&["drain", "d7"]).stderr(Stdio::piped()).output();
    let nobody = String::from_utf8(nobody.expect("it starts").stderr).expect("it is text");
    assert_eq!(nobody, "error: d7 is not there; those there are: d1\n");
    assert_eq!(world.run(&["drain", "d1", "d7"]).code(), Some(6), "d7 is not there");
    assert_eq!(world.wait_end("d1").code(), Some(0));
    let said = world.said("d1");
    assert!(said.contains("asked for it"), "{said}");
    assert!(said.contains("stops: 1 attempt is taken back"), "{said}");
}

#[test]
fn a_notice_that_the_machine_is_taken_back_has_it_leave() {
    let mut world = World::new(1, "1s");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    let notice = world.path("notice").to_string_lossy().into_owned();
    let what = ["dispatch", "pipeline.toml", "--slots", "1", "--memory", "8GiB", "--id"];
    world.start("d1", &[&what[..], &["d1", "--notice", &notice]].concat());
    world.start("d2", &[&what[..], &["d2"]].concat());
    for id in ["d1", "d2"] {
        world.wait_for(id, "takes work");
    }
    std::fs::write(&notice, "").expect("there is room");
    world.signal("d2", Signal::USR1);
    for id in ["d1", "d2"] {
        assert_eq!(world.wait_end(id).code(), Some(0));
        assert!(world.said(id).contains("this machine is taken back"), "{}", world.said(id));
    }
}

#[test]
fn who_is_cordoned_gets_nothing_after_a_restart_and_under_another_leader_until_it_is_taken_off() {
    let mut world = World::new(1, "50ms");
    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.serve("e2");
    world.wait_for("e2", "stands by");
    assert!(world.run(&["cordon", "d1", "--why", "its disk is changed"]).success());
    assert!(world.run(&["cordon", "d1"]).success(), "it is so already");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    world.kill("e1");
    world.wait_for("e2", "leads in");
    world.start_submit();
    let shown = until("status does not say that it is cordoned", || {
        let status = world.status_now()?;
        let cordon = at(&status, "/cordoned/0");
        (at(&cordon, "/dispatcher") == "d1" && at(&status, "/blocks/submitted") == 20)
            .then_some(cordon)
    });
    assert_eq!(at(&shown, "/why"), "its disk is changed");
    assert_eq!(world.facts(|fact| matches!(fact, Fact::Granted { .. })), 0);
    assert!(world.run(&["uncordon", "d1"]).success());
    assert!(world.run(&["uncordon", "d1"]).success(), "it is so already");
    world.finish(BLOCKS);
}

#[test]
fn that_no_block_follows_is_asked_first_and_can_be_taken_back() {
    let world = World::new(1, "20ms").peopled();
    world.submit();
    assert_eq!(world.run(&["finish"]).code(), Some(2), "nobody answered yes");
    assert_eq!(world.run(&["finish", "--undo"]).code(), Some(2), "nothing is there to take back");
    assert!(world.run(&["finish", "--yes"]).success());
    wait_ended(&world, true);
    assert!(world.run(&["finish", "--undo", "--why", "the wrong terminal"]).success());
    wait_ended(&world, false);
    world.finish(BLOCKS);
}

/// What status says is up to a second old.
fn wait_ended(world: &World, is_ended: bool) {
    until("status does not say so", || {
        (at(&world.status_now()?, "/blocks/ended") == is_ended).then_some(())
    });
}
