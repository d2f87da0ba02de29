//! A setting as `stateright` takes it: where it begins, what may happen, and what must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use push0_sim::Check;
use stateright::{Model, Property};

use crate::setting::Setting;
use crate::world::{Action, Happened, World};

/// A cluster whose every way is gone.
pub struct Cluster {
    pub(crate) setting: Setting,
    /// Each step that was taken in which nothing went wrong, by the prints of its ends.
    steps: Mutex<Vec<(u64, u64)>>,
    /// The states in which all is done.
    ends: Mutex<BTreeSet<u64>>,
    happened: AtomicU16,
    /// From these there is no way to the end, as far as is known.
    doomed: BTreeSet<u64>,
    /// The state in which each check was first seen not to hold. `stateright` keeps the last, which
    /// is further away.
    firsts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Cluster {
    /// That of a setting.
    #[must_use]
    pub const fn new(setting: Setting) -> Self {
        Self::knowing(setting, BTreeSet::new())
    }

    /// Likewise, where these states are known to be doomed: one is looked for.
    pub(crate) const fn knowing(setting: Setting, doomed: BTreeSet<u64>) -> Self {
        Self {
            setting,
            steps: Mutex::new(Vec::new()),
            ends: Mutex::new(BTreeSet::new()),
            happened: AtomicU16::new(0),
            doomed,
            firsts: Mutex::new(BTreeMap::new()),
        }
    }

    /// All steps in which nothing went wrong, from where to where.
    pub(crate) fn steps(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut *self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn ends(&self) -> BTreeSet<u64> {
        std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn happened(&self) -> Happened {
        Happened(self.happened.load(Ordering::Relaxed))
    }

    /// Whether a check holds, or was found not to hold before.
    fn holds(&self, check: Check, world: &World) -> bool {
        let print = world.print().short();
        let is_it = if check == Check::Settles {
            self.doomed.contains(&print)
        } else {
            world.found().is_some_and(|(found, _)| found == check)
        };
        if !is_it {
            return true;
        }
        let mut firsts = self.firsts.lock().unwrap_or_else(PoisonError::into_inner);
        *firsts.entry(check.word()).or_insert(print) != print
    }
}

impl Model for Cluster {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.setting)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.may_happen(&self.setting, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let next = world.after(&self.setting, &action);
        let (from, to) = (world.print().short(), next.print().short());
        if !action.is_fault() && self.doomed.is_empty() {
            self.steps.lock().unwrap_or_else(PoisonError::into_inner).push((from, to));
        }
        if next.is_over(&self.setting) {
            self.ends.lock().unwrap_or_else(PoisonError::into_inner).insert(to);
        }
        self.happened.fetch_or(next.happened().0, Ordering::Relaxed);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        /// One for each check, for a condition is a function that knows nothing else.
        macro_rules! checks {
            ($($check:ident),*) => {
                vec![$(Property::always(Check::$check.word(), |model: &Self, world: &World| {
                    model.holds(Check::$check, world)
                })),*]
            };
        }
        let mut properties = checks![
            OneWriter,
            ReplayEqualsLive,
            StaleEpoch,
            DurableFirst,
            AcceptedOnce,
            GaplessPrefix,
            Acknowledged,
            ProofKept,
            StartedOnce,
            Legal,
            LoudStop,
            Recovers,
            Instants,
            Settles
        ];
        properties.push(Property::sometimes(DONE, |model: &Self, world: &World| {
            world.is_over(&model.setting)
        }));
        properties
    }
}

/// That all is done in some state.
pub(crate) const DONE: &str = "all is done";
