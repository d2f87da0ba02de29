//! A proof outlives the failures of who is to judge or to keep it: it is not made again for them.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use push0_core::{FailureClass, Grant, Outcome, ToDispatcher};
use push0_dispatch::{Config, Notice, ProgramConfig, Retry};

use crate::world::{LONG, RETRY, SHORT, World, mock, name};

#[test]
fn a_verifier_that_fails_for_long_costs_no_proof() {
    let shy = "echo asked >> $dir/asked; [ $(wc -l < $dir/asked) -ge 8 ] || kill -KILL $$";
    let mut world = judged_by(shy, PROVER, RETRY);
    let grant = world.new_grant();
    world.proved(&grant);
    assert_eq!(world.written("made"), "made");
    let notice = world.notices.try_recv().expect("a notice");
    let Notice::Trouble { message } = &notice else { panic!("{notice:?}") };
    assert!(message.contains("SIGKILL") && message.contains("prover"), "{message}");
    assert!(world.notices.try_recv().is_err(), "one a minute is enough");
}

#[test]
fn a_verifier_that_is_gone_for_a_moment_costs_no_proof() {
    let mut world = World::patient(1, RETRY, |dir| {
        let verifier = dir.join("verifier");
        symlink("/bin/true", &verifier).expect("a link");
        let verifier = vec![verifier.to_string_lossy().into_owned()];
        let prover = mock(dir, &format!("{PROVER}; rm $dir/verifier"));
        BTreeMap::from([(name(), ProgramConfig { verifier, is_mock: false, ..prover })])
    });
    let grant = world.new_grant();
    world.grant(&grant);
    let notice = world.notice();
    assert!(matches!(notice, Notice::ProgramGone { .. }), "{notice:?}");
    symlink("/bin/true", world.dir.path().join("verifier")).expect("a link");
    let outcome = world.outcome_of(&grant);
    assert!(matches!(outcome, Outcome::Proved(_)), "{outcome:?}");
    assert_eq!(world.written("made"), "made");
}

#[test]
fn a_verifier_that_does_not_come_back_leaves_the_result_unjudged() {
    let retry = Retry { total: SHORT * 3, ..RETRY };
    let mut world = World::patient(1, retry, |dir| {
        let verifier = vec![dir.join("none").to_string_lossy().into_owned()];
        symlink("/bin/true", dir.join("none")).expect("a link");
        let prover = mock(dir, &format!("{PROVER}; rm $dir/none"));
        let program = ProgramConfig { verifier, is_mock: false, ..prover };
        BTreeMap::from([(name(), program)])
    });
    let grant = Grant { timeout: SHORT * 50, ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Unjudged, "{message}");
}

#[test]
fn a_result_that_nobody_judged_is_not_made_again() {
    let broken = "[ -e $dir/mended ] && exit 0; exit 2";
    let mut world = judged_by(broken, PROVER, Retry { total: SHORT, ..RETRY });
    let grant = Grant { timeout: SHORT * 10, ..world.new_grant() };
    for _ in 0..2 {
        let grant = Grant { attempt: world.new_grant().attempt, ..grant.clone() };
        let (class, message) = world.failed(&grant);
        assert_eq!(class, FailureClass::Unjudged, "{message}");
    }
    std::fs::write(world.dir.path().join("mended"), "").expect("a file");
    let last = Grant { attempt: world.new_grant().attempt, ..grant };
    world.proved(&last);
    assert_eq!(world.written("made"), "made");
}

#[test]
fn a_former_result_that_is_refused_is_made_anew() {
    let strict = "[ -e $dir/mended ] || exit 2; [ $(wc -l < $dir/made) -ge 2 ] || exit 196";
    let mut world = judged_by(strict, PROVER, Retry { total: SHORT, ..RETRY });
    let grant = Grant { timeout: SHORT * 10, ..world.new_grant() };
    assert_eq!(world.failed(&grant).0, FailureClass::Unjudged);
    std::fs::write(world.dir.path().join("mended"), "").expect("a file");
    let last = Grant { attempt: world.new_grant().attempt, timeout: LONG, ..grant };
    world.proved(&last);
    assert_eq!(world.written("made"), "made\nmade");
}

#[test]
fn a_store_that_takes_nothing_for_a_moment_costs_no_proof() {
    let full = "mv $dir/store/tmp $dir/store/away; : > $dir/store/tmp";
    let mut world = judged_by("exit 0", &format!("{PROVER}; {full}"), RETRY);
    let grant = world.new_grant();
    world.grant(&grant);
    let notice = world.notice();
    let Notice::Trouble { message } = &notice else { panic!("{notice:?}") };
    assert!(message.contains("store"), "{message}");
    let store = world.dir.path().join("store");
    std::fs::remove_file(store.join("tmp")).expect("removed");
    std::fs::rename(store.join("away"), store.join("tmp")).expect("back");
    let outcome = world.outcome_of(&grant);
    assert!(matches!(outcome, Outcome::Proved(_)), "{outcome:?}");
    assert_eq!(world.written("made"), "made");
}

#[test]
fn an_input_that_is_lost_before_the_verifier_saw_it_is_lost() {
    let mut world = judged_by("exit 0", &format!("{PROVER}; rm $dir/store/??/*"), RETRY);
    let bound = world.put(1, b"{}");
    let grant = Grant { inputs: vec![bound.clone()], ..world.new_grant() };
    let outcome = world.outcome(&grant);
    assert_eq!(outcome, Outcome::InputLost { artifact: bound.artifact });
}

#[test]
fn a_cancel_ends_the_wait_for_a_verifier_and_so_does_a_shutdown() {
    let mut world = judged_by("exit 2", PROVER, Retry { pause: LONG, total: LONG * 9, ..RETRY });
    let first = world.new_grant();
    world.grant(&first);
    assert!(matches!(world.notice(), Notice::Trouble { .. }));
    world.send(ToDispatcher::Cancel(first.attempt));
    assert_eq!(world.outcome_of(&first), Outcome::Cancelled);
    let second = world.new_grant();
    world.grant(&second);
    crate::world::until(|| {
        (std::fs::read_to_string(world.dir.path().join("made")).ok()?.lines().count() == 2)
            .then_some(())
    });
    world.dispatcher.begin_shutdown(SHORT);
    let outcome = world.outcome_of(&second);
    assert!(matches!(outcome, Outcome::NotRun { .. }), "{outcome:?}");
}

#[test]
fn the_default_stays_within_a_lease() {
    assert!(Config::VERIFY_RETRY.total + SHORT * 500 < LONG * 5);
}

fn judged_by(verifier: &str, prover: &str, retry: Retry) -> World {
    World::patient(1, retry, |dir| {
        let verifier = mock(dir, verifier).argv;
        let program = ProgramConfig { verifier, is_mock: false, ..mock(dir, prover) };
        BTreeMap::from([(name(), program)])
    })
}

const PROVER: &str = "echo made >> $dir/made; echo '{}' > $out";
