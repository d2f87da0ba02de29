//! Which commit this is built of, for the results: `PUSH0_COMMIT`, of the environment or as git has
//! it.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, io};

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "cargo:rerun-if-env-changed=PUSH0_COMMIT")?;
    // What is changed below `crates` makes a tree that is clean dirty; a commit makes one that is
    // dirty clean.
    for path in ["..", "../../.git/HEAD", "../../.git/logs/HEAD"] {
        if Path::new(path).exists() {
            writeln!(out, "cargo:rerun-if-changed={path}")?;
        }
    }
    let commit = env::var("PUSH0_COMMIT").ok().or_else(commit);
    writeln!(out, "cargo:rustc-env=PUSH0_COMMIT={}", commit.as_deref().unwrap_or("unknown"))
}

/// Of this checkout and no other that it may lie in: short, with `-dirty` where tracked files
/// differ from it. None where this is no checkout, or there is no git.
fn commit() -> Option<String> {
    let git = ["--git-dir=../../.git", "--work-tree=../.."];
    let output = Command::new("git")
        .args(git)
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}
