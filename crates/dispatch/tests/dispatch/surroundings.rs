//! What a program's processes have around them, and who else can see what is push0's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use push0_core::{Outcome, Surroundings};
use push0_dispatch::{Config, Notice, ProgramConfig};

use crate::world::{RETRY, World, config, lives, mock, name, until, written};

#[test]
fn a_prover_is_given_an_environment_that_is_made() {
    let around = Surroundings {
        env: [("SAID".to_owned(), "by the file".to_owned())].into(),
        // Cargo sets it for its tests; what is not there is not made up.
        pass: ["CARGO_MANIFEST_DIR", "NOT_THERE"].map(str::to_owned).to_vec(),
        ..Surroundings::default()
    };
    let mut world = surrounded(around, "env > $dir/env; echo 1 > $out");
    let grant = world.new_grant();
    world.proved(&grant);
    let env = fs::read_to_string(world.dir.path().join("env")).expect("it wrote it");
    let env: BTreeMap<&str, &str> = env.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(env.get("SAID"), Some(&"by the file"));
    let here = std::env::var("CARGO_MANIFEST_DIR").ok();
    assert_eq!(env.get("CARGO_MANIFEST_DIR").copied(), here.as_deref());
    let known = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TMPDIR",
        "TZ",
        "TZDIR",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "RAYON_NUM_THREADS",
        "OMP_NUM_THREADS",
        "SAID",
        "CARGO_MANIFEST_DIR",
        // The shell's own.
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
    ];
    let begins = ["LANG", "LC_", "RUST_", "CUDA_", "NVIDIA_", "ROCR_", "HIP_", "PUSH0_"];
    let is_known =
        |name: &str| known.contains(&name) || begins.iter().any(|it| name.starts_with(it));
    let other: BTreeSet<_> = env.keys().filter(|name| !is_known(name)).collect();
    assert!(other.is_empty(), "{other:?}");
}

#[test]
fn what_is_no_program_is_never_run_as_lines_of_a_shell() {
    let mut world = World::with(1, |dir| {
        let path = dir.join("prover");
        program(&path, "#!/bin/sh\n");
        let argv = vec![path.to_string_lossy().into_owned()];
        BTreeMap::from([(name(), ProgramConfig { argv, ..mock(dir, "") })])
    });
    world.beat_with(|beat| beat.capacity.programs.contains(&name()));
    // It becomes something else after it was looked at.
    let dir = world.dir.path().to_owned();
    program(&dir.join("new"), &format!("touch {}/ran\n", dir.display()));
    fs::rename(dir.join("new"), dir.join("prover")).expect("replaced");
    let grant = world.new_grant();
    let outcome = world.outcome(&grant);
    let Outcome::NotRun { message } = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("names its interpreter"), "{message}");
    assert!(!dir.join("ran").exists(), "it was handed to a shell");
}

#[test]
fn a_script_whose_interpreter_is_missing_names_it() {
    let mut world = World::with(1, |dir| {
        let path = dir.join("prover");
        program(&path, "#!/opt/nowhere/python3\n");
        let argv = vec![path.to_string_lossy().into_owned()];
        BTreeMap::from([(name(), ProgramConfig { argv, ..mock(dir, "") })])
    });
    assert!(world.beat().capacity.programs.is_empty());
    let notice = world.notices.try_recv().expect("a notice");
    let Notice::ProgramGone { message, .. } = notice else { panic!("{notice:?}") };
    assert!(message.contains("/opt/nowhere/python3 is not there"), "{message}");
}

#[test]
fn a_wrapper_runs_the_prover_and_a_namespace_ends_with_it() {
    let words = ["unshare", "--pid", "--fork", "--kill-child", "--"];
    let Some(wrap) = available(&words) else { return };
    let around = Surroundings { wrap, ..Surroundings::default() };
    let script = "setsid sh -c 'echo $$ > $dir/inner; exec sleep 1000' & echo $$ > $out; sleep 0.1";
    let mut world = surrounded(around, &script.replace("$dir/inner", "'$dir'/inner"));
    let grant = world.new_grant();
    let result = world.proved(&grant);
    assert_eq!(world.text(&result), "1\n", "it is the first of its namespace");
    // Its number is of that namespace: what counts is that nothing of it has this directory.
    let sleeps = || processes_in(world.dir.path());
    until(|| (sleeps() == 0).then_some(()));
}

#[test]
fn a_user_of_its_own_sees_nothing_of_push0s() {
    if !is_root() {
        return; // nobody else can switch
    }
    let around = Surroundings { user: Some("nobody".to_owned()), ..Surroundings::default() };
    let script = "[ \"$PUSH0_CACHE\" ] && touch $PUSH0_CACHE/kept || exit 9
        cat $dir/dispatch/lock $dir/dispatch/about.json && exit 8
        ls $dir/dispatch $dir/dispatch/work $dir/dispatch/logs && exit 7
        echo \\\"$(id -u) $HOME $USER $(cat $in)\\\" > $out";
    let mut world = World::with(1, |dir| {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).expect("its own");
        BTreeMap::from([(name(), ProgramConfig { surroundings: around, ..mock(dir, script) })])
    });
    let grant = world.new_grant();
    let result = world.proved(&grant);
    let said = world.text(&result);
    assert!(said.starts_with("\"65534 ") && said.contains(" nobody "), "{said}");
}

#[test]
fn a_user_that_cannot_be_had_is_told_of_before_anything_is_run() {
    let around = Surroundings { user: Some("no-such-user".to_owned()), ..Surroundings::default() };
    let mut world = surrounded(around, "touch $dir/ran; echo 1 > $out");
    assert!(world.beat().capacity.programs.is_empty());
    let notice = world.notices.try_recv().expect("a notice");
    let Notice::ProgramGone { message, .. } = notice else { panic!("{notice:?}") };
    assert!(message.contains("there is no user no-such-user"), "{message}");
}

#[test]
fn what_push0_keeps_is_closed_to_others_whatever_stood_there() {
    let mut world = World::with(1, |dir| {
        let own = dir.join("dispatch");
        fs::create_dir_all(own.join("logs")).expect("made");
        // As an older push0 made it.
        fs::write(own.join("identity"), "0".repeat(32) + "\n").expect("made");
        fs::write(own.join("lock"), "").expect("made");
        for folder in [&own, &own.join("logs")] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("its own");
        }
        BTreeMap::from([(name(), mock(dir, "echo said; exit 1"))])
    });
    world.try_once();
    let own = world.dir.path().join("dispatch");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for folder in [&own, &own.join("logs"), &own.join("work"), &own.join("cache")] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    for file in ["logs/1.log", "about.json", "lock"] {
        assert_eq!(mode(&own.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_chain_of_forks_in_new_sessions_ends_with_its_attempt() {
    let perl = "use POSIX; open(F, '>', $ARGV[0]); print F \"$$\\n\"; close F;
        for (;;) { my $p = fork; next if !defined $p; exit if $p; POSIX::setsid(); }";
    if !Path::new("/usr/bin/perl").exists() {
        return;
    }
    let script = format!(
        "cat > chain.pl <<'END'\n{perl}\nEND\n\
         env -i setsid /usr/bin/perl chain.pl $dir/began </dev/null >/dev/null 2>&1 &\n\
         until [ -s $dir/began ]; do sleep 0.01; done; sleep 0.2; echo 1 > $out"
    );
    let programs = |dir: &Path| BTreeMap::from([(name(), mock(dir, &script))]);
    // With control groups there is nothing to it.
    let alone = |dir: &Path| Config { uses_cgroups: false, ..config(dir, 1, programs(dir)) };
    let mut world = World::of(RETRY, alone);
    let grant = world.new_grant();
    world.proved(&grant);
    written(&world.dir.path().join("began"));
    let is_left = || processes_with("chain.pl") > 0;
    until(|| (!is_left()).then_some(()));
}

#[test]
fn a_directory_that_cannot_be_removed_is_told_of() {
    let mut world =
        World::of_mock("echo a > fixed; chattr +i fixed && touch $dir/is_fixed; exit 1");
    world.try_once();
    if !world.dir.path().join("is_fixed").exists() {
        return; // not root, or a file system without such files
    }
    let notice = world.notice();
    let fixed = world.dir.path().join("dispatch/work/attempt-1/fixed");
    let freed = Command::new("chattr").arg("-i").arg(&fixed).status().expect("it was there before");
    let Notice::Trouble { message } = notice else { panic!("{notice:?}") };
    assert!(message.contains("attempt-1 cannot be removed"), "{message}");
    assert!(freed.success(), "it is where it was");
}

fn surrounded(around: Surroundings, script: &str) -> World {
    World::with(1, |dir| {
        BTreeMap::from([(name(), ProgramConfig { surroundings: around, ..mock(dir, script) })])
    })
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its own");
}

/// The argv with its program's path, where this machine lets it run.
fn available(words: &[&str]) -> Option<Vec<String>> {
    let (first, rest) = words.split_first()?;
    let tried = Command::new(first).args(rest).arg("true").stderr(Stdio::null()).status();
    let dirs = std::env::var_os("PATH")?;
    let mut paths = std::env::split_paths(&dirs).map(|dir| dir.join(first));
    let path = paths.find(|path| path.is_file())?.to_string_lossy().into_owned();
    let rest = rest.iter().map(|word| (*word).to_owned());
    tried.is_ok_and(|status| status.success()).then(|| std::iter::once(path).chain(rest).collect())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// How many processes work in a directory.
fn processes_in(dir: &Path) -> usize {
    let is_in = |pid: &String| {
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir))
            && lives(pid)
    };
    pids().iter().filter(|pid| is_in(pid)).count()
}

fn processes_with(word: &str) -> usize {
    let has = |pid: &String| {
        let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&argv).contains(word)
    };
    pids().iter().filter(|pid| has(pid)).count()
}

fn pids() -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("a /proc").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).collect()
}
