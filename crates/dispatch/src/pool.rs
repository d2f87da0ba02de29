//! Who has which slot, memory and GPUs: the attempts that run, and the warm processes that wait.
//!
//! A warm process that waits keeps its seat until another program needs it: the one that waited
//! longest goes first.
//!
//! Not here: what a warm process does (`serve`).

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use push0_core::{Contract, ProgramName, counted};

use crate::serve::Warm;
use crate::{Config, ProgramConfig};

/// All seats.
#[derive(Debug)]
pub(crate) struct Pool(Mutex<State>);

#[derive(Debug)]
struct State {
    slots: u32,
    memory_bytes: u64,
    gpus: BTreeSet<u32>,
    /// Those that waited longest first.
    idle: VecDeque<Idle>,
}

#[derive(Debug)]
struct Idle {
    program: ProgramName,
    warm: Warm,
    seat: Seat,
}

/// A slot, with memory and GPUs; free again once dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    pool: Arc<Pool>,
    held: Reservation,
}

#[derive(Debug, Default)]
struct Reservation {
    slots: u32,
    memory_bytes: u64,
    gpus: BTreeSet<u32>,
}

/// A seat for one attempt.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) seat: Seat,
    /// A process of the program that waited.
    pub(crate) warm: Option<Warm>,
    /// Processes that lost their seat for it: end them first.
    pub(crate) evicted: Vec<Warm>,
}

/// There is no seat, whoever waits. Report the attempt as not run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "busy: {}, {memory_bytes} bytes of memory and {} can be had here",
    counted(slots, "slot"),
    counted(gpus, "GPU")
)]
pub(crate) struct NoRoom {
    slots: u32,
    memory_bytes: u64,
    gpus: usize,
}

impl Pool {
    /// `gpus`: those that may be handed out.
    pub(crate) fn new(config: &Config, gpus: BTreeSet<u32>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            slots: config.slots,
            memory_bytes: config.memory_bytes,
            gpus,
            idle: VecDeque::new(),
        })))
    }

    /// Finds a seat for an attempt of `program`.
    pub(crate) fn admit(
        self: &Arc<Self>,
        name: &ProgramName,
        program: &ProgramConfig,
    ) -> Result<Admission, NoRoom> {
        let mut state = self.lock();
        if program.contract == Contract::Serve
            && let Some(last) = state.idle.iter().rposition(|idle| idle.program == *name)
            && let Some(Idle { warm, seat, .. }) = state.idle.remove(last)
        {
            return Ok(Admission { seat, warm: Some(warm), evicted: Vec::new() });
        }
        state.check_room(program)?;
        let mut evicted = Vec::new();
        while !state.has_room(program)
            && let Some(mut idle) = state.idle.pop_front()
        {
            state.give_back(mem::take(&mut idle.seat.held));
            evicted.push(idle.warm);
        }
        let held = state.take(program);
        drop(state);
        Ok(Admission { seat: Seat { pool: Arc::clone(self), held }, warm: None, evicted })
    }

    /// There are more GPUs to hand out.
    pub(crate) fn add_gpus(&self, gpus: &BTreeSet<u32>) {
        self.lock().gpus.extend(gpus);
    }

    /// Lets a warm process wait for the next attempt of its program.
    pub(crate) fn park(&self, program: ProgramName, warm: Warm, seat: Seat) {
        self.lock().idle.push_back(Idle { program, warm, seat });
    }

    /// Takes out the waiting processes that `is_wanted` names.
    pub(crate) fn take(&self, mut is_wanted: impl FnMut(&mut Warm) -> bool) -> Vec<Warm> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        for mut idle in mem::take(&mut state.idle) {
            if is_wanted(&mut idle.warm) {
                state.give_back(mem::take(&mut idle.seat.held));
                taken.push(idle.warm);
            } else {
                state.idle.push_back(idle);
            }
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, program: &ProgramConfig) -> bool {
        self.slots > 0
            && self.memory_bytes >= program.memory_bytes
            && self.gpus.len() >= program.gpus as usize
    }

    /// Whether there is room if nobody waits any more.
    fn check_room(&self, program: &ProgramConfig) -> Result<(), NoRoom> {
        let held = || self.idle.iter().map(|idle| &idle.seat.held);
        let room = NoRoom {
            slots: self.slots + held().map(|held| held.slots).sum::<u32>(),
            memory_bytes: self.memory_bytes + held().map(|held| held.memory_bytes).sum::<u64>(),
            gpus: self.gpus.len() + held().map(|held| held.gpus.len()).sum::<usize>(),
        };
        let fits = room.slots > 0
            && room.memory_bytes >= program.memory_bytes
            && room.gpus >= program.gpus as usize;
        if fits { Ok(()) } else { Err(room) }
    }

    fn take(&mut self, program: &ProgramConfig) -> Reservation {
        self.slots -= 1;
        self.memory_bytes -= program.memory_bytes;
        let gpus = (0..program.gpus).filter_map(|_| self.gpus.pop_first()).collect();
        Reservation { slots: 1, memory_bytes: program.memory_bytes, gpus }
    }

    fn give_back(&mut self, held: Reservation) {
        self.slots += held.slots;
        self.memory_bytes += held.memory_bytes;
        self.gpus.extend(held.gpus);
    }
}

impl Seat {
    /// Its GPUs, by their places in the dispatcher's configuration.
    pub(crate) const fn gpus(&self) -> &BTreeSet<u32> {
        &self.held.gpus
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let held = mem::take(&mut self.held);
        // An empty one may be dropped while the pool is locked: it has given back what it held.
        if held.slots > 0 {
            self.pool.lock().give_back(held);
        }
    }
}
