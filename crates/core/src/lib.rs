//! The push0 scheduler: a pure state machine over a log of facts.
//!
//! Its caller owns the clock, the log and the wire; it hands in [`Input`]s and the time, records
//! the [`Event`]s that come out, and performs the [`Effect`]s that their durability lets go.
//!
//! ```text
//!   Input ──decide──▶ [Event] ──apply_all──▶ Scheduler ──poll_effect──▶ Effect
//!                        └──append──▶ log ──replay──▶ Scheduler
//! ```
//!
//! Not here: any I/O, clock, thread, randomness or logging.

mod attempt;
mod block;
mod by_hash;
mod causes;
mod chain;
mod collect;
mod counted;
mod digest;
mod event;
mod failure;
mod fleet;
mod grant;
mod id;
mod input;
mod key;
mod limits;
mod name;
mod pipeline;
mod plain;
mod queue;
mod reading;
mod release;
mod scheduler;
mod secrets;
mod task;
mod task_id;
mod time;
mod weight;

pub use attempt::{Attempt, Does};
pub use block::Block;
pub use causes::causes;
pub use chain::{Arrival, Chain, KnownBlock, Standing};
pub use counted::counted;
pub use digest::{BlockHash, Digest, NotAHash, TaskId, Vkey};
pub use event::{
    ClosedBy, Event, FailureClass, ParkedBy, ReopenedBy, ResultRef, Turn, WithdrawnBy,
};
pub use failure::Tally;
pub use fleet::Fleet;
pub use grant::{
    Beat, Bound, Capacity, FromDispatcher, Grant, Life, Outcome, Programs, Report, ToDispatcher,
    Verdict,
};
pub use id::{AttemptId, ChainId, Epoch, HeadNumber, Height, ReleaseNumber, Seq};
pub use input::{Input, Rejection};
pub use key::{InputId, Key, NotAnInput};
pub use limits::Limits;
pub use name::{DispatcherId, NotAName, PipelineName, ProgramName, StageName};
pub use pipeline::{
    Asking, Believes, BlockHashing, Bounds, Budgets, Canonical, Collect, Contract, Fault, Finality,
    Give, Inflow, NodePayload, NodeSource, Output, Pipeline, PipelineSpec, Program, ProgramSpec,
    ReleaseSpec, Source, SourceKind, SourceSpec, Stage, StageIndex, StageSpec, Surroundings,
    Weights,
};
pub use plain::{plain, plain_json, plain_lines};
pub use queue::Offer;
pub use release::Release;
pub use scheduler::{
    Aside, Cordon, Effect, EndCounts, Reference, Referred, RunStats, Scheduler, StageView, Totals,
    Whereabouts,
};
pub use secrets::{Named, without_secrets};
pub use task::{Discarded, IllegalEvent, Task, TaskResult, TaskState};
pub use time::{Deadline, Timestamp};
