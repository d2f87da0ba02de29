//! Whether dispatchers are treated as they must be: heard, not overloaded, not given up while they
//! live.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{AttemptId, Beat, DispatcherId, Event, Offer, TaskId, Timestamp, ToDispatcher};

use super::Watch;
use crate::check::{Check, Found, holds};
use crate::ledger::{Entry, State};

impl Watch {
    /// A beat is about to be decided about, and is answered so: of what runs there all is cancelled
    /// that nobody waits for.
    pub(crate) fn hears(&mut self, now: Timestamp, beat: &Beat, answer: &[ToDispatcher]) {
        let result = self.check_sent_again(now, answer);
        self.note(result);
        let is_wanted = |(attempt, task): &(&AttemptId, &TaskId)| {
            let entry = self.ledger.tasks.get(*task).map(|entry| &entry.state);
            matches!(entry, Some(State::Leased { attempt: lease, dispatcher, .. })
                if lease == *attempt && *dispatcher == beat.dispatcher)
        };
        let unwanted = beat.running.iter().filter(|running| !is_wanted(running));
        let is_cancelled =
            |(attempt, _): (&AttemptId, _)| answer.contains(&ToDispatcher::Cancel(*attempt));
        let all_are = unwanted.clone().all(is_cancelled);
        let is_over = self.lives.get(&beat.dispatcher).is_some_and(|life| beat.incarnation < *life);
        self.note(holds(Check::GhostCancelled, all_are || is_over, || {
            format!("{} runs {unwanted:?}, and is told {answer:?}", beat.dispatcher)
        }));
        let life = beat.incarnation;
        let before = self.lives.get(&beat.dispatcher).copied();
        self.hearing = Some(match before {
            Some(before) if life < before => Which::Over,
            Some(before) if life > before => Which::Next,
            Some(_) | None => Which::Same,
        });
        let known = beat.running.iter().chain(&beat.held);
        self.known = known.map(|(attempt, task)| (*attempt, *task)).collect();
        self.lives.insert(beat.dispatcher.clone(), life.max(before.unwrap_or_default()));
    }

    /// It was decided about: all of it, or as much as the turn had room for.
    pub(crate) fn beat(&mut self, beat: &Beat, is_all_decided: bool) {
        let hearing = self.hearing.take();
        if hearing == Some(Which::Over) {
            return; // nothing is learnt of it
        }
        self.unfinished.remove(&beat.dispatcher); // what was left is decided before what is heard later
        if hearing == Some(Which::Next) && !is_all_decided {
            self.unfinished.insert(beat.dispatcher.clone(), self.known.clone());
        }
        if hearing == Some(Which::Next) && is_all_decided {
            let left = self.ledger.leases.values();
            let left = left.filter_map(|task| Some((task, self.ledger.tasks.get(task)?)));
            let is_left = |(task, entry): &(&TaskId, &Entry)| match &entry.state {
                State::Leased { dispatcher, attempt, .. } => {
                    *dispatcher == beat.dispatcher && !knows(beat, attempt, task)
                }
                State::Ready(_) | State::Accepted | State::Parked | State::Superseded => false,
            };
            let left = left.filter(is_left).count();
            self.note(holds(Check::LeaseKnown, left == 0, || {
                format!(
                    "{} was started again, and {left} leases of its life before stand",
                    beat.dispatcher
                )
            }));
        }
        let mut absent = BTreeMap::new();
        for (attempt, task) in &self.ledger.leases {
            let holder = self.ledger.tasks.get(task).map(|entry| &entry.state);
            let Some(State::Leased { dispatcher, .. }) = holder else { continue };
            let is_known = knows(beat, attempt, task);
            let before = self.absent.get(attempt).copied().unwrap_or_default();
            if *dispatcher != beat.dispatcher {
                absent.insert(*attempt, before);
            } else if !is_known {
                absent.insert(*attempt, before + 1);
            }
        }
        let most = absent.values().max().copied().unwrap_or_default();
        self.absent = absent;
        let knows_of = beat.running.len() as u64 + beat.held.len() as u64;
        let at_first = SHOWN_AT_FIRST.max(knows_of);
        self.departed.remove(&beat.dispatcher);
        *self.shown.entry(beat.dispatcher.clone()).or_insert(at_first) += SHOWN_A_BEAT;
        self.announced.insert(beat.dispatcher.clone(), beat.capacity.clone());
        self.running.insert(beat.dispatcher.clone(), beat.running.clone());
        self.note(holds(Check::LeaseKnown, most <= ABSENT_MAX, || {
            format!("{} beats in a row of {} do not know a lease", most, beat.dispatcher)
        }));
    }

    /// A grant that is sent again can be carried out in its time.
    fn check_sent_again(&self, now: Timestamp, answer: &[ToDispatcher]) -> Result<(), Found> {
        for message in answer {
            let ToDispatcher::Grant(grant) = message else { continue };
            let entry = self.ledger.tasks.get(&grant.task);
            let stage = entry.and_then(|entry| self.ledger.stage(entry.stage));
            let Some((stage, until)) = stage.zip(entry.and_then(Entry::until)) else { continue };
            let longest = stage.timeout + stage.grace + stage.timeout * 3 / 10;
            holds(Check::Deadlines, now + longest <= until, || {
                format!("{} is sent again at {now:?}, its lease ends at {until:?}", grant.attempt)
            })?;
        }
        Ok(())
    }

    /// A dispatcher is given up: while a beat of it is decided about, for that; else for its
    /// silence.
    pub(super) fn check_lost(
        &self,
        dispatcher: &DispatcherId,
        events: &[Event],
    ) -> Result<(), Found> {
        let unfinished = self.unfinished.get(dispatcher);
        let (hearing, known) = match (self.hearing, unfinished) {
            (Some(hearing), _) => (hearing, &self.known),
            (None, Some(known)) => (Which::Next, known),
            (None, None) => return self.check_silence(dispatcher, events),
        };
        holds(Check::LiveNotLost, hearing != Which::Over, || {
            format!("{dispatcher} was given up on a late beat of a former life")
        })?;
        let is_known = |event: &&Event| {
            let Event::Lost { task, attempt, .. } = event else { return false };
            known.get(attempt) == Some(task)
        };
        let lost = events.iter().find(is_known);
        holds(Check::LiveNotLost, lost.is_none(), || {
            format!("{dispatcher} was started again, knows of an attempt, and: {lost:?}")
        })
    }

    fn check_silence(&self, dispatcher: &DispatcherId, events: &[Event]) -> Result<(), Found> {
        if self.departed.contains(dispatcher) {
            return Ok(());
        }
        let troubled = self.troubles.get(dispatcher).copied().unwrap_or_default();
        let heard = |since: Duration| self.now.saturating_sub(since) < SILENCE_DOUBT;
        let is_live = !heard(troubled) && !events.is_empty();
        let is_deaf = heard(self.heard_from) && !events.is_empty();
        holds(Check::LiveNotLost, !is_live, || {
            format!("{dispatcher} was given up, nothing was wrong with it since {troubled:?}")
        })?;
        holds(Check::LiveNotLost, !is_deaf, || {
            let since = self.heard_from;
            format!("{dispatcher} was given up, its engine hears since {since:?}: {events:?}")
        })
    }

    pub(super) fn check_capacity(&self, offers: &[Offer], events: &[Event]) -> Result<(), Found> {
        let was_granted = |offer: &&Offer| {
            events.iter().any(
                |event| matches!(event, Event::Granted { dispatcher, .. } if *dispatcher == offer.dispatcher),
            )
        };
        for Offer { dispatcher, .. } in offers.iter().filter(was_granted) {
            let Some(whole) = self.announced.get(dispatcher) else { continue };
            let held = self.ledger.leases.iter().filter_map(|(attempt, task)| {
                let entry = self.ledger.tasks.get(task)?;
                let is_theirs =
                    matches!(&entry.state, State::Leased { dispatcher: holder, .. } if holder == dispatcher);
                is_theirs.then_some((attempt, entry))
            });
            let held: BTreeMap<_, &Entry> = held.collect();
            let none = BTreeMap::new();
            let running = self.running.get(dispatcher).unwrap_or(&none);
            let beside = running.keys().filter(|attempt| !held.contains_key(attempt)).count();
            let programs = held.values().filter_map(|entry| self.ledger.program(entry));
            let needs = programs.map(|(_, program)| (program.memory_bytes, program.gpus));
            let (memory, gpus): (Vec<_>, Vec<_>) = needs.unzip();
            let (memory, gpus) = (memory.iter().sum::<u64>(), gpus.iter().sum::<u32>());
            let slots = (held.len() + beside) as u64;
            let shown = self.shown.get(dispatcher).copied().unwrap_or_default();
            holds(Check::Capacity, held.len() as u64 <= shown, || {
                format!("{dispatcher} holds {}, and has shown {shown}", held.len())
            })?;
            // Who has claimed more before may hold more GPUs than it has: it gets none to it then.
            let needs_gpus = |event: &Event| {
                let Event::Granted { task, dispatcher: to, .. } = event else { return false };
                let entry = self.ledger.tasks.get(task).filter(|_| to == dispatcher);
                let program = entry.and_then(|entry| self.ledger.program(entry));
                program.is_some_and(|(_, program)| program.gpus > 0)
            };
            let is_beyond = slots > u64::from(whole.slots)
                || memory > whole.memory_bytes
                || (gpus > whole.gpus && events.iter().any(needs_gpus));
            holds(Check::Capacity, !is_beyond, || {
                format!("{dispatcher} has {whole:?}, and {} leases and {beside} more", held.len())
            })?;
        }
        Ok(())
    }
}

/// Whether a dispatcher knows of a lease. What it runs by the lease's number, at another task, is a
/// ghost.
fn knows(beat: &Beat, attempt: &AttemptId, task: &TaskId) -> bool {
    beat.running.get(attempt).or_else(|| beat.held.get(attempt)) == Some(task)
}

/// Which life of its dispatcher a beat is of, beside the latest heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    Over,
    Same,
    Next,
}

/// What every dispatcher may hold, and what more for each beat.
const SHOWN_AT_FIRST: u64 = 8;
const SHOWN_A_BEAT: u64 = 2;

/// A lease that so many beats in a row do not mention should not stand any more.
const ABSENT_MAX: u32 = 3;

/// Half of the time in which a silent dispatcher is given up: clocks drift, and messages take time.
const SILENCE_DOUBT: Duration = Duration::from_secs(5);
