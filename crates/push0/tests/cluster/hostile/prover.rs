//! What runs as a prover: it has no credential of push0's, its words obey nobody's terminal, and
//! what it makes is only input to a verifier.
//!
//! Not here: its memory, its processes and its folders, which no cluster is needed for
//! (`push0_dispatch`).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use push0_core::Event;
use push0_testbed::until;

use super::{count, engines_in};
use crate::binaries::push0;
use crate::world::{BLOCKS, World};

/// Its own environment has none. That of its dispatcher it can read as long as it is the same user,
/// as the page says.
#[test]
fn it_has_no_credential_in_its_environment() {
    let script = "#!/bin/sh\nenv >DIR/env.tmp; mv DIR/env.tmp DIR/env
tr '\\0' '\\n' </proc/$PPID/environ >DIR/above.tmp; mv DIR/above.tmp DIR/above\nexec MOCK \"$@\"\n";
    let mut world = with_prover(World::with_roles("20ms"), script);
    let secrets = [
        ("AWS_ACCESS_KEY_ID", "the key of the store"),
        ("AWS_SECRET_ACCESS_KEY", "the secret of the store"),
        ("AWS_SESSION_TOKEN", "what the store has lent"),
        ("PUSH0_NATS_SYSTEM_PASSWORD", "the servers' own"),
    ];
    for (name, value) in secrets {
        world.tell("gpu-1", name, value);
    }
    let mut world = engines_in(world);
    world.dispatch("gpu-1");
    world.submit();
    world.wait_accepted(BLOCKS);
    let of = |file: &str| fs::read_to_string(world.path(file)).expect("it was written");
    let (env, above) = (of("env"), of("above"));
    assert!(env.contains("PUSH0_TASK="), "{env}");
    for (name, value) in secrets.into_iter().chain([("PUSH0_NATS_PASSWORD", "pass")]) {
        let line = format!("{name}={value}\n");
        assert!(above.contains(&line), "it can read it above: {above}");
        assert!(!env.contains(name), "{env}");
        assert!(!env.lines().any(|line| line.ends_with(&format!("={value}"))), "{env}");
    }
    for name in ["PUSH0_NATS", "PUSH0_CONFIG", "PUSH0_STORE", "AWS_"] {
        assert!(!env.lines().any(|line| line.starts_with(name)), "{name}: {env}");
    }
    world.finish(BLOCKS);
}

/// What it prints is shown by the dispatcher, the engines, to whoever reads the log and whoever
/// asks: nowhere as it is.
#[test]
fn no_terminal_obeys_what_it_prints() {
    let script = "#!/bin/sh\n[ -e DIR/go ] && exec MOCK \"$@\"
printf 'a\\033[2Jb\\033]0;owned\\007c\\342\\200\\256d\\302\\233e\\r\\010f\\n' >&2; exit 1\n";
    let mut world = with_prover(World::with_roles("20ms"), script);
    world = engines_in(world);
    world.dispatch("gpu-1");
    world.submit();
    until("nothing fails", || {
        (count(&world, |event| matches!(event, Event::Failed { .. })) >= 3).then_some(())
    });
    let shown = until("what it printed is not shown", || {
        let shown = world.output(&["logs", "--block", "16525000"]);
        shown.contains("owned").then_some(shown)
    });
    let all = [
        ("logs", shown),
        ("status", world.output(&["status"])),
        ("status --json", world.output(&["status", "--json"])),
        ("log cat", world.output(&["log", "cat"])),
        ("log cat --json", world.output(&["log", "cat", "--json"])),
        ("gpu-1", world.said("gpu-1")),
        ("e1", world.said("e1")),
        ("e2", world.said("e2")),
    ];
    for (what, words) in &all {
        let obeyed = words.chars().find(|it| {
            let is_turn = ('\u{202a}'..='\u{202e}').contains(it);
            (it.is_control() && !['\n', '\t'].contains(it)) || is_turn
        });
        assert_eq!(obeyed, None, "{what}: {words}");
    }
    let log = all.iter().find(|(what, _)| *what == "log cat").map(|(_, words)| words);
    assert!(log.is_some_and(|words| words.contains("owned")), "it is in the log, escaped");
    fs::write(world.path("go"), "").expect("writable");
    world.wait_accepted(BLOCKS);
    world.finish(BLOCKS);
}

/// A proof of nothing, one of another block, one under another key, one that says that it is a
/// mock, and its own word that it is verified: of each block the first try is one of them, and
/// writes over what others have made. None of it is accepted.
#[test]
fn nothing_that_its_verifier_refuses_is_accepted_whatever_it_says() {
    let world = with_prover(World::with_roles("20ms"), LIAR);
    let (path, program) = (world.path("pipeline.toml"), world.path("prove"));
    let pipeline = fs::read_to_string(&path).expect("it is there");
    let verifier = format!(
        ", verifier = [{:?}, \"verify\"], vkey = \"sha256:{}\" }}",
        program.display().to_string(),
        "aa".repeat(32)
    );
    let pipeline = pipeline.replace(", mock = true }", &verifier);
    let pipeline = pipeline.replace(
        "args = [\"--for\", \"20ms\"]",
        "args = [\"prove\"], retry = { rejected = 50, failed = 50 }",
    );
    fs::write(&path, pipeline).expect("writable");
    let mut world = engines_in(world);
    world.dispatch("gpu-1");
    world.wait_for("gpu-1", "takes work");
    world.submit();
    world.wait_accepted(BLOCKS);
    let refused = |event: &Event| matches!(event, Event::Rejected { .. } | Event::Failed { .. });
    assert!(count(&world, refused) >= BLOCKS, "each block's first try");
    for words in ["about another block", "the pipeline pins", "is a mock"] {
        let is_it = |event: &Event| {
            let (Event::Rejected { message, .. } | Event::Failed { message, .. }) = event else {
                return false;
            };
            message.contains(words)
        };
        assert!(count(&world, is_it) > 0, "{words}");
    }
    let kept = world.path("kept");
    assert!(world.run(&["proofs", "pipeline.toml", "--out", "kept"]).success());
    let files = fs::read_dir(&kept).expect("it was made").flatten();
    let proofs: Vec<_> =
        files.filter(|file| file.file_name().to_string_lossy().ends_with(".json")).collect();
    assert_eq!(proofs.len(), BLOCKS);
    for proof in proofs {
        let name = proof.file_name().to_string_lossy().into_owned();
        let height = name.split('-').next().expect("a height").to_owned();
        let file = fs::read_to_string(proof.path()).expect("it is there").replace(' ', "");
        assert!(file.contains(&format!("\"number\":{height}")), "{name}: {file}");
    }
    world.finish(BLOCKS);
}

/// A world whose provers are this script; `DIR` is the world's directory in it, and `MOCK` what
/// ships.
fn with_prover(world: World, script: &str) -> World {
    let program = world.path("prove");
    let mock = push0().with_file_name("push0-prover-mock").display().to_string();
    let dir = world.path("").display().to_string();
    let script = script.replace("MOCK", &mock).replace("DIR", dir.trim_end_matches('/'));
    fs::write(&program, script).expect("it is writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = world.path("pipeline.toml");
    let pipeline = fs::read_to_string(&path).expect("it was written");
    let command = program.display().to_string();
    fs::write(&path, pipeline.replace("push0-prover-mock", &command)).expect("writable");
    world
}

/// `prove --input-path IN --output-path OUT`, and `verify --input-path ENVELOPE`.
const LIAR: &str = r#"#!/bin/sh
field() { sed "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/"; }
key=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
other=sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee
result() { printf '{"format":"push0.result/1","vkey":"%s","mock":%s,"public_values":"0x","proof":"%s"}' "$1" "$2" "$(printf '{"number":%s}' "$number" | base64 -w 0)"; }
case $1 in
prove)
    number=$(cat "$3")
    if [ -e DIR/tried.$number ]; then
        printf '{"number":%s}' "$number" >"$5"
        exit 0
    fi
    : >DIR/tried.$number
    for beside in "$(dirname "$5")"/../*/; do
        [ -e "$beside/$(basename "$5")" ] && printf '{"number":1}' >"$beside/$(basename "$5")"
    done
    printf '{"vkey":"%s","claim":{"number":%s}}\n' "$key" "$number"
    case $((number % 5)) in
    0) echo garbage >"$5" ;;
    1) printf '{"number":%s}' $((number + 1)) >"$5" ;;
    2) result $other false >"$5" ;;
    3) result $key true >"$5" ;;
    *) : >"$5" ;;
    esac
    ;;
verify)
    number=$(field proof <"$3" | base64 -d | field number)
    if [ "$number" = "$(field first <"$3")" ]; then
        printf '{"vkey":"%s","claim":{"number":%s}}\n' "$key" "$number"
    else
        echo '{"refused":"it is about another block"}'
    fi
    ;;
esac
"#;
