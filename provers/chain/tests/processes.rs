//! Real blocks through the real program: three leaves, two aggregates, and the verifier's word.
//!
//! One process serves all tasks; each verification is a process of its own. Every wait ends, since
//! the program ends with its stdin.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use push0_prover::wire::{
    Bundle, BundleItem, Digest, FailureClass, ProveRequest, Reply, Request, Verdict,
};
use push0_prover::{Envelope, EnvelopeFormat, Key, Program, ResultFile};
use push0_prover_chain::Block;
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn three_real_blocks_end_in_one_verified_proof() {
    let room = Room::new();
    let mut served = Served::start(&room);

    let blocks = [0, 1, 2].map(|at| room.block(at));
    let leaves = blocks.each_ref().map(|block| served.prove(&room, "leaf", &[block]));
    let [a, b, c] = &leaves;
    let pair = served.prove(&room, "range", &[a, b]);
    let swapped = served.ask(&room, "range", &[b, a]);
    let all = served.prove(&room, "range", &[&pair, c]);
    served.end();

    let Reply::Failed { class: FailureClass::InvalidInput, message, .. } = swapped else {
        panic!("swapped children: {swapped:?}");
    };
    assert!(message.contains("not neighbours: the left ends at block 16525001"), "{message}");

    let sound = room.envelope(&all, Some(&[&pair, c]));
    let accepted = room.verify(&sound);
    assert!(accepted.status.success(), "{accepted:?}");
    let verdict: Verdict = serde_json::from_slice(&accepted.stdout).expect("a verdict");
    assert_eq!(verdict.claim.get("blocks"), Some(&3.into()));
    assert_eq!(verdict.claim.get("tip").and_then(Value::as_str), Some(&*all.key.tip.to_string()));

    let leaf = room.envelope(a, Some(&[&room.block(0)]));
    assert!(room.verify(&leaf).status.success(), "a leaf is a final proof, too");

    let mut key = sound.clone();
    key.key.first += 1;
    room.refused(&key, "it proves blocks 16525000 to 16525002");
    room.refused(&room.envelope(&pair, Some(&[&pair, c])), "but of other inputs");
    let mut values = sound.clone();
    *values.public_values.0.last_mut().expect("bytes") ^= 1;
    room.refused(&values, "does not prove its public values");
    let mut proof = sound;
    *proof.proof.0.last_mut().expect("bytes") ^= 1;
    room.refused(&proof, "does not prove its public values");
}

#[test]
fn a_fault_of_a_block_is_named() {
    let room = Room::new();
    let mut served = Served::start(&room);
    let mut block = room.block(0);
    let text = fs::read_to_string(&block.path).expect("the block");
    fs::write(&block.path, text.replace("preStateRoot", "preStateRoof")).expect("write");
    block.sha256 = Digest::of(&fs::read(&block.path).expect("the block"));
    let reply = served.ask(&room, "leaf", &[&block]);
    served.end();
    let message = "block 16525000: preStateRoot is missing".to_owned();
    let class = FailureClass::InvalidInput;
    assert_eq!(reply, Reply::Failed { attempt: 1, class, message });
}

/// A directory with everything that a dispatcher would put there.
struct Room {
    dir: TempDir,
}

/// The program, serving.
struct Served {
    process: Child,
    replies: BufReader<ChildStdout>,
    attempts: u64,
}

impl Room {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory") }
    }

    /// A block of the example, as a source block.
    fn block(&self, at: usize) -> BundleItem {
        let path = "../../examples/scroll/scroll-mainnet-16525000-20.jsonl";
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
        let text = text.expect("the example's blocks");
        let json = text.lines().nth(at).expect("a block");
        let value = serde_json::from_str(json).expect("json");
        let Block { number, hash, .. } = Block::parse(&value).expect("a sound block");
        let key = Key { chain: 534_352, first: number, last: number, part: None, tip: hash };
        self.item(key, None, json.as_bytes())
    }

    fn item(&self, key: Key, task: Option<String>, bytes: &[u8]) -> BundleItem {
        let sha256 = Digest::of(bytes);
        let path = self.path(&sha256.to_string());
        fs::write(&path, bytes).expect("write");
        let program = task.is_some().then(|| "chain".to_owned());
        BundleItem { key, task, program, path, sha256, public_values: None }
    }

    fn envelope(&self, item: &BundleItem, inputs: Option<&[&BundleItem]>) -> Envelope {
        let bytes = fs::read(&item.path).expect("a result");
        let result: ResultFile = serde_json::from_slice(&bytes).expect("a result");
        Envelope {
            format: EnvelopeFormat::V1,
            pipeline: "test".into(),
            key: item.key.clone(),
            block_hashes: None,
            program: Program { name: "chain".into(), vkey: result.vkey },
            mock: false,
            claim: None,
            public_values: result.public_values,
            proof: result.proof,
            history: Vec::new(),
            inputs: inputs.map(|items| items.iter().copied().cloned().collect()),
        }
    }

    fn verify(&self, envelope: &Envelope) -> Output {
        let path = self.path("envelope");
        fs::write(&path, envelope.encode().expect("an envelope")).expect("write");
        let mut verify = self.program();
        verify.arg("verify").arg("--input-path").arg(path).output().expect("a process")
    }

    fn refused(&self, envelope: &Envelope, reason: &str) {
        let output = self.verify(envelope);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(reason), "{stderr}");
    }

    fn program(&self) -> Command {
        let cache = self.path("cache");
        fs::create_dir_all(&cache).expect("a directory");
        let mut program = Command::new(env!("CARGO_BIN_EXE_push0-prover-chain"));
        program.env("PUSH0_CACHE", cache);
        program
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Served {
    fn start(room: &Room) -> Self {
        let mut program = room.program();
        program.env("PUSH0_CONTRACT", "serve").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = program.spawn().expect("a process");
        let replies = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut served = Self { process, replies, attempts: 0 };
        assert!(matches!(served.reply(), Reply::Ready { vkey: Some(_) }));
        served
    }

    /// The item that a successful task makes.
    fn prove(&mut self, room: &Room, stage: &str, inputs: &[&BundleItem]) -> BundleItem {
        let reply = self.ask(room, stage, inputs);
        assert_eq!(reply, Reply::Done { attempt: self.attempts });
        let bytes = fs::read(room.path("output")).expect("a result");
        let (first, last) = (inputs.first().expect("inputs"), inputs.last().expect("inputs"));
        let key = Key { first: first.key.first, ..last.key.clone() };
        room.item(key, Some(format!("{:02x}", self.attempts)), &bytes)
    }

    /// The last reply to a task.
    fn ask(&mut self, room: &Room, stage: &str, inputs: &[&BundleItem]) -> Reply {
        self.attempts += 1;
        let (input, output) = (room.path("input"), room.path("output"));
        let bundle = Bundle::new(inputs.iter().copied().cloned().collect());
        fs::write(&input, serde_json::to_vec(&bundle).expect("json")).expect("write");
        let request = Request::Prove(ProveRequest {
            task: "2a".into(),
            attempt: self.attempts,
            stage: stage.into(),
            args: vec![stage.into()],
            input,
            output,
            deadline_ms: None,
        });
        let mut line = serde_json::to_vec(&request).expect("json");
        line.push(b'\n');
        self.process.stdin.as_mut().expect("a pipe").write_all(&line).expect("write");
        loop {
            match self.reply() {
                Reply::Progress { .. } => {}
                reply @ (Reply::Ready { .. } | Reply::Done { .. } | Reply::Failed { .. }) => {
                    return reply;
                }
            }
        }
    }

    fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("a reply");
        serde_json::from_str(&line).expect("a reply")
    }

    fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().expect("its end").success());
    }
}
