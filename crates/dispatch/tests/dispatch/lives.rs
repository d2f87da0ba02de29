//! What is left of a dispatcher that is killed: nothing that proves, and nothing at all once it is
//! back.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use push0_core::ToDispatcher;
use push0_dispatch::{About, Config, MemoryLimit, Notice, StartError, die_with_parent, start};

use crate::world::{RETRY, World, config, lives, mock, name, server, until, written};

#[test]
fn a_killed_dispatcher_leaves_no_prover() {
    killed(false);
}

#[test]
fn a_killed_dispatcher_leaves_nothing_where_there_are_cgroups() {
    killed(true);
}

fn killed(uses_cgroups: bool) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut host = host(dir.path(), uses_cgroups);
    let [file, deaf, served, tied] =
        ["file", "deaf", "served", "tied"].map(|name| written(&dir.path().join(name)));
    assert!(lives(&tied));
    host.kill().expect("killed");
    host.wait().expect("reaped");
    for pid in [&file, &deaf, &served, &tied] {
        until(|| (!lives(pid)).then_some(()));
    }
    let [child, daemon] = ["child", "daemon"].map(|name| written(&dir.path().join(name)));
    until(|| (!lives(&child)).then_some(()));
    let about = About::read(&dir.path().join("dispatch")).expect("it said so");
    if let MemoryLimit::Cgroup { path, .. } = about.memory_limit {
        // It left its process group, and cannot leave its control group; which goes, too.
        until(|| (!lives(&daemon)).then_some(()));
        until(|| (!path.exists()).then_some(()));
    } else {
        assert!(lives(&daemon), "it left its group: only the next life can know of it");
    }
    let was_left = lives(&daemon);
    let programs = BTreeMap::from([(name(), mock(dir.path(), ""))]);
    let mut again = start(config(dir.path(), 1, programs)).expect("a dispatcher");
    assert!(!lives(&daemon));
    let notice = again.notices.try_recv().ok();
    assert_eq!(was_left, matches!(notice, Some(Notice::LeftoversEnded { .. })), "{notice:?}");
    assert_eq!(std::fs::read_dir(dir.path().join("dispatch/work")).expect("work").count(), 0);
}

#[test]
fn what_a_killed_dispatcher_left_ends_nothing_of_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut host = host(dir.path(), true);
    for name in ["file", "deaf", "served"] {
        written(&dir.path().join(name));
    }
    host.kill().expect("killed");
    host.wait().expect("reaped");
    // At once: the dead one's guardian is at work for a second.
    let script = "sleep 0.05; echo '{}' > $out";
    let programs = |dir: &Path| BTreeMap::from([(name(), mock(dir, script))]);
    let at = dir.path().to_owned();
    let again = |own: &Path| Config { uses_cgroups: true, ..config(&at, 1, programs(own)) };
    let mut world = World::of(RETRY, again);
    for _ in 0..25 {
        let grant = world.new_grant();
        world.proved(&grant);
    }
}

#[test]
fn a_directory_has_one_dispatcher() {
    let world = World::of_mock("");
    let second = start(config(world.dir.path(), 1, BTreeMap::new()));
    assert!(matches!(second, Err(StartError::Locked { .. })));
}

/// Not a test of its own: the process that is killed above.
#[test]
fn a_host_runs_until_it_is_killed() {
    let Some(dir) = std::env::var_os(HOST) else { return };
    let dir = Path::new(&dir);
    let script = |name: &str| name.parse().expect("a name");
    let programs = BTreeMap::from([
        (
            script("file"),
            mock(
                dir,
                "setsid sh -c 'echo $$ > '$dir'/daemon; exec sleep 1000' &
         until [ -s $dir/daemon ]; do sleep 0.01; done
         sleep 1000 & echo $! > $dir/child; echo $$ > $dir/file; wait",
            ),
        ),
        (script("deaf"), mock(dir, "trap '' TERM; echo $$ > $dir/deaf; exec sleep 1000")),
        (script("served"), server(dir, "echo $$ > $dir/served; ready; next; exec sleep 1000")),
    ]);
    let mut sleep = Command::new("sleep");
    sleep.arg("1000").process_group(0);
    die_with_parent(&mut sleep);
    let tied = sleep.spawn().expect("a child").id();
    std::fs::write(dir.join("tied"), format!("{tied}\n")).expect("written");
    let mut world = World::with(1, |_| BTreeMap::new());
    let uses_cgroups = std::env::var_os(CGROUPS).is_some();
    let config = Config { uses_cgroups, ..config(dir, 3, programs.clone()) };
    let started = start(config).expect("a dispatcher");
    for program in programs.into_keys() {
        let grant = push0_core::Grant { program, ..world.new_grant() };
        started.to.try_send(ToDispatcher::Grant(Box::new(grant))).expect("room");
    }
    loop {
        std::thread::park();
    }
}

fn host(dir: &Path, uses_cgroups: bool) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "lives::a_host_runs_until_it_is_killed"]).env(HOST, dir);
    command.envs(uses_cgroups.then_some((CGROUPS, "1")));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a host")
}

const HOST: &str = "PUSH0_TEST_HOST";
const CGROUPS: &str = "PUSH0_TEST_CGROUPS";
