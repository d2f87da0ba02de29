//! What an engine says waits for nobody who reads it.

use std::io::{self, Write as _};

use push0_testbed::until;
use rustix::process::{Pid, Signal, kill_process};

use crate::world::{BLOCKS, World};

#[test]
fn an_engine_whose_words_nobody_reads_leads_and_hears_of_its_end() {
    let mut world = World::new(1, "20ms");
    let (unread, mut full) = io::pipe().expect("a pipe");
    full.write_all(&[b' '; PIPE_BYTES]).expect("it has room");
    let mut command = world.command(&["serve", "pipeline.toml", "--name", "e1"]);
    let mut engine = command.stderr(full).spawn().expect("it starts");
    drop(command); // and its end of the pipe
    world.dispatch("d1");
    world.submit();
    world.wait_accepted(BLOCKS);
    world.status_of(&["e1"], &["d1"]);
    kill_process(Pid::from_child(&engine), Signal::TERM).expect("it is ours");
    until("the engine does not end", || engine.try_wait().expect("it is ours"));
    drop(unread);
}

/// What a pipe takes before who writes waits.
const PIPE_BYTES: usize = 64 << 10;
