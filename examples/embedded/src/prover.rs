//! What stands for a dispatcher and its store: the reference prover, called as a function, and a
//! file for each artifact.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use push0_core::{
    AttemptId, Beat, Capacity, Digest, Grant, Outcome, Pipeline, Report, ResultRef, TaskId,
    Timestamp,
};
use push0_prover_chain::{Block, Chain, Key, Proof, Statement};

/// Proves one task at a time, on the caller's thread.
pub(crate) struct InProcess {
    chain: Chain,
    store: PathBuf,
    beat: Beat,
}

impl InProcess {
    /// One that keeps artifacts in this directory, and can run every program of the pipeline.
    pub(crate) fn new(pipeline: &Pipeline, store: PathBuf) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(&store)?;
        let programs = pipeline.programs.keys().cloned().collect();
        let beat = Beat {
            dispatcher: "in-process".parse()?,
            incarnation: now().0, // above that of the life before
            capacity: Capacity { programs, slots: 1, memory_bytes: 1 << 40, gpus: 0 },
            running: BTreeMap::new(),
            held: BTreeMap::new(),
            leaving: false,
        };
        Ok(Self { chain: Chain::new(None), store, beat })
    }

    /// Keeps an artifact by its SHA-256: in a file that has its name only once it is whole.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<Digest, Box<dyn Error>> {
        let digest = Digest::of(bytes);
        let fresh = self.store.join("fresh");
        fs::write(&fresh, bytes)?;
        fs::File::open(&fresh)?.sync_all()?;
        fs::rename(fresh, self.store.join(digest.to_string()))?;
        fs::File::open(&self.store)?.sync_all()?;
        Ok(digest)
    }

    /// That it lives, and which results it holds until their fate is durable.
    pub(crate) fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// An attempt's fate is durable.
    pub(crate) fn forget(&mut self, attempt: AttemptId) {
        self.beat.held.remove(&attempt);
    }

    /// Proves what is granted, and checks the proof.
    pub(crate) fn prove(&mut self, grant: &Grant) -> Result<Report, Box<dyn Error>> {
        let began = Instant::now();
        let inputs =
            grant.inputs.iter().map(|input| fs::read(self.store.join(input.artifact.to_string())));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let proof = match &inputs[..] {
            [block] => {
                let block = Block::parse(&serde_json::from_slice(block)?)?;
                self.chain.prove_block(grant.key.chain.0, &block)?
            }
            [left, right] => self.chain.prove_range(&read(left)?, &read(right)?)?,
            _ => return Err("a task of the example has one input or two".into()),
        };
        Key::pinned().verify(&proof)?;
        let statement = proof.statement.encode();
        let bytes = [&*statement, &proof.bytes].concat();
        let result = ResultRef {
            output: self.keep(&bytes)?,
            bytes: bytes.len() as u64,
            statement: Digest::of(&statement),
            vkey: None,
            mock: false,
            parts: Vec::new(),
        };
        Ok(self.report(grant.attempt, grant.task, result, began.elapsed()))
    }

    fn report(
        &mut self,
        attempt: AttemptId,
        task: TaskId,
        result: ResultRef,
        ran: Duration,
    ) -> Report {
        self.beat.held.insert(attempt, task);
        let Beat { dispatcher, incarnation, .. } = self.beat.clone();
        Report { dispatcher, incarnation, attempt, task, outcome: Outcome::Proved(result), ran }
    }
}

fn read(bytes: &[u8]) -> Result<Proof, Box<dyn Error>> {
    let (statement, proof) = bytes.split_at_checked(Statement::SIZE).ok_or("it is cut short")?;
    Ok(Proof { statement: Statement::decode(statement)?, bytes: proof.to_vec() })
}

/// The engine has no clock: the time is an argument.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX))
}
