//! Goes every way of a setting, and says what was found: by `stateright`, and by going back from
//! the ends.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use push0_sim::Check;
use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::model::{Cluster, DONE};
use crate::setting::Setting;
use crate::world::{Action, Happened, World};

/// What came of going every way.
#[derive(Debug)]
pub struct Explored {
    /// How many states there are.
    pub states: usize,
    /// How many steps lead from one to another, those to a known one included.
    pub steps: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// States in which all is done.
    pub ends: usize,
    /// What happened in some of them.
    pub happened: Happened,
    /// What does not hold.
    pub violated: Vec<Violated>,
    /// How long it took.
    pub took: Duration,
}

/// A check that does not hold, and the shortest way there.
#[derive(Debug)]
pub struct Violated {
    /// Which.
    pub check: String,
    /// What was found.
    pub what: String,
    /// How many steps lead there.
    pub steps: usize,
    /// Step by step, for people.
    pub way: String,
}

/// How far to go, and in which order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Search {
    /// Everywhere, the nearest first: what is found is the shortest way to it. Holds all states
    /// that are to be gone on from.
    Wide,
    /// Likewise, until something is found.
    First,
    /// Everywhere, and one way to its end before another begins: holds little, whatever there is.
    Deep,
}

/// Goes every way, with so many threads.
///
/// # Panics
///
/// If a world panics.
#[must_use]
pub fn explore(setting: Setting, threads: usize, search: Search) -> Explored {
    let until = match search {
        Search::First => HasDiscoveries::AnyFailures,
        Search::Wide | Search::Deep => HasDiscoveries::All,
    };
    let builder = Cluster::new(setting).checker().threads(threads).finish_when(until);
    match search {
        Search::Wide | Search::First => explored(setting, builder.spawn_bfs()),
        Search::Deep => explored(setting, builder.spawn_dfs()),
    }
}

fn explored(setting: Setting, checker: impl Checker<Cluster>) -> Explored {
    let began = Instant::now();
    let checker = checker.join();
    let discoveries = checker.discoveries();
    let is_done = discoveries.contains_key(DONE);
    let found = discoveries.into_iter().filter(|(name, _)| *name != DONE);
    let mut violated: Vec<_> = found.map(|(name, path)| told(name, path)).collect();
    let model = checker.model();
    let ends = model.ends();
    if violated.is_empty() {
        let doomed = doomed(model.steps(), &ends);
        if !doomed.is_empty() || !is_done {
            violated.push(way_to(setting, doomed));
        }
    }
    violated.sort_by(|one, other| one.check.cmp(&other.check));
    Explored {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        ends: ends.len(),
        happened: model.happened(),
        violated,
        took: began.elapsed(),
    }
}

/// The states from which no step in which nothing goes wrong leads on to an end.
fn doomed(mut steps: Vec<(u64, u64)>, ends: &BTreeSet<u64>) -> BTreeSet<u64> {
    steps.sort_unstable_by_key(|(_, to)| *to);
    let mut all: BTreeSet<_> = steps.iter().flat_map(|(from, to)| [*from, *to]).collect();
    let mut next: Vec<_> = ends.iter().copied().collect();
    ends.iter().for_each(|end| {
        all.remove(end);
    });
    while let Some(state) = next.pop() {
        let from = steps.partition_point(|(_, to)| *to < state);
        let before = steps.iter().skip(from).take_while(|(_, to)| *to == state);
        next.extend(before.filter(|(from, _)| all.remove(from)).map(|(from, _)| *from));
    }
    all
}

/// The shortest way to a state that is doomed.
fn way_to(setting: Setting, doomed: BTreeSet<u64>) -> Violated {
    let count = doomed.len();
    let builder = Cluster::knowing(setting, doomed).checker();
    let checker = builder.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let path = checker.discovery(Check::Settles.word());
    let mut violated = path.map_or_else(
        || Violated {
            check: Check::Settles.word().to_owned(),
            what: String::new(),
            steps: 0,
            way: String::new(),
        },
        |path| told(Check::Settles.word(), path),
    );
    violated.what = format!("from {count} states no way leads to the end");
    violated
}

fn told(name: &str, path: Path<World, Action>) -> Violated {
    let what = path.last_state().found().map(|(_, what)| what.to_owned()).unwrap_or_default();
    let (mut way, mut steps) = (String::new(), 0);
    for (world, action) in path.into_vec() {
        let _ = writeln!(way, "        {}", world.words());
        if let Some(action) = action {
            steps += 1;
            let _ = writeln!(way, "{steps:>6}. {action:?}");
        }
    }
    Violated { check: name.to_owned(), what, steps, way }
}
