//! Publishing what was released.

use std::fs;
use std::path::PathBuf;

use push0::programs;
use push0::publish::{Publication, PublishError, Published, publish, wire_key};
use push0_core::{Digest, Outcome, ReleaseNumber, ResultRef};
use push0_prover::wire::{Base64, Hex};
use push0_prover::{Envelope, EnvelopeFormat, HistoryEntry, Program, ProofFile};
use push0_testbed::program;
use serde_json::json;

use crate::world::{PAIRS, World, proved};

#[test]
fn a_mock_is_published_as_one() {
    let world = released(PAIRS, true);
    let published = publish_all(&world).expect("published");
    let [one] = published.as_slice() else { panic!("{published:?}") };
    assert!(one.mock && one.path.ends_with(format!("5-6-{}.proof.json", tip())));
    let envelope = Envelope::decode(&fs::read(&one.path).expect("a file")).expect("an envelope");
    assert!(envelope.mock && envelope.claim.is_none());
    assert_eq!(envelope.history.len(), 3);
    assert_eq!(envelope.public_values.0, b"5-6");
}

#[test]
fn a_proof_is_published_with_the_claim_and_key_of_its_verifier() {
    let world = released(REAL, false);
    program(&world.path().join("verifier"), &accepts("ab"));
    let published = publish_all(&world).expect("published");
    let envelope = read(&published).remove(0);
    assert_eq!(envelope.claim, Some(json!({"a": 1})));
    assert_eq!(envelope.program.vkey.map(|vkey| vkey.to_string()), Some(vkey("ab")));
}

#[test]
fn a_proof_that_its_verifier_refuses_is_not_published() {
    let world = released(REAL, false);
    program(&world.path().join("verifier"), "echo no good >&2; exit 196");
    let refused = publish_all(&world).expect_err("refused");
    assert!(
        matches!(&refused, PublishError::Refused { words, .. } if words == "no good"),
        "{refused}"
    );
    assert_eq!(fs::read_dir(out(&world)).into_iter().flatten().count(), 0);
}

#[test]
fn a_mock_that_was_reported_as_none_is_refused_whatever_its_verifier_says() {
    for verifier in ["exit 1", &accepts("ab")] {
        let world = told(|result, file| {
            *file = file.replace("\"mock\":false", "\"mock\":true");
            result.mock = false;
        });
        program(&world.path().join("verifier"), verifier);
        let refused = publish_all(&world).expect_err("refused");
        let PublishError::Disagrees { task, what, .. } = &refused else { panic!("{refused}") };
        assert!(what.contains("says itself that it is a mock"), "{what}");
        assert!(
            refused.remedy().contains(&format!("push0 discard {task}")),
            "{}",
            refused.remedy()
        );
        assert!(!out(&world).exists());
    }
}

/// The final proof is right by itself, and its verifier accepts it.
#[test]
fn a_mock_beneath_a_proof_that_was_reported_as_none_is_refused_while_the_store_has_it() {
    let mut world = World::new(REAL);
    world.submit(5..7);
    world.end_source();
    world.work(|store, grant| {
        let Outcome::Proved(mut result) = proved(store, grant, false) else { panic!("proved") };
        if grant.stage.as_str() == "leaf" {
            let bytes = store.read(result.output).expect("an artifact");
            let file = String::from_utf8(bytes).expect("JSON");
            let file = file.replace("\"mock\":false", "\"mock\":true");
            result.bytes = file.len() as u64;
            result.output = store.put(file.as_bytes()).expect("put");
        }
        Outcome::Proved(result)
    });
    world.close();
    program(&world.path().join("verifier"), &accepts("ab"));
    let refused = publish_all(&world).expect_err("refused");
    let PublishError::Disagrees { stage, what, .. } = &refused else { panic!("{refused}") };
    assert!(
        stage.as_str() == "leaf" && what.contains("says itself that it is a mock"),
        "{refused}"
    );
    assert!(!out(&world).exists());
    // What is swept away nobody can tell of.
    let tasks = world.scheduler.tasks().filter(|(_, task)| task.key.first == task.key.last);
    for output in tasks.filter_map(|(_, task)| Some(task.result.as_ref()?.what.output)) {
        fs::remove_file(world.store.path(output)).expect("it was there");
    }
    assert_eq!(publish_all(&world).expect("published").len(), 1);
}

/// As a push0 of before wrote it, which looked at no artifact that is not in the form of the SDK.
#[test]
fn a_file_that_stands_of_what_says_that_it_is_a_mock_is_no_proof() {
    let mut world = World::new(&REAL.replace("\"verify\"] }", "\"verify\"], verdict = \"exit\" }"));
    program(&world.path().join("verifier"), "exit 0");
    world.submit(5..7);
    world.end_source();
    let raw: &[u8] = b"{\"mock\":true}";
    world.work(|store, _| {
        let output = store.put(raw).expect("put");
        let (bytes, statement) = (raw.len() as u64, Digest::of(b""));
        Outcome::Proved(ResultRef {
            output,
            bytes,
            statement,
            vkey: None,
            mock: false,
            parts: vec![],
        })
    });
    world.close();
    let release = world.scheduler.releases(ReleaseNumber(0)).first().expect("a release").clone();
    let entry = |id: &push0_core::TaskId| {
        let task = world.scheduler.task(id).expect("a task");
        let stage = world.scheduler.pipeline().stage(task.stage);
        HistoryEntry {
            task: id.to_string(),
            stage: stage.name.to_string(),
            vkey: None,
            key: wire_key(task.key),
            inputs: task.inputs.iter().map(ToString::to_string).collect(),
            output: Digest::of(raw).to_string(),
        }
    };
    let envelope = Envelope {
        format: EnvelopeFormat::V1,
        pipeline: "demo".to_owned(),
        key: wire_key(release.key),
        block_hashes: None,
        program: Program { name: "real".to_owned(), vkey: None },
        mock: false,
        claim: None,
        public_values: Hex::default(),
        proof: Base64(raw.to_vec()),
        history: world.scheduler.history(&release.tasks).iter().map(entry).collect(),
        inputs: None,
    };
    fs::create_dir_all(out(&world)).expect("a directory");
    let file = ProofFile::One(envelope).encode().expect("it is JSON");
    fs::write(out(&world).join(format!("5-6-{}.proof.json", tip())), file).expect("a file");
    let refused = publish_all(&world).expect_err("refused");
    assert!(
        matches!(&refused, PublishError::Disagrees { what, .. } if what.contains("is a mock")),
        "{refused}"
    );
}

#[test]
fn what_was_reported_of_a_proof_must_be_so() {
    type Lie = fn(&mut ResultRef, &mut String);
    let lies: [(Lie, &str); 4] = [
        (|result, _| result.statement = Digest::of(b"other"), "public values"),
        (|result, _| result.bytes += 1, "bytes"),
        (
            |result, file| {
                *file = file.replace("\"vkey\":null", &format!("\"vkey\":\"{}\"", vkey("ab")));
                result.vkey = vkey("cd").parse().ok();
            },
            "made under key",
        ),
        (|_, file| *file = file.replace("\"proof\"", "\"prof\""), "push0.result/1"),
    ];
    for (lie, says) in lies {
        let world = told(lie);
        program(&world.path().join("verifier"), &accepts("ab"));
        let refused = publish_all(&world).expect_err("refused");
        assert!(
            matches!(&refused, PublishError::Disagrees { what, .. } if what.contains(says)),
            "{says}: {refused}"
        );
    }
}

#[test]
fn a_pipeline_file_that_takes_a_mock_for_none_publishes_nothing() {
    let mut world = released(PAIRS, true);
    let file = world.pipeline();
    let text = fs::read_to_string(&file).expect("a pipeline").replace(", mock = true", "");
    fs::write(&file, text).expect("a file");
    world.loaded = push0_pipeline::load(&file).expect("a pipeline");
    let refused = publish_all(&world).expect_err("refused");
    assert!(matches!(refused, PublishError::OtherPipeline { .. }), "{refused}");
}

#[test]
fn a_damaged_artifact_is_told_apart_so_that_it_can_be_made_again() {
    let world = released(PAIRS, true);
    let release = world.scheduler.releases(ReleaseNumber(0)).first().expect("a release").clone();
    let task = *release.tasks.first().expect("a task");
    let result =
        world.scheduler.task(&task).and_then(|task| task.result.clone()).expect("a result");
    fs::write(world.store.path(result.what.output), b"damaged").expect("damage");
    let error = publish_all(&world).expect_err("lost");
    assert!(matches!(error, PublishError::ProofLost { task: lost, .. } if lost == task), "{error}");
}

#[test]
fn publishing_again_mends_a_damaged_file_and_gives_the_same_bytes() {
    let world = released(PAIRS, true);
    let path = publish_all(&world).expect("published").remove(0).path;
    let bytes = fs::read(&path).expect("a file");
    fs::write(&path, b"damaged").expect("damage");
    publish_all(&world).expect("published again");
    assert_eq!(fs::read(&path).expect("a file"), bytes);
}

#[test]
fn the_proofs_of_several_stages_share_a_file() {
    let world = released(SEVERAL, true);
    let published = publish_all(&world).expect("published");
    assert_eq!(published.len(), 4);
    let file = fs::read(&published.first().expect("four").path).expect("a file");
    let ProofFile::Joint(joint) = ProofFile::decode(&file).expect("an envelope") else {
        panic!("one proof")
    };
    let stages: Vec<_> = joint.proofs.iter().map(|proof| proof.stage.as_str()).collect();
    assert_eq!(stages, ["zisk", "sp1"]);
}

/// Two blocks that are released, the engine ended.
pub(crate) fn released(pipeline: &str, is_mock: bool) -> World {
    let mut world = World::new(pipeline);
    world.submit(5..7);
    world.end_source();
    world.work(|store, grant| proved(store, grant, is_mock));
    world.close();
    world
}

/// As [`released`] of REAL, each result and its artifact as `lie` has them.
fn told(lie: impl Fn(&mut ResultRef, &mut String) + Copy) -> World {
    let mut world = World::new(REAL);
    world.submit(5..7);
    world.end_source();
    world.work(|store, grant| {
        let Outcome::Proved(mut result) = proved(store, grant, false) else { panic!("proved") };
        let bytes = store.read(result.output).expect("an artifact");
        let mut file = String::from_utf8(bytes).expect("JSON");
        lie(&mut result, &mut file);
        result.bytes += file.len() as u64;
        result.bytes -= store.read(result.output).expect("an artifact").len() as u64;
        result.output = store.put(file.as_bytes()).expect("put");
        Outcome::Proved(result)
    });
    world.close();
    world
}

pub(crate) fn publish_all(world: &World) -> Result<Vec<Published>, PublishError> {
    let programs = programs::resolve(&world.loaded).expect("programs");
    let mut all = Vec::new();
    for release in world.scheduler.releases(ReleaseNumber(0)) {
        let publication = Publication::collect(&world.scheduler, release).expect("results");
        all.extend(publish(&publication, &world.store, &programs, None, &out(world))?.published);
    }
    Ok(all)
}

/// A verifier that accepts under a key of these digits.
pub(crate) fn accepts(digits: &str) -> String {
    format!("echo '{{\"vkey\":\"{}\",\"claim\":{{\"a\":1}}}}'", vkey(digits))
}

pub(crate) fn vkey(digits: &str) -> String {
    format!("sha256:{}", digits.repeat(32))
}

fn read(published: &[Published]) -> Vec<Envelope> {
    let read = |one: &Published| fs::read(&one.path).expect("a file");
    published.iter().map(|one| Envelope::decode(&read(one)).expect("an envelope")).collect()
}

fn out(world: &World) -> PathBuf {
    world.path().join("out")
}

fn tip() -> String {
    crate::world::hash(6).short()
}

/// As PAIRS, by something that can be verified.
pub(crate) const REAL: &str = r#"
push0  = 1
name   = "demo"
source = { kind = "file", path = "blocks.jsonl", chain = 534352 }
[programs]
real = { command = ["sh"], contract = "file", memory = "64MiB", verifier = ["./verifier", "verify"] }
[stages]
leaf  = { inputs = ["blocks"], program = "real" }
range = { inputs = ["leaf"], collect = "sequence", max = { blocks = 2 }, program = "real" }
[release]
inputs = ["range"]
"#;

/// Two proofs of every block.
pub(crate) const SEVERAL: &str = r#"
push0      = 1
name       = "demo"
allow_mock = true
source     = { kind = "file", path = "blocks.jsonl", chain = 534352 }
[programs]
mock = { command = ["sh"], contract = "file", memory = "64MiB", mock = true }
[stages]
sp1  = { inputs = ["blocks"], program = "mock" }
zisk = { inputs = ["blocks"], program = "mock" }
[release]
inputs = ["zisk", "sp1"]
"#;
