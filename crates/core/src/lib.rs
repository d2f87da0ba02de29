//! The push0 scheduler: a pure state machine over a log of facts.

mod block;
mod digest;
mod event;
mod grant;
mod id;
mod key;
mod name;
mod pipeline;
mod time;

pub use block::Block;
pub use digest::{BlockHash, Digest, NotAHash, TaskId, Vkey};
pub use event::{ClosedBy, Event, FailureClass, ParkedBy, ReopenedBy, ResultRef, Turn};
pub use grant::{
    Beat, Bound, Capacity, FromDispatcher, Grant, Outcome, Report, ToDispatcher, Verdict,
};
pub use id::{AttemptId, ChainId, Epoch, Height, ReleaseNumber, Seq};
pub use key::{InputId, Key, NotAnInput};
pub use name::{DispatcherId, NotAName, PipelineName, ProgramName, StageName};
pub use pipeline::{
    Bounds, Budgets, Collect, Contract, Fault, Give, Inflow, Output, Pipeline, PipelineSpec,
    Program, ProgramSpec, ReleaseSpec, Source, SourceKind, SourceSpec, Stage, StageIndex,
    StageSpec, Weights,
};
pub use time::{Deadline, Timestamp};
