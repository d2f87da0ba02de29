//! What a dispatcher is started with.
//!
//! Not here: where the values come from (the pipeline's file, the command line).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use push0_core::{
    Asking, Contract, DispatcherId, Give, PipelineName, ProgramName, Surroundings, Vkey,
};

use crate::{Gpus, Store};

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
    /// Shared likewise, each by one attempt at a time.
    pub gpus: Gpus,
    /// What it can run.
    pub programs: BTreeMap<ProgramName, ProgramConfig>,
    /// From one beat to the next; [`Config::HEARTBEAT`] unless there is a reason.
    pub heartbeat: Duration,
    /// Whether the kernel is asked to keep provers to their memory, by control groups; else they
    /// are watched, as they are where there are no groups to be had.
    pub uses_cgroups: bool,
    /// Whether this whole process adopts what its provers orphan (Linux calls it a subreaper), and
    /// ends and reaps it. Where it does not, what a prover leaves behind in a session of its own is
    /// ended by its control group alone, or by the mark in its environment. A program that has
    /// children in sessions of their own may not want to be one.
    pub adopts_orphans: bool,
    /// Whether its engine is another process. Results that wait for a verdict are kept on disk too
    /// then, for its next life, and what attempts printed that came to nothing goes into the store.
    pub keeps_results: bool,
}

impl Config {
    /// From one beat to the next.
    pub const HEARTBEAT: Duration = Duration::from_secs(1);

    /// A program that has no command, or nobody who judges what it makes.
    pub(crate) fn without_command(&self) -> Option<&ProgramName> {
        let is_unjudged = |program: &ProgramConfig| !program.is_mock && program.verifier.is_empty();
        let mut programs = self.programs.iter();
        let found = programs.find(|(_, program)| program.argv.is_empty() || is_unjudged(program));
        found.map(|(name, _)| name)
    }

    /// What a result in hand is worth waiting for. An engine's lease on an attempt is longer than
    /// its time and grace by three tenths of the time and 300 s; with this, a report comes within
    /// it.
    pub const VERIFY_RETRY: Retry = Retry {
        pause: Duration::from_secs(1),
        // A slot does nothing else meanwhile: it costs more than a try.
        pause_max: Duration::from_secs(5),
        total: Duration::from_secs(240),
    };
}

/// How a result waits for a verifier that has no verdict, or a store that does not take it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    /// Before the second try; twice as long before each one after it.
    pub pause: Duration,
    /// No pause is longer.
    pub pause_max: Duration,
    /// For all tries; a store is waited for three tenths of the prover's time longer, and a slow
    /// verifier as long as it may take twice, where the lease leaves that. Nothing is tried again
    /// after it.
    pub total: Duration,
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
    /// How that is asked, and what of it is believed.
    pub asking: Asking,
    /// Under the serve contract, how long a process may take to be ready.
    pub start: Duration,
    /// Whether what it makes proves nothing. Then nothing is verified, and every result is marked.
    pub is_mock: bool,
    /// The key its proofs must verify under, where one is pinned.
    pub vkey: Option<Vkey>,
    /// What its processes have around them; the wrapper's first word is a path, absolute.
    pub surroundings: Surroundings,
}
