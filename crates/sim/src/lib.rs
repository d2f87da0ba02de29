//! The deterministic simulation of push0: the real engine and the real log in a cruel world.
//!
//! ```text
//!   seed ──▶ Scenario ──▶ World ──▶ Outcome
//!              │            │ agenda: virtual time, one thread
//!              │            ├ engine: push0_engine + push0_log over a faulty disk
//!              │            ├ dispatchers with their provers, source, reader, operator
//!              ▼            └ watch: every check after every step
//!           Faults: swarm weights, each strike with a number
//! ```
//!
//! What few worlds have is drawn apart (`scenario`), so that most are as they were: many blocks,
//! GPUs, declared keys, a machine that is always bad. What is checked is said from the log as the
//! simulator reads it (`ledger`), in its own words; why something happened is a value, never a
//! message's text. `tools/mutants` breaks one rule of core or engine at a time, by the patches in
//! `mutants/`, and says which check sees it.
//!
//! A world that fails has a [`Story`]; [`shrink`](fn@shrink) finds a shorter one that fails alike.
//!
//! What is real: all of `push0-core` and of `push0-engine`, and the file log with its recovery.
//! What is mirrored: what drives the engine (`engine`), and what the dispatcher promises, in far
//! less code. An engine that is one process with its dispatchers waits for its log, as over a file;
//! another decides ahead of it, as over NATS. In a cluster (`cluster`) several engines write one
//! log on a stream: real are there the rules by which one claims it, and by which it knows what
//! became of an append; the stream is a model of what was measured on nats-server.
//!
//! What is not simulated: the shell (tokio, channels and their bounds, files of proofs, the command
//! line), real processes and signals, the thread that fills the log's next segment, two versions of
//! push0 at once, heads in a cluster, deadlines, quorums. A last frame that was durable and is
//! damaged afterwards is not simulated either: a log cannot tell it from one that was never whole.

mod agenda;
mod broken;
mod chance;
mod check;
mod clock;
mod cluster;
mod disk;
mod dispatcher;
mod engine;
mod fault;
mod ledger;
mod live;
mod model;
mod order;
mod pipelines;
mod scenario;
mod shrink;
mod store;
mod story;
mod truth;
mod watch;
mod world;

#[doc(hidden)]
pub use broken::Broken;
pub use check::{Check, Violation};
#[doc(hidden)]
pub use cluster::stream;
pub use fault::{Fault, Strike, Struck};
pub use shrink::{Shrunk, shrink};
pub use story::{Outcome, Story};
