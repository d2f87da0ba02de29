//! The file contract: what a prover is given, and what is taken from it.

use push0_core::{Digest, Give, Grant, Outcome, Output, ToDispatcher, Verdict};
use push0_dispatch::{Notice, ProgramConfig};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::world::{World, gpus, lives, mock, name, until};

#[test]
fn a_result_is_in_the_store_when_it_is_reported() {
    let mut world = World::of_mock(
        r#"printf '{"args":"%s","task":"%s","stage":"%s","attempt":"%s"}' "$args" $PUSH0_TASK $PUSH0_STAGE $PUSH0_ATTEMPT > $out"#,
    );
    let grant = Grant { args: vec!["leaf".into(), "--fast".into()], ..world.new_grant() };
    let result = world.proved(&grant);
    let task = "07".repeat(32);
    let text = format!(r#"{{"args":" leaf --fast","task":"{task}","stage":"leaf","attempt":"1"}}"#);
    assert_eq!(world.text(&result), text);
    assert_eq!((result.bytes, result.mock), (text.len() as u64, true));
    assert_eq!(result.statement, Digest::of(b""));
}

#[test]
fn a_path_is_put_after_the_flag_that_asks_for_it() {
    for (own, args, expected) in [
        (&["-i", "--fast", "-o"][..], &["leaf"][..], "-i IN --fast -o OUT leaf"),
        (&[], &["-o", "-i"], "-o OUT -i IN"),
        (&["--output-path"], &["leaf"], "--output-path OUT leaf --input-path IN"),
        (&["-i", "-o"], &["-i", "-o"], "-i IN -o OUT -i -o"),
        (&["-input"], &[], "-input --input-path IN --output-path OUT"),
    ] {
        let mut world = World::with(1, |dir| BTreeMap::from([(name(), telling_words(dir, own))]));
        let args = args.iter().map(|word| (*word).to_owned()).collect();
        let grant = Grant { args, ..world.new_grant() };
        let result = world.proved(&grant);
        assert_eq!(world.text(&result), format!("\"{expected}\""));
    }
}

#[test]
fn one_item_is_given_raw_and_several_as_an_array() {
    let mut world = World::of_mock(r#"printf '"%s"' "$(base64 -w0 < $in)" > $out"#);
    for (bodies, given) in [(vec!["7"], "Nw=="), (vec!["7", "[8]"], "WzcsWzhdXQ==")] {
        let bodies = bodies.iter().enumerate();
        let inputs = bodies.map(|(at, body)| world.put(at as u64, body.as_bytes())).collect();
        let grant = Grant { inputs, ..world.new_grant() };
        let result = world.proved(&grant);
        assert_eq!(world.text(&result), format!("\"{given}\""));
    }
}

#[test]
fn a_number_is_bare() {
    let mut world = giving(Give::Number, r#"printf '"%s"' "$(base64 -w0 < $in)" > $out"#);
    let grant = world.new_grant();
    let result = world.proved(&grant);
    assert_eq!(world.text(&result), "\"MTY1MjUwMDA=\"");
}

#[test]
fn a_bundle_lists_copies_that_a_prover_may_spoil() {
    let spoil = "cp $in $out; for item in $(dirname $in)/items/*; do echo spoilt > $item; done";
    let mut world = giving(Give::Bundle, spoil);
    let inputs = vec![world.put(1, b"{\"number\":1}"), world.put(2, b"{\"number\":2}")];
    let artifacts = inputs.iter().map(|bound| bound.artifact).collect::<Vec<_>>();
    let grant = Grant { inputs, ..world.new_grant() };
    let result = world.proved(&grant);
    let bundle: push0_prover::wire::Bundle =
        serde_json::from_str(&world.text(&result)).expect("a bundle");
    let digests: Vec<_> = bundle.items.iter().map(|item| Digest(item.sha256.0)).collect();
    assert_eq!(digests, artifacts);
    assert_eq!(bundle.items.first().map(|item| item.key.first), Some(1));
    for artifact in artifacts {
        world.store.read(artifact).expect("unspoilt");
    }
}

#[test]
fn each_part_is_an_artifact() {
    let mut world = World::of_mock(r#"echo '[{"step": 1},2]' > $out"#);
    let grant = Grant { output: Output::Parts, ..world.new_grant() };
    let result = world.proved(&grant);
    let parts: Vec<_> = result.parts.iter().map(|part| world.store.read(*part)).collect();
    let parts: Vec<_> = parts.into_iter().map(|part| part.expect("a part")).collect();
    assert_eq!(parts, [b"{\"step\": 1}".to_vec(), b"2".to_vec()]);
    assert_eq!(result.statement, result.output);
}

#[test]
fn an_attempt_is_started_once_however_often_it_is_granted() {
    let mut world = World::of_mock("echo once >> $dir/count; echo 1 > $out");
    let grant = world.new_grant();
    world.grant(&grant);
    world.grant(&grant);
    world.report_of(&grant);
    world.grant(&grant);
    world.send(ToDispatcher::Verdict(grant.attempt, Verdict::Unwanted));
    world.grant(&grant);
    world.beat_with(|beat| beat.running.is_empty() && beat.held.is_empty());
    let after = world.new_grant();
    world.proved(&after);
    assert_eq!(world.written("count"), "once\nonce");
}

#[test]
fn a_report_is_sent_again_until_there_is_a_verdict() {
    let mut world = World::of_mock("echo 1 > $out");
    let grant = world.new_grant();
    world.grant(&grant);
    let report = world.report_of(&grant);
    for _ in 0..3 {
        assert!(world.beat_with(|beat| beat.held.contains_key(&grant.attempt)).incarnation > 0);
        assert_eq!(world.report_of(&grant), report);
    }
    world.send(ToDispatcher::Verdict(grant.attempt, Verdict::AlreadyAccepted));
    world.beat_with(|beat| beat.running.is_empty() && beat.held.is_empty());
}

#[test]
fn a_grant_too_many_is_not_run() {
    let mut world = World::of_mock("echo $$ > $dir/pid; exec sleep 1000");
    let (first, second) = (world.new_grant(), world.new_grant());
    world.grant(&first);
    let pid = world.written("pid");
    assert!(matches!(world.outcome(&second), Outcome::NotRun { .. }));
    assert!(lives(&pid));
    world.send(ToDispatcher::Cancel(first.attempt));
    assert_eq!(world.outcome_of(&first), Outcome::Cancelled);
}

#[test]
fn a_program_that_is_gone_is_not_offered_until_it_is_back() {
    let mut world = World::with(1, |dir| {
        let shell = dir.join("shell");
        symlink("/bin/sh", &shell).expect("a link");
        let program = mock(dir, "echo 1 > $out");
        let script = program.argv.into_iter().skip(1);
        let argv = std::iter::once(shell.to_string_lossy().into_owned()).chain(script).collect();
        BTreeMap::from([(name(), ProgramConfig { argv, ..program })])
    });
    let shell = world.dir.path().join("shell");
    world.beat_with(|beat| beat.capacity.programs.contains(&name()));
    std::fs::remove_file(&shell).expect("removed");
    let grant = world.new_grant();
    assert!(matches!(world.outcome(&grant), Outcome::NotRun { .. }));
    world.beat_with(|beat| beat.capacity.programs.is_empty());
    assert!(matches!(world.notices.try_recv(), Ok(Notice::ProgramGone { .. })));
    assert!(matches!(world.notice(), Notice::AttemptFailed(failed) if failed.how == "not_run"));
    symlink("/bin/sh", &shell).expect("a link");
    world.beat_with(|beat| beat.capacity.programs.contains(&name()));
    assert!(matches!(world.notices.try_recv(), Ok(Notice::ProgramBack { .. })));
    let grant = world.new_grant();
    world.proved(&grant);
}

#[test]
fn an_attempt_that_comes_to_nothing_is_told_once_however_often_it_is_reported() {
    let mut world = World::with(1, |dir| {
        BTreeMap::from([(name(), mock(dir, "echo progress 0.5; echo no device; exit 1"))])
    });
    let grant = world.new_grant();
    world.grant(&grant);
    // Nobody answers: each beat brings the report again.
    for _ in 0..3 {
        let outcome = world.report_of(&grant).outcome;
        assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    }
    let Notice::AttemptFailed(failed) = world.notice() else { panic!("it failed") };
    assert_eq!((failed.attempt, failed.key, &*failed.how), (grant.attempt, grant.key, "failed"));
    assert!(failed.message.ends_with("the end of its output:\nno device"), "{}", failed.message);
    assert!(world.notices.try_recv().is_err(), "it is told once");
}

#[test]
fn what_is_no_program_is_not_offered_at_all() {
    let argv = ["/", "/etc/passwd", "/nowhere/prover"];
    let mut world = World::with(1, |dir| {
        let program = |path: &str| ProgramConfig { argv: vec![path.into()], ..mock(dir, "") };
        let names = ["directory", "data", "nothing"].map(|name| name.parse().expect("a name"));
        names.into_iter().zip(argv.map(program)).collect()
    });
    assert!(world.beat().capacity.programs.is_empty());
    for path in argv {
        let notice = world.notices.try_recv().expect("a notice");
        let Notice::ProgramGone { message, .. } = notice else { panic!("{notice:?}") };
        assert!(argv.iter().any(|path| message.starts_with(path)), "{path}: {message}");
    }
}

#[test]
fn progress_can_be_seen() {
    let mut world = World::of_mock("echo progress 0.25; exec sleep 1000");
    let grant = world.new_grant();
    world.grant(&grant);
    let view = world.dispatcher.view();
    let seen = until(|| view.running().pop().filter(|running| running.fraction.is_some()));
    assert_eq!((seen.attempt, seen.fraction), (grant.attempt, Some(0.25)));
}

#[test]
fn a_prover_sees_its_gpus_alone() {
    let script = "echo \\\"$CUDA_VISIBLE_DEVICES\\\" > $out";
    let mut world = World::with(2, |dir| {
        let program = |gpus| ProgramConfig { gpus, ..mock(dir, script) };
        let one = "one".parse().expect("a name");
        BTreeMap::from([(name(), program(0)), (one, program(1))])
    });
    let none = world.new_grant();
    let one = Grant { program: "one".parse().expect("a name"), ..world.new_grant() };
    let [first, _] = gpus(world.dir.path());
    let first = format!("\"{first}\"\n");
    for (grant, devices) in [(none, "\"\"\n"), (one, &*first)] {
        let result = world.proved(&grant);
        assert_eq!(world.text(&result), devices);
    }
}

fn giving(give: Give, script: &str) -> World {
    World::with(1, |dir| BTreeMap::from([(name(), ProgramConfig { give, ..mock(dir, script) })]))
}

/// A mock that writes the words it got, its paths as IN (which is there) and OUT (which is not
/// yet).
fn telling_words(dir: &Path, own: &[&str]) -> ProgramConfig {
    let script = r#"
for word in "$@"; do
    case $word in /*) if [ -e "$word" ]; then word=IN; else out=$word; word=OUT; fi ;; esac
    words="$words $word"
done
printf '"%s"' "${words# }" > "$out""#;
    let argv = [&["/bin/sh", "-c", script, "prover"], own].concat();
    let argv = argv.into_iter().map(str::to_owned).collect();
    ProgramConfig { argv, ..mock(dir, "") }
}
