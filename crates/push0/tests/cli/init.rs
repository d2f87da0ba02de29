//! `push0 init`: what it writes proves at once, and nothing that was there is touched.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::world::{Ran, push0, run};

#[test]
fn what_it_says_to_type_next_proves_and_verifies() {
    for (prover, name) in [("python", "Two Words"), ("bash", "one")] {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join(name);
        let written = push0(&["init", text(&target), "--prover", prover]);
        assert_eq!((written.code, written.stderr.as_str()), (Some(0), ""), "{prover}");
        let (said, next) = written.stdout.split_once('\n').expect("lines");
        let file = if prover == "python" { "prover.py" } else { "prover.sh" };
        assert_eq!(said, format!("written: pipeline.toml, blocks.jsonl, {file}. Next:"));
        let typed = shell(dir.path(), next);
        assert_eq!(typed.code, Some(0), "{prover}: {typed:?}");
        assert!(!typed.stderr.contains("warning"), "{}", typed.stderr);
        assert!(typed.stdout.contains("4 of 4 released"), "{}", typed.stdout);
        let accepted = typed.stdout.lines().filter(|line| line.contains("accepted"));
        assert!(accepted.count() >= 4, "{}", typed.stdout);
    }
}

#[test]
fn its_provers_refuse_a_proof_of_something_else() {
    for (prover, file) in [("python", "prover.py"), ("bash", "prover.sh")] {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(push0(&["init", text(dir.path()), "--prover", prover]).code, Some(0));
        let judged = |number: u64, root: &str, key: u64| {
            let [values, proof] = [number.to_string(), root.to_owned()];
            let envelope = format!(
                "{{\"format\":\"push0.proof/1\",\"key\":{{\"chain\":1,\"first\":{key},\"last\":{key}}},\
                 \"public_values\":\"0x{}\",\"proof\":\"{}\"}}",
                hex(values.as_bytes()),
                push0_prover::wire::Base64(proof.into_bytes())
            );
            let path = dir.path().join("envelope");
            fs::write(&path, envelope).expect("a writable directory");
            let mut verifier = Command::new(dir.path().join(file));
            run(verifier.args(["verify", "--input-path"]).arg(&path)).stdout
        };
        assert!(judged(24, "4", 24).contains("\"claim\""), "{prover}");
        for (number, root, key) in
            [(24, "5", 24), (24, "4", 25), (24, "x", 24), (24, "", 24), (24, "4294967300", 24)]
        {
            let said = judged(number, root, key);
            assert!(said.contains("refused"), "{prover} {number} {root} {key}: {said}");
        }
    }
}

#[test]
fn what_is_there_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["pipeline.toml", "blocks.jsonl", "prover.py"] {
        let target = dir.path().join(name);
        fs::create_dir(&target).expect("a directory");
        fs::write(target.join(name), "mine").expect("a writable directory");
        let refused = push0(&["init", text(&target)]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains(text(&target.join(name))), "{}", refused.stderr);
        assert!(refused.stderr.contains("nothing was written"), "{}", refused.stderr);
        assert_eq!(fs::read_dir(&target).expect("it is there").count(), 1, "{name}");
        assert_eq!(fs::read_to_string(target.join(name)).expect("it is there"), "mine");
    }
    let below = dir.path().join("pipeline.toml/pipeline.toml/x");
    let failed = push0(&["init", text(&below)]);
    assert_eq!(failed.code, Some(6));
    assert!(failed.stderr.contains("name a directory that can be written to"), "{}", failed.stderr);
}

/// Its `main.rs` is the example of the SDK, which is built and tested there.
#[test]
fn a_rust_prover_is_a_project_with_the_sdk() {
    let dir = tempfile::tempdir().expect("a directory");
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prover");
    let written = push0(&["init", text(dir.path()), "--prover", "rust", "--sdk", text(&sdk)]);
    assert_eq!((written.code, written.stderr.as_str()), (Some(0), ""));
    assert!(written.stdout.contains("cargo build --release"), "{}", written.stdout);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let metadata = run(cargo.current_dir(dir.path().join("prover")));
    assert_eq!(metadata.code, Some(0), "{}", metadata.stderr);
    assert!(metadata.stdout.contains("push0-prover") && metadata.stdout.contains("\"bin\""));
    let example = fs::read_to_string(sdk.join("examples/root.rs")).expect("it is there");
    let main = fs::read_to_string(dir.path().join("prover/src/main.rs")).expect("it was written");
    assert_eq!(main, example);
}

#[test]
fn an_sdk_that_is_not_there_is_told_before_anything_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let target = dir.path().join("new");
    let nowhere = dir.path().join("nowhere");
    let refused = push0(&["init", text(&target), "--prover", "rust", "--sdk", text(&nowhere)]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--sdk DIR"), "{}", refused.stderr);
    assert!(!target.exists());
}

/// Runs the lines as a person would who has push0 in PATH.
fn shell(dir: &Path, lines: &str) -> Ran {
    let own = Path::new(env!("CARGO_BIN_EXE_push0")).parent().expect("a directory");
    let path = std::env::var("PATH").expect("a PATH");
    let mut bash = Command::new("bash");
    bash.args(["-euc", lines]).current_dir(dir).env("PATH", format!("{}:{path}", text(own)));
    run(&mut bash)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
