//! The agenda: what happens when, in virtual time. Ties go in the order in which they were noted.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{AttemptId, FromDispatcher, ToDispatcher};

/// Something that happens. A `life` says in which life of its party; it comes to nothing in
/// another.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The engine's process starts.
    EngineStarts,
    /// The engine looks whether there is something to do.
    EngineLooks { life: u64 },
    /// The engine's append has returned: what it allows leaves.
    EngineSends { life: u64 },
    /// A dispatcher's message reaches the engine.
    ToEngine { from: usize, message: FromDispatcher },
    /// The engine's message reaches a dispatcher.
    ToDispatcher { to: usize, life: u64, message: ToDispatcher },
    /// A dispatcher's process starts.
    DispatcherStarts { who: usize },
    /// A dispatcher beats.
    Beats { who: usize, life: u64 },
    /// An attempt goes on at a dispatcher.
    Goes { who: usize, life: u64, attempt: AttemptId, step: Step },
    /// The source goes on.
    SourceGoes { life: u64 },
    /// The reader of the feed looks at it.
    ReaderLooks { life: u64 },
    /// Something may go wrong.
    Mischief,
    /// What was cut off or shut for a while is not any more.
    Heals(Healed),
    /// Faults stop.
    Quiet,
}

/// How an attempt goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Its inputs are read.
    Prepared,
    /// Its prover ends by itself.
    Ended,
    /// Its time is over.
    TimeOver,
    /// Its prover was killed.
    Killed,
    /// Its verifier ends.
    Verified,
    /// Its result is stored.
    Stored,
}

/// What heals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Healed {
    Link(usize),
    Room(usize),
    Program(usize),
    Store,
    Disk,
}

/// What is to happen.
#[derive(Debug)]
pub(crate) struct Agenda<H = Happening> {
    entries: BTreeMap<(Duration, u64), H>,
    noted: u64,
    now: Duration,
}

impl<H> Default for Agenda<H> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), noted: 0, now: Duration::ZERO }
    }
}

impl<H> Agenda<H> {
    pub(crate) const fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn at(&mut self, at: Duration, happening: H) {
        self.noted += 1;
        self.entries.insert((at.max(self.now), self.noted), happening);
    }

    pub(crate) fn after(&mut self, wait: Duration, happening: H) {
        self.at(self.now + wait, happening);
    }

    /// The next, at its time.
    pub(crate) fn next(&mut self) -> Option<H> {
        let ((at, _), happening) = self.entries.pop_first()?;
        self.now = at;
        Some(happening)
    }
}
