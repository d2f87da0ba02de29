//! The command line, from outside: the real binary over data directories that tests have made.
//!
//! Not here: `push0 run`, but for that of provers in Python.

mod bench;
mod check;
mod deploy;
mod dev;
mod doctor;
mod files;
mod help;
mod init;
mod log;
mod logs;
mod memory;
mod pages;
mod proofs;
mod python;
mod secrets;
mod status;
mod submit;
mod tell;
mod trial;
mod verify;
mod world;
