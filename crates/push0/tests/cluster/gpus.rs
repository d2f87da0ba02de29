//! GPUs of one machine, and more than one push0 on it. No device is there: names are enough.

use std::fs;
use std::process::Stdio;

use push0_testbed::until;

use crate::world::{World, at};

/// A prover that reserves a device, writes down which it sees, and takes its time.
const PROGRAM: &str = r#"
[programs.gpu]
command  = ["sh", "PROVER"]
contract = "file"
give     = "number"
memory   = "64MiB"
gpus     = 1
mock     = true
"#;

const PROVER: &str = r#"
while [ $# -gt 0 ]; do case $1 in --output-path) out=$2; shift;; esac; shift; done
echo "$CUDA_VISIBLE_DEVICES" >> SEEN
sleep 0.3
printf '{"ok":true}' > "$out"
"#;

/// `dispatch` has both devices of a machine; `run`, of another pipeline, waits for them, says for
/// whom, and has them within seconds once the dispatcher is killed.
#[test]
fn a_device_is_one_push0s_at_a_time_and_free_when_that_is_killed() {
    let mut world = World::new(1, "50ms");
    let seen = world.path("seen");
    let prover = PROVER.replace("SEEN", seen.to_str().expect("UTF-8"));
    fs::write(world.path("prover.sh"), prover).expect("writable");
    let program = PROGRAM.replace("PROVER", world.path("prover.sh").to_str().expect("UTF-8"));
    let pipeline = |name: &str, source: &str| {
        format!(
            "push0 = 1\nname = \"{name}\"\nallow_mock = true\nsource = {source}\n{program}\n[stages]\nprove = {{ inputs = \
             [\"blocks\"], program = \"gpu\" }}\n[release]\ninputs = [\"prove\"]\n"
        )
    };
    let submit = "{ kind = \"submit\", chain = 534352 }";
    fs::write(world.path("pipeline.toml"), pipeline("cluster", submit)).expect("writable");
    let blocks = crate::world::blocks();
    let file = format!("{{ kind = \"file\", path = \"{blocks}\", chain = 534352 }}");
    fs::write(world.path("own.toml"), pipeline("own", &file)).expect("writable");
    let own = |number| format!("GPU-{}-{number}", std::process::id());
    let devices = [own(0), own(1)].join(",");
    for process in ["d1", "run"] {
        world.tell(process, "CUDA_VISIBLE_DEVICES", devices.clone());
    }

    world.serve("e1");
    world.wait_for("e1", "leads in");
    world.dispatch("d1");
    world.wait_for("d1", "takes work");
    world.start("run", &["run", "own.toml", "--slots", "2", "--memory", "1GiB"]);
    world.wait_for("run", &format!("GPU {} is not offered: on this machine dispatcher d1", own(0)));

    let held = || {
        let mut status = world.command(&["status", "--data", "own.push0", "--json"]);
        let ran = status.stdout(Stdio::piped()).output().expect("it starts");
        let status: serde_json::Value = serde_json::from_slice(&ran.stdout).ok()?;
        let elsewhere = at(&status, "/dispatcher_now/gpus_elsewhere/1/by");
        let is_held = at(&status, "/head/reason/kind") == "too_small";
        (is_held && elsewhere.as_str()?.contains("d1")).then_some(())
    };
    until("status does not say who has the devices", held);
    assert!(!seen.exists(), "nothing was proved on a device of another");

    world.kill("d1");
    assert_eq!(world.wait_end("run").code(), Some(0), "{}", world.said("run"));
    assert!(world.said("run").contains("is free: it is offered"), "{}", world.said("run"));
    let seen = fs::read_to_string(seen).expect("provers ran");
    assert!(seen.lines().all(|line| line == own(0) || line == own(1)), "one each: {seen}");
    for number in 0..2 {
        assert!(seen.contains(&own(number)), "both are used: {seen}");
    }
    let left = fs::read_dir("/run/lock").into_iter().chain(fs::read_dir("/tmp")).flatten();
    let left = left.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let left: Vec<_> = left.filter(|name| name.contains(&own(0))).collect();
    assert!(left.is_empty(), "{left:?}");
}
