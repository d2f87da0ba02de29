//! A disk that is full, for real: a small file system in a mount namespace that ends with the test.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{World, binary, blocks, head};

#[test]
fn a_full_disk_stops_new_work_and_costs_nothing_once_there_is_room() {
    let Some(world) = world(r#"program = "cold", args = ["--for", "50ms"]"#) else { return };
    world.write_program("outside", OUTSIDE);
    let end = on_a_small_disk(&world, "outside");
    let said = fs::read_to_string(world.path("stderr")).expect("its words");
    assert!(end.success(), "{end}: {said}");
    assert!(said.contains("nothing new is begun") && said.contains("make room"), "{said}");
    assert!(said.contains("there is room again"), "{said}");
    let before = fs::read_to_string(world.path("before")).expect("a count");
    let after = fs::read_to_string(world.path("after")).expect("a count");
    assert_eq!(before, after, "grants while the disk was full");
    let text = fs::read_to_string(world.path("stdout")).expect("a result");
    let run: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(run["blocks"]["released"], 40, "{said}");
    assert_eq!(run["attempts"]["failed"], serde_json::json!({}), "{said}");
}

#[test]
fn an_attempt_that_fills_the_disk_is_out_of_resources_and_the_others_go_on() {
    let Some(world) = world(r#"program = "greedy""#) else { return };
    world.write_program("inside", INSIDE);
    let end = on_a_small_disk(&world, "inside");
    let said = fs::read_to_string(world.path("stderr")).expect("its words");
    assert_eq!(end.code(), Some(1), "{said}");
    let text = fs::read_to_string(world.path("stdout")).expect("a result");
    let run: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(run["tasks"]["accepted"], 39, "{said}");
    assert_eq!(run["attempts"]["failed"], serde_json::json!({ "resource": 2 }), "{said}");
}

/// Forty blocks, each a task of this kind; `None` where no mount can be made.
fn world(stage: &str) -> Option<World> {
    let pipeline =
        format!("{}{GREEDY_PROGRAM}{stage} }}\n[release]\ninputs = [\"prove\"]\n", head());
    let world = World::new(&pipeline, &blocks(1, 40));
    fs::create_dir(world.path("small")).expect("a directory");
    world.write_program("greedy", GREEDY);
    world.write_program("probe", "mount -t tmpfs -o size=1m none small");
    on_a_small_disk(&world, "probe").success().then_some(world)
}

/// Runs a script of the world's where it may mount.
fn on_a_small_disk(world: &World, script: &str) -> std::process::ExitStatus {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--user"]).arg(world.path(script));
    command.current_dir(world.path("")).env("PUSH0", binary());
    command.stdin(Stdio::null()).status().expect("unshare")
}

const GREEDY_PROGRAM: &str = r#"
greedy = { command = ["./greedy"], contract = "file", give = "number", memory = "512MiB", mock = true }
[stages]
prove = { inputs = ["blocks"], "#;

/// Something else fills the disk while push0 runs, and is removed.
const OUTSIDE: &str = r#"
mount -t tmpfs -o size=96m none small || exit 99
"$PUSH0" run pipeline.toml --data small/data --slots 2 --json > stdout 2> stderr &
until grep -q ' accepted ' stderr; do sleep 0.01; kill -0 $! || exit 98; done
head -c 200000000 /dev/zero > small/hog
until grep -q 'nothing new is begun' stderr; do sleep 0.01; kill -0 $! || exit 97; done
sleep 0.3; grep -c ' granted ' stderr > before
sleep 1; grep -c ' granted ' stderr > after
rm small/hog
wait $!
"#;

const INSIDE: &str = r#"
mount -t tmpfs -o size=96m none small || exit 99
"$PUSH0" run pipeline.toml --data small/data --slots 2 --json > stdout 2> stderr
"#;

/// Takes all there is for block 7.
const GREEDY: &str = r#"
while [ $# -gt 1 ]; do case $1 in --input-path) in=$2;; --output-path) out=$2;; esac; shift; done
if [ "$(cat "$in")" = 7 ]; then
    head -c 200000000 /dev/zero > ./big || exit 1
fi
echo '{}' > "$out"
"#;
