//! Writes a log with every kind of fact into `tests/fixtures/v1-messagepack`, and lists it.
//!
//! `cargo run -p push0-log --example fixture`, and only for facts that no released push0 has
//! written: what is there from an earlier release is what logs out there look like, and stays as it
//! is. Facts of a later release go into a directory of their own. `tests/fixtures/v1` is from
//! before records were MessagePack.
//!
//! Not here: the test that it loads for ever (`tests/file/fixture.rs`).

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use push0_core::{
    AttemptId, Block, BlockHash, ChainId, ClosedBy, Digest, Epoch, Event, FailureClass, Height,
    InputId, Key, ParkedBy, PipelineSpec, ProgramSpec, ReleaseNumber, ReleaseSpec, ReopenedBy,
    ResultRef, SourceSpec, StageSpec, TaskId, Timestamp, Turn, Vkey,
};
use push0_log::conformance::finish;
use push0_log::{Directory, FileLog, Log as _, LogId, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1-messagepack");
    if fixture.exists() {
        fs::remove_dir_all(&fixture)?;
    }
    let id = Some(LogId(*b"push0 fixture mp"));
    let settings = Settings { segment_bytes: 8192, fills_ahead: false, id };
    let disk = Directory::new(&fixture.join("log"));
    let (mut log, _) = FileLog::open_on(disk, settings, &mut drop)?;
    let mut listing = String::new();
    for (epoch, events) in (1..).zip([start()?, work()?, trouble()?, end()?]) {
        for events in events.chunks(3) {
            let (first, events) = (log.last().next(), events.to_vec());
            let at = Timestamp(1_790_000_000_000_000 + first.0);
            let turn = Turn { epoch: Epoch(epoch), first, at, events };
            finish(log.append(&turn))?;
            listing += &(serde_json::to_string(&turn)? + "\n");
        }
    }
    finish(log.close())?;
    fs::remove_file(fixture.join("log/lock"))?;
    fs::write(fixture.join("turns.jsonl"), listing)?;
    Ok(())
}

fn start() -> Result<Vec<Event>, Box<dyn Error>> {
    let program = ProgramSpec {
        command: vec!["prover".to_owned(), "--fast".to_owned()],
        contract: Some("serve".to_owned()),
        memory: Some(1 << 30),
        ..ProgramSpec::default()
    };
    let stage = StageSpec {
        inputs: vec!["blocks".to_owned()],
        collect: Some("sequence".to_owned()),
        max: BTreeMap::from([("blocks".to_owned(), 10), ("gasUsed".to_owned(), 30_000_000)]),
        age: Some(Duration::from_millis(1500)),
        program: Some("chain".to_owned()),
        retry: BTreeMap::from([("transient".to_owned(), 5)]),
        ..StageSpec::default()
    };
    let source = SourceSpec {
        kind: "file".to_owned(),
        path: Some("blocks.jsonl".to_owned()),
        chain: Some(534_352),
        ..SourceSpec::default()
    };
    let pipeline = PipelineSpec {
        push0: Some(1),
        name: "fixture".to_owned(),
        source,
        programs: BTreeMap::from([("chain".to_owned(), program)]),
        stages: BTreeMap::from([("range".to_owned(), stage)]),
        release: ReleaseSpec { inputs: vec!["range".to_owned()], order: None },
        ..PipelineSpec::default()
    };
    let block = |number: u8, fields| Block {
        number: Height(16_525_000 + u64::from(number)),
        hash: BlockHash([number + 1; 32]),
        parent: BlockHash([number; 32]),
        payload: Digest([number + 100; 32]),
        bytes: 1234,
        fields,
    };
    let gas = BTreeMap::from([("gasUsed".to_owned(), 21_000)]);
    Ok(vec![
        Event::Configured { pipeline: Box::new(pipeline) },
        Event::Claimed { epoch: Epoch(1), ids_hold_it: false },
        Event::BlockSubmitted { block: block(0, gas) },
        Event::BlockSubmitted { block: block(1, BTreeMap::new()) },
        Event::SourceEnded { last: Height(16_525_001) },
    ])
}

fn work() -> Result<Vec<Event>, Box<dyn Error>> {
    let whole = ResultRef {
        output: Digest([5; 32]),
        bytes: 133_000,
        statement: Digest([6; 32]),
        vkey: Some(Vkey([7; 32])),
        mock: false,
        parts: Vec::new(),
    };
    let parts = vec![Digest([8; 32]), Digest([9; 32])];
    let parts = ResultRef { vkey: None, mock: true, parts, ..whole };
    let inputs = vec![
        InputId::Block(BlockHash([1; 32])),
        InputId::Task(TaskId([3; 32])),
        InputId::Part(TaskId([3; 32]), 1),
    ];
    let (stage, program) = ("range".parse()?, "chain".parse()?);
    let until = Timestamp(1_790_000_060_000_000);
    Ok(vec![
        Event::BatchClosed {
            stage: "range".parse()?,
            key: key(),
            items: 2,
            why: ClosedBy::Boundary,
        },
        Event::TaskOpened { task: TASK, stage, program, key: key().part(1), inputs },
        Event::Granted { task: TASK, dispatcher: "here".parse()?, until },
        Event::Accepted { task: TASK, attempt: ATTEMPT, result: whole, ran_us: 1_300_000 },
        Event::Accepted { task: OTHER, attempt: ATTEMPT, result: parts, ran_us: 0 },
        Event::Surplus { task: TASK, attempt: ATTEMPT, output: Digest([5; 32]) },
        Event::Pinned { program: "chain".parse()?, vkey: Vkey([7; 32]) },
    ])
}

fn trouble() -> Result<Vec<Event>, Box<dyn Error>> {
    let message = "a panic: \"left != right\"\nat line 7, größer als erlaubt".to_owned();
    let (task, attempt, retry_at) = (TASK, ATTEMPT, Timestamp(1_790_000_001_000_000));
    let failed = |class| {
        let message = message.clone();
        Event::Failed { task, attempt, class, message, ran_us: 17, retry_at, excused: false }
    };
    Ok(vec![
        failed(FailureClass::Transient),
        failed(FailureClass::Resource),
        failed(FailureClass::Timeout),
        failed(FailureClass::Failed),
        failed(FailureClass::Unprovable),
        failed(FailureClass::InvalidInput),
        Event::Rejected {
            task,
            attempt,
            message: message.clone(),
            ran_us: 17,
            retry_at,
            excused: false,
        },
        Event::Lost { task, attempt, message: message.clone(), retry_at },
        Event::Withdrawn {
            task,
            attempt,
            message: message.clone(),
            retry_at,
            cause: None,
            excused: false,
        },
        Event::Parked { task, class: ParkedBy::Rejected, message: String::new() },
        Event::Parked { task: OTHER, class: ParkedBy::Dispatchers, message },
        Event::Reopened { task, why: ReopenedBy::Operator },
        Event::Reopened { task, why: ReopenedBy::ResultLost },
    ])
}

fn end() -> Result<Vec<Event>, Box<dyn Error>> {
    let block = BlockHash([1; 32]);
    Ok(vec![
        Event::PayloadLost { block },
        Event::Resupplied { block, payload: Digest([44; 32]), bytes: 1235 },
        Event::Remade { task: TASK, old: Digest([5; 32]), new: Digest([55; 32]) },
        Event::Released { number: ReleaseNumber(1), key: key(), tasks: vec![TASK, OTHER] },
    ])
}

const fn key() -> Key {
    Key {
        chain: ChainId(534_352),
        first: Height(16_525_000),
        last: Height(16_525_001),
        part: None,
        tip: BlockHash([2; 32]),
    }
}

const TASK: TaskId = TaskId([3; 32]);
const OTHER: TaskId = TaskId([4; 32]);
const ATTEMPT: AttemptId = AttemptId(8);
