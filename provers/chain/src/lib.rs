//! A prover of chains of blocks, with real recursion: one short proof for a span of any length.
//!
//! ```text
//!    block ──▶ leaf ─┐
//!                    ├─▶ aggregate ─┐
//!    block ──▶ leaf ─┘              ├─▶ aggregate ──▶ …        each arrow: a proof and a Statement
//!    block ──▶ leaf ────────────────┘
//! ```
//!
//! A [`Statement`] is all that a proof says, and the README says it in words. [`Chain`] makes
//! proofs, [`Key`] checks them. Leaf and aggregate have one shape, so an aggregate takes either as
//! a child, and a proof of one block is a final proof as good as any other.
//!
//! Not here: execution, and whether a block's hash is the hash of its header. Neither is proved.

mod block;
mod cache;
mod chain;
mod circuit;
mod key;
mod statement;

pub use block::{Block, BlockError};
pub use cache::{CacheError, Source};
pub use chain::{Chain, ProveError, SetUp, Stage};
pub use circuit::{Shape, ShapeError};
pub use key::{Key, KeyError, Proof, VerifyError};
pub use statement::{Commitment, JoinError, Statement, StatementError};
