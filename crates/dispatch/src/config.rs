//! What a dispatcher is started with.
//!
//! Not here: where the values come from (the pipeline's file, the command line).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use push0_core::{Contract, DispatcherId, Give, PipelineName, ProgramName, Vkey};

use crate::Store;

/// What a dispatcher is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name in every message.
    pub id: DispatcherId,
    /// The pipeline that its programs are of; verifiers are told.
    pub pipeline: PipelineName,
    /// Its own directory: attempts, logs, caches. One dispatcher at a time.
    pub dir: PathBuf,
    /// Where artifacts are.
    pub store: Store,
    /// How many attempts run at once, and how many prover processes there are.
    pub slots: u32,
    /// Shared by the programs that run. Unit: bytes.
    pub memory_bytes: u64,
    /// Shared likewise.
    pub gpus: u32,
    /// What it can run.
    pub programs: BTreeMap<ProgramName, ProgramConfig>,
    /// From one beat to the next; [`Config::HEARTBEAT`] unless there is a reason.
    pub heartbeat: Duration,
}

impl Config {
    /// From one beat to the next.
    pub const HEARTBEAT: Duration = Duration::from_secs(1);
}

/// A program as a dispatcher runs it.
#[derive(Clone, Debug)]
pub struct ProgramConfig {
    /// The prover's argv. The first is a path, absolute; the others are given as they are, and the
    /// prover's working directory is one that goes with the attempt.
    pub argv: Vec<String>,
    /// How it is spoken to.
    pub contract: Contract,
    /// What it reads.
    pub give: Give,
    /// Reserved for each of its processes, and their limit. Unit: bytes.
    pub memory_bytes: u64,
    /// Reserved likewise.
    pub gpus: u32,
    /// The verifier's argv, the first a path likewise; empty where it is a mock.
    pub verifier: Vec<String>,
    /// Whether what it makes proves nothing. Then nothing is verified, and every result is marked.
    pub is_mock: bool,
    /// The key its proofs must verify under, where one is pinned.
    pub vkey: Option<Vkey>,
}

/// Bytes from the kernel, for names that must differ from all others.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
