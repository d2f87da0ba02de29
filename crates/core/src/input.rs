//! Inputs: what the world asks of the scheduler, and how it is refused.
//!
//! Not here: what an input leads to (`scheduler`).

use std::collections::BTreeSet;

use crate::{
    AttemptId, Block, BlockHash, DispatcherId, Epoch, HeadNumber, Height, Offer, PipelineSpec,
    ProgramName, Report, TaskId, Verdict, WithdrawnBy,
};

/// Something asked of the scheduler.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// Run this pipeline from here on.
    Configure(Box<PipelineSpec>),
    /// Take the log over.
    Claim(Epoch),
    /// Add a block.
    Submit(Box<Block>),
    /// The chain ends in this block now.
    Head {
        /// Its place among all heads; absent, the next. One that is not above the last changes
        /// nothing.
        head: Option<HeadNumber>,
        /// Which.
        block: BlockHash,
    },
    /// This block is final, and all before it.
    Finalize {
        /// Its height.
        number: Height,
        /// Which.
        block: BlockHash,
    },
    /// No block follows.
    EndSource,
    /// Blocks follow after all.
    ResumeSource {
        /// Who says so, for a person.
        by: String,
        /// And why.
        why: String,
    },
    /// Take a dispatcher's word on an attempt.
    Report(Report),
    /// Give up on a dispatcher: it is gone, and with it what it ran. One decision holds
    /// `decision_max` of that; the fleet asks again while there is more.
    Lose {
        /// Which.
        dispatcher: DispatcherId,
        /// The attempts that it knows in spite of that, after it was started again: it holds their
        /// results.
        but: BTreeSet<AttemptId>,
        /// Why, for a person.
        message: String,
    },
    /// End an attempt for a reason that is not its own, at no budget.
    Withdraw {
        /// Which.
        attempt: AttemptId,
        /// Why, for a person.
        message: String,
        /// Whose doing it is; `None` where it is nobody's but the engine's own, and at no budget.
        cause: Option<WithdrawnBy>,
    },
    /// Open a parked task again.
    Retry(TaskId),
    /// Make the result of an accepted task again: it is not in the store any more, or damaged
    /// there.
    Remake(TaskId),
    /// Take back an accepted result, and all that was made from it.
    Discard {
        /// Whose.
        task: TaskId,
        /// Who says so, for a person.
        by: String,
        /// And why.
        why: String,
    },
    /// Forget which key a program's proofs are under, as far as the pipeline does not say it.
    Unpin {
        /// Of which program.
        program: ProgramName,
        /// Who says so, for a person.
        by: String,
        /// And why.
        why: String,
    },
    /// Give no new work to a dispatcher, whichever life of it comes.
    Cordon {
        /// Which.
        dispatcher: DispatcherId,
        /// Who says so, for a person.
        by: String,
        /// And why.
        why: String,
    },
    /// Give it work again.
    Uncordon {
        /// Which.
        dispatcher: DispatcherId,
        /// Who says so, for a person.
        by: String,
        /// And why.
        why: String,
    },
    /// Do the next of what is due. Send it again until it decides nothing.
    Wake,
    /// Hand out what may be tried to who may try it.
    Assign(Vec<Offer>),
}

/// Why an input was refused. Nothing changed, and nothing was recorded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Correct the pipeline: it has these faults.
    #[error("the pipeline has {0} faults")]
    Faults(usize),
    /// Use another log: what this pipeline proves is not what this log has proved so far.
    #[error("the log belongs to another pipeline")]
    AnotherPipeline,
    /// Stop: a later engine has claimed the log.
    #[error("{claimed} is not above {current}")]
    Epoch {
        /// The one refused.
        claimed: Epoch,
        /// The one that holds.
        current: Epoch,
    },
    /// Submit again when some blocks have been released.
    #[error("{open} blocks wait to be released, the limit is {limit}")]
    Full {
        /// So many wait.
        open: usize,
        /// And so many may.
        limit: usize,
    },
    /// Leave out of it what nobody needs: no record of the log could hold it.
    #[error(
        "it would take {bytes} bytes of the log, and no more than {bytes_max} are given to one"
    )]
    TooLarge {
        /// What it would take at most.
        bytes: usize,
        /// [`Limits::input_bytes_max`](crate::Limits::input_bytes_max).
        bytes_max: usize,
    },
    /// Raise the log's bound. What is left of it is for what was taken already.
    #[error(
        "the log has {bytes} of {bytes_max} bytes, and takes no block: the rest is for those it has"
    )]
    NoRoom {
        /// So much is used.
        bytes: u64,
        /// And so much there is.
        bytes_max: u64,
    },
    /// Submit the blocks before it first.
    #[error("block {number} is too far ahead of {tip}")]
    TooFarAhead {
        /// The one refused.
        number: Height,
        /// The canonical tip.
        tip: Height,
    },
    /// Drop it: no log takes such a height.
    #[error("block {number} is past {}, the greatest height that a log takes", Height::MAX)]
    TooHigh {
        /// The one refused.
        number: Height,
    },
    /// Drop it: its number does not follow its parent's.
    #[error("block {number} names block {parent} as its parent")]
    Misnumbered {
        /// The one refused.
        number: Height,
        /// Its parent's.
        parent: Height,
    },
    /// Drop it: the chain here starts later.
    #[error("block {number} is before {start}, where the chain starts")]
    BeforeStart {
        /// The one refused.
        number: Height,
        /// The first canonical block.
        start: Height,
    },
    /// Begin another log: from its first block on, a log's chain starts where it does.
    #[error("the chain starts at {start}: `start` in [source] cannot be another any more")]
    OtherStart {
        /// Where it does.
        start: Height,
    },
    /// Drop it, or use another log: the source has said that no block follows.
    #[error("block {number} is past {last}, where the source ended")]
    PastEnd {
        /// The one refused.
        number: Height,
        /// The last there is.
        last: Height,
    },
    /// Submit the block first, and those between the chain and it.
    #[error("block {0} is not known, or not all blocks are between the chain and it")]
    NotConnected(BlockHash),
    /// Say the head first that it belongs to.
    #[error("block {block} at height {number} is not on the chain, and so cannot be final")]
    NotCanonical {
        /// Its height.
        number: Height,
        /// The one refused.
        block: BlockHash,
    },
    /// Stop, and look: the source contradicts what it has said is final.
    #[error("the source says another block {number} than before, and that all to {last} is final")]
    ContradictsFinal {
        /// The first height at which it would be another.
        number: Height,
        /// The last that is final.
        last: Height,
    },
    /// Submit nothing: this pipeline's blocks are of nodes.
    #[error("the pipeline's blocks are of nodes (source.kind), and none is submitted")]
    NotSubmitted,
    /// Write `heads = true` in `[source]`, with a new log: here blocks are canonical as they come.
    #[error("no source says heads here: `heads` in [source] is not true")]
    NoHeads,
    /// Use another log: whether heads are said is settled from a log's first block on.
    #[error("`heads` in [source] cannot be another any more: blocks are known")]
    OtherHeads,
    /// Give the block a numeric field of that name: the pipeline weighs it.
    #[error("block {number} has no numeric field `{field}`")]
    MissingField {
        /// The block.
        number: Height,
        /// What it lacks.
        field: String,
    },
    /// Ask again in a moment, or submit a block first: the source cannot end here.
    #[error("the source cannot end: {0}")]
    CannotEnd(&'static str),
    /// Nothing to do: blocks may follow, or it is too late.
    #[error("{0}")]
    CannotResume(&'static str),
    /// Take some of them off first: a log has a place for so many.
    #[error("{0} dispatchers are cordoned, and no more can be: uncordon some that are gone")]
    TooManyCordoned(usize),
    /// Nothing to do: it gets work as it is.
    #[error("dispatcher {0} is not cordoned")]
    NotCordoned(DispatcherId),
    /// Tell the dispatcher this; the report changes nothing.
    #[error("nothing is recorded of the report: {0:?}")]
    Answered(Verdict),
    /// Nothing to do: there is no such task, or it is not parked.
    #[error("task {0} is not parked")]
    NotParked(TaskId),
    /// Nothing to do: there is no such task.
    #[error("there is no task {0}")]
    NotRemade(TaskId),
    /// Nothing to do: the task has no result.
    #[error("task {0} has no result that could be taken back")]
    NotDiscarded(TaskId),
    /// Nothing to do. A key that the pipeline names is changed there.
    #[error("no key of program {0} is pinned, nor was one named")]
    NotPinned(ProgramName),
    /// Nothing to do: the attempt has ended.
    #[error("{0} has ended")]
    Ended(AttemptId),
}
