//! What each dispatcher could take now: what it announced, less what it holds and runs, as far as
//! it is believed.
//!
//! Not here: who gets what (`queue`).

use std::collections::BTreeSet;

use super::Fleet;
use super::members::Member;
use crate::attempt::Leases;
use crate::{Capacity, DispatcherId, Offer, Program, ProgramName, Scheduler, Timestamp};

impl Fleet {
    /// What each dispatcher could take now.
    #[must_use]
    pub fn offers(&self, scheduler: &Scheduler) -> Vec<Offer> {
        let members = self.members.iter().filter(|(id, _)| !scheduler.is_cordoned(id));
        let offer = |(id, member)| self.offer(id, member, scheduler.held(id), scheduler);
        members.map(offer).collect()
    }

    /// Those of the [`offers`](Self::offers) that decide who gets what may be tried at `now`.
    ///
    /// All of who is busy and could run some of it. Of who is idle and offers the same, the first
    /// by name: as many as can be granted anything, and as a task can have failed on. The others
    /// are of no more use than these, and are gone past. (Budgets that were lowered since may have
    /// let a task fail on more: then one of these may be given it again.)
    #[must_use]
    pub fn offers_at(&self, now: Timestamp, scheduler: &Scheduler) -> Vec<Offer> {
        let wanted = scheduler.wanted_at(now);
        if wanted.is_empty() {
            return Vec::new();
        }
        let is_of_use =
            |whole: &Capacity| wanted.iter().any(|program| whole.programs.contains(*program));
        // All three are by name, and are gone through together: nobody is looked up.
        let mut running = self.members.running().iter().peekable();
        let mut holding = scheduler.holdings().peekable();
        let (mut offers, mut idle_count) = (Vec::new(), 0);
        for (id, member) in self.members.iter() {
            let runs = running.next_if(|other| *other == id).is_some();
            while holding.next_if(|(other, _)| *other < id).is_some() {} // not in the fleet
            let held = holding.next_if(|(other, _)| *other == id).map(|(_, held)| held);
            if !runs && held.is_none() {
                idle_count += 1;
            } else if is_of_use(member.capacity()) && !scheduler.is_cordoned(id) {
                offers.push(self.offer(id, member, held, scheduler));
            }
        }
        let is_idle = |id: &&DispatcherId| {
            scheduler.held(id).is_none()
                && !self.members.running().contains(*id)
                && !scheduler.is_cordoned(id)
        };
        // None is looked for where all are busy.
        let idle_max = scheduler.grants_max_at(now) + scheduler.failed_on_max();
        let idle_max = idle_max + scheduler.asides_max(); // those may be the first by name
        let idle_max = idle_max.min(idle_count);
        let alike = self.members.alike().filter(|(whole, _)| is_of_use(whole));
        offers.extend(alike.flat_map(|(_, alike)| {
            let idle = alike.iter().filter(is_idle).take(idle_max);
            idle.filter_map(|id| Some(self.offer(id, self.members.get(id)?, None, scheduler)))
        }));
        offers.sort_by(|one, other| one.dispatcher.cmp(&other.dispatcher));
        offers
    }

    fn offer(
        &self,
        id: &DispatcherId,
        member: &Member,
        held: Option<&Leases>,
        scheduler: &Scheduler,
    ) -> Offer {
        let mut free = member.free(held, scheduler);
        let mut whole = member.capacity().clone();
        // What is a claim's alone is no slot.
        let claimed = whole.slots;
        whole.slots = claimed.min(member.shown.slots);
        free.slots = free.slots.saturating_sub(claimed - whole.slots);
        Offer { dispatcher: id.clone(), free, whole }
    }

    /// The programs that somebody offers.
    #[must_use]
    pub fn programs(&self) -> BTreeSet<&ProgramName> {
        self.members.alike().flat_map(|(whole, _)| whole.programs.iter()).collect()
    }

    /// The dispatchers that offer a program.
    pub fn offering(&self, program: &ProgramName) -> impl Iterator<Item = &DispatcherId> {
        let alike = self.members.alike().filter(|(whole, _)| whole.programs.contains(program));
        alike.flat_map(|(_, alike)| alike)
    }
}

impl Member {
    /// What is free beside its leases, `held`, and beside what it runs without one.
    fn free(&self, held: Option<&Leases>, scheduler: &Scheduler) -> Capacity {
        let mut free = self.capacity().clone();
        let pipeline = scheduler.pipeline();
        let mut take = |program: Option<&Program>, attempts: u32| {
            let (memory, gpus) = program.map_or((0, 0), |needs| (needs.memory_bytes, needs.gpus));
            let memory = memory.saturating_mul(attempts.into());
            free.slots = free.slots.saturating_sub(attempts);
            free.memory_bytes = free.memory_bytes.saturating_sub(memory);
            free.gpus = free.gpus.saturating_sub(gpus.saturating_mul(attempts));
        };
        for (stage, attempts) in held.into_iter().flat_map(Leases::stages) {
            take(pipeline.programs.get(&pipeline.stage(stage).program), attempts);
        }
        let is_held = |attempt| held.is_some_and(|held| held.attempts().contains(attempt));
        for (_, program) in self.running().iter().filter(|(attempt, _)| !is_held(*attempt)) {
            take(program.as_ref().and_then(|name| pipeline.programs.get(name)), 1);
        }
        free
    }
}
