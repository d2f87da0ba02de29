//! The fleet: what is known of the dispatchers at this moment.
//!
//! Nothing here is in the log. Heartbeats are not facts; the end of a lease is, and the fleet says when
//! one is due. It keeps its own clock of silence, which counts only while its engine was running: after a
//! gap in the engine's loop every silence begins anew.
//!
//! Free capacity is derived, never counted in messages: what a dispatcher announced, less the leases it
//! holds, less what it says it still runs.
//!
//! Not here: what a lost lease leads to (`scheduler`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{
    AttemptId, Beat, Capacity, Deadline, DispatcherId, Input, Offer, Pipeline, ProgramName,
    Scheduler, Timestamp, ToDispatcher,
};

/// Every dispatcher that was heard of.
#[derive(Clone, Debug)]
pub struct Fleet {
    silence_max: Duration,
    members: BTreeMap<DispatcherId, Member>,
    /// When the engine last looked.
    looked: Timestamp,
}

#[derive(Clone, Debug)]
struct Member {
    incarnation: u64,
    capacity: Capacity,
    heard: Timestamp,
    /// What runs there by its last beat, less what it has reported since.
    running: BTreeSet<AttemptId>,
    /// How many beats in a row each lease was absent from.
    absent: BTreeMap<AttemptId, u32>,
}

impl Fleet {
    /// A fleet of which nothing was heard; a dispatcher is gone after `silence_max`.
    #[must_use]
    pub const fn new(silence_max: Duration) -> Self {
        Self { silence_max, members: BTreeMap::new(), looked: Timestamp(0) }
    }

    /// Notes that the engine runs at `now`. A long time since the last look was the engine's own gap, in
    /// which it could not hear.
    pub fn look(&mut self, now: Timestamp) {
        if now.since(self.looked) > self.silence_max / 4 {
            for member in self.members.values_mut() {
                member.heard = now;
            }
        }
        self.looked = now;
    }

    /// Takes a beat: answers what must be asked of the scheduler, and sent to the dispatcher again.
    pub fn beat(
        &mut self,
        now: Timestamp,
        beat: &Beat,
        scheduler: &Scheduler,
    ) -> (Vec<Input>, Vec<ToDispatcher>) {
        let leases = scheduler.leases_by_dispatcher().remove(&beat.dispatcher).unwrap_or_default();
        let leases: Vec<_> = leases.into_keys().collect();
        let was = self.members.remove(&beat.dispatcher);
        let mut member = Member {
            incarnation: beat.incarnation,
            capacity: beat.capacity.clone(),
            heard: now,
            running: beat.running.clone(),
            absent: BTreeMap::new(),
        };
        let mut inputs = Vec::new();
        let mut again = Vec::new();
        let unwanted = beat.running.iter().filter(|attempt| !leases.contains(attempt));
        again.extend(unwanted.map(|attempt| ToDispatcher::Cancel(*attempt)));
        match was {
            Some(was) if was.incarnation != beat.incarnation => inputs.push(Input::Lose {
                dispatcher: beat.dispatcher.clone(),
                message: "its dispatcher was started again".to_owned(),
            }),
            was => {
                let before = was.map(|was| was.absent).unwrap_or_default();
                let is_known =
                    |lease: &AttemptId| beat.running.contains(lease) || beat.held.contains(lease);
                for attempt in leases.into_iter().filter(|lease| !is_known(lease)) {
                    let beats = before.get(&attempt).copied().unwrap_or_default() + 1;
                    member.absent.insert(attempt, beats);
                    if beats >= ABSENT_MAX {
                        let message = format!("its dispatcher knew nothing of it in {beats} beats");
                        inputs.push(Input::Withdraw { attempt, message });
                    } else if let Some(grant) = scheduler.grant(attempt) {
                        again.push(ToDispatcher::Grant(Box::new(grant)));
                    }
                }
            }
        }
        self.members.insert(beat.dispatcher.clone(), member);
        (inputs, again)
    }

    /// Takes a dispatcher's word that an attempt has ended.
    pub fn ended(&mut self, dispatcher: &DispatcherId, attempt: AttemptId) {
        if let Some(member) = self.members.get_mut(dispatcher) {
            member.running.remove(&attempt);
        }
    }

    /// Gives up on the dispatchers that were silent too long.
    pub fn silent(&mut self, now: Timestamp) -> Vec<Input> {
        let limit = self.silence_max;
        let gone: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| now.since(member.heard) >= limit)
            .map(|(dispatcher, _)| dispatcher.clone())
            .collect();
        let lose = |dispatcher: DispatcherId| {
            self.members.remove(&dispatcher);
            let message = format!("its dispatcher was silent for {} s", limit.as_secs_f64());
            Input::Lose { dispatcher, message }
        };
        gone.into_iter().map(lose).collect()
    }

    /// When the next dispatcher has been silent too long.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let heard = self.members.values().map(|member| member.heard).min()?;
        Some(Deadline { at: heard + self.silence_max, why: "a dispatcher was silent too long" })
    }

    /// What each dispatcher could take now.
    #[must_use]
    pub fn offers(&self, scheduler: &Scheduler) -> Vec<Offer> {
        let mut held = scheduler.leases_by_dispatcher();
        let offers = self.members.iter().map(|(dispatcher, member)| {
            let leases = held.remove(dispatcher).unwrap_or_default();
            let strays = member.running.iter().filter(|attempt| !leases.contains_key(attempt));
            let strays = u32::try_from(strays.count()).unwrap_or(u32::MAX);
            Offer {
                dispatcher: dispatcher.clone(),
                free: free(&member.capacity, scheduler.pipeline(), leases.values(), strays),
                whole: member.capacity.clone(),
            }
        });
        offers.collect()
    }

    /// The programs that somebody offers.
    #[must_use]
    pub fn programs(&self) -> BTreeSet<&ProgramName> {
        self.members.values().flat_map(|member| &member.capacity.programs).collect()
    }

    /// Whether nobody was heard of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// What is free beside these leases and so many attempts that run without one.
fn free<'a>(
    whole: &Capacity,
    pipeline: &Pipeline,
    leases: impl Iterator<Item = &'a &'a ProgramName>,
    strays: u32,
) -> Capacity {
    let mut free = Capacity { slots: whole.slots.saturating_sub(strays), ..whole.clone() };
    for program in leases.filter_map(|name| pipeline.programs.get(*name)) {
        free.slots = free.slots.saturating_sub(1);
        free.memory_bytes = free.memory_bytes.saturating_sub(program.memory_bytes);
        free.gpus = free.gpus.saturating_sub(program.gpus);
    }
    free
}

/// A lease that so many beats in a row do not mention was never taken (`protocol.md` §3).
const ABSENT_MAX: u32 = 3;
