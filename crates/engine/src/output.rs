//! What an engine hands out, beside records and messages.

use std::time::Duration;

use push0_core::{BlockHash, Epoch, Rejection, Seq, Timestamp, Turn};

use crate::request::{Admission, Askers};
use crate::telling::Announcement;

/// What leaves an engine. All of it rests on what is durable.
#[derive(Clone, Debug)]
pub enum Output<A: Askers> {
    /// Answer who asked.
    Answered(A::Ask, Result<(), Rejection>),
    /// Answer who added blocks.
    Added(A::Add, Admission),
    /// Show the state now, before anything else is handed in: all of it is durable.
    Look(A::Look),
    /// Answer who probed.
    Probed(A::Probe, Epoch, Seq),
    /// Have the source deliver the payload of this block again.
    AskSource(BlockHash),
    /// A turn is durable.
    Durable(Durable),
}

/// A durable turn, for people.
#[derive(Clone, Debug)]
pub struct Durable {
    /// The turn.
    pub turn: Turn,
    /// What of it people are told.
    pub told: Vec<Announcement>,
    /// For each result that it accepted: when its attempt was granted, and how long its prover ran.
    pub accepted: Vec<(Timestamp, Duration)>,
}
