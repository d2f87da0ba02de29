//! The model checker of push0: all that may happen in small clusters of the real engine, one state
//! after the other.
//!
//! ```text
//!   Setting ──▶ World ──every Action──▶ World ──▶ … ──▶ all is done
//!                 │ engines: push0_engine::{Engine, Standby} over push0_log::stream::{Pipe, Append}
//!                 │ the stream: push0_sim's model of JetStream, as it was measured
//!                 │ dispatchers that follow by push0_engine::Followed, and a client
//!                 └ checks after every step; then: from every state, a way to the end
//! ```
//!
//! A simulation draws some of the ways that a world may go; here all of them are gone, by
//! `stateright`. That can be done of small worlds alone. What bounds one is its [`Setting`]: how
//! many are in it, and how often each thing may go wrong.
//!
//! **Identity.** Two worlds are one state where their prints are one (`world`, `node`, `member`,
//! `net`, `truth` say what is in each). A print holds all that what comes next is computed from: so
//! equal prints have equal futures. The engine's scheduler is in it as the turns that it was folded
//! from, which is as good, for replay equals live; and that is checked in every state in which
//! nothing is under way. `tests/identity.rs` holds it to that.
//!
//! **Safety** is a check in every state: one writer, replay equals live, nothing of an older epoch,
//! no promise before its fact, accepted once, released in order and once, a proof kept until it is
//! safe.
//!
//! **Liveness.** `stateright` has properties that hold *eventually*; it finds no counterexample
//! that ends in a circle, and by its own words may miss one where two ways meet. Worlds here have
//! circles (an append that is asked for again and again). So liveness is asked of the whole graph,
//! when all states are known: from every state that was reached there is a way to the end on which
//! nothing more goes wrong. What has no such way is found by going back from the ends.
//!
//! **Time** passes where nothing else can happen: a second, in which everybody says that it is
//! there. What is late is a message that arrives after others. So leases do not end while their
//! holder lives, nor do clocks differ: simulation has that.
//!
//! Not here: a log that is full, away, set back or made again, elections of servers, stages over
//! stages, operators.

mod explore;
mod ground;
mod member;
mod model;
mod net;
mod node;
mod print;
mod setting;
mod truth;
mod world;
mod worlds;

pub use explore::{Explored, Search, Violated, explore};
pub use model::Cluster;
pub use net::Sent;
pub use print::Print;
pub use setting::{Broken, Bus, May, Setting};
pub use world::{Action, Happened, World};
pub use worlds::{DEEP, SMALL};
