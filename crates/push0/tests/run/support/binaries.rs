//! The binaries: push0, and the provers that it looks for beside itself.
//!
//! Cargo builds push0 for these tests, and the provers only where the whole workspace is tested. So
//! what is missing or older than its source is built here, once for each test process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::SystemTime;

/// push0, with its provers beside it.
pub(crate) fn push0() -> &'static Path {
    static BUILT: Once = Once::new();
    let push0 = Path::new(env!("CARGO_BIN_EXE_push0"));
    BUILT.call_once(|| {
        let beside = push0.parent().expect("a file is in a directory");
        if PROVERS.iter().any(|prover| is_stale(&beside.join(prover))) {
            build(beside);
        }
    });
    push0
}

/// The prover that proves nothing.
pub(crate) fn mock() -> PathBuf {
    push0().with_file_name("push0-prover-mock")
}

fn build(profile: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--target-dir"]);
    cargo.arg(profile.parent().expect("a profile is in the target directory"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    for prover in PROVERS {
        cargo.args(["-p", prover]);
    }
    let status = cargo.current_dir(workspace()).status().expect("cargo starts");
    assert!(status.success(), "the provers cannot be built");
}

fn is_stale(prover: &Path) -> bool {
    let built = fs::metadata(prover).and_then(|found| found.modified());
    let sources = SOURCES.iter().filter_map(|dir| newest(&workspace().join(dir)));
    !built.is_ok_and(|built| sources.max().is_none_or(|changed| changed <= built))
}

/// When the youngest file in a directory was changed.
fn newest(dir: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(dir).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let times = entries.filter_map(|path| match path.is_dir() {
        true => newest(&path),
        false => fs::metadata(&path).and_then(|found| found.modified()).ok(),
    });
    times.max()
}

/// The root of the repository.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

const PROVERS: [&str; 2] = ["push0-prover-mock", "push0-prover-chain"];
const SOURCES: [&str; 3] = ["provers/mock/src", "provers/chain/src", "crates/prover/src"];
