//! Verification: nothing that is not a mock is reported before its verifier has accepted it.

use std::collections::BTreeMap;

use push0_core::{FailureClass, Outcome, Vkey};
use push0_dispatch::ProgramConfig;

use crate::world::{World, mock, name};

#[test]
fn an_accepted_result_is_proved_under_the_verifiers_key() {
    let key = Vkey([3; 32]);
    let verdict = format!(r#"echo '{{"vkey":"{key}","claim":{{}}}}'"#);
    let mut world = judged_by(&format!("cp $in $dir/envelope; {verdict}"), RESULT);
    let grant = world.new_grant();
    let result = world.proved(&grant);
    assert_eq!((result.vkey, result.mock), (Some(key), false));
    let bytes = std::fs::read(world.dir.path().join("envelope")).expect("an envelope");
    let envelope = push0_prover::Envelope::decode(&bytes).expect("sound");
    assert_eq!(envelope.public_values.0, [1, 2]);
    assert_eq!(envelope.inputs, Some(Vec::new()));
    assert_eq!(result.statement, push0_core::Digest::of(&[1, 2]));
}

#[test]
fn a_refused_result_is_rejected_in_the_verifiers_words() {
    let mut world = judged_by("echo wrong pairing >&2; exit 1", RESULT);
    let grant = world.new_grant();
    let outcome = world.outcome(&grant);
    assert!(
        matches!(&outcome, Outcome::Rejected { message } if message.contains("wrong pairing")),
        "{outcome:?}"
    );
    world.await_no_leftovers();
}

#[test]
fn a_verifier_without_a_verdict_is_asked_again() {
    let shy = "echo asked >> $dir/asked; [ $(wc -l < $dir/asked) -ge 3 ] || exit 2";
    let mut world = judged_by(shy, RESULT);
    let grant = world.new_grant();
    world.proved(&grant);
    assert_eq!(world.written("asked"), "asked\nasked\nasked");
}

#[test]
fn without_any_verdict_the_attempt_failed_for_the_moment() {
    let retry = push0_dispatch::Retry { total: crate::world::SHORT * 3, ..crate::world::RETRY };
    let mut world = World::patient(1, retry, |dir| {
        let verifier = mock(dir, "kill -KILL $$").argv;
        let program = ProgramConfig { verifier, is_mock: false, ..mock(dir, RESULT) };
        BTreeMap::from([(name(), program)])
    });
    let grant = push0_core::Grant { timeout: crate::world::SHORT * 50, ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Transient, "{message}");
}

#[test]
fn a_verifier_that_is_too_slow_is_asked_three_times_and_then_the_attempt_failed() {
    let mut world = judged_by("echo asked >> $dir/asked; sleep 1000", RESULT);
    let grant = push0_core::Grant { timeout: crate::world::AMPLE * 4, ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Transient, "{message}");
    assert!(message.contains("no verdict in time"), "{message}");
    assert_eq!(world.written("asked"), "asked\nasked\nasked");
}

#[test]
fn raw_bytes_are_a_result_where_a_verifier_judges_them() {
    let mut world = judged_by("exit 0", r"printf '\377\376' > $out");
    let grant = world.new_grant();
    assert_eq!(world.proved(&grant).bytes, 2);
}

#[test]
fn a_mock_from_a_program_that_is_none_is_rejected() {
    let mut world = judged_by("exit 0", &RESULT.replace("false", "true"));
    let grant = world.new_grant();
    assert!(matches!(world.outcome(&grant), Outcome::Rejected { .. }));
}

#[test]
fn another_key_than_the_pinned_one_is_rejected() {
    let other = Vkey([5; 32]);
    let verdict = format!(r#"echo '{{"vkey":"{other}","claim":{{}}}}'"#);
    let mut world = pinned_and_judged_by(Some(Vkey([4; 32])), &verdict, RESULT);
    let grant = world.new_grant();
    assert!(matches!(world.outcome(&grant), Outcome::Rejected { .. }));
}

#[test]
fn a_result_that_names_another_key_than_its_verifier_is_rejected() {
    let (claimed, own) = (Vkey([4; 32]), Vkey([5; 32]));
    let verdict = format!(r#"echo '{{"vkey":"{own}","claim":{{}}}}'"#);
    let result = RESULT.replace("null", &format!(r#""{claimed}""#));
    let mut world = judged_by(&verdict, &result);
    let grant = world.new_grant();
    let outcome = world.outcome(&grant);
    let Outcome::Rejected { message } = &outcome else { panic!("{outcome:?}") };
    let has = |key: Vkey| message.contains(&key.to_string());
    assert!(has(claimed) && has(own), "{message}");
}

#[test]
fn a_pinned_key_that_nobody_names_is_left_out() {
    let mut world = pinned_and_judged_by(Some(Vkey([4; 32])), "exit 0", RESULT);
    let grant = world.new_grant();
    assert_eq!(world.proved(&grant).vkey, None);
}

#[test]
fn a_mock_is_not_hidden_by_saying_its_format_twice() {
    let twice = RESULT.replace("false", "true").replace(r#","vkey""#, r#","format":"x","vkey""#);
    let mut world = judged_by("exit 0", &twice);
    let (class, message) = world.try_once();
    assert_eq!(class, FailureClass::Failed, "{message}");
    assert!(message.contains("push0.result/1"), "{message}");
}

#[test]
fn a_proof_that_comes_within_the_grace_counts() {
    let late =
        format!("trap 'write; exit 0' TERM; write() {{ {RESULT}; }}; while :; do sleep 0.01; done");
    let mut world = judged_by("exit 0", &late);
    let grant = push0_core::Grant { timeout: crate::world::AMPLE, ..world.new_grant() };
    world.proved(&grant);
}

fn judged_by(verifier: &str, prover: &str) -> World {
    pinned_and_judged_by(None, verifier, prover)
}

fn pinned_and_judged_by(vkey: Option<Vkey>, verifier: &str, prover: &str) -> World {
    World::with(1, |dir| {
        let verifier = mock(dir, verifier).argv;
        let program = ProgramConfig { verifier, is_mock: false, vkey, ..mock(dir, prover) };
        BTreeMap::from([(name(), program)])
    })
}

const RESULT: &str = r#"echo '{"format":"push0.result/1","vkey":null,"mock":false,"public_values":"0x0102","proof":"AA=="}' > $out"#;
