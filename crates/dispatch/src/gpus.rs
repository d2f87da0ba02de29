//! The GPUs that a dispatcher may hand out, by the names that their driver knows them by.
//!
//! One dispatcher at a time has each device of a machine, whatever its pipeline, its command and
//! its user. A dispatcher whose programs reserve GPUs holds a lock for each one that it offers; the
//! kernel frees the lock with the process. What another has is not offered, is told of with who has
//! it, and is looked at again.
//!
//! Not here: which attempt has which (`pool`), and how a lock is taken (`gpus::lock`).

mod lock;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::lock::{Lock, NoLock, place};
use self::names::identities;
pub use self::names::{Visible, present};

/// Devices, and the variable that makes some of them visible to a process.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Gpus(Visible);

/// A device that another process has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Elsewhere {
    /// As this process knows it.
    pub gpu: String,
    /// Who has it, by its own word.
    pub by: String,
}

impl Gpus {
    /// The first `count` of those that are visible; by number, where nothing says which those are.
    /// There are no more than the environment names.
    #[must_use]
    pub fn of(count: u32, visible: Option<Visible>) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut visible = visible.unwrap_or_else(|| Visible::numbered(count));
        visible.names.truncate(count);
        Self(visible)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.names.len()).unwrap_or(u32::MAX)
    }

    /// Those that another process has at the moment.
    #[must_use]
    pub fn elsewhere(&self) -> Vec<Elsewhere> {
        let place = place();
        let held = identities(&self.0).into_iter().zip(&self.0.names);
        held.filter_map(|(identity, gpu)| {
            Some(Elsewhere { gpu: gpu.clone(), by: Lock::peek(&place, &identity)? })
        })
        .collect()
    }
}

/// The devices of a dispatcher that runs, by their places in its configuration.
#[derive(Debug)]
pub(crate) struct Devices {
    all: Visible,
    identities: Vec<String>,
    /// What it says of itself to others.
    owner: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Held until it ends; none where nothing reserves any.
    locks: BTreeMap<u32, Lock>,
    /// Those that others have.
    elsewhere: BTreeMap<u32, String>,
    looked: Instant,
}

/// What came of looking at the devices.
#[derive(Debug, Default)]
pub(crate) struct GpuScan {
    /// Those that can be handed out from here on.
    pub(crate) own: BTreeSet<u32>,
    /// Those that others have, and were not known to.
    pub(crate) elsewhere: Vec<Elsewhere>,
    /// Why others cannot be kept from them.
    pub(crate) unlocked: Option<String>,
}

impl Devices {
    /// Those of `gpus` that are free, held for `owner` if `are_reserved` by a program.
    pub(crate) fn take(gpus: &Gpus, are_reserved: bool, owner: String) -> (Self, GpuScan) {
        let Gpus(all) = gpus.clone();
        let identities = identities(&all);
        let (locks, elsewhere) = (BTreeMap::new(), BTreeMap::new());
        let state = State { locks, elsewhere, looked: Instant::now() };
        let devices = Self { all, identities, owner, state: Mutex::new(state) };
        let indices = 0..gpus.count();
        let found = match are_reserved {
            true => devices.try_take(indices.collect()),
            false => GpuScan { own: indices.collect(), ..GpuScan::default() },
        };
        (devices, found)
    }

    /// Looks again at those that others have, unless that was done a moment ago. Asks a disk.
    pub(crate) fn look(&self) -> GpuScan {
        let wanted: Vec<u32> = {
            let mut state = self.lock();
            if state.elsewhere.is_empty() || state.looked.elapsed() < LOOK_EACH {
                return GpuScan::default();
            }
            state.looked = Instant::now();
            state.elsewhere.keys().copied().collect()
        };
        self.try_take(wanted)
    }

    /// Whether some are others', and it is time to look at them.
    pub(crate) fn is_to_look(&self) -> bool {
        let state = self.lock();
        !state.elsewhere.is_empty() && state.looked.elapsed() >= LOOK_EACH
    }

    /// Those that others have.
    pub(crate) fn elsewhere(&self) -> Vec<Elsewhere> {
        let state = self.lock();
        let all = state.elsewhere.iter();
        all.map(|(index, by)| Elsewhere { gpu: self.name(*index), by: by.clone() }).collect()
    }

    /// Lets others have them.
    pub(crate) fn release(&self) {
        self.lock().locks.clear();
    }

    /// What makes these visible to a process, and no others.
    pub(crate) fn visible(&self, indices: &BTreeSet<u32>) -> (&'static str, String) {
        let names = indices.iter().map(|index| self.name(*index)).collect::<Vec<_>>();
        (self.all.variable, names.join(","))
    }

    pub(crate) fn name(&self, index: u32) -> String {
        self.all.names.get(index as usize).cloned().unwrap_or_default()
    }

    fn try_take(&self, indices: Vec<u32>) -> GpuScan {
        let (mut found, place) = (GpuScan::default(), place());
        for index in indices {
            let Some(identity) = self.identities.get(index as usize) else { continue };
            let locked = Lock::take(&place, identity, &self.owner); // nothing waits for a disk under the lock
            let mut state = self.lock();
            match locked {
                Ok(lock) => {
                    state.locks.insert(index, lock);
                    state.elsewhere.remove(&index);
                    found.own.insert(index);
                }
                Err(NoLock::Elsewhere(by)) => {
                    if state.elsewhere.insert(index, by.clone()).is_none() {
                        found.elsewhere.push(Elsewhere { gpu: self.name(index), by });
                    }
                }
                Err(NoLock::Unusable(why)) => {
                    state.elsewhere.remove(&index);
                    found.own.insert(index);
                    found.unlocked = Some(why);
                }
            }
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From one look at what others have to the next.
const LOOK_EACH: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[String]) -> Gpus {
        let (variable, names) = ("CUDA_VISIBLE_DEVICES", names.to_vec());
        Gpus::of(u32::MAX, Some(Visible { variable, names }))
    }

    #[test]
    fn no_two_have_the_same_device_and_it_is_free_once_let_go_of() {
        let own = |number| format!("GPU-test-{}-{number}", std::process::id());
        let (one, both) = (named(&[own(1)]), named(&[own(0), own(1)]));
        let (first, found) = Devices::take(&one, true, "first".to_owned());
        assert_eq!(found.own, [0].into());
        let (second, found) = Devices::take(&both, true, "second".to_owned());
        assert_eq!(found.own, [0].into());
        let elsewhere = Elsewhere { gpu: own(1), by: "first".to_owned() };
        assert_eq!([found.elsewhere, second.elsewhere()], [[elsewhere.clone()], [elsewhere]]);
        assert_eq!(both.elsewhere().len(), 2, "a look takes nothing, and sees all that is had");
        assert_eq!(second.visible(&[0].into()), ("CUDA_VISIBLE_DEVICES", own(0)));
        first.release();
        assert_eq!(second.try_take(vec![1]).own, [1].into());
        assert_eq!(second.elsewhere(), []);
        second.release();
        assert_eq!(both.elsewhere(), []);
    }

    #[test]
    fn what_no_program_reserves_is_kept_from_nobody() {
        let gpus = named(&[format!("GPU-idle-{}", std::process::id())]);
        let (_first, found) = Devices::take(&gpus, false, "first".to_owned());
        assert_eq!((found.own, gpus.elsewhere()), ([0].into(), Vec::new()));
    }
}
