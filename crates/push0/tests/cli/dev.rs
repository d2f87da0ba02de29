//! `push0 dev`: a cluster of real processes, and what is left of it when it ends or is killed.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use push0_testbed::until;
use rustix::fs::Mode;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::world::{Ran, push0, run};

#[test]
fn what_it_says_to_type_next_proves() {
    rustix::process::umask(Mode::WGRP | Mode::WOTH); // as most users have it
    let mut dev = Dev::start();
    let next = dev.next();
    let submit = next.iter().find(|line| line.contains("push0 submit")).expect("it says so");
    let blocks = fs::read(dev.dir.path().join("blocks.jsonl")).expect("they were written");
    let lines: Vec<_> = blocks.split_inclusive(|byte| *byte == b'\n').collect();
    let (first, rest) = lines.split_at(1);
    let named = dev.type_in(&submit.replace("BLOCKS", "blocks.jsonl"), &[]);
    assert!(named.stderr.contains("4 blocks submitted: 4 new, 0 known"), "{named:?}");
    let piped = dev.type_in(&submit.replace("BLOCKS", "-"), first);
    assert!(piped.stderr.contains("1 block submitted: 0 new, 1 known"), "{piped:?}");
    let piped = dev.type_in(&submit.replace("BLOCKS", "-"), &[&rest.concat()[..], b"no block\n"]);
    assert_eq!(piped.code, Some(3));
    assert!(piped.stderr.contains("(stdin:4)"), "{piped:?}");
    for word in ["push0 status", "push0 finish", "push0 proofs"] {
        let line = next.iter().find(|line| line.contains(word)).expect("it says so");
        let typed = dev.type_in(line, &[]);
        assert_eq!(typed.code, Some(0), "{typed:?}");
    }
    let written = fs::read_dir(dev.dir.path().join("one.proofs")).expect("it was made");
    let is_proof = |name: &str| name.ends_with(".proof.json");
    let names = written.map(|entry| entry.expect("an entry").file_name().into_string());
    assert_eq!(names.filter(|name| name.as_deref().is_ok_and(is_proof)).count(), 4);
    dev.stop_by(Signal::INT);
    closed(&dev.dir.path().join("one.dev"));

    // The same command goes on: the log is there, and its end.
    dev.start_again();
    let next = dev.next();
    let status = next.iter().find(|line| line.contains("push0 status")).expect("it says so");
    let shown = dev.type_in(status, &[]);
    assert!(shown.stdout.contains("4 submitted, 4 released"), "{shown:?}");
    dev.stop_by(Signal::TERM);
}

#[test]
fn nothing_is_left_of_it_when_it_is_killed() {
    let mut dev = Dev::start();
    dev.next();
    let began = dev.processes();
    assert!(began.len() >= 3, "{began:?}");
    dev.child.kill().expect("it is ours");
    dev.child.wait().expect("it is ours");
    dev.all_end(&began);
}

#[test]
fn one_that_ends_ends_all_and_is_named() {
    let mut dev = Dev::start();
    dev.next();
    let began = dev.processes();
    let server = began.iter().find(|pid| command_of(**pid).contains("nats-server"));
    let server = server.copied().and_then(Pid::from_raw).expect("a server");
    kill_process(server, Signal::KILL).expect("it is ours");
    let ended = until("it does not end", || dev.child.try_wait().expect("it is ours"));
    assert_eq!(ended.code(), Some(6));
    assert!(dev.said().contains(" ERROR nats-server has ended"), "{}", dev.said());
    dev.all_end(&began);
}

#[test]
fn what_it_cannot_use_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(push0(&["init", text(dir.path()), "--prover", "bash"]).code, Some(0));
    let pipeline = dir.path().join("pipeline.toml");
    let dev = |server: &Path, data: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
        command.arg("dev").arg(&pipeline).arg("--data").arg(data);
        run(command.env("PUSH0_NATS_SERVER", server))
    };
    let (server, data) = (push0_testbed::binary(), dir.path().join("dev"));
    let from_file = dev(&server, &data);
    assert_eq!(from_file.code, Some(2));
    assert!(from_file.stderr.contains("use kind = \"submit\""), "{}", from_file.stderr);
    as_submitted(dir.path());
    let none = dev(&dir.path().join("none"), &data);
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("PUSH0_NATS_SERVER is") && none.stderr.contains("install it"));
    let foreign = dev(&server, dir.path());
    assert_eq!(foreign.code, Some(2));
    assert!(foreign.stderr.contains("name a directory that is empty or not there"), "{foreign:?}");
    assert!(!data.exists(), "nothing was made");
}

/// One that runs, in a directory with a pipeline named `one`.
struct Dev {
    dir: TempDir,
    child: Child,
}

impl Dev {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let one = dir.path().join("one");
        assert_eq!(push0(&["init", text(&one), "--prover", "bash"]).code, Some(0));
        as_submitted(&one);
        for entry in fs::read_dir(&one).expect("it was made") {
            let path = entry.expect("an entry").path();
            let to = dir.path().join(path.file_name().expect("a name"));
            fs::rename(&path, to).expect("it is ours");
        }
        let child = spawn(dir.path());
        Self { dir, child }
    }

    fn start_again(&mut self) {
        self.child = spawn(self.dir.path());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.dir.path().join("said")).unwrap_or_default()
    }

    /// The lines that it says to type next.
    fn next(&mut self) -> Vec<String> {
        until("it is not ready", || {
            let said = self.said();
            assert_eq!(self.child.try_wait().expect("it is ours"), None, "{said}");
            said.contains("To read this again: cat ").then_some(())
        });
        let said = self.said();
        let (_, again) = said.split_once("To read this again: cat ").expect("it says where");
        let page = fs::read_to_string(again.lines().next().unwrap_or_default());
        assert!(said.contains(page.expect("it is there").trim()), "the same page: {said}");
        let lines = said.lines().filter(|line| line.trim_start().starts_with("push0 "));
        lines.map(|line| line.trim_start().to_owned()).collect()
    }

    /// Types a line into a shell in its directory.
    fn type_in(&self, line: &str, stdin: &[&[u8]]) -> Ran {
        let own = Path::new(env!("CARGO_BIN_EXE_push0")).parent().expect("a directory");
        let path = std::env::var("PATH").expect("a PATH");
        let input = self.dir.path().join("input");
        File::create(&input).and_then(|mut file| file.write_all(&stdin.concat())).expect("written");
        let mut bash = Command::new("bash");
        // Through a pipe, as another command would write it.
        bash.args(["-euc", &format!("cat input | timeout 100 {line}")])
            .current_dir(self.dir.path());
        run(bash.env("PATH", format!("{}:{path}", text(own))))
    }

    /// All that run beneath it.
    fn processes(&self) -> Vec<i32> {
        let mut found = vec![i32::try_from(self.child.id()).expect("a process")];
        let mut next = 0;
        while let Some(pid) = found.get(next).copied().and_then(Pid::from_raw) {
            found.extend(push0_dispatch::children(pid).iter().map(|it| it.as_raw_nonzero().get()));
            next += 1;
        }
        found.split_off(1)
    }

    fn stop_by(&mut self, signal: Signal) {
        let began = self.processes();
        kill_process(Pid::from_child(&self.child), signal).expect("it is ours");
        let ended = until("it does not end", || self.child.try_wait().expect("it is ours"));
        assert_eq!(ended.code(), Some(0), "{}", self.said());
        self.all_end(&began);
    }

    fn all_end(&self, began: &[i32]) {
        let place = text(self.dir.path());
        until("processes are left", || {
            // A number may be another process' by now.
            let lives = |pid: &&i32| !is_dead(**pid) && command_of(**pid).contains(place);
            began.iter().find(lives).is_none().then_some(())
        });
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill(); // what it started goes with it
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path) -> Child {
    let said = File::create(dir.join("said")).expect("a writable directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
    command.args(["dev", "pipeline.toml", "--slots", "1"]).current_dir(dir).stdin(Stdio::null());
    command.arg("--data").arg(dir.join("one.dev"));
    // A setting of another cluster, which is not this one's.
    command.env("PUSH0_CONFIG", "/nowhere").env("PUSH0_NATS_SERVER", push0_testbed::binary());
    let child = command.stdout(Stdio::null()).stderr(said).spawn();
    child.expect("it starts")
}

/// Whether nobody else may look into anything that is there. What is in the store was put there by
/// other commands too.
fn closed(path: &Path) {
    let found = fs::symlink_metadata(path).expect("it is there");
    assert!(
        found.is_symlink() || found.mode() & 0o077 == 0,
        "{}: {:o}",
        path.display(),
        found.mode()
    );
    let entries = fs::read_dir(path).into_iter().flatten();
    for entry in entries.filter(|_| !path.ends_with("store")) {
        closed(&entry.expect("an entry").path());
    }
}

fn as_submitted(dir: &Path) {
    let path: PathBuf = dir.join("pipeline.toml");
    let file = fs::read_to_string(&path).expect("it was written");
    let submit = file.replace("kind = \"file\", path = \"blocks.jsonl\"", "kind = \"submit\"");
    fs::write(&path, submit).expect("a writable directory");
}

fn is_dead(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

fn command_of(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
