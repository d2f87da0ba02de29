//! A story: what a world is told to be, and what came of it.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::broken::Broken;
use crate::check::{Check, Violation};
use crate::cluster::Cluster;
use crate::fault::{Strike, Struck};
use crate::world::World;

/// Everything that decides what happens.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// What is drawn.
    pub seed: u64,
    /// The only strikes of faults that happen; absent, all that are drawn.
    pub only: Option<BTreeSet<Strike>>,
    /// At most so many blocks.
    pub blocks: Option<u64>,
    /// What is wrong on purpose.
    pub broken: Option<Broken>,
    /// Whether it is of a cluster: several engines over one stream. Else it is of one engine over its disk.
    pub is_cluster: bool,
}

/// What came of a story.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The check that did not hold first.
    pub violation: Option<Violation>,
    /// The faults that struck.
    pub struck: Vec<Struck>,
    /// How much happened.
    pub steps: u64,
    /// Facts in the log.
    pub events: u64,
    /// How long it took, in virtual time.
    pub lasted: Duration,
    /// A line for each thing that happened, where it was told.
    pub history: String,
}

impl Story {
    /// That of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// That of a seed's cluster.
    #[must_use]
    pub fn of_cluster(seed: u64) -> Self {
        Self { seed, is_cluster: true, ..Self::default() }
    }

    /// Lives through it.
    #[must_use]
    pub fn run(&self) -> Outcome {
        self.live(false, |_, _| {})
    }

    /// Likewise, with its history.
    #[must_use]
    pub fn tell(&self) -> Outcome {
        self.live(true, |_, _| {})
    }

    /// Likewise; `each` gets what each step added to the history, and the lines of the state after it.
    pub fn step(&self, mut each: impl FnMut(&str, &[String])) -> Outcome {
        let mut told = 0;
        self.live(true, |history, state| {
            let news = history.get(told..).unwrap_or_default();
            if !news.is_empty() {
                each(news, &state());
            }
            told = history.len();
        })
    }

    fn live(&self, is_told: bool, mut each: impl FnMut(&str, &dyn Fn() -> Vec<String>)) -> Outcome {
        if self.is_cluster {
            let mut world = Cluster::new(self, is_told);
            let run = || world.run(|world| each(world.told(), &|| world.state()));
            let ended = catch_unwind(AssertUnwindSafe(run));
            return with_panic(world.outcome(), ended);
        }
        let mut world = World::new(self, is_told);
        let run = || world.run(|world| each(world.told(), &|| world.state()));
        let ended = catch_unwind(AssertUnwindSafe(run));
        with_panic(world.outcome(), ended)
    }
}

/// What came of a story, if only a panic.
fn with_panic(mut outcome: Outcome, ended: std::thread::Result<()>) -> Outcome {
    if let Err(panic) = ended {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(|what| (*what).to_owned()));
        let what = what.unwrap_or_else(|| "without a word".to_owned());
        let at = outcome.lasted;
        outcome.violation = Some(Violation { check: Check::NoPanic, what, at });
    }
    outcome
}

impl fmt::Display for Story {
    /// As the command takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = if self.is_cluster { " --cluster" } else { "" };
        write!(f, "push0-sim{cluster} --seed {}", self.seed)?;
        if let Some(blocks) = self.blocks {
            write!(f, " --blocks {blocks}")?;
        }
        if let Some(only) = &self.only {
            let only: Vec<_> = only.iter().map(Strike::to_string).collect();
            write!(
                f,
                " --only {}",
                if only.is_empty() { "none".to_owned() } else { only.join(",") }
            )?;
        }
        Ok(())
    }
}
