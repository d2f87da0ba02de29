//! Programs in a shell, for what runs them at once.
//!
//! Not here: what they do.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program that the same process may run at once.
///
/// A child writes it. A file that anything has open for writing cannot be run, and whatever another
/// thread of this process starts meanwhile has for a moment all that this process has open.
pub fn program(path: &Path, body: &str) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).stdin(Stdio::piped());
    let mut child = shell.spawn().expect("a shell");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(format!("#!/bin/sh\n{body}\n").as_bytes()).expect("it reads");
    drop(stdin);
    let ended = child.wait().expect("it is a child");
    assert!(ended.success(), "{} is not written: {ended}", path.display());
}
