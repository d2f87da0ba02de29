//! How far a dispatcher's word on itself goes.
//!
//! What it says that it can run is a claim. A machine that claims everything would be the freest of
//! all, and get everything: so a claim is cut to what machines are, and to what its dispatcher has
//! shown. It may hold a few attempts at once from the start, a few more with each beat that knows
//! all that it holds, and one more for each that it ends with a result. Who ends nothing stops
//! growing.
//!
//! Not here: who of those that offer the same is granted first (`queue`).

use std::time::Duration;

use crate::{Capacity, Pipeline, Timestamp};

/// What a dispatcher has shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrackRecord {
    /// How many attempts it may hold at once.
    pub(super) slots: u32,
    /// When it last got more for a beat.
    grown: Timestamp,
    /// When it last ended an attempt with a result, or was first heard.
    ended: Timestamp,
}

impl TrackRecord {
    /// One that was not heard before, and knows of so many attempts that it holds.
    pub(super) fn new(now: Timestamp, known: usize) -> Self {
        let known = u32::try_from(known).unwrap_or(u32::MAX);
        Self { slots: known.clamp(SLOTS_AT_FIRST, SLOTS_MAX), grown: now, ended: now }
    }

    /// It was heard, and knew all that it holds.
    pub(super) fn beat(&mut self, now: Timestamp) {
        if now.since(self.grown) >= GROWS_EVERY && now.since(self.ended) < GROWS_FOR {
            self.slots = (self.slots + SLOTS_A_BEAT).min(SLOTS_MAX);
            self.grown = now;
        }
    }

    /// It ended an attempt with a result.
    pub(super) fn proved(&mut self, now: Timestamp) {
        self.slots = (self.slots + 1).min(SLOTS_MAX);
        self.ended = now;
    }
}

/// What is believed of a claim, whatever is shown later.
pub(super) fn believable(claimed: &Capacity, pipeline: &Pipeline) -> Capacity {
    let mut capacity = claimed.clone();
    capacity.slots = capacity.slots.min(SLOTS_MAX);
    capacity.memory_bytes = capacity.memory_bytes.min(MEMORY_MAX);
    capacity.gpus = capacity.gpus.min(GPUS_MAX);
    let is_known = |program: &crate::ProgramName| pipeline.programs.contains_key(program);
    // A beat may come before the pipeline does: nothing is granted then, and the next beat is held
    // against it.
    if !pipeline.programs.is_empty() && !capacity.programs.iter().all(is_known) {
        capacity.programs.retain(is_known);
    }
    capacity
}

/// What every dispatcher may hold from its first beat: all slots of most machines that prove.
const SLOTS_AT_FIRST: u32 = 8;

/// What it may hold more with a beat. Beats are a second apart, so 64 slots are full within half a
/// minute.
const SLOTS_A_BEAT: u32 = 2;

/// A dispatcher that beats more often does not grow faster: that of the real ones.
const GROWS_EVERY: Duration = Duration::from_millis(900);

/// So long it grows by beats alone: to 128 slots and no more, until it ends something.
const GROWS_FOR: Duration = Duration::from_secs(60);

/// More than the cores of any machine.
const SLOTS_MAX: u32 = 4_096;

/// More than any machine holds. Unit: bytes.
const MEMORY_MAX: u64 = 1 << 46;

/// Likewise.
const GPUS_MAX: u32 = 1_024;
