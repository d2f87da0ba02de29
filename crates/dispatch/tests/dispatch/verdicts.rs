//! Verification: nothing that is not a mock is reported before its verifier has accepted it.

use std::collections::BTreeMap;

use std::time::Instant;

use push0_core::{
    Asking, Believes, Bound, FailureClass, Give, Grant, InputId, Outcome, TaskId, Vkey,
};
use push0_dispatch::{Notice, ProgramConfig};

use crate::world::{AMPLE, LONG, SHORT, World, mock, name};

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
    for refusing in
        ["echo wrong pairing >&2; exit 196", r#"echo '{"refused":"wrong pairing"}'; exit 1"#]
    {
        let mut world = judged_by(refusing, RESULT);
        let grant = world.new_grant();
        let outcome = world.outcome(&grant);
        assert!(
            matches!(&outcome, Outcome::Rejected { message } if message.contains("wrong pairing")),
            "{outcome:?}"
        );
        world.await_no_leftovers();
    }
}

#[test]
fn a_crash_of_the_verifier_rejects_nothing_and_accepts_nothing() {
    let crash = "echo asked >> $dir/asked; echo 'ImportError: no module' >&2; exit 1";
    // Time enough for a loaded machine to start it twice.
    let retry = push0_dispatch::Retry { total: SHORT * 80, ..crate::world::RETRY };
    let mut world = World::patient(1, retry, |dir| {
        let verifier = mock(dir, crash).argv;
        let asking = Asking { timeout: AMPLE, ..mock(dir, "").asking };
        let program = ProgramConfig { verifier, asking, is_mock: false, ..mock(dir, RESULT) };
        BTreeMap::from([(name(), program)])
    });
    let grant = world.new_grant();
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Unjudged, "{message}");
    assert!(message.contains("ImportError") && message.contains("exit 196"), "{message}");
    assert!(world.written("asked").lines().count() > 1);
}

#[test]
fn a_guess_that_knows_no_verify_is_found_out_soon_and_no_more_is_proved_for_it() {
    for (usage, times) in [("echo usage >&2; exit 2", 3), ("exit 0", 1), ("exit 1", 3)] {
        let mut world = believed(Believes::LineOfGuess, &format!("{ASKED}; {usage}"), MADE);
        for _ in 0..2 {
            let (class, message) = world.try_once();
            assert_eq!(class, FailureClass::Unjudged, "{message}");
            assert!(message.contains("name a verifier by the key `verifier`"), "{message}");
        }
        assert_eq!(world.written("asked").lines().count(), times, "{usage}");
        assert_eq!(world.written("made"), "made");
    }
}

#[test]
fn a_guess_that_has_spoken_once_is_waited_for() {
    let line = r#"echo '{"vkey":null,"claim":null}'"#;
    let shy =
        format!("{ASKED}; n=$(wc -l < $dir/asked); [ $n = 1 ] || [ $n -ge 8 ] || exit 1; {line}");
    let mut world = believed(Believes::LineOfGuess, &shy, MADE);
    for _ in 0..2 {
        let grant = world.new_grant();
        world.proved(&grant);
    }
    assert_eq!(world.written("asked").lines().count(), 8);
}

#[test]
fn one_that_says_that_it_cannot_tell_is_waited_for() {
    let shy = format!(
        "{ASKED}; [ $(wc -l < $dir/asked) -ge 6 ] || {{ echo '{{\"undecided\":\"no keys\"}}'; exit 2; }}; \
         echo '{{\"vkey\":null,\"claim\":null}}'"
    );
    let mut world = believed(Believes::LineOfGuess, &shy, RESULT);
    let grant = world.new_grant();
    world.proved(&grant);
    let Notice::Trouble { message } = world.notice() else { panic!("not a trouble") };
    assert!(message.contains("no keys"), "{message}");
}

#[test]
fn silence_of_a_named_verifier_is_no_verdict_unless_the_pipeline_says_so() {
    let mut world = believed(Believes::Line, &format!("{ASKED}; exit 0"), RESULT);
    let (class, message) = world.try_once();
    assert_eq!(class, FailureClass::Unjudged, "{message}");
    assert!(message.contains("verdict = \"exit\""), "{message}");
    assert_eq!(world.written("asked"), "asked");
    let mut world = believed(Believes::Exit, "exit 0", RESULT);
    let grant = world.new_grant();
    world.proved(&grant);
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
    let retry = push0_dispatch::Retry { total: SHORT * 3, ..crate::world::RETRY };
    let mut world = World::patient(1, retry, |dir| {
        let verifier = mock(dir, "kill -KILL $$").argv;
        let program = ProgramConfig { verifier, is_mock: false, ..mock(dir, RESULT) };
        BTreeMap::from([(name(), program)])
    });
    let grant = Grant { timeout: SHORT * 50, ..world.new_grant() };
    let (class, message) = world.failed(&grant);
    assert_eq!(class, FailureClass::Unjudged, "{message}");
}

#[test]
fn a_verifier_that_passes_its_limits_is_asked_twice_and_no_slot_is_held_for_it() {
    let limited = |script: &str, asking: fn(Asking) -> Asking| {
        let mut world = World::with(1, |dir| {
            let verifier = mock(dir, &format!("{ASKED}; {script}")).argv;
            let asking = asking(mock(dir, "").asking);
            let program = ProgramConfig { verifier, asking, is_mock: false, ..mock(dir, RESULT) };
            BTreeMap::from([(name(), program)])
        });
        let began = Instant::now();
        let grant = Grant { timeout: LONG * 100, ..world.new_grant() };
        let (class, message) = world.failed(&grant);
        assert_eq!(class, FailureClass::Unjudged, "{message}");
        assert_eq!(world.written("asked"), "asked\nasked");
        assert!(began.elapsed() < LONG, "{script}");
        message
    };
    let slow = limited("sleep 1000", |asking| Asking { timeout: AMPLE / 5, ..asking });
    assert!(slow.contains("no verdict in time"), "{slow}");
    let flood = limited("yes", |asking| asking);
    assert!(flood.contains("more than 16 MiB"), "{flood}");
    let hungry = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 1000";
    let hungry =
        limited(hungry, |asking| Asking { memory_bytes: 32 << 20, timeout: LONG, ..asking });
    assert!(hungry.contains("memory"), "{hungry}");
    for named in [&slow, &flood, &hungry] {
        assert!(!named.contains("key `verifier`"), "it is named: {named}");
    }
    let guessed = |script: &str, asking: fn(Asking) -> Asking| {
        let message = limited(script, asking);
        assert!(message.contains("name a verifier by the key `verifier`"), "{message}");
    };
    guessed("sleep 1000", |asking| Asking { timeout: AMPLE / 5, ..guess(asking) });
    guessed("yes", guess);
    let hungry = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 1000";
    guessed(hungry, |asking| Asking { memory_bytes: 32 << 20, timeout: LONG, ..guess(asking) });
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

/// Whoever made it reported it as none, so the log says that it is none.
#[test]
fn no_proof_is_built_on_a_result_that_says_itself_that_it_is_a_mock() {
    let says = |mock: &str| RESULT.split('\'').nth(1).expect("quoted").replace("false", mock);
    for give in [Give::Raw, Give::Bundle, Give::Number] {
        let mut world = World::with(1, |dir| {
            let verifier = mock(dir, &format!("{ASKED}; exit 0")).argv;
            let prover = mock(dir, &format!("echo proved >> $dir/proved; {RESULT}"));
            let program = ProgramConfig { give, verifier, is_mock: false, ..prover };
            let declared = ProgramConfig { is_mock: true, ..program.clone() };
            let others = [("honest", program.clone()), ("declared", declared)];
            let others = others.map(|(name, program)| (name.parse().expect("a name"), program));
            others.into_iter().chain([(name(), program)]).collect()
        });
        let of = |world: &World, maker: &str, mock: &str| Bound {
            input: InputId::Task(TaskId([8; 32])),
            program: Some(maker.parse().expect("a name")),
            ..world.put(1, says(mock).as_bytes())
        };
        let lie = of(&world, "honest", "true");
        let grant = Grant { inputs: vec![lie], ..world.new_grant() };
        let (class, message) = world.failed(&grant);
        let wanted = match give {
            Give::Number => FailureClass::Unjudged, // nobody reads it before the verifier does
            Give::Raw | Give::Bundle => FailureClass::InvalidInput,
        };
        assert_eq!(class, wanted, "{message}");
        for words in ["is a mock", "program honest", "push0 discard 0808"] {
            assert!(message.contains(words), "{words}: {message}");
        }
        for (maker, mock) in [("honest", "false"), ("declared", "true"), ("unknown", "true")] {
            let inputs = vec![of(&world, maker, mock)];
            let grant = Grant { inputs, ..world.new_grant() };
            let _ = world.proved(&grant);
        }
    }
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
    let grant = Grant { timeout: AMPLE, ..world.new_grant() };
    world.proved(&grant);
}

#[test]
fn a_proof_that_is_there_is_taken_however_its_prover_ended() {
    let table = [
        ("exec sleep 1000", FailureClass::Timeout),
        ("trap '' TERM; sleep 1000", FailureClass::Timeout),
        ("exit 1", FailureClass::Failed),
        ("exit 75", FailureClass::Transient),
        ("kill -SEGV $$", FailureClass::Failed),
    ];
    for (end, class) in table {
        let mut world = judged_by("exit 0", &format!("{RESULT}; {end}"));
        let grant = Grant { timeout: AMPLE, grace: SHORT, ..world.new_grant() };
        world.proved(&grant);
        let notice = world.notice();
        let Notice::ProofThere { class: told, .. } = &notice else { panic!("{notice:?}") };
        assert_eq!(*told, class, "{end}");
        world.await_no_leftovers();
    }
}

#[test]
fn what_is_not_whole_or_not_accepted_leaves_the_attempt_as_it_ended() {
    let cut = r#"printf '{"format":"push0.result/1","vkey":null,"mo' > $out"#;
    let other = "printf '{\"ok\":tr' > $out";
    let mock_result = RESULT.replace("false", "true");
    let refusing = "echo '{\"refused\":\"no\"}'";
    let table = [
        ("exit 0", cut),
        ("exit 0", other),
        ("exit 0", ": > $out"),
        ("exit 0", ":"),
        ("exit 0", mock_result.as_str()),
        (refusing, RESULT),
        ("exit 1", RESULT),
        ("echo no device; exit 1", RESULT),
    ];
    for (verifier, prover) in table {
        let prover = format!("{prover}; echo lost; exit 3");
        let mut world = judged_by(&format!("{ASKED}; {verifier}"), &prover);
        let (class, message) = world.try_once();
        assert_eq!(class, FailureClass::Failed, "{prover}: {message}");
        assert!(message.contains("exit 3"), "{message}");
        assert!(message.ends_with("; the end of its output:\nlost"), "{message}");
        assert_eq!(message.matches("the end of its output:").count(), 1, "{message}");
        let asked = std::fs::read_to_string(world.dir.path().join("asked")).unwrap_or_default();
        assert!(asked.lines().count() <= 1, "{prover}: asked more than once");
    }
}

#[test]
fn what_says_itself_that_there_is_no_proof_is_not_judged() {
    let mut world = judged_by(&format!("{ASKED}; exit 0"), &format!("{RESULT}; exit 77"));
    let (class, message) = world.try_once();
    assert_eq!(class, FailureClass::Unprovable, "{message}");
    assert!(!world.dir.path().join("asked").exists());
}

#[test]
fn a_mock_is_not_rescued_and_neither_is_a_split() {
    let mut world = World::of_mock("echo '{}' > $out; exit 3");
    assert_eq!(world.try_once().0, FailureClass::Failed);
}

const fn guess(asking: Asking) -> Asking {
    Asking { believes: Believes::LineOfGuess, ..asking }
}

fn believed(believes: Believes, verifier: &str, prover: &str) -> World {
    World::with(1, |dir| {
        let verifier = mock(dir, verifier).argv;
        let prover = mock(dir, prover);
        let asking = Asking { believes, ..prover.asking };
        let program = ProgramConfig { verifier, asking, is_mock: false, ..prover };
        BTreeMap::from([(name(), program)])
    })
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

const ASKED: &str = "echo asked >> $dir/asked";

const MADE: &str = "echo made >> $dir/made; echo '{}' > $out";

const RESULT: &str = r#"echo '{"format":"push0.result/1","vkey":null,"mock":false,"public_values":"0x0102","proof":"AA=="}' > $out"#;
