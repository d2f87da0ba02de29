//! What runs out by itself, and when, read from the facts alone.

use push0_core::{BlockHash, Event, InputId, Limits, TaskId, Timestamp};

use super::batches::{Closing, LED_EVERY};
use super::{Entry, Ledger, State};

impl Ledger {
    /// What should have been decided by `now`, if anything is left of it: a lease that is over, a
    /// block that nobody delivers, a batch to close, that an engine leads.
    pub(crate) fn overdue(&self, now: Timestamp, limits: &Limits) -> Option<String> {
        let lease = self.leases.iter().find_map(|(attempt, task)| {
            let until = self.tasks.get(task)?.until().filter(|until| *until <= now)?;
            Some(format!("{attempt} holds a lease until {until:?}"))
        });
        let starved = || {
            let (task, asked) =
                self.starved().find(|(_, asked)| *asked + limits.resupply_max <= now)?;
            Some(format!("{task} waits for a block since {asked:?}"))
        };
        let batch = || {
            let closing = |index, end| match self.closing(index, now, end, limits) {
                Closing::Due(items, why) => Some(format!("{items} items of {index:?}: {why:?}")),
                Closing::At(_) | Closing::Nothing => None,
            };
            self.batching().find_map(|index| closing(index, self.ended)).or_else(|| {
                let tip = Some(self.tip().filter(|_| self.is_choked(limits))?);
                self.batching().find_map(|index| closing(index, tip))
            })
        };
        let led = || {
            let is_over = self.next_led().is_some_and(|at| at <= now);
            is_over.then(|| format!("nothing was recorded since {:?}", self.at))
        };
        lease.or_else(starved).or_else(batch).or_else(led)
    }

    /// What an engine that has decided all that is due at `now` must wake up for, and when: the
    /// first of it.
    pub(crate) fn next_due(
        &self,
        now: Timestamp,
        limits: &Limits,
    ) -> Option<(Timestamp, &'static str)> {
        let retries = self.ready.iter().filter_map(|id| {
            let entry = self.tasks.get(id)?;
            let State::Ready(at) = entry.state else { return None };
            (at > now && self.is_fed(entry)).then_some((at, "a retry"))
        });
        let leases = self
            .leases
            .values()
            .filter_map(|task| Some((self.tasks.get(task)?.until()?, "the end of a lease")));
        let ages = self.batching().filter_map(|index| {
            match self.closing(index, now, self.ended, limits) {
                Closing::At(at) if at > now => Some((at, "a batch of age")),
                Closing::At(_) | Closing::Due(..) | Closing::Nothing => None,
            }
        });
        let starved = self.starved().map(|(_, asked)| asked + limits.resupply_max);
        let starved = starved.filter(|at| *at > now).map(|at| (at, "a block nobody delivers"));
        let wanted = |program| {
            let mut ready = self.ready.iter().filter_map(|id| self.tasks.get(id));
            ready.any(|entry| {
                self.program(entry).is_some_and(|(name, _)| name == program) && self.is_fed(entry)
            })
        };
        let runs = |attempt| self.leases.contains_key(&attempt);
        let probes = self.trouble.probes(now, runs).filter(|(program, _)| wanted(*program));
        let probes = probes.map(|(_, until)| (until, "a probe"));
        let led = self.next_led().map(|at| (at, "that it leads"));
        let all = retries.chain(leases).chain(ages).chain(starved).chain(probes);
        all.chain(led).min_by_key(|(at, _)| *at)
    }

    fn next_led(&self) -> Option<Timestamp> {
        let runs_out = !self.leases.is_empty() || self.starved().next().is_some();
        runs_out.then_some(self.at + LED_EVERY)
    }

    /// The tasks that wait for a block which the source was asked for, and since when.
    fn starved(&self) -> impl Iterator<Item = (TaskId, Timestamp)> {
        let ready = (!self.lost_payloads.is_empty()).then_some(&self.ready);
        ready.into_iter().flatten().filter_map(|id| {
            let lost = self.tasks.get(id)?.inputs.iter().filter_map(|input| match input {
                InputId::Block(hash) => self.lost_payloads.get(hash),
                InputId::Task(_) | InputId::Part(..) => None,
            });
            Some((*id, lost.min().copied()?))
        })
    }

    /// An engine took over: what runs out has the time left that it had at the fact before.
    pub(super) fn resumed(&mut self, at: Timestamp) {
        let gap = at.since(self.at);
        for task in self.leases.values() {
            let state = self.tasks.get_mut(task).map(|entry| &mut entry.state);
            if let Some(State::Leased { until, .. }) = state {
                *until = *until + gap;
            }
        }
        self.lost_payloads.values_mut().for_each(|asked| *asked = *asked + gap);
    }

    /// Whether a complaint is of what was delivered, or made, after its attempt was granted: it is
    /// not what that missed.
    pub(crate) fn is_stale(&self, granted: push0_core::Seq, event: &Event) -> bool {
        if let Event::PayloadLost { block } = event {
            self.delivered.get(block).is_some_and(|at| *at >= granted)
        } else if let Event::Reopened { task, .. } = event {
            self.tasks.get(task).is_some_and(|entry| entry.accepted >= granted)
        } else {
            false
        }
    }

    pub(super) fn payload_lost(&mut self, at: Timestamp, block: BlockHash) {
        self.lost_payloads.insert(block, at);
    }
}

impl Entry {
    pub(crate) fn until(&self) -> Option<Timestamp> {
        match &self.state {
            State::Leased { until, .. } => Some(*until),
            State::Ready(_) | State::Accepted | State::Parked | State::Superseded => None,
        }
    }
}
