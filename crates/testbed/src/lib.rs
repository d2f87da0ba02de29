//! Real NATS servers on loopback, a wire to them that can be cut, a server that speaks S3, and
//! programs to run. For tests alone.
//!
//! ```text
//!   test ──▶ Nats ──starts, kills, freezes──▶ nats-server (one, or three with routes)
//!     ├────▶ Proxy ──a wire that loses what it is told to lose──▶ one of them
//!     └────▶ S3 ──a bucket, as files of a directory
//! ```
//!
//! Everything here blocks, panics where it cannot do what it is asked, and waits for what it waits
//! for: for a server's own word, with a bound, and never for time alone. Servers listen on
//! 127.0.0.1, keep their files in a temporary directory, and are ended by their ids when [`Nats`]
//! is dropped.
//!
//! Not here: a client of NATS. What a server says of itself comes from its monitoring port.

#![expect(
    clippy::missing_panics_doc,
    reason = "everything here panics where it cannot do as asked"
)]

mod anvil;
#[cfg(feature = "tls")]
mod certificates;
mod monitor;
mod nats;
mod ports;
mod program;
mod proxy;
#[cfg(feature = "s3")]
mod s3;
mod wait;

pub use anvil::Anvil;
#[cfg(feature = "tls")]
pub use certificates::certificates;
pub use nats::{Nats, Settings, binary};
pub use ports::free_ports;
pub use program::program;
pub use proxy::{Proxy, SLOW, Wire};
#[cfg(feature = "s3")]
pub use s3::{Keys, S3, serve as serve_s3};
pub use wait::{PATIENCE, until};
