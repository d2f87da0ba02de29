//! A log that is a stream of messages: what stands where, and what became of an append. Without any
//! server.
//!
//! The log on JetStream is made of it (`nats`), and so is the one of the simulation, which so goes
//! by the same rules.
//!
//! Not here: how a server is asked (`nats`).

mod append;
mod chain;
mod pipe;
mod probe;
mod standing;

pub use append::{Append, Ask, Next, PublishAnswer, ReadFailure};
#[cfg(feature = "nats")]
pub(crate) use chain::outline;
pub use chain::{Position, Stored, genesis};
pub use pipe::{Pipe, Place, Record, subject_of};
pub use probe::probed;
pub use standing::{Extent, Looks};

pub use crate::scan::Unreadable;
