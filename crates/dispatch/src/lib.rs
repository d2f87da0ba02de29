//! Runs provers: takes grants, starts and watches processes, verifies what they make, reports.
//!
//! ```text
//!   engine ──ToDispatcher──▶ dispatch thread ──spawns──▶ provers, verifiers
//!                              │      ▲ └──put──▶ store
//!                              ▼      │
//!                             board ──┴─▶ beat thread ──FromDispatcher──▶ engine
//! ```
//!
//! Invariants:
//! - every process is spawned by one thread that lives as long as the dispatcher and does nothing
//!   else, since the kernel ends a prover with the *thread* that spawned it;
//! - the dispatch thread asks no disk: one that hangs holds neither deadlines, nor cancels, nor the
//!   end;
//! - heartbeats come from a thread that waits for nothing but the clock and one short lock;
//! - a result is durable in the store before its report leaves, and a report is sent again with
//!   every beat until a verdict comes;
//! - a proof outlives its verifier's failures and the store's: both are tried again while the
//!   engine's lease leaves room;
//! - when an attempt has ended, nothing that it started runs any more, and its directory is gone.
//!
//! Not here: which task goes where (`push0-core`), how messages travel (`push0`), and what a prover
//! proves (`push0-prover` holds the formats that it speaks).

mod about;
mod aside;
mod attempt;
mod away;
mod beat;
mod board;
pub mod bounded;
mod cgroup;
mod config;
mod context;
mod desk;
mod dispatcher;
mod environment;
mod exit;
mod file;
mod folder;
mod gpus;
mod guardian;
mod held;
mod identity;
mod incarnation;
mod input;
mod judges;
mod lives;
mod logs;
pub mod mark;
mod memory;
mod notice;
mod orphans;
mod output;
mod outputs;
mod place;
mod pool;
mod process;
mod procfs;
mod programs;
mod progress;
mod random;
mod reclaim;
mod reins;
mod retry;
mod room;
mod rooms;
mod serve;
mod shelf;
mod spares;
mod spawner;
mod startable;
mod store;
mod sys;
mod tail;
mod tried;
mod unjudged;
mod user;
mod users;
mod verdict;
mod verify;

pub use about::{About, Now, Step};
pub use board::{Doing, Running, View};
pub use cgroup::{MemoryLimit, memory_limit_bytes};
pub use config::{Config, ProgramConfig, Retry};
pub use dispatcher::{Dispatcher, StartError, Started, start, start_with};
pub use environment::environment;
pub use folder::own as own_dir;
pub use gpus::{Elsewhere, Gpus, Visible, present as gpus_present};
pub use identity::own_user;
pub use incarnation::last_life;
pub use lives::TAG;
pub use logs::{AttemptLog, attempt_log, attempt_logs};
pub use memory::more_than;
pub use notice::{AttemptFailed, Notice};
pub use orphans::end_marked;
pub use output::Artifact;
pub use outputs::{OutputAnswer, OutputAsk, Outputs};
pub use place::take as take_dir;
pub use procfs::children;
pub use progress::is_progress;
pub use reclaim::Reclaim;
pub use room::{Room, taken_bytes};
pub use serve::fuzzing;
pub use startable::{startable, unstartable};
pub use store::{
    Access, Bucket, KeptOutput, NoBucket, Owner, ReadError, S3Config, Store, StoreError, Stored,
    TieError, is_older_store, remedy_for,
};
pub use sys::{become_program, clock_is_synchronized, die_with_parent, shorten_time_slice};
pub use tail::Piece;
pub use user::{NoUser, can_run_as, run_as};
pub use verdict::{Ending, Verdict, VerdictReader};
