//! The example does what it says, and goes on where it was killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

#[test]
fn twenty_blocks_are_proved_and_a_run_that_was_killed_is_gone_on_with() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let dir = tempfile::tempdir().expect("a directory");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_push0-embedded"));
        command.arg("examples/scroll/pipeline.toml").arg(dir.path()).current_dir(root);
        command.stdout(Stdio::piped());
        command
    };
    let mut first = run().spawn().expect("it starts");
    let told = BufReader::new(first.stdout.take().expect("a pipe")).lines();
    assert_eq!(told.take(5).count(), 5, "five proofs");
    first.kill().expect("it is running");
    first.wait().expect("it has ended");
    let second = run().output().expect("it starts");
    let told = String::from_utf8_lossy(&second.stdout).into_owned();
    assert!(second.status.success(), "{told}");
    assert!(told.ends_with("20 blocks are proved by one proof\n"), "{told}");
    // Four of five were recorded when the fifth was told; of 39 that are all there is to prove.
    assert!((30..=35).contains(&(told.lines().count() - 1)), "{told}");
}
