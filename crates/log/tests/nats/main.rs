//! The log on JetStream, on real servers: one alone, and three that keep a stream together.
//!
//! Not here: what every log must keep (`conformance`), which runs here on both.

mod begin;
mod cluster;
mod credentials;
mod deploy;
mod follow;
mod full;
mod promises;
mod race;
mod refuse;
mod replaced;
mod settle;
mod tls;
mod troubles;
mod world;
