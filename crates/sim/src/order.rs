//! Who goes first, said as a rule about what was granted: not how it is found.
//!
//! A task that waits goes before every one behind it, unless nobody who is free can run it. A
//! dispatcher that is free is passed over only where it is kept for a task that it alone could run
//! once it is idle, or is set aside: then it gets a probe when that is due, of whatever task, and
//! nothing else. The first that waits has one kept for it, if any could ever run it; and a task
//! goes to who has not failed it, then to who has the least to do.

use std::collections::BTreeMap;

use push0_core::{
    Capacity, DispatcherId, Event, Height, Offer, Program, ProgramName, Seq, TaskId, Timestamp,
};

use crate::check::{Check, Found, holds};
use crate::ledger::{Entry, Ledger, State};

/// A task that waits.
struct Waiting<'a> {
    place: (bool, Height, u32, Seq, TaskId),
    entry: &'a Entry,
    name: &'a ProgramName,
    program: &'a Program,
}

/// Checks the grants that `offers` led to, before they are read into the ledger.
pub(crate) fn check(
    ledger: &Ledger,
    now: Timestamp,
    offers: &[Offer],
    events: &[Event],
    grants_max: usize,
) -> Result<(), Found> {
    if offers.iter().all(|offer| offer.free.slots == 0) || ledger.ready.is_empty() {
        return holds(Check::Capacity, events.is_empty(), || "granted, and nothing is free".into());
    }
    let mut waiting = waiting(ledger, now);
    if events.len() < grants_max {
        kept_for_the_first((ledger, now), &waiting, offers, events)?;
    }
    let mut free: BTreeMap<&DispatcherId, Capacity> =
        offers.iter().map(|offer| (&offer.dispatcher, offer.free.clone())).collect();
    for event in events {
        let Event::Granted { task, dispatcher, .. } = event else { continue };
        let place = waiting.iter().position(|waiting| waiting.place.4 == *task);
        let Some(place) = place else {
            return Err((
                Check::StrictOrder,
                format!("task {task} was granted, and does not wait"),
            ));
        };
        let of = waiting.get(place).map(|task| task.name);
        let is_probe = of.is_some_and(|name| ledger.trouble.is_aside(name, dispatcher));
        if is_probe {
            let runs = |attempt| ledger.leases.contains_key(&attempt);
            let trouble = &ledger.trouble;
            let is_due = of.is_some_and(|name| trouble.may_be_probed(now, name, dispatcher, runs));
            holds(Check::SetAside, is_due, || {
                format!("{dispatcher} is set aside, and is granted {task}")
            })?;
        } else {
            passed_over((ledger, now), &waiting, place, &free, offers)?;
            // Behind one that waits somebody is kept: who that is, is not said here.
            if let (Some(first), 0) = (waiting.first().filter(|it| !it.entry.lacked_memory), place)
            {
                well_placed(ledger, first, dispatcher, &free, offers)?;
            }
        }
        let granted = waiting.remove(place);
        let Some(left) = free.get_mut(dispatcher) else {
            return Err((Check::Capacity, format!("{dispatcher} offers nothing")));
        };
        let has_room = fits(left, granted.name, granted.program);
        let words = || format!("{} does not fit {dispatcher}: {left:?}", granted.entry.key);
        holds(Check::Capacity, has_room, words)?;
        left.slots -= 1;
        left.memory_bytes -= granted.program.memory_bytes;
        left.gpus -= granted.program.gpus;
    }
    match events.len() < grants_max {
        true => passed_over((ledger, now), &waiting, waiting.len(), &free, offers),
        false => Ok(()),
    }
}

/// What may be tried at `now`, the first first.
fn waiting(ledger: &Ledger, now: Timestamp) -> Vec<Waiting<'_>> {
    let ready = ledger.ready.iter().filter_map(|id| {
        let entry = ledger.tasks.get(id)?;
        let State::Ready(at) = entry.state else { return None };
        if at > now || !ledger.is_fed(entry) {
            return None;
        }
        let (name, program) = ledger.program(entry)?;
        let from_end = ledger.stage(entry.stage)?.from_end;
        let is_behind = ledger.next().is_some_and(|next| entry.key.first < next);
        let place = (is_behind, entry.key.first, from_end, entry.opened, *id);
        Some(Waiting { place, entry, name, program })
    });
    let mut waiting: Vec<_> = ready.collect();
    waiting.sort_by_key(|waiting| waiting.place);
    waiting
}

/// Nobody would have been a better place for a task than who was granted it.
fn well_placed(
    ledger: &Ledger,
    task: &Waiting<'_>,
    granted: &DispatcherId,
    free: &BTreeMap<&DispatcherId, Capacity>,
    offers: &[Offer],
) -> Result<(), Found> {
    let place = |offer: &Offer| {
        let left = free.get(&offer.dispatcher).filter(|left| {
            fits(left, task.name, task.program)
                && !ledger.trouble.is_aside(task.name, &offer.dispatcher)
        })?;
        let busy = offer.whole.slots.saturating_sub(left.slots);
        Some((task.entry.place(&offer.dispatcher), busy))
    };
    let best = offers.iter().filter_map(place).min();
    let given = offers.iter().find(|offer| offer.dispatcher == *granted).and_then(place);
    holds(Check::StrictOrder, given == best, || {
        format!("{} went to {granted}, placed {given:?}, and {best:?} is there", task.entry.key)
    })
}

/// Of those that could run the first that waits once they are idle, one gets nothing that is behind
/// it.
fn kept_for_the_first(
    (ledger, now): (&Ledger, Timestamp),
    waiting: &[Waiting<'_>],
    offers: &[Offer],
    events: &[Event],
) -> Result<(), Found> {
    let grants = events.iter().filter_map(|event| {
        if let Event::Granted { task, dispatcher, .. } = event {
            Some((task, dispatcher))
        } else {
            None
        }
    });
    let granted: BTreeMap<_, _> = grants.collect();
    let is_granted = |task: &Waiting<'_>| granted.contains_key(&task.place.4);
    let Some(first) = waiting.iter().position(|task| !is_granted(task)) else { return Ok(()) };
    let (Some(head), behind) = (waiting.get(first), waiting.iter().skip(first + 1)) else {
        return Ok(());
    };
    let is_aside = |who: &DispatcherId| ledger.trouble.is_aside(head.name, who);
    let of_head = waiting.iter().filter(|task| task.name == head.name);
    let mut takers = of_head.filter_map(|task| granted.get(&task.place.4));
    if takers.any(|who| is_aside(who)) {
        return Ok(()); // a probe is of it
    }
    let runs = |attempt| ledger.leases.contains_key(&attempt);
    let able = offers.iter().filter(|offer| {
        let who = &offer.dispatcher;
        let may = !is_aside(who) || ledger.trouble.may_be_probed(now, head.name, who, runs);
        may && fits(&offer.whole, head.name, head.program)
    });
    // Who has no free slot is not kept by anybody: that is of no use where another has one.
    let able: Vec<_> = able.collect();
    let has_free = able.iter().any(|offer| offer.free.slots > 0);
    let able = able.into_iter().filter(|offer| !has_free || offer.free.slots > 0);
    let able: Vec<_> = able.map(|offer| &offer.dispatcher).collect();
    // A probe that is due is no work behind it: it comes at growing intervals, and what it takes is
    // given back soon.
    let busy = behind.filter_map(|task| Some((task.name, granted.get(&task.place.4)?)));
    let busy = busy.filter(|(name, who)| !ledger.trouble.is_aside(name, who));
    let busy: Vec<_> = busy.map(|(_, who)| *who).collect();
    let is_kept = able.is_empty() || able.iter().any(|who| !busy.contains(who));
    holds(Check::StrictOrder, is_kept, || {
        format!("{} waits, and all of {able:?} are given what is behind it", head.entry.key)
    })
}

/// None of the first `before` could be run now by a dispatcher that is not kept for one before it.
fn passed_over(
    (ledger, now): (&Ledger, Timestamp),
    waiting: &[Waiting<'_>],
    before: usize,
    free: &BTreeMap<&DispatcherId, Capacity>,
    offers: &[Offer],
) -> Result<(), Found> {
    let mut heads: Vec<&Waiting<'_>> = Vec::new();
    for task in waiting.iter().take(before) {
        let able = offers.iter().filter(|offer| {
            let left = free.get(&offer.dispatcher);
            left.is_some_and(|left| fits(left, task.name, task.program))
                && !ledger.trouble.is_aside(task.name, &offer.dispatcher)
        });
        for offer in able {
            let is_kept = heads.iter().any(|head| {
                let runs = |attempt| ledger.leases.contains_key(&attempt);
                let (name, who) = (head.name, &offer.dispatcher);
                // One that is to be probed may be kept for that.
                let is_of_use = !ledger.trouble.is_aside(name, who)
                    || ledger.trouble.may_be_probed(now, name, who, runs);
                fits(&offer.whole, name, head.program) && is_of_use
            });
            holds(Check::StrictOrder, is_kept, || {
                let (key, dispatcher) = (task.entry.key, &offer.dispatcher);
                format!("{key} waits, {dispatcher} could run it: {free:?}")
            })?;
        }
        heads.push(task);
    }
    Ok(())
}

fn fits(capacity: &Capacity, name: &ProgramName, program: &Program) -> bool {
    capacity.programs.contains(name)
        && capacity.slots > 0
        && capacity.memory_bytes >= program.memory_bytes
        && capacity.gpus >= program.gpus
}
