//! The fleet: what is known of the dispatchers at this moment.
//!
//! Nothing here is in the log. Heartbeats are not facts; the end of a lease is, and the fleet says
//! when one is due. It keeps its own clock of silence, which counts only while its engine was
//! running: after a gap in the engine's loop every silence begins anew.
//!
//! Free capacity is derived, never counted in messages: what a dispatcher announced, less the
//! leases it holds, less what it says it still runs. And what it announced is a claim: it is
//! believed as far as it was shown (`fleet::claims`).
//!
//! **Ghosts.** Grants leave before they are durable. So a dispatcher may run an attempt whose
//! record was lost with its engine. The log knows no attempt of that id for that task: it is a
//! ghost, and is cancelled. An id holds the epoch of its engine, so no other attempt has it; ids of
//! older logs do not, so a beat also names the task of each attempt.
//!
//! A ghost's result is not refused before a minute has passed. Its task may become known: whoever
//! asked for it got no answer, and asks again.
//!
//! Not here: what a beat says (`fleet::beat`), and what a lost lease leads to (`scheduler`).

mod beat;
mod claims;
mod members;
mod offers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::members::{Member, Members};
use crate::{
    AttemptId, Capacity, Deadline, DispatcherId, Input, Life, Outcome, Report, Scheduler, Timestamp,
};

/// Every dispatcher that was heard of.
#[derive(Clone, Debug)]
pub struct Fleet {
    silence_max: Duration,
    members: Members,
    /// Those that hold a lease and were not heard of, or are given up: since when.
    unheard: BTreeMap<DispatcherId, Timestamp>,
    /// The lives that were given up lately, and when: a beat of a life before may still be on its
    /// way.
    gone: BTreeMap<DispatcherId, (u64, Timestamp)>,
    /// When the engine last looked.
    looked: Timestamp,
    /// Before it nobody has been silent too long: of a thousand dispatchers none is looked at in
    /// each turn.
    silent_from: Timestamp,
}

impl Fleet {
    /// A fleet of which nothing was heard; a dispatcher is gone after `silence_max`.
    #[must_use]
    pub fn new(silence_max: Duration) -> Self {
        Self {
            silence_max,
            members: Members::default(),
            unheard: BTreeMap::new(),
            gone: BTreeMap::new(),
            looked: Timestamp(0),
            silent_from: Timestamp(0),
        }
    }

    /// Notes that the engine runs at `now`. A long time since the last look was the engine's own
    /// gap, in which it could not hear.
    pub fn look(&mut self, now: Timestamp) {
        let is_gap = now.since(self.looked) > self.silence_max / GAP_SHARE;
        if is_gap {
            for member in self.members.iter_mut() {
                member.heard = now;
            }
            self.unheard.values_mut().for_each(|since| *since = now);
        }
        self.looked = now;
    }

    /// Takes a dispatcher's word that an attempt has ended.
    pub fn ended(&mut self, report: &Report) {
        let member = self.members.get(&report.dispatcher);
        if member.is_some_and(|member| member.incarnation == report.incarnation) {
            self.members.ended(&report.dispatcher, report.attempt);
        }
    }

    /// Notes that the result of a lease's holder was accepted, which may hold more for it. A report
    /// alone is a word.
    pub fn proved(&mut self, by: &Life) {
        let member = self.members.get_mut(&by.dispatcher);
        let member = member.filter(|member| member.incarnation == by.incarnation);
        member.into_iter().for_each(|member| member.shown.proved(self.looked));
    }

    /// Whether a report is not to be answered yet: a result, of a task that may yet be known. It
    /// comes again with the next beat.
    pub fn awaits(&mut self, now: Timestamp, report: &Report, scheduler: &Scheduler) -> bool {
        let is_result = matches!(report.outcome, Outcome::Proved(_));
        if !is_result || scheduler.task(&report.task).is_some() {
            return false;
        }
        let Some(member) = self.members.get_mut(&report.dispatcher) else { return true };
        let since = *member.strays.entry(report.attempt).or_insert(now);
        now.since(since) < STRAY_MAX
    }

    /// The life of a dispatcher that was heard last. What is for one that was not heard of waits
    /// for its beat.
    #[must_use]
    pub fn life(&self, dispatcher: &DispatcherId) -> Option<Life> {
        let incarnation = self.members.get(dispatcher)?.incarnation;
        Some(Life { dispatcher: dispatcher.clone(), incarnation })
    }

    /// How long a dispatcher has said nothing, by the last look.
    #[must_use]
    pub fn silence(&self, dispatcher: &DispatcherId) -> Option<Duration> {
        let member = self.members.get(dispatcher)?;
        Some(self.looked.since(member.heard))
    }

    /// All that were heard of and are not given up, by name: what each offers when it is idle, and
    /// how long it has said nothing. Who took its leave and left nothing undone is not among them:
    /// its silence is no trouble.
    pub fn heard(
        &self,
        scheduler: &Scheduler,
    ) -> impl Iterator<Item = (&DispatcherId, &Capacity, Duration)> {
        let is_there = |(id, member): &(&DispatcherId, &Member)| {
            !member.has_taken_leave() || scheduler.held(id).is_some()
        };
        let heard = self.members.iter().filter(is_there);
        heard.map(|(id, member)| (id, member.capacity(), self.looked.since(member.heard)))
    }

    /// How long a dispatcher that holds a lease has not been heard of at all, or since it was given
    /// up.
    #[must_use]
    pub fn unheard(&self, dispatcher: &DispatcherId) -> Option<Duration> {
        self.unheard.get(dispatcher).map(|since| self.looked.since(*since))
    }

    /// How long one may be silent before it is given up.
    #[must_use]
    pub const fn silence_max(&self) -> Duration {
        self.silence_max
    }

    /// Gives up on a dispatcher whose connection was seen to end at `since`, unless it was heard of
    /// after that: answers what must be asked of the scheduler.
    pub fn departed(
        &mut self,
        dispatcher: &DispatcherId,
        since: Timestamp,
        scheduler: &Scheduler,
    ) -> Vec<Input> {
        if self.members.get(dispatcher).is_none_or(|member| member.heard > since) {
            return Vec::new();
        }
        self.give_up(dispatcher);
        let (why, leases) =
            ("its dispatcher's connection was lost", scheduler.attempts_of(dispatcher));
        lose_all(dispatcher, BTreeSet::new(), why, leases.count()).collect()
    }

    /// Gives up on the dispatchers that were silent too long; again, while they hold leases.
    pub fn silent(&mut self, now: Timestamp, scheduler: &Scheduler) -> Vec<Input> {
        if now < self.silent_from {
            return Vec::new();
        }
        let limit = self.silence_max;
        let gone = self.members.iter().filter(|(_, member)| now.since(member.heard) >= limit);
        let gone: Vec<_> = gone.map(|(id, member)| (id.clone(), member.heard)).collect();
        for (dispatcher, _) in &gone {
            self.give_up(dispatcher);
        }
        self.unheard.extend(gone);
        self.unheard.retain(|dispatcher, _| scheduler.attempts_of(dispatcher).next().is_some());
        for holder in scheduler.holders().filter(|holder| self.members.get(holder).is_none()) {
            if !self.unheard.contains_key(holder) {
                self.unheard.insert(holder.clone(), now);
            }
        }
        let heard = self.members.iter().map(|(_, member)| member.heard);
        let first = heard.chain(self.unheard.values().copied()).min().unwrap_or(now);
        self.silent_from = (first + limit).min(now + limit / (2 * GAP_SHARE));
        let silent = self.unheard.iter().filter(|(_, since)| now.since(**since) >= limit);
        let lose = |(dispatcher, _): (&DispatcherId, _)| Input::Lose {
            dispatcher: dispatcher.clone(),
            but: BTreeSet::new(),
            message: format!("its dispatcher was silent for {} s", limit.as_secs_f64()),
        };
        silent.map(lose).collect()
    }

    /// Forgets a dispatcher, but for which life of it was heard last.
    fn give_up(&mut self, dispatcher: &DispatcherId) {
        let Some(was) = self.members.remove(dispatcher) else { return };
        let now = self.looked;
        self.gone.retain(|_, (_, since)| now.since(*since) < GONE_FOR);
        if self.gone.len() < GONE_MAX {
            self.gone.insert(dispatcher.clone(), (was.incarnation, now));
        }
    }

    /// Whether a life of a dispatcher is before the one that was heard last.
    fn is_of_the_past(&self, dispatcher: &DispatcherId, incarnation: u64) -> bool {
        let there = self.members.get(dispatcher).map(|member| member.incarnation);
        let gone = || {
            let (life, since) = self.gone.get(dispatcher)?;
            (self.looked.since(*since) < GONE_FOR).then_some(*life)
        };
        let last = there.or_else(gone);
        last.is_some_and(|last| incarnation < last)
    }

    /// When to look next: before a dispatcher has been silent too long, and so often that a longer
    /// time is a gap of the engine's own.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        if self.members.is_empty() && self.unheard.is_empty() {
            return None;
        }
        let look = self.looked + self.silence_max / (2 * GAP_SHARE);
        let at = self.silent_from.min(look);
        Some(Deadline { at, why: "the dispatchers are looked after" })
    }

    /// Whether nobody was heard of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// Gives up on what a dispatcher holds, however few of its leases one decision ends: each ends one
/// at least, and what is left when there is none changes nothing.
fn lose_all(
    dispatcher: &DispatcherId,
    but: BTreeSet<AttemptId>,
    why: &str,
    leases: usize,
) -> impl Iterator<Item = Input> + use<> {
    let lose = Input::Lose { dispatcher: dispatcher.clone(), but, message: why.to_owned() };
    std::iter::repeat_n(lose, leases)
}

/// How long a result may wait for its task to become known. A takeover takes less, and so does a
/// client's retry.
const STRAY_MAX: Duration = Duration::from_secs(60);

/// How long a beat may be on its way. A lower number may also be a new life, of a machine whose
/// clock is behind: that one is heard after as long, which is no longer than a late beat would have
/// its dispatcher pass for one that is there.
const GONE_FOR: Duration = Duration::from_secs(10);

/// As many lives are remembered at most. Past that a late beat has a dispatcher pass for one that
/// is there, for as long as it may be silent.
const GONE_MAX: usize = 1_024;

/// The engine itself was held up when it looks later than this share of the longest silence.
const GAP_SHARE: u32 = 4;
