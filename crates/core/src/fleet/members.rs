//! Who is in the fleet, kept so that those that do nothing need not be looked at one by one.
//!
//! Not here: what becomes of a member that is silent, or of what it runs (`fleet`).

use std::collections::{BTreeMap, BTreeSet};

use super::claims::TrackRecord;
use crate::{AttemptId, Beat, Capacity, DispatcherId, ProgramName, Timestamp};

/// The dispatchers that were heard of, by name and by what they offer.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    all: BTreeMap<DispatcherId, Member>,
    /// Those that offer the same together.
    alike: BTreeMap<Capacity, BTreeSet<DispatcherId>>,
    /// Those that run something by their own word.
    running: BTreeSet<DispatcherId>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) incarnation: u64,
    pub(super) heard: Timestamp,
    /// How many beats in a row each lease was absent from.
    pub(super) absent: BTreeMap<AttemptId, u32>,
    /// The results it holds for tasks that nobody knows: since when.
    pub(super) strays: BTreeMap<AttemptId, Timestamp>,
    pub(super) shown: TrackRecord,
    /// Whether it takes nothing new, and holds no result.
    leaves: bool,
    capacity: Capacity,
    /// What runs there by its last beat, less what it has reported since; with the program, where a
    /// lease has told it.
    running: BTreeMap<AttemptId, Option<ProgramName>>,
}

impl Members {
    /// Adds one, or puts it in the place of the one of that name.
    pub(super) fn insert(&mut self, dispatcher: &DispatcherId, member: Member) {
        self.remove(dispatcher);
        if let Some(alike) = self.alike.get_mut(&member.capacity) {
            alike.insert(dispatcher.clone());
        } else {
            self.alike.insert(member.capacity.clone(), [dispatcher.clone()].into());
        }
        if !member.running.is_empty() {
            self.running.insert(dispatcher.clone());
        }
        self.all.insert(dispatcher.clone(), member);
    }

    pub(super) fn remove(&mut self, dispatcher: &DispatcherId) -> Option<Member> {
        let member = self.all.remove(dispatcher)?;
        if let Some(alike) = self.alike.get_mut(&member.capacity) {
            alike.remove(dispatcher);
            if alike.is_empty() {
                self.alike.remove(&member.capacity);
            }
        }
        self.running.remove(dispatcher);
        Some(member)
    }

    pub(super) fn get(&self, dispatcher: &DispatcherId) -> Option<&Member> {
        self.all.get(dispatcher)
    }

    pub(super) fn get_mut(&mut self, dispatcher: &DispatcherId) -> Option<&mut Member> {
        self.all.get_mut(dispatcher)
    }

    /// An attempt has ended there.
    pub(super) fn ended(&mut self, dispatcher: &DispatcherId, attempt: AttemptId) {
        let Some(member) = self.all.get_mut(dispatcher) else { return };
        member.running.remove(&attempt);
        if member.running.is_empty() {
            self.running.remove(dispatcher);
        }
    }

    /// By name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&DispatcherId, &Member)> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.all.values_mut()
    }

    /// What is offered, each with all that offer it.
    pub(super) fn alike(&self) -> impl Iterator<Item = (&Capacity, &BTreeSet<DispatcherId>)> {
        self.alike.iter()
    }

    /// Those that run something by their own word.
    pub(super) const fn running(&self) -> &BTreeSet<DispatcherId> {
        &self.running
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl Member {
    /// As it says of itself, of which `capacity` is believed; `program` tells what an attempt is
    /// at.
    pub(super) fn new(
        now: Timestamp,
        beat: &Beat,
        capacity: Capacity,
        program: impl Fn(&AttemptId) -> Option<ProgramName>,
    ) -> Self {
        Self {
            incarnation: beat.incarnation,
            heard: now,
            absent: BTreeMap::new(),
            strays: BTreeMap::new(),
            shown: TrackRecord::new(now, 0),
            leaves: beat.leaving && beat.held.is_empty(),
            capacity,
            running: beat.running.keys().map(|attempt| (*attempt, program(attempt))).collect(),
        }
    }

    /// What it can run when nothing runs.
    pub(super) const fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// What it runs by its own word.
    pub(super) const fn running(&self) -> &BTreeMap<AttemptId, Option<ProgramName>> {
        &self.running
    }

    /// Whether nothing keeps it by its own word: it is about to go, or has gone.
    pub(super) fn has_taken_leave(&self) -> bool {
        self.leaves && self.running.is_empty()
    }
}
