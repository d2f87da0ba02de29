//! The shell around the scheduler: files, processes, the command line. It decides nothing.

pub mod pipeline_file;
pub mod source;
