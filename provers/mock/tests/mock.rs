//! The mock as a real process: what it makes, and each way in which it fails.
//!
//! Every process is waited for or killed, what it leaves behind by its id; every wait has an end.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use push0_prover::wire::{Base64, Bundle, BundleItem, Digest, Hash32};
use push0_prover::{Envelope, EnvelopeFormat, Key, Program, ResultFile};
use rustix::process::{Pid, Signal, getpid, kill_process, test_kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn every_kind_of_input_is_named_in_the_public_values() {
    let room = Room::new();
    let says = |input: &[u8]| {
        assert_eq!(room.run("--for 5ms", input).status.code(), Some(0));
        let result = room.result();
        assert!(result.mock);
        serde_json::from_slice::<Value>(&result.public_values.0).expect("JSON")
    };
    assert_eq!(says(b"16525000"), json!(16_525_000));
    assert_eq!(says(br#"{"number": "0xfc26c8", "hash": "0x"}"#), json!(16_525_000));
    assert_eq!(says(b"[]"), json!(format!("sha256:{}", Digest::of(b"[]"))));
    let bundle = Bundle::new(vec![room.item("a", b"{}", 5, None), room.item("b", b"{}", 6, None)]);
    let key = json!({"chain": 1, "first": 5, "last": 6, "tip": Hash32([6; 32])});
    assert_eq!(says(&serde_json::to_vec(&bundle).expect("UTF-8 paths")), key);
}

#[test]
fn a_block_is_split_stepped_and_joined() {
    let room = Room::new();
    for (split, count) in [("split 3", Some(3)), ("split 1", Some(1)), ("split", None)] {
        assert_eq!(room.run(split, b"16525000").status.code(), Some(0));
        let parts: Vec<Value> = room.output();
        assert!(count.is_none_or(|count| count == parts.len()));
        assert!(count.is_some() || (2..=5).contains(&parts.len()));
        let step = |part: &Value| {
            assert_eq!(room.run("step", part.to_string().as_bytes()).status.code(), Some(0));
            room.output::<Value>()
        };
        let steps: Vec<_> = parts.iter().map(step).collect();
        let joined = match steps.as_slice() {
            [one] => one.to_string(),
            several => Value::from(several).to_string(),
        };
        assert_eq!(room.run("join", joined.as_bytes()).status.code(), Some(0));
        assert_eq!(room.result().public_values.0, b"16525000");
    }
}

#[test]
fn steps_and_joins_take_bundles_too() {
    let room = Room::new();
    let part = |part| json!({"mock": true, "block": 5, "part": part, "of": 2}).to_string();
    let items = [0, 1].map(|number| {
        let item = room.item("part", part(number).as_bytes(), 5, Some(number));
        let bundle = serde_json::to_vec(&Bundle::new(vec![item])).expect("UTF-8 paths");
        assert_eq!(room.run("step", &bundle).status.code(), Some(0));
        let made = fs::read(room.path("out")).expect("an output");
        room.item(&format!("step-{number}"), &made, 5, Some(number))
    });
    let bundle = serde_json::to_vec(&Bundle::new(items.to_vec())).expect("UTF-8 paths");
    assert_eq!(room.run("join", &bundle).status.code(), Some(0));
    assert_eq!(room.result().public_values.0, b"5");
}

#[test]
fn steps_that_are_not_all_there_in_order_are_refused() {
    let room = Room::new();
    let step = |number: u64| {
        let part = json!({"mock": true, "block": 5, "part": number, "of": 2}).to_string();
        assert_eq!(room.run("step", part.as_bytes()).status.code(), Some(0));
        room.output::<Value>()
    };
    let (first, second) = (step(0), step(1));
    for wrong in [vec![&first], vec![&second, &first], vec![&first, &first], vec![]] {
        let done = room.run("join", json!(wrong).to_string().as_bytes());
        assert_eq!(done.status.code(), Some(1), "{wrong:?}");
    }
    assert_eq!(room.run("step", b"16525000").status.code(), Some(1));
    assert_eq!(room.run("split", b"[]").status.code(), Some(1));
}

#[test]
fn a_mocks_proof_is_refused() {
    let room = Room::new();
    assert_eq!(room.run("", b"5").status.code(), Some(0));
    let ResultFile { vkey, public_values, proof, .. } = room.result();
    let envelope = Envelope {
        format: EnvelopeFormat::V1,
        pipeline: "test".into(),
        key: Key { chain: 1, first: 5, last: 5, part: None, tip: Hash32([5; 32]) },
        block_hashes: None,
        program: Program { name: "mock".into(), vkey },
        mock: false,
        claim: None,
        public_values,
        proof: Base64(proof.0),
        history: Vec::new(),
        inputs: None,
    };
    let path = room.path("envelope");
    fs::write(&path, envelope.encode().expect("UTF-8 paths")).expect("a writable directory");
    let done = mock("verify").arg("--input-path").arg(path).output().expect("it starts");
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&done.stderr), "refused: a mock proves nothing\n");
}

#[test]
fn the_same_task_makes_the_same_bytes_unless_flaky() {
    let room = Room::new();
    let made = |args: &str| {
        assert_eq!(room.run(args, b"5").status.code(), Some(0));
        room.result()
    };
    assert_eq!(made(""), made(""));
    let (one, other) = (made("--flaky-bytes"), made("--flaky-bytes"));
    assert_eq!(one.public_values, other.public_values);
    assert_ne!(one.proof, other.proof);
}

#[test]
fn failures_end_as_they_were_told() {
    let room = Room::new();
    let code = |args: &str| room.run(args, b"5").status.code();
    assert_eq!(code("--exit 42"), Some(42));
    assert_eq!(code("--say resource"), Some(137));
    assert_eq!(code("--say unprovable"), Some(77));
    assert_eq!(code("--panic"), Some(1));
    assert_eq!(code("--no-such-thing"), Some(1));
    assert_eq!(code("--no-output"), Some(0));
    assert!(!room.path("out").exists());
    assert_eq!(code("--garbage"), Some(0));
    let garbage = fs::read(room.path("out")).expect("an output");
    assert!(serde_json::from_slice::<Value>(&garbage).is_err());
    assert_eq!(code("--eat 8MiB"), Some(0));
}

#[test]
fn a_flood_reaches_both_streams() {
    let room = Room::new();
    let done = room.run("--flood 100KiB", b"5");
    assert_eq!(done.status.code(), Some(0));
    assert!(done.stdout.len() >= 100 << 10 && done.stderr.len() >= 100 << 10);
}

#[test]
fn the_first_attempts_fail_across_processes() {
    let room = Room::new();
    let state = room.path("state");
    let args = format!("--fail-first 2 --state {}", state.display());
    let code = |args: &str, task: &str| {
        let command = room.command(args, b"5").env("PUSH0_TASK", task).output();
        command.expect("it starts").status.code()
    };
    assert_eq!([(); 3].map(|()| code(&args, "a")), [Some(75), Some(75), Some(0)]);
    let args = format!("{args} --exit 9");
    assert_eq!([(); 3].map(|()| code(&args, "b")), [Some(9), Some(9), Some(0)]);
}

#[test]
fn sigterm_ends_it_unless_it_is_ignored() {
    let room = Room::new();
    for (args, ends) in [("--for 60s", true), ("--for 60s --ignore-term", false)] {
        let mut child = Running::start(room.command(args, b"5"));
        child.wait_for_progress();
        kill_process(child.pid(), Signal::TERM).expect("it runs");
        assert_eq!(child.ends_within(if ends { PATIENCE } else { A_MOMENT }), ends, "{args}");
    }
}

#[test]
fn what_is_left_behind_outlives_it_in_its_group_or_its_own_session() {
    let room = Room::new();
    for (args, own_session) in [("--leak", false), ("--daemon", true)] {
        let mut child = Running::start(room.command(args, b"5"));
        let left = child.left_behind();
        assert!(child.ends_within(PATIENCE));
        assert!(test_kill_process(left.0).is_ok(), "it is still there");
        let leads_a_session = || session(left.0) == left.0.to_string();
        let start = Instant::now();
        while own_session && !leads_a_session() && start.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        assert_eq!(leads_a_session(), own_session);
        assert_eq!(group(left.0) == group(getpid()), !own_session, "{args}");
    }
}

#[test]
fn serve_says_classes_and_survives_panics() {
    let room = Room::new();
    let input = room.path("in");
    fs::write(&input, "5").expect("a writable directory");
    let mut child = Running::start({
        let mut command = mock("");
        command.env("PUSH0_CONTRACT", "serve").stdin(Stdio::piped());
        command
    });
    let mut stdin = child.0.stdin.take().expect("piped");
    let mut lines = BufReader::new(child.0.stdout.take().expect("piped")).lines();
    let mut line = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    assert!(line().get("ready").is_some());
    for (attempt, args) in [(1, vec!["--say", "timeout"]), (2, vec!["--panic"]), (3, vec![])] {
        let prove = json!({"task": "2a", "attempt": attempt, "stage": "s", "args": args,
            "input": input, "output": room.path("out")});
        writeln!(stdin, "{}", json!({ "prove": prove })).expect("it reads");
    }
    let told = json!({"failed": {"attempt": 1, "class": "timeout", "message": "told to fail"}});
    assert_eq!(line(), told);
    let message = "panicked: told to panic";
    assert_eq!(line(), json!({"failed": {"attempt": 2, "class": "failed", "message": message}}));
    assert_eq!(line(), json!({"done": {"attempt": 3}}));
    drop(stdin);
    assert!(child.ends_within(PATIENCE));
    assert!(room.result().mock);
}

#[test]
fn help_says_mock_and_lists_every_way_to_fail() {
    let done = mock("--help").output().expect("it starts");
    let help = String::from_utf8(done.stdout).expect("text");
    assert!(help.contains("MOCK") && help.contains("--flood BYTES"), "{help}");
}

/// The group of a process, as the kernel writes it: 0 for one that is led from outside of a
/// container, which `getpgid` cannot give as a `Pid`.
fn group(pid: Pid) -> String {
    stat(pid, 2)
}

/// Its session, in the same way.
fn session(pid: Pid) -> String {
    stat(pid, 3)
}

/// A field of `/proc/PID/stat`, counted from the state, which follows the name in brackets.
fn stat(pid: Pid, field: usize) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is still there");
    let (_, fields) = text.rsplit_once(") ").expect("a name in brackets");
    fields.split(' ').nth(field).expect("a field").to_owned()
}

/// A directory with an input and an output.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn item(&self, name: &str, bytes: &[u8], number: u8, part: Option<u64>) -> BundleItem {
        fs::write(self.path(name), bytes).expect("a writable directory");
        let (block, tip) = (u64::from(number), Hash32([number; 32]));
        BundleItem {
            key: Key { chain: 1, first: block, last: block, part, tip },
            task: part.map(|part| format!("{part:02x}")),
            program: part.map(|_| "mock".into()),
            path: self.path(name),
            sha256: Digest::of(bytes),
            public_values: None,
        }
    }

    fn command(&self, args: &str, input: &[u8]) -> Command {
        let _ = fs::remove_file(self.path("out"));
        fs::write(self.path("in"), input).expect("a writable directory");
        let mut command = mock(args);
        command.arg("-i").arg(self.path("in")).arg("-o").arg(self.path("out"));
        command
    }

    fn run(&self, args: &str, input: &[u8]) -> Output {
        self.command(args, input).output().expect("it starts")
    }

    fn output<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&fs::read(self.path("out")).expect("an output")).expect("JSON")
    }

    fn result(&self) -> ResultFile {
        self.output()
    }
}

fn mock(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0-prover-mock"));
    command.args(args.split_whitespace()).env("PUSH0_CACHE", std::env::temp_dir());
    command.stdin(Stdio::null());
    command
}

/// A mock that runs, and is killed when the test ends.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("it starts"))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    fn wait_for_progress(&mut self) {
        let stdout = BufReader::new(self.0.stdout.as_mut().expect("piped"));
        let line = stdout.lines().next().expect("a line").expect("text");
        assert!(line.starts_with("progress "), "{line}");
    }

    fn left_behind(&mut self) -> LeftBehind {
        let stderr = BufReader::new(self.0.stderr.as_mut().expect("piped"));
        let line = stderr.lines().next().expect("a line").expect("text");
        let pid = line.split_whitespace().find_map(|word| word.parse().ok());
        LeftBehind(pid.and_then(Pid::from_raw).expect("a process id"))
    }

    fn ends_within(&mut self, limit: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < limit {
            if self.0.try_wait().expect("it is ours").is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that is nobody's child any more.
struct LeftBehind(Pid);

impl Drop for LeftBehind {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough for a signal to arrive.
const A_MOMENT: Duration = Duration::from_millis(300);
