//! What is named as a file and is none: it is refused, and not waited for.

use std::process::Command;

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::world::run;

#[test]
fn a_fifo_or_a_device_is_refused_by_name_wherever_a_file_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let fifo = dir.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    let fifo = fifo.to_str().expect("UTF-8");
    for file in [fifo, "/dev/zero"] {
        for words in [
            &["check"][..],
            &["run"],
            &["serve"],
            &["proofs"],
            &["verify"],
            &["verify", "none", "--pipeline"],
            &["status", "--config"],
            &["doctor"],
        ] {
            let mut command = Command::new("timeout");
            command.args(["20", env!("CARGO_BIN_EXE_push0")]).args(words).arg(file);
            let ran = run(command.current_dir(dir.path()).env("PUSH0_NATS", "http://"));
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!matches!(ran.code, Some(0 | 124)), "{words:?} {file}: {said}");
            let is_told = said.contains("a FIFO, a device or a socket, and no file");
            assert!(is_told && said.contains(file), "{words:?} {file}: {said}");
        }
    }
}
