//! What is true of the scheduler whatever happens to it.
//!
//! A world is driven by random steps; each property is a claim about it. A property stays only
//! while it dies of some mutant that no other kills; which one, the commit that brought it says.
//!
//! Not here: what one rule says on a simple day (unit tests beside the rules).

#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a property names the few events it is about, and what is not there is a failure"
)]

mod durability;
mod heads;
mod liveness;
mod machine;
mod order;
mod pipelines;
mod results;
mod safety;
mod settle;
mod shape;
mod source;
mod steps;
mod universe;
mod world;
