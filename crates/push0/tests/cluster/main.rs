//! Clusters of real processes over real NATS servers, and what befalls them. A file for each
//! scenario.
//!
//! After each: every block is released once, in order, without a gap; nothing was accepted twice;
//! nothing is left waiting. Times of recovery are printed (`--nocapture`), and judged by nobody
//! here.

mod abused;
mod alive;
#[expect(dead_code, reason = "shared with the tests of `run`, which need more of it")]
#[path = "../run/support/binaries.rs"]
mod binaries;
mod both_engines_killed;
mod busy;
mod clocks;
mod cut_off;
mod dispatcher_frozen;
mod dispatcher_killed;
mod engines_at_once;
mod gpus;
mod heads;
mod hooked;
mod hostile;
mod leader_frozen;
mod leader_killed;
mod leaving;
mod links;
mod metrics;
mod nats_killed;
mod no_consumers;
mod of_nodes;
mod operators;
mod orphan;
mod outputs;
mod over_s3;
#[path = "hostile/peer.rs"]
mod peer;
mod proofs_lost;
mod prover_killed;
mod quiet;
mod results_held;
mod roles;
mod rolling;
mod secured;
mod sick;
mod store_of_one_log;
mod stream_replaced;
mod taken_back;
mod told_twice;
mod traced;
mod unread;
#[expect(dead_code, reason = "shared with the soak, which needs more of it")]
mod user;
mod whys;
#[expect(dead_code, reason = "shared with the soak, which needs more of it")]
mod world;
