//! The file log, on real directories and on a disk that loses what was not synced.
//!
//! Not here: what every log must keep (`conformance`), which runs here on a directory.

mod damage;
mod directory;
mod disk;
mod fixture;
mod power_loss;
mod turns;
