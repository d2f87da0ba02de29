//! The memory that provers share, where nobody says how much.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::world::{PAIRS, World};

#[test]
fn a_control_group_that_is_smaller_than_the_machine_is_what_there_is() {
    let Some(group) = Group::make() else { return }; // no groups to be had here
    let world = World::new(PAIRS);
    fs::write(world.pipeline(), PAIRS.replace("64MiB", "2GiB")).expect("a file");
    fs::write(world.path().join("blocks.jsonl"), "").expect("a file");
    // It enters the group, and is push0 then.
    let mut push0 = Command::new("sh");
    push0.args(["-c", r#"echo 0 > "$0/cgroup.procs" && exec "$@""#]).arg(&group.0);
    push0
        .arg(env!("CARGO_BIN_EXE_push0"))
        .arg("run")
        .arg(world.pipeline())
        .arg("--data")
        .arg(world.path().join("data"));
    let ended = push0.output().expect("a shell");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("reserves 2048 MiB, and there are 1024 MiB"), "{said}");
}

/// A group of version 1 beneath this process's own, with a gibibyte. Dropped, it goes.
struct Group(PathBuf);

impl Group {
    fn make() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = groups.lines().find_map(|line| line.split_once(":memory:"))?.1;
        let name = format!("push0-test-{}", std::process::id());
        let path =
            PathBuf::from("/sys/fs/cgroup/memory").join(own.trim_start_matches('/')).join(name);
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        fs::write(group.0.join("memory.limit_in_bytes"), (1_u64 << 30).to_string()).ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
