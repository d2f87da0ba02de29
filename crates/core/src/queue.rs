//! The queue: which task goes first, and to whom.
//!
//! `oldest-first`: the lowest first height, then the stage nearest the end, then the older task;
//! and what is made again of what was released long ago comes after all that is to be released yet.
//! Strictly: the first that a free dispatcher could run goes before every later one, and no slot
//! idles while it could run something. Where only busy dispatchers could run the first, one of them
//! is kept for it. A probe that is due goes before what waits for another program: it comes at
//! growing intervals, so that waits a bounded time.
//!
//! Not here: what makes a task ready (`task`), how a grant is recorded (`scheduler::assign`).

use std::collections::{BTreeMap, BTreeSet};

use crate::{Capacity, DispatcherId, Height, Program, ProgramName, Seq, Task, TaskId, Timestamp};

/// What a dispatcher may get of a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum May {
    /// Whatever fits.
    All,
    /// One task, to see: the last that waits, or for a change the first, which may be the only one
    /// that can be proved.
    Probe { is_of_the_head: bool },
    /// Nothing now.
    Nothing,
}

/// The tasks that may be tried, in order, and those that will be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Queue {
    ready: BTreeMap<ProgramName, BTreeSet<Rank>>,
    delayed: BTreeMap<(Timestamp, TaskId), (ProgramName, Rank)>,
}

/// A task's place in the order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Rank {
    /// Whether it is below what is released: the head does not wait for it.
    pub(crate) is_behind: bool,
    pub(crate) first: Height,
    pub(crate) from_end: u32,
    pub(crate) opened: Seq,
    pub(crate) task: TaskId,
}

/// What a dispatcher could take now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offer {
    /// Whose.
    pub dispatcher: DispatcherId,
    /// What is free.
    pub free: Capacity,
    /// What there is when nothing runs.
    pub whole: Capacity,
}

impl Queue {
    pub(crate) fn put(&mut self, program: &ProgramName, rank: Rank, at: Timestamp, now: Timestamp) {
        if at > now {
            self.delayed.insert((at, rank.task), (program.clone(), rank));
        } else if let Some(ready) = self.ready.get_mut(program) {
            ready.insert(rank);
        } else {
            self.ready.insert(program.clone(), [rank].into());
        }
    }

    pub(crate) fn take(&mut self, program: &ProgramName, rank: &Rank, at: Timestamp) {
        self.delayed.remove(&(at, rank.task));
        if let Some(ready) = self.ready.get_mut(program) {
            ready.remove(rank);
        }
    }

    /// Moves what is due to the ready ones.
    pub(crate) fn promote(&mut self, now: Timestamp) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let (program, rank) = entry.remove();
            self.ready.entry(program).or_default().insert(rank);
        }
    }

    /// When the next delayed task after `now` may be tried.
    pub(crate) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let after = (now, TaskId([u8::MAX; 32]));
        self.delayed.range(after..).map(|((at, _), _)| *at).find(|at| *at > now)
    }

    /// The programs that something waits for, be it ready or delayed.
    pub(crate) fn wanted(&self) -> BTreeSet<&ProgramName> {
        let ready = self.ready.iter().filter(|(_, ready)| !ready.is_empty()).map(|(name, _)| name);
        ready.chain(self.delayed.values().map(|(name, _)| name)).collect()
    }

    /// The programs that something may be tried of at `now`.
    pub(crate) fn wanted_at(&self, now: Timestamp) -> BTreeSet<&ProgramName> {
        let ready = self.ready.iter().filter(|(_, ready)| !ready.is_empty()).map(|(name, _)| name);
        let delayed = self.delayed.iter().take_while(move |((at, _), _)| *at <= now);
        ready.chain(delayed.map(|(_, (name, _))| name)).collect()
    }

    /// How many may be tried at `now`.
    pub(crate) fn count_at(&self, now: Timestamp) -> usize {
        let delayed = self.delayed.keys().take_while(|(at, _)| *at <= now).count();
        self.ready.values().map(BTreeSet::len).sum::<usize>() + delayed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.delayed.is_empty() && self.ready.values().all(BTreeSet::is_empty)
    }

    /// Pairs what may be tried at `now` with what is offered, at most `grants_max` times. A
    /// dispatcher that may have no more than a probe of a program (`may`) gets the last that waits,
    /// and none that it has failed before if there is another: the head does not wait for it.
    pub(crate) fn assign<'a>(
        &self,
        now: Timestamp,
        offers: &[Offer],
        programs: &BTreeMap<ProgramName, Program>,
        task: impl Fn(&TaskId) -> Option<&'a Task>,
        may: impl Fn(&DispatcherId, &ProgramName) -> May,
        grants_max: usize,
    ) -> Vec<(TaskId, DispatcherId)> {
        let due = self.due(now);
        let none = BTreeSet::new();
        let mut lines: BTreeMap<_, _> = programs
            .keys()
            .map(|name| {
                let ready = self.ready.get(name).unwrap_or(&none).iter();
                let due = due.get(name).unwrap_or(&none).iter();
                (name, Line { ready: ready.peekable(), due: due.peekable() })
            })
            .collect();
        let mut candidates: Vec<_> = offers.iter().map(Candidate::of).collect();
        let mut grants = Vec::new();
        let mut is_reserved = false;
        while grants.len() < grants_max {
            let first = lines.iter_mut().filter_map(|(name, line)| Some((line.peek()?, *name)));
            let Some((rank, name)) = first.min() else { break };
            let Some((program, first)) = programs.get(name).zip(task(&rank.task)) else { break };
            if let Some(candidate) = best(&mut candidates, name, program, first, &may) {
                candidate.take(program);
                grants.push((rank.task, candidate.offer.dispatcher.clone()));
                lines.get_mut(name).map(Line::next);
            } else {
                let (ready, due) = (self.ready.get(name), due.get(name));
                let (ready, due) = (ready.unwrap_or(&none), due.unwrap_or(&none));
                let (waiting, room) = (Waiting { ready, due }, grants_max - grants.len());
                let of = (name, program);
                let probes = probes(&mut candidates, &waiting, &grants, of, &task, &may, room);
                let is_probed = !probes.is_empty();
                grants.extend(probes);
                if !is_reserved && !is_probed {
                    is_reserved = reserve(&mut candidates, name, program, &may);
                }
                lines.remove(name);
            }
        }
        grants
    }

    fn due(&self, now: Timestamp) -> BTreeMap<&ProgramName, BTreeSet<Rank>> {
        let mut due = BTreeMap::<_, BTreeSet<_>>::new();
        for ((at, _), (program, rank)) in &self.delayed {
            if *at > now {
                break;
            }
            due.entry(program).or_default().insert(*rank);
        }
        due
    }
}

/// What waits for one program, in order.
struct Line<'a> {
    ready: std::iter::Peekable<std::collections::btree_set::Iter<'a, Rank>>,
    due: std::iter::Peekable<std::collections::btree_set::Iter<'a, Rank>>,
}

impl Line<'_> {
    fn peek(&mut self) -> Option<Rank> {
        let (ready, due) = (self.ready.peek(), self.due.peek());
        ready.into_iter().chain(due).min().map(|rank| **rank)
    }

    fn next(&mut self) {
        let next = self.peek();
        if self.ready.peek().map(|rank| **rank) == next {
            self.ready.next();
        } else {
            self.due.next();
        }
    }
}

/// A dispatcher, with what is left of what it offers. Offers of a thousand are not copied for a few
/// grants.
struct Candidate<'a> {
    offer: &'a Offer,
    slots: u32,
    memory_bytes: u64,
    gpus: u32,
}

impl<'a> Candidate<'a> {
    const fn of(offer: &'a Offer) -> Self {
        let Capacity { slots, memory_bytes, gpus, .. } = offer.free;
        Self { offer, slots, memory_bytes, gpus }
    }

    fn fits(&self, name: &ProgramName, program: &Program) -> bool {
        self.slots > 0
            && self.memory_bytes >= program.memory_bytes
            && self.gpus >= program.gpus
            && self.offer.free.programs.contains(name)
    }

    /// Whether it would fit if nothing ran there.
    fn could_fit(&self, name: &ProgramName, program: &Program) -> bool {
        let whole = &self.offer.whole;
        whole.slots > 0
            && whole.memory_bytes >= program.memory_bytes
            && whole.gpus >= program.gpus
            && whole.programs.contains(name)
    }

    /// How many slots are taken.
    const fn busy(&self) -> u32 {
        self.offer.whole.slots.saturating_sub(self.slots)
    }

    /// Takes out what an attempt needs that fits.
    const fn take(&mut self, program: &Program) {
        self.slots -= 1;
        self.memory_bytes -= program.memory_bytes;
        self.gpus -= program.gpus;
    }
}

/// The best of the dispatchers that could run it now: one it has not failed on, then any but the
/// last that failed it; for what ran out of memory then the one that has the most, as far as that
/// is of use; then the one that has the least to do, so that none gets all for what it claims to
/// have.
fn best<'a, 'b>(
    candidates: &'a mut [Candidate<'b>],
    name: &ProgramName,
    program: &Program,
    task: &Task,
    may: impl Fn(&DispatcherId, &ProgramName) -> May,
) -> Option<&'a mut Candidate<'b>> {
    let fitting = candidates.iter_mut().filter(|candidate| {
        candidate.fits(name, program) && may(&candidate.offer.dispatcher, name) == May::All
    });
    fitting.min_by(|one, other| {
        let lacked_memory = task.tally.has_lacked_memory();
        let most =
            if lacked_memory { program.memory_bytes.saturating_mul(LACKED_TIMES) } else { 0 };
        let place = |it: &Candidate<'_>| {
            let lacks = most.saturating_sub(it.offer.whole.memory_bytes);
            (task.tally.place(&it.offer.dispatcher), lacks, it.busy())
        };
        let by_name = || one.offer.dispatcher.cmp(&other.offer.dispatcher);
        place(one).cmp(&place(other)).then_with(by_name)
    })
}

/// All that waits for a program.
struct Waiting<'a> {
    ready: &'a BTreeSet<Rank>,
    due: &'a BTreeSet<Rank>,
}

/// Who may have a probe of a program of which nobody else can take what waits, and of what.
fn probes<'a>(
    candidates: &mut [Candidate<'_>],
    waiting: &Waiting<'_>,
    granted: &[(TaskId, DispatcherId)],
    (name, program): (&ProgramName, &Program),
    task: impl Fn(&TaskId) -> Option<&'a Task>,
    may: impl Fn(&DispatcherId, &ProgramName) -> May,
    probes_max: usize,
) -> Vec<(TaskId, DispatcherId)> {
    let mut probes = Vec::<(TaskId, DispatcherId)>::new();
    for candidate in candidates {
        let who = &candidate.offer.dispatcher;
        if probes.len() >= probes_max || !candidate.fits(name, program) {
            continue;
        }
        let May::Probe { is_of_the_head } = may(who, name) else { continue };
        let is_free = |rank: &&Rank| {
            let mut taken = granted.iter().chain(&probes);
            !taken.any(|(task, _)| *task == rank.task)
        };
        let is_new = |rank: &&Rank| task(&rank.task).is_some_and(|it| it.tally.place(who) == 0);
        let rank = match is_of_the_head {
            true => waiting.ready.iter().chain(waiting.due).find(is_free),
            false => {
                let last_first = waiting.ready.iter().rev().chain(waiting.due.iter().rev());
                let mut waiting = last_first.filter(is_free).take(PROBED_MAX).peekable();
                let last = waiting.peek().copied();
                waiting.find(is_new).or(last)
            }
        };
        if let Some(rank) = rank {
            probes.push((rank.task, who.clone()));
            candidate.take(program);
        }
    }
    probes
}

/// Keeps one dispatcher that could run it, if only it were idle, from taking anything else.
///
/// Who has no free slot takes nothing anyway: of the others the one with the most room for it is
/// kept. So who claims more than there is, and sits on all that it was given, has nobody else taken
/// for busy.
fn reserve(
    candidates: &mut [Candidate<'_>],
    name: &ProgramName,
    program: &Program,
    may: impl Fn(&DispatcherId, &ProgramName) -> May,
) -> bool {
    // One that may get a probe alone is kept where there is none that may have all.
    let able = candidates.iter_mut().filter_map(|candidate| {
        let may = may(&candidate.offer.dispatcher, name);
        (candidate.could_fit(name, program) && may != May::Nothing)
            .then_some((may == May::All, candidate))
    });
    let freest = able.max_by_key(|(is_well, it)| {
        let (memory, gpus) = (it.memory_bytes.min(program.memory_bytes), it.gpus.min(program.gpus));
        (it.slots > 0, *is_well, gpus, memory, it.slots)
    });
    let freest = freest.map(|(_, candidate)| candidate);
    freest.is_some_and(|candidate| {
        candidate.slots = 0;
        true
    })
}

/// What ran out of memory goes to who has so many times what its program reserves, or comes nearest
/// to that. More is of no more use, and may be a claim.
const LACKED_TIMES: u64 = 8;

/// Of so many that wait, at most, one is looked for that a probe has not failed before.
const PROBED_MAX: usize = 64;
