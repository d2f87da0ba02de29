//! `push0 verify`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::proofs::{REAL, SEVERAL, accepts, publish_all, released, vkey};
use crate::world::{PAIRS, Ran, World, at, push0, run, script};

#[test]
fn an_accepted_proof_is_shown_with_its_claim() {
    let (world, proof) = proved();
    let pin = vkey("ab");
    let ran = verify(&proof, &["--pipeline", file(&world.pipeline()), "--vkey", &pin]);
    insta::assert_snapshot!(ran.shown(&world).replace(&crate::world::hash(6).to_string(), "TIP"), @r"
    accepted: blocks 5 to 6 of chain 534352
      tip       TIP
      pipeline  demo
      program   real
      vkey      sha256:abababababababababababababababababababababababababababababababab (pinned)
      claim
        a  1
    Only key (the blocks above), public values and proof are bound by cryptography. The rest, such as the
    names and the history of how it came to be, is the word of whoever ran push0.
    --- stderr
    --- exit 0
    ");
}

#[test]
fn a_key_that_is_not_pinned_is_told() {
    let (world, proof) = proved();
    let ran = verify(&proof, &["--pipeline", file(&world.pipeline())]);
    assert_eq!(ran.code, Some(0));
    let told = format!("verification key not pinned: {}", vkey("ab"));
    assert!(ran.stderr.starts_with(&told), "{}", ran.stderr);
}

#[test]
fn another_key_than_the_pinned_one_is_refused() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    for (script_key, pin) in [("ab", "cd"), ("cd", "cd"), ("cd", "ab")] {
        script(&verifier, &accepts(script_key));
        let ran = verify(&proof, &["--verifier", file(&verifier), "--vkey", &vkey(pin)]);
        assert_eq!(ran.code, Some(1), "{script_key} {pin}: {}", ran.stderr);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused_before_a_verifier_is_asked() {
    let (world, proof) = proved();
    let (verifier, asked) = (world.path().join("verifier"), world.path().join("asked"));
    script(&verifier, &format!("touch {}; {}", asked.display(), accepts("ab")));
    let bytes = fs::read(&proof).expect("a proof");
    for at in (0..bytes.len()).step_by(97) {
        let mut flipped = bytes.clone();
        *flipped.get_mut(at).expect("in range") ^= 1;
        fs::write(&proof, flipped).expect("damage");
        let ran = verify(&proof, &["--verifier", file(&verifier)]);
        assert_eq!(ran.code, Some(1), "byte {at}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("refused: "), "{}", ran.stderr);
    }
    assert!(!asked.exists());
}

#[test]
fn a_refusal_is_in_the_verifiers_words() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    script(&verifier, "echo bad pairing >&2; exit 1");
    let ran = verify(&proof, &["--verifier", file(&verifier), "--json"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("refused: bad pairing"), "{}", ran.stderr);
    assert_eq!(at(&ran.stdout, "/accepted"), json!(false));
    assert_eq!(at(&ran.stdout, "/why"), json!("bad pairing"));
}

#[test]
fn a_claim_that_the_public_values_do_not_make_is_refused() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    script(&verifier, &accepts("ab").replace("\"a\":1", "\"a\":2"));
    let ran = verify(&proof, &["--verifier", file(&verifier)]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
}

#[test]
fn no_verdict_is_neither_accepted_nor_refused() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    script(&verifier, "exit 3");
    assert_eq!(verify(&proof, &["--verifier", file(&verifier)]).code, Some(2));
    assert_eq!(verify(&proof, &["--verifier", "/no/such/verifier"]).code, Some(2));
    assert_eq!(verify(&world.path().join("no-such.json"), &[]).code, Some(2));
}

#[test]
fn without_a_word_from_the_caller_only_a_shipped_prover_is_run() {
    let (world, proof) = proved();
    let ran = verify(&proof, &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("no push0-prover-real beside push0"), "{}", ran.stderr);

    let beside = world.path().join("bin");
    fs::create_dir(&beside).expect("a folder");
    fs::copy(env!("CARGO_BIN_EXE_push0"), beside.join("push0")).expect("a copy");
    script(&beside.join("push0-prover-real"), &format!("[ \"$1\" = verify ] && {}", accepts("ab")));
    let ran = run(Command::new(beside.join("push0")).arg("verify").arg(&proof).arg("--json"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(at(&ran.stdout, "/proofs/0/claim"), json!({"a": 1}));
    assert_eq!(at(&ran.stdout, "/proofs/0/pinned"), json!(false));
}

#[test]
fn a_mock_is_refused_unless_the_pipeline_has_it_for_one() {
    for pipeline in [PAIRS, SEVERAL] {
        let world = released(pipeline, true);
        let proof = publish_all(&world).expect("published").remove(0).path;
        let ran = verify(&proof, &[]);
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains("proves nothing"), "{}", ran.stderr);
        let ran = verify(&proof, &["--pipeline", file(&world.pipeline())]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.starts_with("mock, PROVES NOTHING: blocks 5 to "), "{}", ran.stdout);
    }
}

#[test]
fn a_proof_of_another_pipeline_is_refused() {
    let (world, proof) = proved();
    let other = world.path().join("other.toml");
    fs::write(&other, REAL.replace("\"demo\"", "\"other\"")).expect("a file");
    let ran = verify(&proof, &["--pipeline", file(&other)]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("not of other on chain 534352"), "{}", ran.stderr);
}

/// A published proof, whose verifier has the key `ab…`.
fn proved() -> (World, PathBuf) {
    let world = released(REAL, false);
    script(&world.path().join("verifier"), &accepts("ab"));
    let proof = publish_all(&world).expect("published").remove(0).path;
    (world, proof)
}

fn verify(proof: &std::path::Path, words: &[&str]) -> Ran {
    push0(&[&["verify", file(proof)], words].concat())
}

fn file(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}
