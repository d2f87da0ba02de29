//! Many machines: engines, dispatchers and clients that meet at NATS.
//!
//! ```text
//!   push0 submit ──ask──▶ push0 serve ──grants──▶ push0 dispatch
//!                          │ (others stand by)  ◀──beats, reports──┘
//!                          ▼
//!                    log on JetStream ──follow──▶ push0 proofs
//! ```
//!
//! The log is the truth, and whoever appends to it leads: there is no other election. What is
//! published beside it (`PREFIX.engine.*`, `PREFIX.dispatcher.*`) may be lost, doubled or late.
//!
//! | subject                     | from           | to                          |
//! |-----------------------------|----------------|-----------------------------|
//! | `PREFIX.log.*.*`            | engine         | the log's stream            |
//! | `PREFIX.engine.beat`        | the leader     | engines, dispatchers        |
//! | `PREFIX.engine.hear.ID`     | one dispatcher | engines; the leader hears   |
//! | `PREFIX.engine.read`, `.submit`, `.operate` | readers, clients, operators | engines; the leader answers |
//! | `PREFIX.present`            | readers        | all, who answer that they are there |
//! | `PREFIX.output.ID`          | readers        | dispatcher `ID`, which answers what its attempts print |
//! | `PREFIX.dispatcher.ID.LIFE` | the leader     | one life of a dispatcher    |
//!
//! Who may publish and hear what is kept by the servers (`docs/nats.md`).
//!
//! Not here: what the engine decides (`engine`), how provers run (`push0_dispatch`), what durable
//! means (`push0_log`).

mod apply;
mod args;
mod asked;
mod bound;
mod bus;
mod client;
mod cordon;
mod count;
mod cut;
mod departures;
mod dispatch;
mod ears;
mod error;
mod exit;
mod facts;
mod finish;
mod glance;
mod head;
mod hook;
mod host;
mod lead;
mod leave;
mod leaving;
mod links;
mod lives;
mod metrics;
mod outputs;
mod owned;
mod present;
mod proofs;
mod rate;
mod reached;
mod recalls;
mod remake;
mod replica;
mod retry;
mod right;
mod role;
mod serve;
mod settings;
mod sizes;
mod status;
mod submit;
mod submitter;
mod take_back;
mod threads;
mod trace;
mod unled;
mod wire;
mod witness;

pub use self::bus::{BEAT, Bus, hear, life, read};
pub use self::submitter::Submitter;
pub use self::wire::{Answer, Ask, Down, LeaderBeat, NotTaken, Unnamed};

pub(crate) use self::apply::{apply, discard, retry, unpin};
pub(crate) use self::args::{
    ApplyArgs, CordonArgs, DiscardArgs, DispatchArgs, DrainArgs, FinishArgs, HeadArgs, ProofsArgs,
    RetryArgs, SaidArgs, ServeArgs, SubmitArgs, UncordonArgs, UnpinArgs,
};
pub(crate) use self::cordon::{cordon, drain, uncordon};
pub(crate) use self::dispatch::dispatch;
pub(crate) use self::error::ClusterError;
pub(crate) use self::facts::{Facts, recorded};
pub(crate) use self::finish::finish;
pub(crate) use self::head::head;
pub(crate) use self::outputs::{Asker, QuestionOutcome};
pub(crate) use self::proofs::proofs;
pub(crate) use self::role::Role;
pub(crate) use self::serve::{runtime, serve};
pub(crate) use self::settings::ClusterArgs;
pub(crate) use self::sizes::fits;
pub(crate) use self::status::{StatusAsker, is_led};
pub(crate) use self::submit::submit;
