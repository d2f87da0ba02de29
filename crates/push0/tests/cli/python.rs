//! Provers in Python, by the SDK of `sdk/python`, under the real binary.
//!
//! They run `python3`, which `./test` needs anyway: without it these tests fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use push0_prover::Envelope;
use push0_prover::wire::{Base64, Hex};
use push0_testbed::program;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Ran, at, run};

#[test]
fn the_example_proves_its_blocks_and_a_stranger_verifies_them() {
    let place = Place::example(|pipeline| pipeline);
    assert_eq!(place.push0(&["check", "pipeline.toml"]).stderr, "", "a warning of an example");
    let (proof, public_values) = place.proof();
    let verified = place.verify(&proof);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(at(&verified.stdout, "/proofs/0/claim/first"), json!(16_525_000));
    assert_eq!(at(&verified.stdout, "/proofs/0/claim/last"), json!(16_525_004));
    assert_eq!(place.opened(), [("join", 1), ("range", 2), ("wrap", 1)]);

    let swapped = Place::example(|pipeline| {
        let (serve, file) = ("contract = \"serve\"", "contract = \"file\", give = \"bundle\"");
        pipeline.replace(file, "OTHER").replace(serve, file).replace("OTHER", serve)
    });
    assert_eq!(swapped.proof().1, public_values, "the contract does not change what is proved");
}

#[test]
fn the_sdk_reads_what_push0_writes() {
    for (released, kind) in
        [(r#"["wrap"]"#, "Envelope 1"), (r#"["join", "wrap"]"#, "JointEnvelope 2")]
    {
        let place = Place::example(|pipeline| {
            pipeline.replace(r#"inputs = ["wrap"]"#, &format!("inputs = {released}"))
        });
        place.push0(&["run", "pipeline.toml", "--data", "data"]);
        let proofs = fs::read_dir(place.path("data/proofs")).expect("a directory");
        let mut paths = proofs.map(|entry| entry.expect("an entry").path());
        let is_proof = |path: &PathBuf| file(path).ends_with(".proof.json");
        let proof = paths.find(is_proof).expect("a proof");
        let mut python = Command::new("python3");
        python.args(["-B", "-c", READ, file(&proof)]).env("PYTHONPATH", sdk());
        assert_eq!(run(&mut python).stdout.trim(), format!("{kind} 16525000-16525004"));
    }
}

#[test]
fn a_lie_about_the_example_is_refused_by_its_verifier() {
    let place = Place::example(|pipeline| pipeline);
    let (proof, _) = place.proof();
    let honest = Envelope::decode(&fs::read(&proof).expect("a proof")).expect("an envelope");
    let lie = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = honest.clone();
        change(&mut envelope);
        fs::write(&proof, envelope.encode().expect("JSON")).expect("a file");
        let ran = place.verify(&proof);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        at(&ran.stdout, "/why").to_string()
    };
    let mut other = honest.public_values.0.clone();
    *other.last_mut().expect("112 bytes") ^= 1;
    let refused = lie(&|envelope| envelope.public_values = Hex(other.clone()));
    assert!(refused.contains("the transcript makes other public values"), "{refused}");
    let refused = lie(&|envelope| envelope.proof = Base64(b"{}".to_vec()));
    assert!(refused.contains("the proof is no gzip file"), "{refused}");
    let refused = lie(&|envelope| envelope.key.first += 1);
    assert!(refused.contains("it is about blocks 16525000 to 16525004"), "{refused}");
    lie(&|envelope| envelope.claim = Some(json!({"first": 1})));
}

#[test]
fn the_example_goes_on_after_a_kill() {
    let place = Place::example(|pipeline| pipeline);
    let mut run = place.command(&["run", "pipeline.toml", "--data", "data", "--slots", "1"]);
    let mut run = run.stderr(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    let accepted = lines.map_while(Result::ok).find(|line| line.contains(" accepted stage=range"));
    run.kill().expect("it is a child");
    run.wait().expect("it is a child");
    assert!(accepted.is_some(), "it was never that far");
    place.proof();
    assert_eq!(place.events("claimed").len(), 2);
}

#[test]
fn each_exception_is_the_class_that_the_log_says() {
    for (contract, timed_out, invalid_input) in
        [("serve", "timeout", "invalid_input"), ("file", "failed", "failed")]
    {
        let classes = [
            ("Transient", "transient"),
            ("Resource", "resource"),
            ("MemoryError", "resource"),
            ("TimedOut", timed_out),
            ("Failure", "failed"),
            ("ValueError", "failed"),
            ("SystemExit(0)", "failed"),
            ("Unprovable", "unprovable"),
            ("InvalidInput", invalid_input),
        ];
        let place = Place::unruly(contract, &classes.map(|(raised, _)| raised));
        let ran = place.push0(&["run", "pipeline.toml", "--data", "data", "--patience", "0s"]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let stages = place.stages();
        let found = place.events("failed").into_iter().map(|event| {
            let stage = stages.get(&text(&event, "/task")).expect("a task's stage");
            let number = stage.trim_start_matches('s').parse::<usize>().expect("a number");
            (number, text(&event, "/class"))
        });
        let found: BTreeSet<_> = found.collect();
        let expected = classes.iter().map(|(_, class)| (*class).to_owned()).enumerate();
        assert_eq!(found, expected.collect(), "{contract}");
    }
}

#[test]
fn a_verifier_that_crashes_refuses_nothing() {
    let place = Place::unruly("serve", &["prove"]);
    let named = format!(", verifier = [\"{}\", \"verify\"]", place.prover.display());
    let pipeline = fs::read_to_string(place.path("pipeline.toml")).expect("a pipeline");
    // As an import that fails: it ends with 1, and has said nothing.
    let body = format!(
        "case $* in *verify*) exec python3 -c 'import no_such_module';; esac; exec '{}' \"$@\"",
        place.prover.display()
    );
    program(&place.path("crashing"), &body);
    let pipeline = pipeline.replace(&named, "").replace(place.prover_text(), "./crashing");
    fs::write(place.path("pipeline.toml"), pipeline).expect("a file");
    let ran = place.push0(&["run", "pipeline.toml", "--data", "data", "--patience", "0s"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let classes = place.events("failed").into_iter().map(|event| text(&event, "/class"));
    assert_eq!(classes.collect::<Vec<_>>(), ["unjudged"], "{}", ran.stderr);
    assert_eq!(place.events("rejected"), Vec::<Value>::new());
}

#[test]
fn a_verifier_that_raises_refuses_nothing_and_accepts_nothing() {
    let place = Place::example(|pipeline| pipeline);
    let (proof, _) = place.proof();
    for (raised, code, told) in [
        ("raise ValueError('why')", 2, "ValueError: why"),
        ("raise SystemExit(1)", 2, "SystemExit: 1"),
        ("raise SystemExit(0)", 2, "SystemExit: 0"),
        ("return None", 2, "return Accepted(claim) or Refused(why)"),
        ("return True", 2, "return Accepted(claim) or Refused(why)"),
        ("return Refused('bad pairing')", 1, "bad pairing"),
        ("raise Refused('bad pairing')", 1, "bad pairing"),
        ("return Accepted({'a': 1})", 1, "the public values say"),
    ] {
        let verifier = place.path("verifier.py");
        fs::write(&verifier, VERIFIER.replace("SAY", raised)).expect("a file");
        let (sdk, script) = (sdk(), file(&verifier));
        let body =
            format!("PYTHONPATH='{}' exec python3 -B '{script}' verify \"$@\"", sdk.display());
        program(&place.path("verifier"), &body);
        let ran = place.push0(&["verify", file(&proof), "--verifier", "./verifier"]);
        assert_eq!(ran.code, Some(code), "{raised}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{raised}: {}", ran.stderr);
    }
}

#[test]
fn the_sdk_has_the_version_of_push0() {
    let sources = fs::read_to_string(sdk().join("push0_prover/__init__.py")).expect("the SDK");
    let version = concat!("\n__version__ = \"", env!("CARGO_PKG_VERSION"), "\"\n");
    assert!(sources.contains(version), "it is not {version}");
}

/// A directory with a pipeline in it.
struct Place {
    dir: TempDir,
    prover: PathBuf,
}

impl Place {
    /// The example, changed so.
    fn example(change: impl Fn(String) -> String) -> Self {
        let example = root().join("examples/python");
        let text = fs::read_to_string(example.join("pipeline.toml")).expect("an example");
        let usage = "push0 run examples/python/pipeline.toml";
        assert!(text.contains(usage), "it does not say how it is run");
        let own = |path: &str| format!("\"{}/{path}", example.display());
        let text = text.replace("\"./", &own("")).replace("\"../", &own("../"));
        let text = text.replace("\"256MiB\"", &format!("\"256MiB\", env = {{ {NOT_KEPT} }}"));
        Self::new(&change(text), example)
    }

    /// A stage for each of these, whose prover does so.
    fn unruly(contract: &str, does: &[&str]) -> Self {
        let prover = root().join("sdk/python/tests/provers/unruly.py");
        let (argv, sdk) = (prover.display(), sdk());
        let (mut programs, mut stages) = (String::new(), String::new());
        for (number, what) in does.iter().enumerate() {
            programs += &format!(
                "p{number} = {{ command = [\"{argv}\"], contract = \"{contract}\", memory = \"256MiB\", \
                 verifier = [\"{argv}\", \"verify\"], env = {{ {NOT_KEPT}, PYTHONPATH = \"{}\" }} }}\n",
                sdk.display()
            );
            stages += &format!(
                "s{number} = {{ inputs = [\"blocks\"], program = \"p{number}\", args = [\"{what}\"], {ONCE} }}\n"
            );
        }
        let released: Vec<_> = (0..does.len()).map(|number| format!("\"s{number}\"")).collect();
        let pipeline = format!(
            "{HEAD}[programs]\n{programs}[stages]\n{stages}[release]\ninputs = [{}]\n",
            released.join(", ")
        );
        let place = Self::new(&pipeline, prover);
        let blocks = fs::read_to_string(root().join("examples/blocks.jsonl")).expect("blocks");
        let first = blocks.lines().next().expect("a block");
        fs::write(place.path("blocks.jsonl"), format!("{first}\n")).expect("a file");
        place
    }

    fn new(pipeline: &str, prover: PathBuf) -> Self {
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        fs::write(dir.path().join("pipeline.toml"), pipeline).expect("a file");
        Self { dir, prover }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn prover_text(&self) -> &str {
        file(&self.prover)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
        command.args(words).current_dir(self.dir.path());
        command
    }

    fn push0(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// Runs it to its end: the file of its one proof, and its public values.
    fn proof(&self) -> (PathBuf, Value) {
        let ran = self.push0(&["run", "pipeline.toml", "--data", "data", "--json"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(at(&ran.stdout, "/complete"), json!(true), "{}", ran.stdout);
        assert_eq!(at(&ran.stdout, "/proofs/1"), Value::Null, "{}", ran.stdout);
        let path = at(&ran.stdout, "/proofs/0/path");
        let path = self.path(path.as_str().expect("a path"));
        (path, at(&ran.stdout, "/proofs/0/public_values"))
    }

    fn verify(&self, proof: &Path) -> Ran {
        self.push0(&["verify", file(proof), "--pipeline", "pipeline.toml", "--json"])
    }

    /// The events of this name in its log.
    fn events(&self, name: &str) -> Vec<Value> {
        let cat = self.push0(&["log", "cat", "--json", "--data", "data"]);
        assert_eq!(cat.code, Some(0), "{}", cat.stderr);
        let events = cat.stdout.lines().map(serde_json::from_str::<Value>);
        let events = events.map(|event| event.expect("JSON"));
        events.filter(|event| event.pointer("/event") == Some(&json!(name))).collect()
    }

    /// The stage of each task.
    fn stages(&self) -> BTreeMap<String, String> {
        let opened = self.events("task_opened").into_iter();
        opened.map(|event| (text(&event, "/task"), text(&event, "/stage"))).collect()
    }

    /// How many tasks of each stage there were.
    fn opened(&self) -> Vec<(&'static str, usize)> {
        let stages = self.stages();
        let count = |stage: &str| stages.values().filter(|found| *found == stage).count();
        ["join", "range", "wrap"].map(|stage| (stage, count(stage))).to_vec()
    }
}

fn text(event: &Value, pointer: &str) -> String {
    let text = event.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no {pointer} in {event}")).to_owned()
}

fn file(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn sdk() -> PathBuf {
    root().join("sdk/python/src")
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace")
}

const HEAD: &str = r#"
push0  = 1
name   = "unruly"
source = { kind = "file", path = "blocks.jsonl", chain = 534352 }
"#;

/// Each attempt is the last.
const ONCE: &str = r#"retry = { transient = 1, resource = 1, timeout = 1, failed = 1, unjudged = 1, backoff = "1ms..1ms", patience = "0s" }"#;

/// What Python compiles is no file of this repository.
const NOT_KEPT: &str = "PYTHONDONTWRITEBYTECODE = \"1\"";

const READ: &str = "
import push0_prover, sys
proof = push0_prover.read_proof_file(sys.argv[1])
count = len(proof.split()) if isinstance(proof, push0_prover.JointEnvelope) else 1
print(type(proof).__name__, count, f'{proof.key.first}-{proof.key.last}')
";

const VERIFIER: &str = "
from push0_prover import Accepted, Prover, Refused, Unprovable, main

class Verifier(Prover):
    def vkey(self): return 'sha256:044723da84281a87c2c9843c1aa12e32bdc58ee8f3979d3c09465265a2978fe7'
    def prove(self, task, progress): raise Unprovable('it only verifies')
    def verify(self, envelope): SAY

main(Verifier)
";
