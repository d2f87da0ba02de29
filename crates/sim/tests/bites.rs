//! The checks bite: each broken engine, dispatcher and disk is caught, within so many seeds.
//!
//! `docs/found-by-simulation.md` has the table that the first test prints.

use std::fmt::Write as _;
use std::io::Write as _;

use push0_sim::{Broken, Check, Story, shrink};

/// What is broken, the checks that may catch it, and within how many seeds one must.
const BROKEN: &[(Broken, &[Check], u64)] = &[
    (Broken::ClockGoesBack, &[Check::Legal], 60),
    (
        Broken::SyncRepeated,
        &[Check::Acknowledged, Check::DurableFirst, Check::ReplayEqualsLive],
        60,
    ),
    (Broken::ResultSentOnce, &[Check::ProofKept], 3),
    (Broken::BeatByProver, &[Check::LiveNotLost], 300),
    (Broken::StartsAgain, &[Check::StartedOnce], 60),
    (Broken::LyingDisk, &[Check::Acknowledged], 60),
];

#[test]
fn every_breakage_is_caught() {
    let mut table = String::new();
    let mut missed = Vec::new();
    for (broken, checks, seeds_max) in BROKEN {
        let story = |seed| Story { broken: Some(*broken), ..Story::of(seed) };
        let caught = (0..SEEDS_MAX).find_map(|seed| Some((seed, story(seed).run().violation?)));
        let Some((seed, violation)) = caught else {
            missed.push(format!("{broken:?} is not caught"));
            continue;
        };
        let _ = writeln!(table, "| {broken:?} | {} | {} |", violation.check, seed + 1);
        if !checks.contains(&violation.check) || seed >= *seeds_max {
            missed.push(format!("{broken:?}, seed {seed}: {violation}"));
        }
    }
    let _ = std::io::stderr().write_all(table.as_bytes());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_failure_is_shrunk_to_what_it_takes() {
    let broken = Some(Broken::StartsAgain);
    let story = |seed| Story { broken, ..Story::of(seed) };
    let failing = (0..SEEDS_MAX).map(story).find(|story| story.run().violation.is_some());
    let shrunk = shrink(&failing.expect("some seed fails")).expect("it fails again");
    let fails = |story: &Story| story.run().violation.map(|found| found.check);
    assert_eq!(fails(&shrunk.story), Some(shrunk.violation.check), "{}", shrunk.story);
    assert!(shrunk.after.0 < shrunk.before.0, "{}", shrunk.story);
    let only = shrunk.story.only.clone().expect("faults were left out");
    for strike in &only {
        let mut fewer = only.clone();
        fewer.remove(strike);
        let story = Story { only: Some(fewer), ..shrunk.story.clone() };
        assert_ne!(fails(&story), Some(shrunk.violation.check), "{strike} is not needed: {story}");
    }
}

/// Whatever takes more is not caught.
const SEEDS_MAX: u64 = 3_000;
