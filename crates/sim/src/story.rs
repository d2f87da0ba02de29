//! A story: what a world is told to be, and what came of it.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::broken::Broken;
use crate::check::{Check, Violation};
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

    /// Lives through it.
    #[must_use]
    pub fn run(&self) -> Outcome {
        self.live(false, |_| {})
    }

    /// Likewise, with its history.
    #[must_use]
    pub fn tell(&self) -> Outcome {
        self.live(true, |_| {})
    }

    /// Likewise; `each` gets what each step added to the history, and the lines of the state after it.
    pub fn step(&self, mut each: impl FnMut(&str, &[String])) -> Outcome {
        let mut told = 0;
        self.live(true, |world| {
            let history = world.told();
            let news = history.get(told..).unwrap_or_default();
            if !news.is_empty() {
                each(news, &world.state());
            }
            told = history.len();
        })
    }

    fn live(&self, is_told: bool, each: impl FnMut(&World)) -> Outcome {
        let mut world = World::new(self, is_told);
        let ended = catch_unwind(AssertUnwindSafe(|| world.run(each)));
        let mut outcome = world.outcome();
        if let Err(panic) = ended {
            let what = panic.downcast_ref::<String>().cloned();
            let what = what.or_else(|| panic.downcast_ref::<&str>().map(|what| (*what).to_owned()));
            let what = what.unwrap_or_else(|| "without a word".to_owned());
            let at = outcome.lasted;
            outcome.violation = Some(Violation { check: Check::NoPanic, what, at });
        }
        outcome
    }
}

impl fmt::Display for Story {
    /// As the command takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "push0-sim --seed {}", self.seed)?;
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
