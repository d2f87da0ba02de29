//! A page's commands in one shell, in the page's order, in a directory that looks like a clone of
//! this repository.
//!
//! What a command left running is ended by its number when the page ends. A page starts its NATS
//! server itself, the one that all tests run against, at a free port in place of 4222. Two commands
//! do nothing here: `cargo build`, since what it builds is there, and `./test`, which runs these
//! tests.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use push0_testbed::{binary, free_ports};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::binaries::{push0, workspace};
use crate::markdown::{Fence, Page};
use crate::said::is_as_shown;

/// Runs every `sh` block of a page. What an `output` block behind one shows is what it must have
/// said.
pub(crate) fn run(path: &str) {
    let page = Page::read(&workspace(), Path::new(path));
    let fences = page.fences();
    let blocks: Vec<_> = fences.iter().filter(|fence| fence.language == "sh").collect();
    assert!(!blocks.is_empty(), "{path} has no commands");
    let dir = clone();
    let script = script(&blocks, dir.path(), &free_ports(PORTS.len()));
    let (code, at) = shell(dir.path(), &script);
    let said = |block: &Fence| {
        fs::read_to_string(dir.path().join(format!(".pages/{}", block.line))).unwrap_or_default()
    };
    if let Some(failed) = blocks.iter().find(|block| at == block.line && code != Some(0)) {
        let said = said(failed);
        let logs = ends_of_logs(dir.path());
        panic!("{path}:{at}: ended with {code:?}:\n{}\nsaid:\n{said}\n{logs}", failed.text);
    }
    assert_eq!(code, Some(0), "{path}: it did not begin");
    for pair in fences.windows(2) {
        let [block, output] = pair else { continue };
        if output.language == "output" {
            let line = output.line;
            assert!(output.follows_at_once && block.language == "sh", "{path}:{line}: of what?");
            let said = said(block);
            let is_so = is_as_shown(&output.text, &said);
            assert!(is_so, "{path}:{line}: shown:\n{}\nsaid:\n{said}", output.text);
        }
    }
}

/// The last lines of each `.log` file that the page's commands wrote, in its directory or one
/// below: what a process said that ended by itself.
fn ends_of_logs(dir: &Path) -> String {
    let folders = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = folders.filter(|path| path.is_dir()).chain([dir.to_owned()]);
    let files = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let logs =
        files.map(|entry| entry.path()).filter(|path| path.extension() == Some("log".as_ref()));
    logs.fold(String::new(), |mut ends, log| {
        let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        let lines: Vec<_> = text.lines().collect();
        let end = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n");
        let _ = write!(ends, "== the end of {}\n{end}\n", log.display());
        ends
    })
}

/// A directory with the examples and the settings of the repository, and its binaries where `cargo
/// build` puts them.
fn clone() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for folder in ["examples", "deploy", "sdk"] {
        copy(&workspace().join(folder), &dir.path().join(folder));
    }
    // Two blocks say what twenty would, in a build that is not optimised too.
    let blocks = dir.path().join("examples/scroll/scroll-mainnet-16525000-20.jsonl");
    let all = fs::read_to_string(&blocks).expect("the example's blocks");
    let few: String = all.lines().take(2).fold(String::new(), |few, line| few + line + "\n");
    fs::write(blocks, few).expect("it is ours");
    fs::create_dir_all(dir.path().join("target")).expect("it is ours");
    let built = push0().parent().expect("a folder");
    symlink(built, dir.path().join("target/release")).expect("it is ours");
    fs::create_dir(dir.path().join(".pages")).expect("it is ours");
    symlink("/bin/true", dir.path().join("test")).expect("it is ours");
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is ours");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("a readable entry");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true if path.extension().is_some_and(|ext| ext == "push0") => {}
            true => copy(&path, &to),
            false => drop(fs::copy(&path, &to).expect("it can be copied")),
        }
    }
}

/// `cargo build` is a word that does nothing here: what it builds is there.
fn script(blocks: &[&Fence], dir: &Path, ports: &[u16]) -> String {
    let mut script = String::from(
        "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || :; wait' EXIT\ncargo() { [ \"$1\" = build ]; }\n",
    );
    for Fence { line, text, .. } in blocks {
        let log = dir.join(".pages");
        let log = log.display();
        let _ = writeln!(script, "echo {line} >{log}/at\nexec >{log}/{line} 2>&1");
        let own = PORTS.iter().zip(ports);
        let text =
            own.fold(text.clone(), |text, (shown, own)| text.replace(shown, &own.to_string()));
        script.push_str(&text);
    }
    script
}

/// How it ended, and at which block.
fn shell(dir: &Path, script: &str) -> (Option<i32>, usize) {
    let file = dir.join(".pages/script");
    fs::write(&file, script).expect("it is ours");
    let mut folders = vec![push0()];
    let server = script.contains("nats-server ").then(binary);
    folders.extend(server.as_deref());
    let folders = folders.iter().filter_map(|it| it.parent()).map(|it| it.display().to_string());
    let path =
        folders.chain(["/usr/local/bin:/usr/bin:/bin".to_owned()]).collect::<Vec<_>>().join(":");
    let mut bash = Command::new("bash");
    bash.arg(&file).current_dir(dir).process_group(0).env_clear();
    bash.env("PATH", path).env("HOME", dir).env("LANG", "C.UTF-8").env("USER", "reader");
    let trouble = File::create(dir.join(".pages/0")).expect("it is ours");
    bash.stdin(Stdio::null()).stdout(Stdio::null()).stderr(trouble);
    let code = ended(bash.spawn().expect("bash starts"));
    let at = fs::read_to_string(dir.join(".pages/at")).unwrap_or_default();
    (code, at.trim().parse().unwrap_or_default())
}

/// Waits for it. One that takes too long is ended, with all that it started: it is not waited for
/// before that, so the number is still its own.
fn ended(mut bash: Child) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < TIME_MAX {
        if let Some(status) = bash.try_wait().expect("it is ours") {
            return status.code();
        }
        thread::sleep(Duration::from_millis(20));
    }
    kill_process_group(Pid::from_child(&bash), Signal::KILL).expect("it is ours");
    bash.wait().expect("it is ours").code()
}

/// Of the end of a log that is shown.
const LOG_LINES: usize = 12;
/// Where pages have their NATS server, and their metrics.
const PORTS: [&str; 2] = ["4222", "9464"];
/// Of a page: the README proves, with a prover that is not optimised.
const TIME_MAX: Duration = Duration::from_secs(300);
