//! Where what leaves the engine goes.
//!
//! Nothing depends on one message: one that is lost, late or doubled does no harm, since each beat
//! of a dispatcher and what it is answered carry the whole truth.
//!
//! Not here: what is sent (`push0_core::Fleet`), and how it is heard (`Handle::heard`).

use std::time::Duration;

use push0_core::{Life, ToDispatcher, Turn};
use tokio::sync::mpsc;

use crate::tell::Line;

/// Where what leaves the engine goes. Each is bounded; what finds no room is left out, for it comes
/// again: grants and cancels with the next beat, payloads at the next start.
pub struct Ports {
    /// To the dispatchers.
    pub post: Box<dyn Post>,
    /// Blocks whose payload the source should deliver again.
    pub source: mpsc::Sender<push0_core::BlockHash>,
    /// Every durable turn, for people.
    pub turns: mpsc::Sender<TurnReport>,
    /// Whether they want a line for each event.
    pub lines: bool,
}

/// A durable turn, with what a person should be told of it.
#[derive(Debug, Default)]
pub struct TurnReport {
    /// A line for each of its events; of very many, not for all.
    pub lines: Vec<Line>,
    /// For each result it accepted: the time from grant to durable acceptance, less the prover's
    /// own.
    pub overheads: Vec<Duration>,
    /// What keeps the turn from becoming durable, where something does.
    pub warning: Option<String>,
    /// The turn itself, once it is durable.
    pub turn: Option<Turn>,
    /// How long that took from its decision.
    pub append: Option<Duration>,
    /// How many turns before it found no room on the way here.
    pub missed: u64,
}

/// Carries messages to dispatchers, as well as it can.
pub trait Post: Send {
    /// Sends what one turn has for this life of a dispatcher, to it and to no other, or leaves it
    /// out. Never blocks.
    fn send(&self, to: &Life, messages: Vec<ToDispatcher>);
}

/// To the one dispatcher of this process, which has one life.
impl Post for mpsc::Sender<ToDispatcher> {
    fn send(&self, _to: &Life, messages: Vec<ToDispatcher>) {
        for message in messages {
            let _ = self.try_send(message); // without room it is left out
        }
    }
}
