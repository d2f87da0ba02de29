//! What the tests run push0 with: a world of its own for each, whose processes end with it.
//!
//! Not here: any claim about push0.

mod binaries;
mod blocks;
mod chance;
mod child;
mod history;
mod pipelines;
mod processes;
mod world;

pub(crate) use self::binaries::{mock, push0 as binary, workspace};
pub(crate) use self::blocks::{blocks, chain, header_hash, lines};
pub(crate) use self::chance::{Chance, kills};
pub(crate) use self::child::Ended;
pub(crate) use self::history::History;
pub(crate) use self::pipelines::{head, leaf_and_tree};
pub(crate) use self::processes::Process;
pub(crate) use self::world::{World, flip};
