//! The pages whose commands are run, each by a test of its own, so that they run side by side.

use crate::shell::run;

/// The pages that a test below runs.
pub(crate) const RUN: &[&str] = &[
    "README.md",
    "docs/metrics.md",
    "docs/operating.md",
    "docs/paper.md",
    "docs/provers.md",
    "docs/security.md",
    "docs/sizing.md",
    "docs/troubleshooting.md",
    "examples/README.md",
    "examples/python/README.md",
];

/// The pages with commands that no test here runs, and why.
pub(crate) const NOT_RUN: &[(&str, &str)] = &[
    ("CONTRIBUTING.md", "it is the command that runs these tests"),
    (
        "docs/found-by-simulation.md",
        "it simulates ten thousand worlds; the simulator has tests of its own",
    ),
    ("docs/model.md", "it goes through all states; the model has tests of its own"),
    ("examples/scroll/README.md", "it is the first command of the README"),
];

#[test]
fn the_readme() {
    run("README.md");
}

#[test]
fn how_to_operate_a_cluster() {
    run("docs/operating.md");
}

#[test]
fn what_is_scraped() {
    run("docs/metrics.md");
}

#[test]
fn the_paper() {
    run("docs/paper.md");
}

#[test]
fn how_to_write_a_prover() {
    run("docs/provers.md");
}

#[test]
fn the_threat_model() {
    run("docs/security.md");
}

#[test]
fn how_large_a_cluster_has_to_be() {
    run("docs/sizing.md");
}

#[test]
fn how_to_get_out_of_trouble() {
    run("docs/troubleshooting.md");
}

#[test]
fn the_example_in_python() {
    run("examples/python/README.md");
}

#[test]
fn the_examples() {
    run("examples/README.md");
}
