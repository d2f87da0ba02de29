//! `push0 run` from outside: real processes over real directories, killed, damaged and interrupted.
//!
//! Most tests run the mock, which takes as long as it is told; those in `real` prove. Two variables
//! make a longer look of `kills` and `real` by hand:
//!
//! ```text
//!   PUSH0_TEST_KILLS   how often push0 is killed
//!   PUSH0_TEST_SEED    the moments again that a run before has printed
//! ```
//!
//! Not here: the other commands (`tests/cli`).

#![expect(clippy::indexing_slicing, reason = "a JSON value has null where it has nothing")]

mod artifacts;
mod damage;
mod demos;
mod endings;
mod followed;
mod foreign;
mod full;
mod interrupts;
mod kills;
mod live;
mod manners;
mod node;
mod parked;
mod published;
mod real;
mod removed;
mod shapes;
mod sources;
mod support;
mod told;
mod unruly;
