//! Provers that mean harm, beside one that does not: what each is called, and that it costs the
//! other nothing, and this process no memory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use push0_core::{FailureClass, Grant, Outcome, ProgramName};
use push0_dispatch::{Notice, ProgramConfig};
use push0_testbed::program;

use crate::world::{LONG, World, mock, name, server, until};

#[test]
fn a_gigabyte_of_output_neither_blocks_nor_grows() {
    alone("hostile::a_gigabyte_of_output_neither_blocks_nor_grows", || {
        let flood = "head -c 500000000 /dev/zero & head -c 500000000 /dev/zero >&2; wait; exit 1";
        let mut world = beside_an_honest(|dir| mock(dir, flood));
        let before = resident_bytes();
        let (class, message) = hostile(&mut world);
        assert_eq!(class, FailureClass::Failed, "{message}");
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes");
    });
}

#[test]
fn a_line_of_a_hundred_megabytes_is_not_kept() {
    alone("hostile::a_line_of_a_hundred_megabytes_is_not_kept", || {
        let long = "ready; next; head -c 100000000 /dev/zero | tr '\\0' x; echo; next";
        let mut world = beside_an_honest(|dir| server(dir, long));
        let before = resident_bytes();
        let (class, message) = hostile(&mut world);
        assert_eq!(class, FailureClass::Failed, "{message}");
        assert!(message.contains("longer than 1024 KiB") && message.len() < 10_000, "{message}");
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes");
    });
}

#[test]
fn half_a_line_and_silence_end_with_the_attempts_time() {
    for script in
        ["ready; next; printf '{\"done\"'; exec sleep 1000", "ready; next; exec sleep 1000"]
    {
        let mut world = beside_an_honest(|dir| server(dir, script));
        let timeout = Duration::from_millis(300);
        let grant = Grant { timeout, grace: Duration::from_millis(50), ..world.new_grant() };
        let (class, message) = world.failed(&grant);
        assert_eq!(class, FailureClass::Timeout, "{script}: {message}");
        assert_unhurt(&mut world);
    }
}

#[test]
fn one_that_dies_between_done_and_its_exit_has_proved() {
    for end in ["kill -KILL $$", "exit 9"] {
        let script = format!("ready; next; echo 1 > $out; done_; {end}");
        let mut world = beside_an_honest(|dir| server(dir, &script));
        for _ in 0..3 {
            let grant = world.new_grant();
            let result = world.proved(&grant);
            assert_eq!(world.text(&result), "1\n");
        }
        assert_unhurt(&mut world);
    }
}

#[test]
fn one_that_is_replaced_between_tasks_runs_as_what_it_is_then() {
    let mut world = World::with(1, |dir| {
        let path = dir.join("prover.sh");
        program(&path, &body("1"));
        let argv = vec![path.to_string_lossy().into_owned()];
        BTreeMap::from([(name(), ProgramConfig { argv, ..mock(dir, "") })])
    });
    let path = world.dir.path().join("prover.sh");
    for version in ["1", "2"] {
        program(&path, &body(version));
        let grant = world.new_grant();
        let result = world.proved(&grant);
        assert_eq!(world.text(&result).trim(), version);
    }
    // Gone, not executable, a directory: each is said once, and it is offered when it is back.
    let broken: [(&str, &dyn Fn()); 3] = [
        ("is not there", &|| fs::remove_file(&path).expect("removed")),
        ("is not executable", &|| {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("its mode");
        }),
        ("is not a file", &|| {
            fs::remove_file(&path).expect("removed");
            fs::create_dir(&path).expect("a directory");
        }),
    ];
    for (words, harm) in broken {
        harm();
        let grant = world.new_grant();
        let outcome = world.outcome(&grant);
        let Outcome::NotRun { message } = outcome else { panic!("{words}: {outcome:?}") };
        assert!(message.contains(words) && message.contains("prover.sh"), "{message}");
        let notice = world.notice();
        assert!(matches!(notice, Notice::ProgramGone { .. }), "{notice:?}");
        assert!(matches!(world.notice(), Notice::AttemptFailed(_)), "it was not run");
        let _ = fs::remove_dir(&path);
        let _ = fs::remove_file(&path);
        program(&path, &body("3"));
        let notice = world.notice();
        assert!(matches!(notice, Notice::ProgramBack { .. }), "{notice:?}");
        let grant = world.new_grant();
        world.proved(&grant);
    }
}

#[test]
fn a_fork_bomb_ends_with_its_attempt() {
    // Each generation has two children, in sessions of their own, and does not wait for them.
    let bomb = "cat > $dir/bomb <<'EOF'
        i=$1; [ $i -gt 6 ] && exec sleep 1000
        setsid sh $0 $((i + 1)) & setsid sh $0 $((i + 1)) & exec sleep 1000
EOF
        sh $dir/bomb 1 & sleep 0.5; exit 1";
    let mut world = beside_an_honest(|dir| mock(dir, bomb));
    let (class, message) = hostile(&mut world);
    assert_eq!(class, FailureClass::Failed, "{message}");
    let mark = world.dir.path().join("bomb").to_string_lossy().into_owned();
    until(|| (count(&mark) == 0).then_some(()));
}

/// Runs a test in a process of its own, where nothing else takes memory.
fn alone(test: &str, body: impl FnOnce()) {
    const ALONE: &str = "PUSH0_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let output = command.args(["--exact", test]).env(ALONE, "1").output().expect("this program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Two slots: the hostile one, which is `name()`, and an honest one.
fn beside_an_honest(hostile: impl FnOnce(&std::path::Path) -> ProgramConfig) -> World {
    World::with(2, |dir| {
        let honest = ("honest".parse().expect("a name"), mock(dir, "echo 2 > $out"));
        BTreeMap::from([(name(), hostile(dir)), honest])
    })
}

/// Runs the hostile one, with the honest one beside it.
fn hostile(world: &mut World) -> (FailureClass, String) {
    let grant = world.new_grant();
    world.grant(&grant);
    assert_unhurt(world);
    let outcome = world.outcome_of(&grant);
    assert_unhurt(world);
    world.await_no_leftovers();
    let Outcome::Failed { class, message } = outcome else { panic!("{outcome:?}") };
    (class, message)
}

fn assert_unhurt(world: &mut World) {
    let program: ProgramName = "honest".parse().expect("a name");
    let grant = Grant { program, timeout: LONG, ..world.new_grant() };
    let result = world.proved(&grant);
    assert_eq!(world.text(&result), "2\n");
}

fn body(version: &str) -> String {
    format!("while [ $# -gt 1 ]; do out=$2; shift; done\necho {version} > $out")
}

/// Processes that name `mark` among their words.
fn count(mark: &str) -> usize {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let words = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    words.filter(|words| String::from_utf8_lossy(words).contains(mark)).count()
}

/// Of this process, with all its tests. Unit: bytes.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}
