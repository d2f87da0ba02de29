//! A story: what a world is told to be, and what came of it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::broken::Broken;
use crate::check::Violation;
use crate::fault::{Fault, Strike, Struck};

/// Everything that decides what happens.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// What is drawn.
    pub seed: u64,
    /// The only strikes of faults that happen; absent, all that are drawn.
    pub only: Option<BTreeSet<Strike>>,
    /// The only kinds of faults that strike, often; none: as the seed draws it.
    pub often: Vec<Fault>,
    /// At most so many blocks.
    pub blocks: Option<u64>,
    /// What is wrong on purpose.
    pub broken: Option<Broken>,
    /// Whether it is of a cluster: several engines over one stream. Else it is of one engine over
    /// its disk.
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
}

impl fmt::Display for Story {
    /// As the command takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = if self.is_cluster { " --cluster" } else { "" };
        write!(f, "push0-sim{cluster} --seed {}", self.seed)?;
        if !self.often.is_empty() {
            let often: Vec<_> = self.often.iter().map(|fault| fault.word()).collect();
            write!(f, " --often {}", often.join(","))?;
        }
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
