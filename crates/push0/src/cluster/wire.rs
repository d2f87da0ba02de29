//! What is said on the bus, as JSON.
//!
//! Reports and grants may hold whatever a prover printed, as far as the core bounds it; payloads
//! and proofs are never in a message.

use push0_core::{
    Arrival, Block, BlockHash, DispatcherId, Epoch, HeadNumber, PipelineSpec, ProgramName,
    ReleaseNumber, Seq, TaskId, Timestamp, ToDispatcher,
};
use serde::{Deserialize, Serialize};

use super::submitter::Submitter;
use crate::status::{DispatcherView, EngineView, Status, Subject};

/// From the leading engine to everybody: it leads, and its log answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LeaderBeat {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its name.
    pub engine: String,
    /// The last event that it knows to be durable.
    pub last: Seq,
    /// The identity of its store.
    pub store: String,
    /// What its wall clock says.
    pub at: Timestamp,
    /// The identity of its log; empty from an engine of before.
    #[serde(default)]
    pub log: String,
    /// Which history of that log it writes: another one since it claimed it. A log that was put
    /// back to an older copy goes on with epochs and numbers that were used before.
    #[serde(default)]
    pub history: String,
}

/// From every process to who asks who is there, by its own word.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Present {
    Engine(EngineView),
    Dispatcher(DispatcherView),
}

/// From the leading engine to one life of a dispatcher.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Down {
    /// The sender's.
    pub epoch: Epoch,
    /// What one turn has for it, in order.
    pub messages: Vec<ToDispatcher>,
    /// Whether it is not heard, since another dispatcher of its name is at work.
    #[serde(default, skip_serializing_if = "is_false")]
    pub name_is_taken: bool,
    /// Who asks it to leave: to take nothing new, end what runs, and go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// From a client to whoever leads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Add these blocks, in this order; their payloads are in the store. Answered as clients of
    /// before 0.2 read it.
    Submit(Vec<Block>),
    /// Likewise, and say how each stands.
    Add(Vec<Block>),
    /// Say whether blocks that are read so may be added: asked before the first.
    Reads(Submitter),
    /// The chain ends in this block now; the number of that word, where who says it counts them.
    Head {
        block: BlockHash,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<HeadNumber>,
    },
    /// This block is final, and all before it.
    Final(BlockHash),
    /// No block follows. On the wire as clients of before say it.
    #[serde(rename = "drain")]
    Finish,
    /// Blocks follow after all.
    Unfinish { by: String, why: String },
    /// Have these dispatchers leave, or all: each ends what runs, and goes.
    Leave {
        dispatchers: Vec<DispatcherId>,
        #[serde(default)]
        all: bool,
        by: String,
    },
    /// Keep new work from these dispatchers.
    Cordon { dispatchers: Vec<DispatcherId>, by: String, why: String },
    /// Let them have work again.
    Uncordon { dispatchers: Vec<DispatcherId>, by: String, why: String },
    /// Make this task's result again: the store has lost it.
    Remake(TaskId),
    /// Say how far it is.
    Status,
    /// Say why this is where it is.
    Explain(Subject),
    /// Go on with this pipeline, which proves the same.
    Apply(Box<PipelineSpec>),
    /// Try these parked tasks again, each named by the first digits of its id.
    Retry(Vec<String>),
    /// Try all parked tasks again.
    RetryAll,
    /// Say how far the log is: from there on what is asked counts as heard.
    Position,
    /// Take back the results of these tasks, each named by the first digits of its id, and all that
    /// was made from them.
    Discard {
        tasks: Vec<String>,
        by: String,
        why: String,
        /// How far the log was when it was asked first. What was taken back after that is not taken
        /// back again. Clients of before 0.2 do not say it: each of their questions takes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Seq>,
    },
    /// Forget what is pinned and was named of a program's key.
    Unpin {
        program: ProgramName,
        by: String,
        why: String,
        /// Likewise: what was named after that is not forgotten.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Seq>,
    },
}

/// What the leader answers, once it is durable.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done, to so many.
    Done(usize),
    Status(Box<Status>),
    /// So many blocks were taken, and no more for now: ask again with the others.
    Later {
        taken: usize,
    },
    /// After so many blocks that were taken.
    Refused {
        taken: usize,
        reason: String,
    },
    /// So the first of the blocks stand; why not all of them were taken, if so.
    Added {
        arrivals: Vec<Arrival>,
        #[serde(default)]
        left: Option<NotTaken>,
    },
    /// So many tasks are open again, and these releases are recalled.
    Discarded {
        tasks: u64,
        #[serde(default)]
        released: Vec<ReleaseNumber>,
    },
    /// So far the log is.
    Position(Seq),
    /// So many dispatchers leave; these have not said so, and of these names nobody is heard.
    Leaving {
        leaving: usize,
        silent: Vec<String>,
        unheard: Vec<String>,
        /// Who is there, where somebody who was named is not.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        there: Vec<String>,
        /// How many more are silent, or there, than this message has room for.
        #[serde(default, skip_serializing_if = "Unnamed::is_none")]
        unnamed: Unnamed,
    },
    /// It is so of all of them now; of these names nobody is heard.
    Cordoned {
        unheard: Vec<String>,
    },
}

/// How many there are beside those that an answer names.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unnamed {
    #[serde(default)]
    pub silent: usize,
    #[serde(default)]
    pub there: usize,
}

impl Unnamed {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a block was not taken.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotTaken {
    /// There is no room for now: ask again.
    Later,
    /// The log has no room for blocks, until somebody makes some: in what way.
    Full(String),
    /// For this reason.
    Refused(String),
}
