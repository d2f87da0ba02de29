//! The shell around the scheduler: files, processes, the command line. It decides nothing.

pub mod cli;
pub mod pipeline_file;
pub mod run;
pub mod source;
pub mod clock;
pub mod engine;
pub mod lines;
pub mod programs;
pub mod sys;
