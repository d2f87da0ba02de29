//! The pages whose commands are run, each by a test of its own, so that they run side by side.

use crate::shell::run;

/// The pages that a test below runs.
pub(crate) const RUN: &[&str] = &["README.md"];

/// The pages with commands that no test here runs, and why.
pub(crate) const NOT_RUN: &[(&str, &str)] =
    &[("CONTRIBUTING.md", "it is the command that runs these tests")];

#[test]
fn the_readme() {
    run("README.md");
}
