//! What is asked of an engine.

use push0_core::{Arrival, Block, DispatcherId, FromDispatcher, Input, Rejection, Timestamp};

/// Who asks: for each kind of question, what stands for whoever waits for its answer. The engine
/// keeps it, and hands it back with the answer.
pub trait Askers {
    /// Waits for the first refusal, or for none.
    type Ask;
    /// Waits for what became of blocks.
    type Add;
    /// Looks at the state.
    type Look;
    /// Waits for the engine's epoch, and how far its log is durable.
    type Probe;
}

/// Something asked of an engine.
#[derive(Clone, Debug)]
pub enum Request<A: Askers> {
    /// Decide these, in order; the answer is the first refusal, which keeps none of the others from
    /// being decided.
    Ask(Vec<Input>, A::Ask),
    /// Add these blocks, up to the first that is refused or finds no room in its turn.
    Add(Vec<Block>, A::Add),
    /// Take what a dispatcher says.
    Heard(Vec<FromDispatcher>),
    /// This dispatcher's connection was seen to end then.
    Departed(DispatcherId, Timestamp),
    /// Show the state, as far as it is durable.
    Look(A::Look),
    /// Say how far the log is durable, once it has answered.
    Probe(A::Probe),
    /// Grant nothing more.
    Drain,
}

/// What became of some blocks, in order.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// How each block that was taken stood to the chain when it came; one for each block that was
    /// taken.
    pub arrivals: Vec<Arrival>,
    /// Why the next one was not.
    pub refused: Option<Rejection>,
}

/// An answer, and who waits for it.
pub(crate) type Answered<A> = (<A as Askers>::Ask, Result<(), Rejection>);

/// What a turn is to take.
pub(crate) enum Work<A: Askers> {
    /// As it was asked.
    Asked(Request<A>),
    /// What is left of some inputs that began before, with the answer so far where somebody waits
    /// for it.
    Rest(Vec<Input>, Option<Answered<A>>),
}
