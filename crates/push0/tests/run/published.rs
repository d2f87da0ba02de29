//! Provers written for the published push0 (arXiv 2602.16338), which know nothing of this one: each
//! reads its two paths and nothing else, a bare number or JSON without an end of line, chats on
//! stdout, writes JSON.

use std::fs;

use push0_prover::wire::Base64;
use serde_json::Value;

use crate::support::{World, blocks};

#[test]
fn a_published_prover_runs_unmodified() {
    let world = world(
        r#"command = ["./prove.sh"], verifier = ["./judge.sh"], verdict = "exit", give = "number""#,
        PROVE,
    );
    world.write_program("prove.sh", &strict("--input-path", "--output-path", NUMBER));
    assert_eq!(proofs(&world), [r#"{"block":7}"#, r#"{"block":8}"#]);
}

#[test]
fn published_provers_split_prove_and_join() {
    let programs = r#"command = ["./split.sh"], mock = true, give = "number", memory = "64MiB" }
step = { command = ["./step.sh"], mock = true, memory = "64MiB" }
join = { command = ["./join.sh"], mock = true"#;
    let world = world(programs, PARTS);
    let write = |name: &str, body: &str| {
        world.write_program(name, &strict("--input-path", "--output-path", body));
    };
    write(
        "split.sh",
        r#"printf '[{"block":%s,"step":0},{"block":%s,"step":1}]' "$input" "$input""#,
    );
    write(
        "step.sh",
        r#"case $input in "{"*"}") printf '{"step_proof":%s}' "$input" ;; *) exit 4 ;; esac"#,
    );
    write(
        "join.sh",
        r#"case $input in "[{"*"}]") printf '{"joined":%s}' "$input" ;; *) exit 4 ;; esac"#,
    );
    let step = |block, step| format!(r#"{{"step_proof":{{"block":{block},"step":{step}}}}}"#);
    let joined = |block| format!(r#"{{"joined":[{},{}]}}"#, step(block, 0), step(block, 1));
    assert_eq!(proofs(&world), [joined(7), joined(8)]);
}

#[test]
fn one_that_knows_short_flags_alone_is_told_so_by_its_command() {
    let world = world(
        r#"command = ["./prove.sh", "-i", "-o"], verifier = ["./judge.sh"], verdict = "exit", give = "number""#,
        PROVE,
    );
    world.write_program("prove.sh", &strict("-i", "-o", NUMBER));
    assert_eq!(proofs(&world), [r#"{"block":7}"#, r#"{"block":8}"#]);
}

#[test]
fn its_verifier_by_default_is_its_command_without_the_flags() {
    let world = world(r#"command = ["./prove.sh", "-i", "-o"], give = "number""#, PROVE);
    let verdict = r#"if [ "$1" = verify ]; then
    [ $# -eq 3 ] && [ "$2" = --input-path ] && grep -q '"format":"push0.proof/1"' "$3" || exit 5
    echo '{"vkey":null,"claim":{"checked":true}}'; exit 0
fi"#;
    world.write_program("prove.sh", &format!("{verdict}\n{}", strict("-i", "-o", NUMBER)));
    assert_eq!(proofs(&world).len(), 2);
    let file = fs::read_dir(world.path("data/proofs")).expect("proofs").next().expect("a proof");
    let file = file.expect("an entry").path();
    let file = file.to_str().expect("UTF-8");
    let verified = world.push0(&["verify", file, "--pipeline", "pipeline.toml"]).with(0);
    assert!(verified.stdout.contains("accepted"), "{}", verified.stdout);
}

#[test]
fn the_sdks_provers_know_both_names_of_their_flags() {
    for flags in [r#""-i", "-o""#, r#""--output-path", "-i""#] {
        let program =
            format!(r#"command = ["push0-prover-mock", {flags}], mock = true, give = "number""#);
        let world = world(&program, PROVE);
        world.run(&[]).with(0);
        assert_eq!(world.history().complete().count("released"), 2);
    }
}

/// A world over two blocks with the program `own`, and with a verifier that takes what is JSON.
fn world(own: &str, stages: &str) -> World {
    let pipeline =
        format!("{HEAD}own = {{ {own}, contract = \"file\", memory = \"64MiB\" }}\n{stages}");
    let world = World::new(&pipeline, &blocks(7, 2));
    let judge = "[ $# -eq 2 ] && [ \"$1\" = --input-path ] && grep -q '\"proof\":\"' \"$2\"";
    world.write_program("judge.sh", judge);
    world
}

/// A prover that takes these two flags in this order, and no other word; `body` prints from
/// `$input`.
fn strict(input: &str, output: &str, body: &str) -> String {
    format!(
        r#"if [ $# -ne 4 ] || [ "$1" != {input} ] || [ "$3" != {output} ]; then
    echo "error: unexpected argument: $*" >&2
    exit 2
fi
echo "starting" && echo '{{"chatter":"on stdout"}}'
[ "$(wc -l < "$2")" -eq 0 ] || exit 3
input=$(cat "$2")
{body} > "$4"
echo "done: $(wc -c < "$4") bytes""#
    )
}

/// What the provers wrote, block by block, as it stands in the final proofs of a run to the end.
fn proofs(world: &World) -> Vec<String> {
    let run = world.run(&["--json"]).with(0).json();
    let paths = run["proofs"].as_array().expect("a list").iter();
    let proof = |listed: &Value| {
        let file = fs::read(world.path(listed["path"].as_str().expect("a path"))).expect("a file");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        let Base64(proof) = serde_json::from_value(file["proof"].clone()).expect("base64");
        String::from_utf8(proof).expect("text")
    };
    paths.map(proof).collect()
}

const NUMBER: &str =
    r#"case $input in ""|*[!0-9]*) exit 4 ;; *) printf '{"block":%s}' "$input" ;; esac"#;

const HEAD: &str = r#"push0      = 1
name       = "published"
allow_mock = true
source     = { kind = "file", path = "blocks.jsonl", chain = 534352 }
[programs]
"#;

const PROVE: &str = r#"[stages]
prove = { inputs = ["blocks"], program = "own" }
[release]
inputs = ["prove"]
"#;

const PARTS: &str = r#"[stages]
split = { inputs = ["blocks"], program = "own", output = "parts" }
step  = { inputs = ["split"], program = "step" }
join  = { inputs = ["step"], collect = "parts", program = "join" }
[release]
inputs = ["join"]
"#;
