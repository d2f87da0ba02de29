//! Seeds that must hold: the same ones every time, and fresh ones.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use push0_sim::{Fault, Story, shrink};

#[test]
fn a_thousand_fixed_seeds_hold() {
    hold(Story::of, 0, 1_000);
}

#[test]
fn five_hundred_fixed_seeds_of_clusters_hold() {
    hold(Story::of_cluster, 0, 500);
}

#[test]
fn five_hundred_fresh_seeds_hold() {
    #[expect(clippy::disallowed_methods, reason = "a seed is drawn once; no world reads a clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let base = u64::try_from(now.as_nanos()).expect("it is before 2554");
    // Past the capture of the test's output: who reads a log must be able to run them again.
    let _ = writeln!(std::io::stderr(), "fresh seeds from {base}");
    hold(Story::of, base, 500);
    hold(Story::of_cluster, base, 200);
}

#[test]
fn the_same_seed_is_the_same_history_byte_for_byte() {
    for story in (0..40).flat_map(|seed| [Story::of(seed), Story::of_cluster(seed)]) {
        let (first, second) = (story.tell(), story.tell());
        assert!(first.history == second.history, "{story}");
        assert!(!first.history.is_empty(), "{story} tells nothing");
        assert_eq!((first.steps, first.events), (second.steps, second.events), "{story}");
        let silent = story.run();
        assert_eq!((first.steps, first.events), (silent.steps, silent.events), "{story}");
    }
}

#[test]
fn every_kind_of_fault_strikes_in_some_seed() {
    let mut missing: BTreeSet<_> = Fault::ALL.iter().copied().collect();
    for seed in 0..SEEDS_MAX {
        for outcome in [Story::of(seed).run(), Story::of_cluster(seed).run()] {
            for struck in &outcome.struck {
                missing.remove(&struck.strike.fault);
            }
        }
        if missing.is_empty() {
            return;
        }
    }
    panic!("in {SEEDS_MAX} seeds none of these strikes: {missing:?}");
}

#[test]
fn a_story_without_its_faults_holds() {
    for story in (0..40).flat_map(|seed| [Story::of(seed), Story::of_cluster(seed)]) {
        let story = Story { only: Some([].into()), ..story };
        let outcome = story.run();
        assert!(outcome.violation.is_none(), "{story}: {:?}", outcome.violation);
        assert!(outcome.struck.is_empty(), "{story}: {:?}", outcome.struck);
    }
}

fn hold(story: fn(u64) -> Story, from: u64, count: u64) {
    for seed in from..from + count {
        if story(seed).run().violation.is_some() {
            let shrunk = shrink(&story(seed)).expect("it fails again");
            panic!("seed {seed}: {}\n{}", shrunk.violation, shrunk.story);
        }
    }
}

/// In so many worlds everything goes wrong that can.
const SEEDS_MAX: u64 = 4_000;
