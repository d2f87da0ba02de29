//! `push0 bench` becomes the program beside it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

#[test]
fn bench_hands_all_that_follows_to_the_program_beside_it() {
    let dir = beside_nothing();
    symlink("/bin/echo", dir.path().join("push0-bench")).expect("a link");
    let output = bench(&dir, &["overhead", "--log", "file", "--help"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "overhead --log file --help\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn bench_with_nothing_beside_it_says_how_to_build_it() {
    let dir = beside_nothing();
    for args in [&["overhead"], &["--help"]] {
        let output = bench(&dir, args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("`cargo build --release`"), "{said}");
    }
}

/// The binary in a folder of its own. Linked, not copied: a file that was just written may be
/// refused as busy.
fn beside_nothing() -> TempDir {
    let binary = Path::new(env!("CARGO_BIN_EXE_push0"));
    let dir = tempfile::tempdir_in(binary.parent().expect("a folder")).expect("a directory");
    fs::hard_link(binary, dir.path().join("push0")).expect("a link");
    dir
}

fn bench(dir: &TempDir, args: &[&str]) -> Output {
    let push0 = dir.path().join("push0");
    Command::new(push0).arg("bench").args(args).output().expect("a process")
}
