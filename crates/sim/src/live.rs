//! Living through a story: in its world, to its end or to the first check that does not hold.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::check::{Check, Violation};
use crate::cluster::Cluster;
use crate::story::{Outcome, Story};
use crate::world::World;

impl Story {
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

    /// Likewise; `each` gets what each step added to the history, and the lines of the state after
    /// it.
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
