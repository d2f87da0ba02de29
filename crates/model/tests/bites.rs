//! The checks bite: whatever is wrong on purpose is found, and by which check.
//!
//! `docs/model.md` has the table that the test prints.

use std::io::Write as _;

use push0_model::{Broken, SMALL, Search, Setting, explore};

/// What is broken, in which world, and the checks that may see it.
const BROKEN: &[(Broken, &str, &[&str])] = &[
    (Broken::BegunIsDurable, "nobody leads, and nothing was said", &["durable-first"]),
    (
        Broken::RefusedIsLanded,
        "another takes over from an engine that lives, and an append lands late",
        &["acknowledged"],
    ),
    (
        Broken::ObeysAnybody,
        "another takes over from an engine that lives, and an append lands late",
        &["stale-epoch"],
    ),
    (Broken::SentOnce, "all goes well", &["proof-kept"]),
    (Broken::StartsAgain, "a message comes twice", &["started-once"]),
    (Broken::NeverAsksAgain, "the answer to an append is lost, or comes late", &["settles"]),
    (Broken::ReadsTooLittle, "one engine dies and starts again", &["replay-equals-live"]),
];

#[test]
fn whatever_is_broken_is_found() {
    let mut table = String::new();
    let mut missed = Vec::new();
    for (broken, name, checks) in BROKEN {
        let setting = SMALL.iter().find(|setting| setting.name == *name);
        let setting: Setting = setting.copied().expect("it is a small world");
        let explored = explore(setting.with(*broken), 1, Search::First);
        let Some(found) = explored.violated.first() else {
            missed.push(format!("{broken:?} is not found in {} states", explored.states));
            continue;
        };
        let (states, steps) = (explored.states, found.steps);
        table.push_str(&format!("| {broken:?} | {} | {states} | {steps} |\n", found.check));
        if !checks.contains(&found.check.as_str()) {
            missed.push(format!("{broken:?}: {}: {}\n{}", found.check, found.what, found.way));
        }
    }
    let _ = std::io::stderr().write_all(table.as_bytes());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
