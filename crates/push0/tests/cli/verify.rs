//! `push0 verify`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use push0_prover::Envelope;
use push0_prover::wire::Base64;
use push0_testbed::program;
use serde_json::json;

use crate::proofs::{REAL, SEVERAL, accepts, publish_all, released, vkey};
use crate::world::{PAIRS, Ran, World, at, push0, run};

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
    let told = format!("warning: verification key not pinned: {}", vkey("ab"));
    assert!(ran.stderr.starts_with(&told), "{}", ran.stderr);
}

#[test]
fn another_key_than_the_pinned_one_is_refused() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    for (script_key, pin) in [("ab", "cd"), ("cd", "cd"), ("cd", "ab")] {
        program(&verifier, &accepts(script_key));
        let ran = verify(&proof, &["--verifier", file(&verifier), "--vkey", &vkey(pin)]);
        assert_eq!(ran.code, Some(1), "{script_key} {pin}: {}", ran.stderr);
    }
}

#[test]
fn a_pinned_key_that_the_verifier_does_not_name_is_no_verdict() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    program(&verifier, "echo '{\"vkey\":null,\"claim\":{\"a\":1}}'");
    let pinned = world.path().join("pinned.toml");
    let program = "verifier = [\"./verifier\", \"verify\"]";
    let with_key = format!("{program}, vkey = \"{}\"", vkey("ab"));
    fs::write(&pinned, REAL.replace(program, &with_key)).expect("a file");
    let by_hand = ["--verifier", file(&verifier), "--vkey", &vkey("ab")];
    for words in [&by_hand[..], &["--pipeline", file(&pinned)]] {
        let ran = verify(&proof, words);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        let told = format!("pinned is key {}, and the verifier names none", vkey("ab"));
        assert!(ran.stderr.contains(&told), "{}", ran.stderr);
    }
}

/// A file from outside, and a verifier that takes all that there is for it: the machine goes on.
#[test]
fn a_verifier_by_hand_has_a_limit_to_its_memory() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    program(&verifier, "x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 1000");
    let ran = verify(&proof, &["--verifier", file(&verifier), "--memory", "32MiB"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("may use 32 MiB"), "{}", ran.stderr);
}

#[test]
fn a_verifier_that_says_nothing_binds_nothing() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    program(&verifier, "exit 0");
    let silent = verify(&proof, &["--verifier", file(&verifier)]);
    assert_eq!(silent.code, Some(2), "{}", silent.stderr);
    assert!(silent.stderr.contains("--verdict exit"), "{}", silent.stderr);
    let by_exit = ["--verifier", file(&verifier), "--verdict", "exit"];
    let ran = verify(&proof, &by_exit);
    insta::assert_snapshot!(ran.shown(&world).replace(&crate::world::hash(6).to_string(), "TIP"), @r"
    accepted: blocks 5 to 6 of chain 534352
      tip       TIP
      pipeline  demo
      program   real
      vkey      the file says sha256:abababababababababababababababababababababababababababababababab, and the verifier did not say which key it used
      claim     none: the verifier does not say what is proved
    Key (the blocks above), public values and proof are bound only as far as your verifier checks: it named
    neither a key nor a claim. The rest is the word of whoever ran push0.
    --- stderr
    warning: verification key not pinned: the file says sha256:abababababababababababababababababababababababababababababababab, and the verifier did not say which key it used; pin a key (--vkey) only if your verifier names it
    --- exit 0
    ");
    let ran = verify(&proof, &[&by_exit[..], &["--json"]].concat());
    assert_eq!(at(&ran.stdout, "/bound_by_cryptography"), json!([]));
    assert_eq!(at(&ran.stdout, "/proofs/0/vkey_from"), json!("file"));
}

#[test]
fn a_guessed_verifier_must_say_something() {
    let (world, proof) = proved();
    let pipeline = world.path().join("guessed.toml");
    let named = "command = [\"sh\"], contract = \"file\", memory = \"64MiB\", verifier = [\"./verifier\", \"verify\"]";
    let guessed = "command = [\"./verifier\"], contract = \"file\", memory = \"64MiB\"";
    fs::write(&pipeline, REAL.replace(named, guessed)).expect("a file");
    program(&world.path().join("verifier"), "exit 0");
    let ran = verify(&proof, &["--pipeline", file(&pipeline)]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("name a verifier by the key `verifier`"), "{}", ran.stderr);
    let ran = verify(&proof, &["--pipeline", file(&world.pipeline())]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("verdict = \"exit\""), "{}", ran.stderr);
    let by_exit = named.to_owned() + ", verdict = \"exit\"";
    fs::write(&pipeline, REAL.replace(named, &by_exit)).expect("a file");
    assert_eq!(verify(&proof, &["--pipeline", file(&pipeline)]).code, Some(0));
}

#[test]
fn each_of_several_files_has_its_own_result_and_the_worst_is_the_exit() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    let (flipped, other) = (world.path().join("flipped.json"), world.path().join("other.json"));
    let bytes = fs::read(&proof).expect("a proof");
    let text = String::from_utf8(bytes.clone()).expect("JSON");
    fs::write(&flipped, text.replace("demo", "dema")).expect("a file");
    let value: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    fs::write(&other, serde_json::to_vec_pretty(&value).expect("JSON")).expect("a file");
    let verifies = |files: &[&Path]| {
        let files: Vec<&str> = files.iter().map(|path| file(path)).collect();
        push0(&[&["verify", "--json", "--verifier", file(&verifier)], files.as_slice()].concat())
    };
    let ran = verifies(&[&proof, &proof]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 2), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    let ran = verifies(&[&proof, &other]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("not a proof file of push0, or written anew"), "{}", ran.stderr);
    let ran = verifies(&[&other, &flipped, &proof]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let accepted: Vec<_> = ran.stdout.lines().map(|line| at(line, "/accepted")).collect();
    assert_eq!(accepted, [json!(null), json!(false), json!(true)]);
    let files: Vec<_> = ran.stdout.lines().map(|line| at(line, "/file")).collect();
    assert_eq!(files, [json!(other), json!(flipped), json!(proof)]);
}

#[test]
fn a_flipped_bit_anywhere_is_refused_before_a_verifier_is_asked() {
    let (world, proof) = proved();
    let (verifier, asked) = (world.path().join("verifier"), world.path().join("asked"));
    program(&verifier, &format!("touch {}; {}", asked.display(), accepts("ab")));
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
    program(&verifier, "echo bad pairing >&2; exit 196");
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
    program(&verifier, &accepts("ab").replace("\"a\":1", "\"a\":2"));
    let ran = verify(&proof, &["--verifier", file(&verifier)]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
}

#[test]
fn no_verdict_is_neither_accepted_nor_refused() {
    let (world, proof) = proved();
    let verifier = world.path().join("verifier");
    for crash in ["exit 3", "exit 1", "kill -SEGV $$", "echo '{\"undecided\":\"no keys\"}'; exit 2"]
    {
        program(&verifier, crash);
        let ran = verify(&proof, &["--verifier", file(&verifier), "--verdict", "exit"]);
        assert_eq!(ran.code, Some(2), "{crash}: {}", ran.stderr);
    }
    assert_eq!(verify(&proof, &["--verifier", "/no/such/verifier"]).code, Some(2));
    assert_eq!(verify(&world.path().join("no-such.json"), &[]).code, Some(2));
}

#[test]
fn without_a_word_from_the_caller_only_a_shipped_prover_is_run() {
    let (_world, proof) = proved();
    let ran = verify(&proof, &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("no push0-prover-real beside push0"), "{}", ran.stderr);

    // Linked, not copied: a file that was just written may be refused as busy.
    let binary = Path::new(env!("CARGO_BIN_EXE_push0"));
    let beside = tempfile::tempdir_in(binary.parent().expect("a folder")).expect("a directory");
    fs::hard_link(binary, beside.path().join("push0")).expect("a link");
    program(
        &beside.path().join("push0-prover-real"),
        &format!("[ \"$1\" = verify ] && {}", accepts("ab")),
    );
    let ran =
        run(Command::new(beside.path().join("push0")).arg("verify").arg(&proof).arg("--json"));
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
fn a_mock_that_the_file_hides_is_refused_before_a_verifier_is_asked() {
    let (world, proof) = proved();
    let bytes = fs::read(&proof).expect("a proof");
    let mut envelope = Envelope::decode(&bytes).expect("an envelope");
    envelope.proof = Base64(br#"{"a":1,"mock":true}"#.to_vec());
    fs::write(&proof, envelope.encode().expect("JSON")).expect("a file");
    let ran = verify(&proof, &["--pipeline", file(&world.pipeline())]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("says itself that it is a mock"), "{}", ran.stderr);
}

#[test]
fn a_terminal_obeys_no_word_of_a_file_a_name_or_a_verifier() {
    let (world, proof) = proved();
    let evil = "\u{1b}]0;owned\u{7}\u{202e}\r\n";
    let bytes = fs::read(&proof).expect("a proof");
    let mut envelope = Envelope::decode(&bytes).expect("an envelope");
    envelope.pipeline = format!("demo{evil}");
    envelope.program.name = format!("real{evil}");
    let file_of = |name: &str| world.path().join(name);
    let (named, verifier) = (file_of(&format!("p{evil}.json")), file_of("evil.sh"));
    fs::write(&named, envelope.encode().expect("JSON")).expect("a file");
    for says in [
        format!(r#"{{"vkey":null,"claim":{{"a{0}":"{0}"}}}}"#, r"\u001b[2J\u202e"),
        format!(r#"{{"refused":"{}"}}"#, r"no\u001b[2J\u202e"),
        evil.to_owned(),
    ] {
        let answer = file_of("answer");
        fs::write(&answer, says).expect("a file");
        program(&verifier, &format!("cat {}", answer.display()));
        for words in
            [&["--verifier", file(&verifier)][..], &["--pipeline", file(&world.pipeline())]]
        {
            for json in [&[][..], &["--json"]] {
                let ran = verify(&named, &[words, json].concat());
                let shown = ran.stdout + &ran.stderr;
                let hidden = |letter: char| letter.is_control() && letter != '\n';
                assert!(
                    !shown.contains(|letter| hidden(letter) || letter == '\u{202e}'),
                    "{shown:?}"
                );
            }
        }
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
    program(&world.path().join("verifier"), &accepts("ab"));
    let proof = publish_all(&world).expect("published").remove(0).path;
    (world, proof)
}

fn verify(proof: &Path, words: &[&str]) -> Ran {
    push0(&[&["verify", file(proof)], words].concat())
}

fn file(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
