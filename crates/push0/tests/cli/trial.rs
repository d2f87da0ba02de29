//! `push0 check --try`: what programs do that keep their contract, and what is told of those that
//! do not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use push0_testbed::{program, until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::world::{Ran, push0, run};

/// What a prover of the file contract does with its paths: `$in` and `$out`.
const PATHS: &str = r#"
while [ $# -gt 0 ]; do case $1 in --input-path) in=$2;; --output-path) out=$2;; esac; shift; done
"#;

/// Takes what was made of a thing that it can say again, and nothing else.
const STRICT: &str = r#"grep -q '"proof":"cHJvb2Y="' "$in" && echo '{"vkey":null,"claim":{}}' || echo '{"refused":"no"}'"#;

#[test]
fn a_prover_that_keeps_its_contract_passes() {
    let trial = Trial::new("submit", "printf proof > $out", STRICT);
    let ran = trial.check(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for said in [
        "ok    blocks: 1 made-up block,",
        "ok    stage leaf: proves: starts, answers and writes its output",
        "taken as a proof of 5 bytes, without public values",
        "warn  stage leaf: its verifier accepts it, and names no key",
        "ok    stage leaf: its verifier refuses 3 of 3 copies with a flipped bit in its proof",
        "ok    stage pair: proves",
    ] {
        assert!(ran.stdout.contains(said), "{said}\n{}", ran.stdout);
    }
    trial.is_clean();
}

#[test]
fn each_way_to_break_it_is_told_with_its_remedy() {
    let mut untold = Vec::new();
    for (prover, verifier, within, said, remedy) in [
        ("echo no luck; exit 1", STRICT, "1m", "makes nothing: exit 1", "run its command by hand"),
        (":", STRICT, "1m", "wrote no output", "it must write to --output-path"),
        ("exit 77", STRICT, "1m", "makes nothing", "give real ones with --blocks FILE"),
        (
            "sleep 1000",
            STRICT,
            "500ms",
            "its time of 500ms was over",
            "give it more time: --within",
        ),
        (
            "printf other > $out",
            STRICT,
            "1m",
            "does not accept what it makes",
            "must agree on keys",
        ),
        (
            "printf proof > $out",
            "exit 1",
            "1m",
            "nobody can tell whether it is right",
            "correct it",
        ),
        (
            "printf proof > $out",
            r#"echo '{"vkey":null,"claim":{}}'"#,
            "1m",
            "accepts 3 of 3 copies with a flipped bit",
            "takes anything",
        ),
        (
            "printf proof > $out",
            r#"echo '{"undecided":"verify returned bool"}'; exit 2"#,
            "1m",
            "cannot tell: verify returned bool",
            "correct it",
        ),
        (
            "x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 1000",
            STRICT,
            "1m",
            "makes nothing",
            "give it more `memory`",
        ),
    ] {
        let trial = Trial::new("submit", prover, verifier);
        let began = Instant::now();
        let ran = trial.check(&["--within", within]);
        assert_eq!(ran.code, Some(2), "{prover}: {ran:?}");
        let failures: Vec<_> = ran.stdout.lines().filter(|line| line.starts_with("FAIL")).collect();
        let is_told = failures.iter().any(|line| line.contains(said) && line.contains(remedy));
        if !is_told {
            untold.push(format!("{prover}: {}", ran.stdout));
        }
        assert!(began.elapsed() < Duration::from_secs(50), "{prover}: {:?}", began.elapsed());
        trial.is_clean();
    }
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

#[test]
fn a_refusal_that_is_none_is_a_warning() {
    let accepts = STRICT.replace("|| echo '{\"refused\":\"no\"}'", "|| exit 1");
    let trial = Trial::new("submit", "printf proof > $out", &accepts);
    let ran = trial.check(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains("warn  stage leaf: its verifier gives no verdict"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("have it print {\"refused\":\"why\"}"), "{}", ran.stdout);
}

#[test]
fn the_serve_contract_wants_a_clean_stdout() {
    let serve = r#"echo '{"ready":{"vkey":null}}'; while read -r line; do
out=$(printf %s "$line" | sed 's/.*"output":"\([^"]*\)".*/\1/')
attempt=$(printf %s "$line" | sed 's/.*"attempt":\([0-9]*\).*/\1/')
printf proof > "$out"; NOISE echo "{\"done\":{\"attempt\":$attempt}}"; done"#;
    for (noise, code, said) in [
        ("", 0, "ok    stage leaf: its stdout has lines of the serve contract alone"),
        ("echo chatter;", 2, "FAIL  stage leaf: its result was there, and it did not end well"),
    ] {
        let trial = Trial::of("submit", "serve", &serve.replace("NOISE", noise), STRICT);
        let ran = trial.check(&[]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stdout.contains(said), "{}", ran.stdout);
        trial.is_clean();
    }
}

#[test]
fn blocks_are_the_sources_or_those_that_are_named() {
    let trial = Trial::new("file", "printf proof > $out", STRICT);
    let missing = trial.check(&[]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stdout.contains("FAIL  blocks: no such block file"), "{}", missing.stdout);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/blocks.jsonl");
    let example = example.to_str().expect("UTF-8");
    let named = trial.check(&["--blocks", example]);
    assert_eq!(named.code, Some(0), "{named:?}");
    assert!(named.stdout.contains("ok    blocks: the first block of"), "{}", named.stdout);
    let refused = push0(&["check", "p", "--blocks", example]);
    assert_eq!(refused.code, Some(2), "without --try: {refused:?}");
}

#[test]
fn a_program_that_is_not_there_is_told_before_anything_runs() {
    let trial = Trial::new("submit", ":", STRICT);
    fs::remove_file(trial.dir.path().join("prover")).expect("it was written");
    let ran = trial.check(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.contains("FAIL  program p: "), "{}", ran.stdout);
    assert!(!ran.stdout.contains("stage leaf: "), "{}", ran.stdout);
}

#[test]
fn told_to_stop_it_ends_what_it_began() {
    let trial = Trial::new("submit", "echo $$ > $PUSH0_CACHE/../../../pid; sleep 1000", STRICT);
    let mut child = trial.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.as_mut().expect("it starts");
    let pid = until("the prover does not start", || {
        let text = fs::read_to_string(trial.tmp().join("pid")).ok()?;
        text.trim().parse::<u32>().ok()
    });
    kill_process(Pid::from_child(child), Signal::TERM).expect("it is ours");
    let ended = until("it does not end", || child.try_wait().expect("it is ours"));
    assert_eq!(ended.code(), Some(130));
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "its prover lives");
    fs::remove_file(trial.tmp().join("pid")).expect("the prover wrote it");
    trial.is_clean();
}

#[test]
fn what_a_killed_one_left_goes_at_the_next_start() {
    let trial = Trial::new("submit", "echo $$ > $PUSH0_CACHE/../../../pid; sleep 1000", STRICT);
    let child = trial.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("it starts");
    let pid = until("the prover does not start", || {
        let text = fs::read_to_string(trial.tmp().join("pid")).ok()?;
        text.trim().parse::<u32>().ok()
    });
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    until("its prover lives", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    fs::remove_file(trial.tmp().join("pid")).expect("the prover wrote it");
    assert_eq!(fs::read_dir(trial.tmp()).expect("it is there").count(), 1, "its directory is left");
    program(&trial.dir.path().join("prover"), &format!("{PATHS}printf proof > $out"));
    assert_eq!(trial.check(&[]).code, Some(0));
    trial.is_clean();
}

/// A pipeline of two stages with one program, and a place for what is temporary.
struct Trial {
    dir: TempDir,
}

impl Trial {
    fn new(source: &str, prover: &str, verifier: &str) -> Self {
        Self::of(source, "file", &format!("{PATHS}{prover}"), verifier)
    }

    fn of(source: &str, contract: &str, prover: &str, verifier: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        program(&dir.path().join("prover"), prover);
        program(&dir.path().join("verifier"), &format!("{PATHS}{verifier}"));
        fs::create_dir(dir.path().join("tmp")).expect("a directory");
        let path = if source == "file" { ", path = \"none.jsonl\"" } else { "" };
        let pipeline = format!(
            r#"
push0 = 1
name = "trial"
source = {{ kind = "{source}"{path}, chain = 1 }}
[programs]
p = {{ command = ["./prover"], contract = "{contract}", verifier = ["./verifier"], memory = "64MiB" }}
[stages]
leaf = {{ inputs = ["blocks"], program = "p" }}
pair = {{ inputs = ["leaf"], collect = "sequence", max = {{ blocks = 2 }}, program = "p" }}
[release]
inputs = ["pair"]
"#
        );
        fs::write(dir.path().join("pipeline.toml"), pipeline).expect("a writable directory");
        Self { dir }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
        command.arg("check").arg(self.dir.path().join("pipeline.toml")).arg("--try").args(words);
        command.env("TMPDIR", self.tmp());
        command
    }

    fn check(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    fn tmp(&self) -> std::path::PathBuf {
        self.dir.path().join("tmp")
    }

    /// That nothing is left of it.
    fn is_clean(&self) {
        let left = fs::read_dir(self.tmp()).expect("it is there");
        let left: Vec<_> = left.map(|entry| entry.expect("an entry").path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
