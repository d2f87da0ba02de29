//! The engine's turn, without I/O: it owns the scheduler and the fleet, and never waits.
//!
//! Whoever drives it has the clock, the log and the wire. It hands in what is asked and what the
//! log says, each with the time, and takes out what is to be appended, sent and answered.
//!
//! ```text
//!   handle_request ──▶ inbox ──handle_timeout──▶ turn ──▶ poll_append ──▶ (the log)
//!                                                  │                         │
//!                       grants: poll_transmit ◀────┘     handle_landed ◀─────┘
//!                                                              │
//!             verdicts, cancels: poll_transmit ◀───────────────┼──▶ answers: poll_output
//! ```
//!
//! No promise leaves before its cause is durable: not a verdict, not an answer, not a release. Work
//! may begin before: a grant leaves as soon as it is decided, once the claim of this engine is
//! durable (`docs/decisions/005-grants-leave-early.md`).
//!
//! Not here: what an input means (`push0_core`), what durable means (`push0_log`), and how any of
//! it travels.

mod audit;
mod copied;
mod decide;
mod engine;
mod followed;
mod gathered;
mod hear;
mod leaves;
mod mail;
mod output;
mod request;
mod room;
mod standby;
mod telling;
mod trouble;
mod waiting;

pub use audit::Audit;
pub use copied::Copied;
pub use engine::{Engine, SILENCE_MAX, Settings};
pub use followed::{BeatMeaning, Followed, Reign};
pub use output::{Durable, Output};
pub use request::{Admission, Askers, Request};
pub use room::{BLOCKS_SHARE, Filling, Room};
pub use standby::{
    APART_PATIENCE, Beat, Claims, LEADER_BEAT, LEADER_SILENCE, ReadOutcome, STEP, Standby,
};
pub use telling::Announcement;
pub use trouble::{ROOM_WAIT, Refused};
pub use waiting::TURNS_MAX;
