//! Why a task stands where it does, by what the scheduler and the fleet know at one moment.
//!
//! What is asked of the fleet is the same for all tasks of a program, and is asked once: many
//! blocks wait for the same.
//!
//! Not here: how a reason is told (`reason`), and which tasks are looked at (`held`).

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use push0_core::{
    DispatcherId, Fleet, InputId, Offer, Program, ProgramName, Scheduler, Task, TaskId, TaskState,
    Timestamp,
};

use super::reason::{Needs, Reason};
use super::runs::{Run, SILENCE_MIN};
use super::trouble::{is_held, seconds_to};
use crate::lines::{self, word};
use crate::output::gist;
use crate::tell::counted;

/// What is known at one moment.
pub(super) struct Watch<'a> {
    pub(super) scheduler: &'a Scheduler,
    /// Who is there; nothing is known of that where no engine leads.
    pub(super) fleet: Option<&'a Fleet>,
    pub(super) now: Timestamp,
    offers: OnceCell<Vec<Offer>>,
    /// Why nobody has a task of a program that may be tried.
    free: RefCell<BTreeMap<ProgramName, Reason>>,
    /// Where that is because all have something to do: all of them.
    busy: RefCell<BTreeMap<ProgramName, BTreeSet<DispatcherId>>>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(scheduler: &'a Scheduler, fleet: Option<&'a Fleet>, now: Timestamp) -> Self {
        let (offers, free, busy) = (OnceCell::new(), RefCell::default(), RefCell::default());
        Self { scheduler, fleet, now, offers, free, busy }
    }

    /// The programs, as far as reasons were asked for, for which this is one of those that have
    /// something to do; no more than so many.
    pub(super) fn busy_for(&self, dispatcher: &DispatcherId, programs_max: usize) -> Vec<String> {
        let busy = self.busy.borrow();
        let of = busy.iter().filter(|(_, busy)| busy.contains(dispatcher));
        of.map(|(program, _)| program.to_string()).take(programs_max).collect()
    }

    /// Why a task stands where it does.
    pub(super) fn reason(&self, id: TaskId, task: &Task) -> Reason {
        match &task.state {
            TaskState::Parked => {
                let why = task.parked.as_ref();
                let (class, message) = why
                    .map_or((String::new(), String::new()), |(class, it)| (word(class), gist(it)));
                Reason::Parked { class, message }
            }
            TaskState::Leased { .. } => {
                let attempts = self.scheduler.attempts_at(id).take(ATTEMPTS_MAX);
                Reason::of_runs(attempts.map(|attempt| Run::of(self, attempt)).collect())
            }
            TaskState::Ready { .. } if !self.has_inputs(task) => Reason::Input,
            TaskState::Ready { at } if *at > self.now => {
                let unheld = self.unheld(task);
                // What nobody can run is not tried again, whatever its time.
                if unheld.is_hindrance() { unheld } else { self.later(task, *at) }
            }
            TaskState::Ready { .. } => self.unheld(task),
            TaskState::Accepted => Reason::Proved,
            TaskState::Superseded => Reason::Superseded,
        }
    }

    fn later(&self, task: &Task, at: Timestamp) -> Reason {
        let mut after: BTreeMap<_, _> =
            task.tally.endings().map(|(how, count)| (word(how), count)).collect();
        let excused = task.tally.total() - after.values().sum::<u32>();
        if excused > 0 {
            after.insert("excused".to_owned(), excused);
        }
        Reason::Later {
            at: lines::time(at),
            seconds: Some(seconds_to(self.now, at)),
            failures: task.tally.total(),
            after,
        }
    }

    /// Since when a task could be tried, if it could.
    pub(super) fn waits_since(&self, task: &Task) -> Option<Timestamp> {
        match task.state {
            TaskState::Ready { at } if at <= self.now => Some(at),
            TaskState::Ready { .. }
            | TaskState::Leased { .. }
            | TaskState::Accepted
            | TaskState::Parked
            | TaskState::Superseded => None,
        }
    }

    /// Why nobody has it, though it may be tried.
    fn unheld(&self, task: &Task) -> Reason {
        let name = &self.scheduler.pipeline().stage(task.stage).program;
        if let Some(known) = self.free.borrow().get(name) {
            return known.clone();
        }
        let reason = match self.fleet {
            Some(fleet) => self.of_fleet(fleet, name),
            None if is_held(self.scheduler, None, name) => self.set_aside(name),
            None => Reason::Next,
        };
        self.free.borrow_mut().insert(name.clone(), reason.clone());
        reason
    }

    fn of_fleet(&self, fleet: &Fleet, name: &ProgramName) -> Reason {
        let program = name.to_string();
        let Some(needs) = self.scheduler.pipeline().programs.get(name) else {
            return Reason::Next; // check saw that it exists
        };
        if fleet.offering(name).next().is_none() {
            return Reason::NotOffered { program, needs: Needs::of(needs), cannot: Vec::new() };
        }
        if is_held(self.scheduler, Some(fleet), name) {
            return self.set_aside(name);
        }
        let offers = self.offers.get_or_init(|| fleet.offers(self.scheduler));
        let is_of_use =
            |offer: &&Offer| offer.whole.slots > 0 && offer.whole.programs.contains(name);
        let offers: Vec<_> = offers.iter().filter(is_of_use).collect(); // none that is cordoned
        if offers.is_empty() {
            let all: BTreeSet<_> = fleet.offering(name).collect();
            let cordoned = self.scheduler.cordons().filter(|(id, _)| all.contains(id)).count();
            let who = self.scheduler.cordons().map(|(id, _)| id).find(|id| all.contains(id));
            let who = who.map(ToString::to_string);
            return Reason::Closed { program, dispatchers: all.len(), cordoned, who };
        }
        let able: Vec<_> = offers.iter().filter(|offer| lacks(offer, needs).is_none()).collect();
        if able.is_empty() {
            let nearest = offers.iter().min_by_key(|offer| {
                let whole = &offer.whole;
                (needs.gpus.saturating_sub(whole.gpus), u64::MAX - whole.memory_bytes)
            });
            let of = |offer: &&Offer| (offer.dispatcher.to_string(), lacks(offer, needs));
            let (nearest, lacks) = nearest.map(of).unwrap_or_default();
            return Reason::TooSmall { program, nearest, lacks: lacks.unwrap_or_default() };
        }
        let silences = able.iter().map(|offer| fleet.silence(&offer.dispatcher));
        let last = silences.map(Option::unwrap_or_default).min().unwrap_or_default();
        if last >= SILENCE_MIN {
            let (silent, silent_max) = (last.as_secs(), fleet.silence_max().as_secs());
            return Reason::Mute { program, dispatchers: able.len(), silent, silent_max };
        }
        let asides = self.scheduler.asides().filter(|(of, ..)| *of == name);
        let asides: BTreeSet<_> = asides.map(|(_, dispatcher, _)| dispatcher).collect();
        let is_aside = |offer: &&&Offer| asides.contains(&offer.dispatcher);
        let (aside, able): (Vec<_>, Vec<_>) = able.into_iter().partition(is_aside);
        let is_silent = |offer: &&&Offer| {
            fleet.silence(&offer.dispatcher).is_some_and(|silence| silence >= SILENCE_MIN)
        };
        let (silent, able): (Vec<_>, Vec<_>) = able.into_iter().partition(is_silent);
        let fits = |offer: &&&Offer| {
            offer.free.slots > 0
                && offer.free.memory_bytes >= needs.memory_bytes
                && offer.free.gpus >= needs.gpus
        };
        if able.iter().any(fits) {
            return Reason::Next;
        }
        let all = able.iter().map(|offer| offer.dispatcher.clone()).collect();
        self.busy.borrow_mut().insert(name.clone(), all);
        Reason::Busy {
            program,
            dispatchers: able.len(),
            aside: aside.len(),
            silent: silent.len(),
            who: able.iter().take(WHO_MAX).map(|it| it.dispatcher.to_string()).collect(),
        }
    }

    fn set_aside(&self, name: &ProgramName) -> Reason {
        let asides = self.scheduler.asides().filter(|(program, ..)| *program == name);
        let (probed, due): (Vec<_>, Vec<_>) =
            asides.map(|(.., aside)| aside).partition(|aside| self.scheduler.probes(aside));
        let until = due.iter().map(|aside| aside.until).min();
        Reason::SetAside {
            program: name.to_string(),
            until: until.map(lines::time),
            seconds: until.map(|until| seconds_to(self.now, until)),
            probed: !probed.is_empty(),
        }
    }

    fn has_inputs(&self, task: &Task) -> bool {
        task.inputs.iter().all(|input| match input {
            InputId::Block(hash) => {
                self.scheduler.chain().block(hash).is_some_and(|block| !block.payload_lost)
            }
            InputId::Task(maker) | InputId::Part(maker, _) => {
                self.scheduler.task(maker).is_some_and(|maker| !maker.is_open())
            }
        })
    }
}

/// What an idle dispatcher has less than a program needs.
fn lacks(offer: &Offer, needs: &Program) -> Option<String> {
    let whole = &offer.whole;
    let memory = needs.memory_bytes > whole.memory_bytes;
    let memory = memory.then(|| {
        format!(
            "{} MiB of memory of {}",
            whole.memory_bytes >> 20,
            needs.memory_bytes.div_ceil(1 << 20)
        )
    });
    let gpus = needs.gpus > whole.gpus;
    let gpus = gpus.then(|| format!("{} of {}", counted(whole.gpus, "GPU"), needs.gpus));
    let all: Vec<_> = memory.into_iter().chain(gpus).collect();
    (!all.is_empty()).then_some(all.join(", "))
}

/// Dispatchers that are named.
const WHO_MAX: usize = 8;

/// Attempts at one task that are told.
const ATTEMPTS_MAX: usize = 8;

#[cfg(test)]
mod tests;
