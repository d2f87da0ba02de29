//! The three contracts, each spoken with a real process.
//!
//! The processes are the examples `squares` (well-behaved) and `unruly` (anything but). Every one
//! is waited for or killed by its handle; every wait has an end.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use push0_prover::wire::{
    Base64, Bundle, BundleItem, Digest, FailureClass, Hash32, Hex, ProveRequest, Reply, Request,
    Verdict, VerifierLine,
};
use push0_prover::{Envelope, EnvelopeFormat, Key, Program, ResultFile, Vkey};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn a_bare_block_number_is_proved_under_the_file_contract() {
    let room = Room::new();
    let done = room.prove_file("squares", &[], b"16525000");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("progress 0.0000\n"));
    assert_eq!(room.result().public_values, Hex(16_525_000_u64.to_le_bytes().to_vec()));
    assert_eq!(room.names(), ["in", "out"], "no temporary file is left");
}

#[test]
fn a_failures_class_is_its_exit_code() {
    let room = Room::new();
    let exit = |input: &[u8]| room.prove_file("squares", &[], input).status.code();
    assert_eq!(exit(b"7"), Some(77), "seven is no sum of three squares");
    assert_eq!(exit(b"seven"), Some(1));
    assert_eq!(room.prove_file("unruly", &["panic"], b"").status.code(), Some(1));
    let missing = room.bundle(&[room.block(5, Some(Digest::of(b"another")))]);
    assert_eq!(exit(&missing), Some(75), "a damaged item is not this task's fault");
    assert!(!room.path("out").exists());
}

#[test]
fn a_line_that_means_nothing_is_answered_on_stderr() {
    let room = Room::new();
    let mut served = Served::start("squares", &[]);
    assert_eq!(served.reply(), Reply::Ready { vkey: Some(squares_vkey()) });
    served.line("what?");
    served.line(r#"{"dance":{}}"#);
    served.line(r#"{"cancel":{"attempt":99}}"#);
    served.ask(&room.request(1, &[], &room.bundle(&[room.block(5, None)])));
    assert_eq!(served.last_reply(), Reply::Done { attempt: 1 });
    assert_eq!(room.result().public_values, Hex(5_u64.to_le_bytes().to_vec()));
    let stderr = served.end();
    assert!(stderr.contains("what?") && stderr.contains("dance"), "{stderr}");
}

#[test]
fn a_panic_fails_its_attempt_and_no_other() {
    let room = Room::new();
    let mut served = Served::start("unruly", &[]);
    assert_eq!(served.reply(), Reply::Ready { vkey: None }, "what libraries print is elsewhere");
    served.ask(&room.request(1, &["panic"], b"x"));
    let message = "panicked: as told".to_owned();
    let class = FailureClass::Failed;
    assert_eq!(served.reply(), Reply::Failed { attempt: 1, class, message });
    served.ask(&room.request(2, &["print"], b"x"));
    assert_eq!(served.reply(), Reply::Done { attempt: 2 });
    served.ask(&room.request(3, &["echo"], b"x"));
    assert_eq!(served.reply(), Reply::Done { attempt: 3 }, "what was printed came not between");
    assert!(served.end().contains(r#"{"done":{"attempt":2}}"#));
}

#[test]
fn a_cancelled_attempt_fails_as_cancelled() {
    let room = Room::new();
    let mut served = Served::start("unruly", &[]);
    served.reply();
    served.ask(&room.request(1, &["wait"], b"x"));
    assert_eq!(served.reply(), Reply::Progress { attempt: 1, fraction: 0.5 });
    served.ask(&room.request(2, &["wait"], b"x"));
    served.ask(&Request::Cancel { attempt: 2 });
    served.ask(&Request::Cancel { attempt: 1 });
    let cancelled = |attempt| Reply::Failed {
        attempt,
        class: FailureClass::Cancelled,
        message: "cancelled".into(),
    };
    assert_eq!(served.last_reply(), cancelled(1));
    assert_eq!(served.last_reply(), cancelled(2), "one that waited is cancelled too");
    served.end();
}

#[test]
fn the_end_of_stdin_ends_a_busy_prover() {
    let room = Room::new();
    let mut served = Served::start("unruly", &[]);
    served.reply();
    served.ask(&room.request(1, &["wait"], b"x"));
    assert_eq!(served.reply(), Reply::Progress { attempt: 1, fraction: 0.5 });
    served.end();
}

#[test]
fn arguments_of_program_and_stage_come_together_under_both_contracts() {
    let room = Room::new();
    assert!(room.prove_file("unruly", &["arguments", "a", "b"], b"").status.success());
    let as_file = fs::read(room.path("out")).expect("an output");
    let mut served = Served::start("unruly", &["arguments", "a"]);
    served.reply();
    served.ask(&room.request(1, &["b"], b""));
    assert_eq!(served.reply(), Reply::Done { attempt: 1 });
    assert_eq!(fs::read(room.path("out")).expect("an output"), as_file);
    served.end();
}

#[test]
fn parts_are_a_json_array_and_never_empty() {
    let room = Room::new();
    assert!(room.prove_file("unruly", &["parts"], b"1").status.success());
    assert_eq!(fs::read(room.path("out")).expect("an output"), br#"[1,{"two":2}]"#);
    assert_eq!(room.prove_file("unruly", &["no-parts"], b"1").status.code(), Some(1));
}

#[test]
fn a_good_proof_is_accepted_with_its_claim() {
    let room = Room::new();
    let done = room.verify("squares", &room.envelope(16_525_000));
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let verdict: Verdict = serde_json::from_slice(&done.stdout).expect("one line of JSON");
    let claim = json!({"number": 16_525_000});
    assert_eq!(verdict, Verdict { vkey: Some(squares_vkey()), claim });
}

#[test]
fn a_proof_of_anything_else_is_refused() {
    let room = Room::new();
    let refused = |change: fn(&mut Envelope)| {
        let mut envelope = room.envelope(16_525_000);
        change(&mut envelope);
        let done = room.verify("squares", &envelope);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        let line = String::from_utf8(done.stdout).expect("text");
        let Some(VerifierLine::Refused { refused }) = VerifierLine::parse(line.trim_end()) else {
            panic!("{line}")
        };
        assert!(String::from_utf8(done.stderr).expect("text").contains(&refused));
        refused
    };
    let wrong_proof = refused(|envelope| *envelope.proof.0.last_mut().expect("a byte") ^= 1);
    assert!(wrong_proof.contains("do not add up"), "{wrong_proof}");
    assert!(refused(|envelope| envelope.public_values.0.clear()).contains("not one integer"));
    assert!(refused(|envelope| envelope.key.last += 1).contains("it is about block"));
    let vkey = |envelope: &mut Envelope| envelope.program.vkey = Some(Vkey::of(b"other"));
    assert!(refused(vkey).contains("made under key"));
    let claim = |envelope: &mut Envelope| envelope.claim = Some(json!({"number": 1}));
    assert!(refused(claim).contains("the envelope claims"));
    assert!(refused(|envelope| envelope.mock = true).contains("mock"));
}

#[test]
fn an_absent_key_or_claim_is_not_checked() {
    let room = Room::new();
    let mut envelope = room.envelope(16_525_000);
    envelope.program.vkey = None;
    envelope.claim = None;
    assert_eq!(room.verify("squares", &envelope).status.code(), Some(0));
}

#[test]
fn a_result_is_bound_to_its_inputs() {
    let room = Room::new();
    let mut envelope = room.envelope(5);
    let mut exit = |inputs| {
        envelope.inputs = Some(inputs);
        room.verify("squares", &envelope).status.code()
    };
    assert_eq!(exit(vec![room.block(5, None)]), Some(0));
    assert_eq!(exit(vec![room.block(6, None)]), Some(1));
    assert_eq!(exit(vec![room.block(5, None), room.block(6, None)]), Some(1));
    let damaged = room.block(5, Some(Digest::of(b"another")));
    assert_eq!(exit(vec![damaged]), Some(2), "a damaged input says nothing about the proof");
}

#[test]
fn a_verifier_at_fault_gives_no_verdict() {
    let room = Room::new();
    let mut envelope = room.envelope(5);
    envelope.program.vkey = None;
    let panicked = room.verify("unruly", &envelope);
    assert_eq!(panicked.status.code(), Some(2));
    let line = String::from_utf8(panicked.stdout).expect("text");
    assert!(
        matches!(VerifierLine::parse(line.trim_end()), Some(VerifierLine::Undecided { .. })),
        "{line}"
    );
    let missing = run(Command::new(example("squares")).args(["verify", "-i", "/does/not/exist"]));
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn help_says_how_each_contract_is_used() {
    let done = run(Command::new(example("squares")).arg("--help"));
    let help = String::from_utf8(done.stdout).expect("text");
    assert_eq!(done.status.code(), Some(0));
    for word in ["--input-path", "verify", "PUSH0_CACHE", "three squares", r#"{"cancel""#] {
        assert!(help.contains(word), "{word} in {help}");
    }
    assert_eq!(run(Command::new(example("squares")).args(["-i", "x"])).status.code(), Some(2));
}

/// A directory with an input, an output, and what they refer to.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).expect("a writable directory");
        self.path(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a readable directory");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> =
            entries.map(|entry| name(entry).into_string().expect("text")).collect();
        names.sort();
        names
    }

    fn result(&self) -> ResultFile {
        let bytes = fs::read(self.path("out")).expect("an output");
        serde_json::from_slice(&bytes).expect("a result")
    }

    fn block(&self, number: u64, sha256: Option<Digest>) -> BundleItem {
        let bytes = format!(r#"{{"number":"{number:#x}"}}"#);
        let path = self.write(&format!("block-{number}"), bytes.as_bytes());
        let sha256 = sha256.unwrap_or_else(|| Digest::of(bytes.as_bytes()));
        BundleItem {
            key: key(number),
            task: None,
            program: None,
            path,
            sha256,
            public_values: None,
        }
    }

    fn bundle(&self, items: &[BundleItem]) -> Vec<u8> {
        serde_json::to_vec(&Bundle::new(items.to_vec())).expect("UTF-8 paths")
    }

    fn prove_file(&self, name: &str, args: &[&str], input: &[u8]) -> Output {
        let _ = fs::remove_file(self.path("out"));
        let input = self.write("in", input);
        let mut command = Command::new(example(name));
        run(command.args(args).arg("-i").arg(input).arg("-o").arg(self.path("out")))
    }

    fn request(&self, attempt: u64, args: &[&str], input: &[u8]) -> Request {
        Request::Prove(ProveRequest {
            task: "2a".into(),
            attempt,
            stage: "leaf".into(),
            args: args.iter().map(ToString::to_string).collect(),
            input: self.write("in", input),
            output: self.path("out"),
            deadline_ms: Some(60_000),
        })
    }

    /// A good envelope, its proof made by a process.
    fn envelope(&self, number: u64) -> Envelope {
        assert!(self.prove_file("squares", &[], number.to_string().as_bytes()).status.success());
        let ResultFile { vkey, mock, public_values, proof, .. } = self.result();
        Envelope {
            format: EnvelopeFormat::V1,
            pipeline: "test".into(),
            key: key(number),
            block_hashes: None,
            program: Program { name: "squares".into(), vkey },
            mock,
            claim: Some(json!({ "number": number })),
            public_values,
            proof: Base64(proof.0),
            history: Vec::new(),
            inputs: None,
        }
    }

    fn verify(&self, name: &str, envelope: &Envelope) -> Output {
        let path = self.write("envelope", &envelope.encode().expect("UTF-8 paths"));
        run(Command::new(example(name)).arg("verify").arg("--input-path").arg(path))
    }
}

fn key(number: u64) -> Key {
    Key { chain: 1, first: number, last: number, part: None, tip: Hash32([7; 32]) }
}

fn squares_vkey() -> Vkey {
    Vkey::of(b"squares/1: three u64 roots, little-endian")
}

/// A prover under the serve contract.
struct Served {
    child: Child,
    stdin: Option<ChildStdin>,
    replies: Receiver<String>,
}

impl Served {
    fn start(name: &str, args: &[&str]) -> Self {
        let mut command = Command::new(example(name));
        command.args(args).env("PUSH0_CACHE", std::env::temp_dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, replies) = channel();
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        Self { stdin: child.stdin.take(), child, replies }
    }

    fn line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("not ended yet");
        writeln!(stdin, "{line}").expect("the prover reads");
    }

    fn ask(&mut self, request: &Request) {
        self.line(&serde_json::to_string(request).expect("UTF-8 paths"));
    }

    fn reply(&self) -> Reply {
        let line = self.replies.recv_timeout(PATIENCE).expect("a line in time");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The next reply that is not about progress.
    fn last_reply(&self) -> Reply {
        loop {
            match self.reply() {
                Reply::Progress { .. } => {}
                reply @ (Reply::Ready { .. } | Reply::Done { .. } | Reply::Failed { .. }) => {
                    return reply;
                }
            }
        }
    }

    /// Closes stdin, waits for a clean exit, and gives what was on stderr.
    fn end(mut self) -> String {
        self.stdin = None;
        let mut stderr = self.child.stderr.take().expect("piped");
        let text = std::io::read_to_string(&mut stderr).expect("text");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0), "{text}");
        text
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(command: &mut Command) -> Output {
    let command = command.stdin(Stdio::null()).env("PUSH0_CACHE", std::env::temp_dir());
    command.output().expect("the example starts")
}

/// The program of an example; built here if only this test was.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    let path = profile.join("examples").join(name);
    if !path.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "-q", "--example", name]).status();
        assert!(built.expect("cargo starts").success());
    }
    path
}

/// Longer than anything here takes, shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(30);
