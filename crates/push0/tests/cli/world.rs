//! A data directory with a history that the real scheduler decided, and the binary run over it.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use push0_core::{
    Block, BlockHash, Capacity, Digest, Effect, Epoch, Event, FailureClass, Grant, Height, Input,
    Limits, Offer, Outcome, ReopenedBy, Report, ResultRef, Scheduler, Seq, TaskId, Timestamp, Turn,
};
use push0_dispatch::Store;
use push0_log::{FileLog, Log as _};
use push0_pipeline::LoadedPipeline;
use push0_prover::wire::{Base64, Hex, ResultFile, ResultFormat};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct World {
    dir: TempDir,
    log: Option<FileLog>,
    pub(crate) loaded: LoadedPipeline,
    pub(crate) scheduler: Scheduler,
    pub(crate) store: Store,
    now: Timestamp,
}

/// What a process came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// Nothing but a claimed log with this pipeline.
    pub(crate) fn new(pipeline: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("pipeline.toml");
        fs::write(&file, pipeline).expect("a pipeline file");
        let loaded = push0_pipeline::load(&file).expect("a pipeline");
        let data = dir.path().join("data");
        let (log, _, _) = FileLog::open(&data).expect("a log");
        let store = Store::open(&data.join("store")).expect("a store");
        let mut world = Self {
            dir,
            log: Some(log),
            scheduler: Scheduler::new(Limits::default()),
            store,
            now: Timestamp(1_760_000_000_000_000),
            loaded,
        };
        world.ask(Input::Claim(Epoch(1)));
        let spec = world.loaded.spec.clone();
        world.ask(Input::Configure(Box::new(spec)));
        world
    }

    pub(crate) fn submit(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let payload = self.store.put(&number.to_be_bytes()).expect("put");
            let block = Block {
                number: Height(number),
                hash: hash(number),
                parent: hash(number - 1),
                payload,
                bytes: 8,
                fields: [("gasUsed".to_owned(), 1)].into(),
            };
            self.ask(Input::Submit(Box::new(block)));
        }
    }

    pub(crate) fn end_source(&mut self) {
        self.ask(Input::EndSource);
    }

    /// Lets every task be tried, and end as `outcome` says, until nothing more happens.
    pub(crate) fn work(&mut self, outcome: impl Fn(&Store, &Grant) -> Outcome) {
        for _ in 0..10_000 {
            let grants = self.grants();
            if grants.is_empty() {
                match self.scheduler.poll_timeout(self.now) {
                    Some(deadline) => self.now = self.now.max(deadline.at),
                    None => return,
                }
            }
            for grant in grants {
                let ended = outcome(&self.store, &grant);
                self.report(&grant, ended);
            }
        }
        panic!("it never ends");
    }

    /// Grants as many as there are slots.
    pub(crate) fn grants(&mut self) -> Vec<Grant> {
        let mut last = None;
        while last != Some(self.scheduler.last()) {
            last = Some(self.scheduler.last());
            self.ask(Input::Wake);
        }
        let programs = self.loaded.pipeline.programs.keys().cloned().collect();
        let whole = Capacity { programs, slots: 4, memory_bytes: 1 << 40, gpus: 0 };
        let dispatcher = "local".parse().expect("a name");
        let effects =
            self.ask(Input::Assign(vec![Offer { dispatcher, free: whole.clone(), whole }]));
        let grant = |effect| match effect {
            Effect::Grant(_, grant) => Some(*grant),
            Effect::Cancel(..) | Effect::Release(_) | Effect::AskSource(_) => None,
        };
        effects.into_iter().filter_map(grant).collect()
    }

    pub(crate) fn report(&mut self, grant: &Grant, outcome: Outcome) {
        self.ask(Input::Report(Report {
            dispatcher: "local".parse().expect("a name"),
            incarnation: 1,
            attempt: grant.attempt,
            task: grant.task,
            outcome,
            ran: Duration::from_millis(1_500),
        }));
    }

    pub(crate) fn ask(&mut self, input: Input) -> Vec<Effect> {
        self.now = self.now + Duration::from_millis(1);
        let events = self.scheduler.decide(self.now, &input).expect("an input that fits");
        let first = self.scheduler.last().next();
        if events.is_empty() {
            return Vec::new();
        }
        self.scheduler.apply_all(self.now, &events).expect("what was decided");
        let durable = self.append(first, events);
        std::iter::from_fn(|| self.scheduler.poll_effect(durable)).collect()
    }

    /// Writes what no scheduler decided: the opening again of a task that there is not.
    pub(crate) fn forge(&mut self) {
        let event = Event::Reopened { task: TaskId([7; 32]), why: ReopenedBy::Operator };
        self.append(self.scheduler.last().next(), vec![event]);
    }

    fn append(&mut self, first: Seq, events: Vec<Event>) -> Seq {
        let turn = Turn { epoch: Epoch(1), first, at: self.now, events };
        let log = self.log.as_mut().expect("it is open");
        now(log.append(&turn)).expect("append");
        turn.last()
    }

    /// Ends the engine cleanly.
    pub(crate) fn close(&mut self) {
        now(self.log.take().expect("it is open").close()).expect("close");
    }

    /// Ends the engine as a kill does.
    pub(crate) fn kill(&mut self) {
        drop(self.log.take());
    }

    /// Opens the log again after that, as the next engine does.
    pub(crate) fn reopen(&mut self) {
        self.log = Some(FileLog::open(&self.data()).expect("a log").0);
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn pipeline(&self) -> PathBuf {
        self.path().join("pipeline.toml")
    }

    /// Runs `push0 …words… --data DATA`.
    pub(crate) fn push0(&self, words: &[&str]) -> Ran {
        let data = self.data();
        push0(&[words, &["--data", data.to_str().expect("UTF-8")]].concat())
    }

    /// The log's first segment: its path, its bytes, and where its frames end.
    pub(crate) fn segment(&self) -> (PathBuf, Vec<u8>, usize) {
        let path = self.data().join("log/00000001.seg");
        let bytes = fs::read(&path).expect("a segment");
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
        (path, bytes, end)
    }

    /// Flips a bit of the log.
    pub(crate) fn flip(&self, at: usize) {
        let (path, mut bytes, _) = self.segment();
        *bytes.get_mut(at).expect("in the segment") ^= 1;
        fs::write(path, bytes).expect("damage");
    }
}

impl Ran {
    /// What it printed, for snapshots: without the directory's name.
    pub(crate) fn shown(&self, world: &World) -> String {
        let Self { code, stdout, stderr } = self;
        let code = code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
        let text = format!("{stdout}--- stderr\n{stderr}--- exit {code}");
        text.replace(world.path().to_str().expect("UTF-8"), "DIR")
    }
}

/// Runs the binary.
pub(crate) fn push0(words: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_push0"));
    run(command.args(words))
}

pub(crate) fn run(command: &mut Command) -> Ran {
    // What verifiers keep is no file of this user's.
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let output = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a JSON text has at a pointer, such as `/head/why`; null where it has nothing.
pub(crate) fn at(json: &str, pointer: &str) -> Value {
    let value: Value = serde_json::from_str(json).expect("JSON");
    value.pointer(pointer).cloned().unwrap_or_default()
}

/// A result as an SDK prover writes it, with the span as its public values.
pub(crate) fn proved(store: &Store, grant: &Grant, is_mock: bool) -> Outcome {
    let public_values = format!("{}", grant.key).into_bytes();
    let statement = Digest::of(&public_values);
    let result = ResultFile {
        format: ResultFormat::V1,
        vkey: None,
        mock: is_mock,
        public_values: Hex(public_values),
        proof: Base64(grant.task.0.to_vec()),
    };
    let bytes = serde_json::to_vec(&result).expect("JSON");
    let output = store.put(&bytes).expect("put");
    let bytes = bytes.len() as u64;
    Outcome::Proved(ResultRef {
        output,
        bytes,
        statement,
        vkey: None,
        mock: is_mock,
        parts: Vec::new(),
    })
}

pub(crate) fn failed(class: FailureClass) -> Outcome {
    Outcome::Failed { class, message: "it says no\nand more".to_owned() }
}

pub(crate) fn hash(number: u64) -> BlockHash {
    BlockHash(Digest::of(&number.to_be_bytes()).0)
}

/// What a future that never waits comes to.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// Blocks in pairs, by a mock.
pub(crate) const PAIRS: &str = r#"
push0      = 1
name       = "demo"
allow_mock = true
source     = { kind = "file", path = "blocks.jsonl", chain = 534352 }
[programs]
mock = { command = ["sh"], contract = "file", memory = "64MiB", mock = true }
[stages]
leaf  = { inputs = ["blocks"], program = "mock" }
range = { inputs = ["leaf"], collect = "sequence", max = { blocks = 2 }, program = "mock" }
[release]
inputs = ["range"]
"#;
