//! The pipeline: what is proved, by which program, grouped how, and what is released.
//!
//! A [`PipelineSpec`] is what a file says; a [`Pipeline`] is what is left once every fault has been
//! refused. Inside the core only the second exists, and nothing in it is checked again.
//!
//! Stages are held in topological order, so a stage's inputs have a lower index than it has.
//!
//! Not here: TOML (the shell reads it), and what a collector does with its items (`collect`).

mod check;
mod node;
mod spec;
mod surroundings;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

pub use check::Fault;
pub use node::{Finality, NodePayload, NodeSource};
pub use spec::{PipelineSpec, ProgramSpec, ReleaseSpec, SourceSpec, StageSpec};
pub use surroundings::Surroundings;

use crate::{ChainId, Digest, Height, PipelineName, ProgramName, StageName, Vkey};

/// A pipeline without faults.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pipeline {
    /// Its name; part of every task's id.
    pub name: PipelineName,
    /// How many blocks ahead of the oldest unfinished one may be worked on.
    pub window: u64,
    /// Whether a result that proves nothing may pass.
    pub allow_mock: bool,
    /// Where blocks come from.
    pub source: Source,
    /// By name.
    pub programs: BTreeMap<ProgramName, Program>,
    /// In topological order.
    pub stages: Vec<Stage>,
    /// The stages whose proofs are released; all of the same spans.
    pub release: Vec<StageIndex>,
    /// The numeric block fields that some stage's `min` or `max` weighs, sorted.
    pub fields: Vec<String>,
}

/// A stage's place in [`Pipeline::stages`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StageIndex(pub usize);

/// Where blocks come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The chain; every block's.
    pub chain: ChainId,
    /// How they arrive.
    pub kind: SourceKind,
    /// Why their hashes are believed.
    pub hash: BlockHashing,
    /// The first height that is proved; absent, that of the first block that comes.
    pub start: Option<Height>,
    /// What makes a block canonical.
    pub canonical: Canonical,
}

/// What makes a block canonical.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Canonical {
    /// That it is the first to come after the one before it. It stays so.
    #[default]
    ByArrival,
    /// That the source's latest head is it, or follows it. It stays so once the source has said
    /// that it is final, and only then what is proved of it is released.
    ByHead,
}

/// Why a block's hash is believed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BlockHashing {
    /// It is the hash of the block's header, as on Ethereum: what reads a block computes it again.
    #[default]
    OfHeader,
    /// The source says so. For chains that hash their blocks otherwise; every proof file says it.
    Trusted,
}

/// How blocks arrive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SourceKind {
    /// From a file, which ends. The path is relative to the pipeline's own file.
    File {
        /// As the pipeline's file says it.
        path: String,
    },
    /// By submission, until a drain.
    Submit,
    /// From nodes of the chain, once they are final; without end.
    Node(NodeSource),
}

/// A prover and its verification key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program {
    /// Its argv, never empty.
    pub command: Vec<String>,
    /// How it is spoken to.
    pub contract: Contract,
    /// What it reads.
    pub give: Give,
    /// Reserved for each running attempt. Unit: bytes.
    pub memory_bytes: u64,
    /// Reserved likewise.
    pub gpus: u32,
    /// The argv of its verifier; empty where it is a mock, which has nothing to verify.
    pub verifier: Vec<String>,
    /// How that is asked, and what of it is believed.
    pub asking: Asking,
    /// Under the serve contract, how long a process may take to be ready.
    pub start: Duration,
    /// Whether it proves nothing, and says so.
    pub is_mock: bool,
    /// The key its proofs must verify under; absent, the first one seen is pinned in the log.
    pub vkey: Option<Vkey>,
    /// What its processes have around them.
    pub surroundings: Surroundings,
}

/// How a verifier is asked, and what of it is believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asking {
    /// What accepts a proof.
    pub believes: Believes,
    /// What it may use, with all that it starts. Unit: bytes.
    pub memory_bytes: u64,
    /// How long it may take.
    pub timeout: Duration,
}

/// What of a verifier accepts a proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Believes {
    /// Its verdict line. Nobody named it: it is the prover's command with `verify`, and may not
    /// know that word.
    LineOfGuess,
    /// Its verdict line.
    Line,
    /// Its exit code too: exit 0 is enough.
    Exit,
}

/// How a prover is spoken to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contract {
    /// A process for each attempt, files for input and output.
    File,
    /// A process kept across attempts, a JSON object a line.
    Serve,
}

/// What a prover reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Give {
    /// The bytes of its one item, or a JSON array of its items in key order.
    Raw,
    /// The number of the key's first block, in decimal.
    Number,
    /// A JSON object that lists its items with their paths.
    Bundle,
}

/// A collector, and the program its tasks need.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: StageName,
    /// What flows into it.
    pub input: Inflow,
    /// How that is grouped into tasks.
    pub collect: Collect,
    /// What comes out.
    pub output: Output,
    /// What proves its tasks.
    pub program: ProgramName,
    /// Appended to the program's argv (file), sent with each task (serve).
    pub args: Vec<String>,
    /// The longest that one attempt may take.
    pub timeout: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// How many attempts each way of failing may cost.
    pub retry: Budgets,
    /// The hash of everything here that decides what is proved; part of its tasks' ids.
    pub digest: Digest,
    /// The number of stages after it on the longest way to a release; 0 is nearest the end.
    pub from_end: u32,
    /// Whose spans its items have.
    pub spans: Inflow,
    /// The stage whose parts flow into it (or through it), where it is fed by a split.
    pub split: Option<StageIndex>,
    /// The stages it feeds.
    pub feeds: Vec<StageIndex>,
}

/// What flows into a stage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inflow {
    /// The source's blocks.
    Blocks,
    /// What another stage makes.
    Stage(StageIndex),
}

/// How a stage groups what flows into it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Collect {
    /// A task for each item.
    Each,
    /// A task for all parts of a key, as many as the split reported.
    Parts,
    /// A task for a gapless run.
    Sequence(Bounds),
    /// Tasks for neighbours by position, repeated until one item is left of each group.
    Tree(NonZeroU32, Bounds),
}

/// When a run or a group closes. A boundary (the end of the source) always closes it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bounds {
    /// It closes before any of these is passed.
    pub max: Weights,
    /// Below these, age does not close it.
    pub min: Weights,
    /// The longest that its oldest item waits.
    pub age: Option<Duration>,
}

/// Limits on the blocks a batch spans. What is absent has no limit.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Weights {
    /// Items: what flows in, be it blocks or proofs.
    pub items: Option<u64>,
    /// Blocks beneath the items.
    pub blocks: Option<u64>,
    /// Payload bytes of the blocks beneath.
    pub bytes: Option<u64>,
    /// Numeric fields of the blocks beneath, by their index in [`Pipeline::fields`].
    pub fields: Vec<(usize, u64)>,
}

/// What a stage's result is.
#[derive(Clone, Copy, Debug, serde::Deserialize, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// One item.
    Proof,
    /// A non-empty JSON array, each element an item of its own.
    Parts,
}

/// How many attempts a task may end in each class before it is parked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budgets {
    /// Try again: no process, no memory, a store or network error.
    pub transient: u32,
    /// Out of memory.
    pub resource: u32,
    /// Past its deadline.
    pub timeout: u32,
    /// Exit without an output, or a signal: retried as transient, counted apart.
    pub failed: u32,
    /// The proof did not verify.
    pub rejected: u32,
    /// The dispatcher is gone.
    pub lost: u32,
    /// The prover says the input is wrong.
    pub invalid_input: u32,
    /// The prover says it cannot be proved.
    pub unprovable: u32,
    /// The verifier gave no verdict.
    pub unjudged: u32,
    /// The first wait before a retry, and the longest; `None` is that of all
    /// ([`Limits`](crate::Limits)).
    pub backoff: Option<(Duration, Duration)>,
    /// How long a service that is away (`transient`) is waited for, whatever its budget; and how
    /// long a program that nobody proves any more.
    pub patience: Duration,
}

impl Pipeline {
    /// Checks what a file says.
    ///
    /// # Errors
    ///
    /// Every fault at once, each with its key path.
    pub fn check(spec: &PipelineSpec) -> Result<Self, Vec<Fault>> {
        check::check(spec)
    }

    /// Makes what a log says that ran, whatever [`check`](Self::check) would say to it today.
    ///
    /// # Errors
    ///
    /// What is wrong with it, where no pipeline can be made of it.
    pub(crate) fn of_log(spec: &PipelineSpec) -> Result<Self, Vec<Fault>> {
        let (pipeline, faults) = check::built(spec);
        pipeline.ok_or(faults)
    }

    /// Whether this proves the same as `other`, by the same rules, so that a log of one may go on
    /// with the other: its digest is that of what is asked, and whether a mock may pass is what an
    /// answer is worth.
    #[must_use]
    pub fn proves_as(&self, other: &Self) -> bool {
        self.digest() == other.digest() && self.allow_mock == other.allow_mock
    }

    /// No pipeline: what runs before the first is configured.
    pub(crate) fn none() -> Self {
        Self {
            name: "none".parse().expect("it is a name"),
            window: 1,
            allow_mock: false,
            source: Source {
                chain: ChainId(0),
                kind: SourceKind::Submit,
                hash: BlockHashing::OfHeader,
                start: None,
                canonical: Canonical::ByArrival,
            },
            programs: BTreeMap::new(),
            stages: Vec::new(),
            release: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// The stage at `index`.
    ///
    /// # Panics
    ///
    /// If `index` is of another pipeline.
    #[must_use]
    pub fn stage(&self, index: StageIndex) -> &Stage {
        self.stages
            .get(index.0)
            .expect("an index is only made by the pipeline that holds the stage")
    }

    /// The stage of that name.
    #[must_use]
    pub fn find(&self, name: &StageName) -> Option<StageIndex> {
        self.stages.iter().position(|stage| stage.name == *name).map(StageIndex)
    }

    /// The stages that blocks flow into.
    pub fn block_stages(&self) -> impl Iterator<Item = StageIndex> {
        let from_blocks = |(_, stage): &(usize, &Stage)| stage.input == Inflow::Blocks;
        self.stages.iter().enumerate().filter(from_blocks).map(|(index, _)| StageIndex(index))
    }

    /// The hash of everything that decides what is proved. Pipelines that agree on it differ in
    /// policy alone (timeouts, budgets, window, commands), and may follow one another on one log.
    #[must_use]
    pub fn digest(&self) -> Digest {
        check::pipeline_digest(self)
    }
}

impl Default for Budgets {
    /// As `docs/formats.md` fixes them; `failed` is retried as `transient` is.
    fn default() -> Self {
        Self {
            transient: 5,
            resource: 2,
            timeout: 2,
            failed: 5,
            rejected: 3,
            lost: 20,
            invalid_input: 1,
            unprovable: 1,
            unjudged: 3,
            backoff: None,
            patience: Duration::from_secs(1_800),
        }
    }
}
