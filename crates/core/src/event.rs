//! Facts: what happened, as the log keeps it for ever.
//!
//! Names and fields here are in logs for ever: add, never rename. A field that is added must have a
//! default, for older records lack it.
//!
//! Not here: what may follow what (`task`), and how a fact is written down (`push0-log`).

use serde::{Deserialize, Deserializer, Serialize};

use crate::reading::TagFirst;
use crate::weight;
use crate::{
    AttemptId, Block, BlockHash, Digest, DispatcherId, Epoch, HeadNumber, Height, InputId, Key,
    PipelineSpec, ProgramName, ReleaseNumber, Seq, StageName, TaskId, Timestamp, Vkey,
};

/// One engine turn: the facts it decided, recorded together or not at all.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Turn {
    /// Whose turn.
    pub epoch: Epoch,
    /// The position of its first event; the others follow on.
    pub first: Seq,
    /// When, on the engine's clock, which never goes back.
    pub at: Timestamp,
    /// What happened, in order. Never empty.
    pub events: Vec<Event>,
}

impl Turn {
    /// The position of its last event.
    #[must_use]
    pub const fn last(&self) -> Seq {
        Seq(self.first.0 + self.events.len() as u64 - 1)
    }
}

/// Declares the facts, once for their writer and once more for their reader: serde can write a
/// tagged enum in one pass, but keeps all of an object that it reads (half of the time that a log
/// takes to open).
macro_rules! facts {
    ($(#[$doc:meta])* pub enum Event $variants:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
        #[serde(tag = "event", rename_all = "snake_case")]
        pub enum Event $variants

        #[derive(Deserialize)]
        #[serde(remote = "Event", rename_all = "snake_case")]
        enum Fact $variants
    };
}

facts! {
    /// Something that happened.
    pub enum Event {
        /// From here on this pipeline runs.
        Configured { pipeline: Box<PipelineSpec> },
        /// An engine took the log over. From here on the ids of attempts hold its epoch, if it says
        /// so.
        Claimed {
            epoch: Epoch,
            #[serde(default, skip_serializing_if = "is_false")]
            ids_hold_it: bool,
        },
        /// A block joined the tree.
        BlockSubmitted { block: Block },
        /// The source has delivered its last block.
        SourceEnded { last: Height },
        /// A known block's payload was delivered again, after it was lost or with other bytes.
        Resupplied { block: BlockHash, payload: Digest, bytes: u64 },
        /// A block's payload is not in the store any more; its tasks wait for it.
        PayloadLost { block: BlockHash },
        /// A batch of a sequence, or a group of a tree, has its last item.
        BatchClosed { stage: StageName, key: Key, items: u64, why: ClosedBy },
        /// There is a proof to make.
        TaskOpened {
            task: TaskId,
            stage: StageName,
            program: ProgramName,
            key: Key,
            inputs: Vec<InputId>,
        },
        /// `dispatcher` may try. The attempt's id is the position of this event, and the epoch
        /// ([`AttemptId::of`]).
        Granted { task: TaskId, dispatcher: DispatcherId, until: Timestamp },
        /// The task has a verified result.
        Accepted { task: TaskId, attempt: AttemptId, result: ResultRef, ran_us: u64 },
        /// A result for a task that has one; ignored.
        Surplus { task: TaskId, attempt: AttemptId, output: Digest },
        /// A re-made result took the place of one that was lost.
        Remade { task: TaskId, old: Digest, new: Digest },
        /// The attempt came to nothing. Another may start at `retry_at`. It is `excused` where it
        /// is charged to its dispatcher, or its program, and to no budget of its task.
        Failed {
            task: TaskId,
            attempt: AttemptId,
            class: FailureClass,
            message: String,
            ran_us: u64,
            retry_at: Timestamp,
            #[serde(default, skip_serializing_if = "is_false")]
            excused: bool,
        },
        /// The attempt's result did not verify. Likewise.
        Rejected {
            task: TaskId,
            attempt: AttemptId,
            message: String,
            ran_us: u64,
            retry_at: Timestamp,
            #[serde(default, skip_serializing_if = "is_false")]
            excused: bool,
        },
        /// The attempt's dispatcher is gone.
        Lost { task: TaskId, attempt: AttemptId, message: String, retry_at: Timestamp },
        /// The attempt ended before its prover did, for this `cause`. Without one it is nobody's
        /// fault, and at no budget; nor is one that is `excused`, as above.
        Withdrawn {
            task: TaskId,
            attempt: AttemptId,
            message: String,
            retry_at: Timestamp,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            cause: Option<WithdrawnBy>,
            #[serde(default, skip_serializing_if = "is_false")]
            excused: bool,
        },
        /// So many attempts of `dispatcher` at `program` in a row came to nothing, with none proved
        /// between: it gets no more of it until a probe, from `until` on, is proved.
        SetAside {
            dispatcher: DispatcherId,
            program: ProgramName,
            failures: u32,
            until: Timestamp,
            message: String,
        },
        /// It proved one, and gets work again.
        Restored { dispatcher: DispatcherId, program: ProgramName },
        /// An engine has led until here, with attempts under way and nothing else to record:
        /// whoever takes over gives them no more time than that in which nobody led.
        Led {},
        /// The task waits for a person to look at it.
        Parked { task: TaskId, class: ParkedBy, message: String },
        /// The task is open again.
        Reopened { task: TaskId, why: ReopenedBy },
        /// `program`'s proofs verify under this key from here on.
        Pinned { program: ProgramName, vkey: Vkey },
        /// `dispatcher` named the key of `program`'s proofs for the first time, with its result for
        /// `task`. It is held to that; nobody else is.
        KeyNamed { program: ProgramName, vkey: Vkey, dispatcher: DispatcherId, task: TaskId },
        /// An operator took back what is pinned and was named of `program`'s key.
        Unpinned { program: ProgramName, by: String, why: String },
        /// An operator took back a task's result, and with it all that was made from it: these
        /// tasks are open again, `tasks` in all, and what was handed out under the numbers
        /// `released` is recalled.
        Discarded {
            task: TaskId,
            by: String,
            why: String,
            tasks: u64,
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            released: Vec<ReleaseNumber>,
        },
        /// An operator keeps new work from a dispatcher, whichever life of it comes.
        Cordoned { dispatcher: DispatcherId, by: String, why: String },
        /// It gets work again.
        Uncordoned { dispatcher: DispatcherId, by: String, why: String },
        /// Blocks may follow again: that the source had ended was taken back before anything closed
        /// by it.
        SourceResumed { by: String, why: String },
        /// The chain ends in `block` now, by its source's word. From where that parts from the
        /// branch of before, the tasks of that one are superseded.
        HeadMoved { head: HeadNumber, block: BlockHash },
        /// The chain's source says that `block` is final, and all before it.
        Finalized { number: Height, block: BlockHash },
        /// A span has all its final proofs, by these tasks, and every span before it was released.
        Released { number: ReleaseNumber, key: Key, tasks: Vec<TaskId> },
    }
}

impl Event {
    /// The most bytes that it takes in a record, however that is written.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        // Those that each task has are not gone through: what they hold has a bound of its own.
        if let Self::Granted { dispatcher, .. } = self {
            GRANTED_BYTES + dispatcher.as_str().len()
        } else if let Self::Accepted { result, .. } = self {
            ACCEPTED_BYTES + DIGEST_BYTES * result.parts.len()
        } else if let Self::TaskOpened { stage, program, inputs, .. } = self {
            let names = stage.as_str().len() + program.as_str().len();
            OPENED_BYTES + names + INPUT_BYTES * inputs.len()
        } else if let Self::Released { tasks, .. } = self {
            RELEASED_BYTES + DIGEST_BYTES * tasks.len()
        } else {
            weight::bytes_max(self)
        }
    }

    /// Its name in the log: `task_opened`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Configured { .. } => "configured",
            Self::Claimed { .. } => "claimed",
            Self::BlockSubmitted { .. } => "block_submitted",
            Self::SourceEnded { .. } => "source_ended",
            Self::Resupplied { .. } => "resupplied",
            Self::PayloadLost { .. } => "payload_lost",
            Self::BatchClosed { .. } => "batch_closed",
            Self::TaskOpened { .. } => "task_opened",
            Self::Granted { .. } => "granted",
            Self::Accepted { .. } => "accepted",
            Self::Surplus { .. } => "surplus",
            Self::Remade { .. } => "remade",
            Self::Failed { .. } => "failed",
            Self::Rejected { .. } => "rejected",
            Self::Lost { .. } => "lost",
            Self::Withdrawn { .. } => "withdrawn",
            Self::SetAside { .. } => "set_aside",
            Self::Restored { .. } => "restored",
            Self::Led {} => "led",
            Self::Parked { .. } => "parked",
            Self::Reopened { .. } => "reopened",
            Self::Pinned { .. } => "pinned",
            Self::KeyNamed { .. } => "key_named",
            Self::Unpinned { .. } => "unpinned",
            Self::Discarded { .. } => "discarded",
            Self::Cordoned { .. } => "cordoned",
            Self::Uncordoned { .. } => "uncordoned",
            Self::SourceResumed { .. } => "source_resumed",
            Self::HeadMoved { .. } => "head_moved",
            Self::Finalized { .. } => "finalized",
            Self::Released { .. } => "released",
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    /// Takes what push0 writes, where the event's name comes first.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fact::deserialize(TagFirst(deserializer, "event"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What an accepted result is, by reference.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ResultRef {
    /// The artifact that the prover wrote.
    pub output: Digest,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its public values: a re-make must have the same.
    pub statement: Digest,
    /// The key it verified under, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vkey: Option<Vkey>,
    /// Whether it proves nothing.
    #[serde(default)]
    pub mock: bool,
    /// The elements, where the stage's output is parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Digest>,
}

/// What closed a batch.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The next item would pass a `max`, or one is reached.
    Max,
    /// Its oldest item waited long enough.
    Age,
    /// Nothing follows that may join it.
    Boundary,
}

/// How an attempt came to nothing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Exit 75; no process or memory to start it; a store or network error.
    Transient,
    /// Out of memory.
    Resource,
    /// Past its deadline.
    Timeout,
    /// Exit 0 with no output or garbage, another exit, a signal.
    Failed,
    /// It says that it cannot be proved.
    Unprovable,
    /// It says that the input is wrong.
    InvalidInput,
    /// There is an output, and its verifier gave no verdict on it.
    Unjudged,
}

/// Why an attempt ended before its prover did.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawnBy {
    /// Its dispatcher did not begin it, by its own word.
    NotRun,
    /// Its dispatcher's beats knew nothing of it.
    NotTaken,
    /// An input was not found by its dispatcher.
    InputLost,
}

/// What parked a task.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkedBy {
    /// As many attempts ended so as its budget allows.
    Transient,
    /// Likewise.
    Resource,
    /// Likewise.
    Timeout,
    /// Likewise.
    Failed,
    /// Likewise.
    Unprovable,
    /// Likewise.
    InvalidInput,
    /// Likewise.
    Unjudged,
    /// Likewise.
    Rejected,
    /// Likewise.
    Lost,
    /// As many attempts were withdrawn as the limit allows.
    Withdrawn,
    /// It failed on as many distinct dispatchers as the limit allows.
    Dispatchers,
    /// Its result, or a block's payload beneath it, was lost too often.
    InputLost,
    /// A re-made result says something else than the one it replaces.
    Contradiction,
}

/// Why a task is open again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReopenedBy {
    /// Its result is not in the store any more, or damaged there.
    ResultLost,
    /// Somebody asked.
    Operator,
    /// The block it could not use was delivered again.
    Resupplied,
}

/// A grant in JSON, without its dispatcher's name: a hash, a time, the names of its fields;
/// `weight` holds it against that.
const GRANTED_BYTES: usize = 170;

/// An acceptance without parts, likewise: four hashes, four numbers.
const ACCEPTED_BYTES: usize = 510;

/// An opening without names and inputs, likewise: a hash and a key.
const OPENED_BYTES: usize = 330;

/// A release without tasks, likewise: a key and a number.
const RELEASED_BYTES: usize = 270;

/// A hash, with what is around it.
const DIGEST_BYTES: usize = 76;

/// An input of a task: the hash, its kind, and a part's number.
const INPUT_BYTES: usize = 96;
