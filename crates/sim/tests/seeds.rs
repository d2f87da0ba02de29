//! Seeds that must hold: the same ones every time, and fresh ones.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use push0_sim::{Fault, Story, shrink};

#[test]
fn a_thousand_fixed_seeds_hold() {
    hold(0, 1_000);
}

#[test]
fn five_hundred_fresh_seeds_hold() {
    #[expect(clippy::disallowed_methods, reason = "a seed is drawn once; no world reads a clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let base = u64::try_from(now.as_nanos()).expect("it is before 2554");
    // Past the capture of the test's output: who reads a log must be able to run them again.
    let _ = writeln!(std::io::stderr(), "fresh seeds from {base}");
    hold(base, 500);
}

#[test]
fn the_same_seed_is_the_same_history_byte_for_byte() {
    for seed in 0..40 {
        let (first, second) = (Story::of(seed).tell(), Story::of(seed).tell());
        assert!(first.history == second.history, "seed {seed}");
        assert!(!first.history.is_empty(), "seed {seed} tells nothing");
        assert_eq!((first.steps, first.events), (second.steps, second.events), "seed {seed}");
        let silent = Story::of(seed).run();
        assert_eq!((first.steps, first.events), (silent.steps, silent.events), "seed {seed}");
    }
}

#[test]
fn every_kind_of_fault_strikes_in_some_seed() {
    let mut missing: BTreeSet<_> = Fault::ALL.iter().copied().collect();
    for seed in 0..SEEDS_MAX {
        let outcome = Story::of(seed).run();
        for struck in &outcome.struck {
            missing.remove(&struck.strike.fault);
        }
        if missing.is_empty() {
            return;
        }
    }
    panic!("in {SEEDS_MAX} seeds none of these strikes: {missing:?}");
}

#[test]
fn a_story_without_its_faults_holds() {
    for seed in 0..40 {
        let story = Story { only: Some([].into()), ..Story::of(seed) };
        let outcome = story.run();
        assert!(outcome.violation.is_none(), "seed {seed}: {:?}", outcome.violation);
        assert!(outcome.struck.is_empty(), "seed {seed}: {:?}", outcome.struck);
    }
}

fn hold(from: u64, count: u64) {
    for seed in from..from + count {
        if Story::of(seed).run().violation.is_some() {
            let shrunk = shrink(&Story::of(seed)).expect("it fails again");
            panic!("seed {seed}: {}\n{}", shrunk.violation, shrunk.story);
        }
    }
}

/// In so many worlds everything goes wrong that can.
const SEEDS_MAX: u64 = 4_000;
