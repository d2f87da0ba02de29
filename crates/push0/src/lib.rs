//! The shell around the scheduler: files, processes, the command line. It decides nothing.

mod alive;
mod bounded;
mod child;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod data;
mod dev;
mod directory;
mod doctor;
pub mod engine;
pub mod exit;
mod facts;
mod finding;
#[cfg(test)]
mod fixture;
mod gpus;
mod interrupts;
pub mod lines;
mod live;
mod notices;
mod output;
pub mod programs;
pub mod publish;
pub mod run;
pub mod status;
pub mod sweep;
mod telemetry;
pub mod tell;
mod temporary;
mod trial;
pub mod verifier;
