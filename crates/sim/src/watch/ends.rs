//! What must follow from how an attempt ends: how long the next waits, who is set aside, which
//! complaint counts.

use std::collections::BTreeSet;
use std::time::Duration;

use push0_core::{Event, FailureClass, Input, Outcome, Timestamp};

use super::{Watch, report};
use crate::check::{Check, Found, holds};
use crate::ledger::{End, How};

impl Watch {
    /// What a decision says of attempts that ended, before it is read.
    pub(super) fn check_ends(
        &self,
        at: Timestamp,
        input: &Input,
        events: &[Event],
    ) -> Result<(), Found> {
        let due = self.ledger.to_be_set_aside(at, events);
        let set = events.iter().filter_map(|event| {
            let Event::SetAside { dispatcher, program, .. } = event else { return None };
            Some((program.clone(), dispatcher.clone()))
        });
        let set: BTreeSet<_> = set.collect();
        holds(Check::SetAside, due == set, || {
            format!("{set:?} are set aside, and by the facts {due:?}")
        })?;
        self.check_waits(at, events)?;
        self.check_excused(events)?;
        self.check_complaint(input, events)
    }

    /// The wait doubles from the first to the longest, and is a half of that at least.
    fn check_waits(&self, at: Timestamp, events: &[Event]) -> Result<(), Found> {
        for end in events.iter().filter_map(End::of) {
            let Some(entry) = self.ledger.tasks.get(&end.task) else { continue };
            let Some(stage) = self.ledger.stage(entry.stage) else { continue };
            let wait = end.retry_at.since(at);
            let of_all = (self.limits.backoff_min, self.limits.backoff_max);
            let (first, longest) = stage.retry.backoff.unwrap_or(of_all);
            let whole = end.how.map(|how| {
                let before = entry.ends.get(&how).copied().unwrap_or_default() + entry.excused;
                first.saturating_mul(2_u32.saturating_pow(before)).min(longest)
            });
            let whole = whole.unwrap_or_default();
            let is_so = wait + ROUNDING >= whole / 2 && wait <= whole;
            holds(Check::Backoff, is_so, || {
                format!("{} waits {wait:?} after {:?}, of {whole:?}", entry.key, end.how)
            })?;
        }
        Ok(())
    }

    /// What is at no budget parks nothing.
    fn check_excused(&self, events: &[Event]) -> Result<(), Found> {
        let excused = events.iter().filter_map(End::of).filter(|end| end.excused);
        let excused: BTreeSet<_> = excused.map(|end| end.task).collect();
        let mut parked = events.iter().filter_map(|event| {
            if let Event::Parked { task, .. } = event { Some(task) } else { None }
        });
        let parked = parked.find(|task| excused.contains(task));
        holds(Check::Budgets, parked.is_none(), || {
            format!("{parked:?} is parked by what is at no budget")
        })?;
        // What spends a budget parks, but where another has yet to try, or a service may come back.
        for end in events.iter().filter_map(End::of).filter(|end| !end.excused) {
            let Some(how @ (How::Lost | How::Withdrawn)) = end.how else { continue };
            let Some(entry) = self.ledger.tasks.get(&end.task) else { continue };
            let Some(stage) = self.ledger.stage(entry.stage) else { continue };
            let times = entry.ends.get(&how).copied().unwrap_or_default() + 1;
            let is_parked = events
                .iter()
                .any(|event| matches!(event, Event::Parked { task, .. } if *task == end.task));
            let is_spent = times >= report::budget(&stage.retry, how);
            holds(Check::Budgets, !is_spent || is_parked, || {
                format!("{} ended {times} times as {how:?}, and is not parked", entry.key)
            })?;
        }
        Ok(())
    }

    /// No message is too long, and no task is tried or parked but as its budgets say.
    pub(super) fn check_budgets(&self, event: &Event) -> Result<(), Found> {
        if let Some(message) = message(event) {
            let bytes = message.len();
            let is_short = bytes <= self.limits.message_bytes_max;
            holds(Check::Limits, is_short, || format!("a message of {bytes} bytes"))?;
        }
        if let Event::Parked { task, class, .. } = event {
            return self.check_parked(task, *class);
        }
        let Event::Granted { task, .. } = event else { return Ok(()) };
        let Some(entry) = self.ledger.tasks.get(task) else { return Ok(()) };
        let Some(stage) = self.ledger.stage(entry.stage) else { return Ok(()) };
        for (how, times) in &entry.ends {
            let budget = report::budget(&stage.retry, *how);
            let goes_on = match how {
                How::Lost | How::Withdrawn => false,
                // A service is waited for.
                How::Failed(FailureClass::Transient) => entry
                    .transient
                    .is_some_and(|(first, last)| last.since(first) < stage.retry.patience),
                // Another is to fail it too.
                How::Failed(_) | How::Rejected => {
                    *times < 3 * budget && entry.was_alone.get(how).copied().unwrap_or_default()
                }
            };
            holds(Check::Budgets, *times < budget || goes_on, || {
                format!("{} is tried again, and ended {times} times as {how:?}", entry.key)
            })?;
        }
        let failed_on = entry.failed_on.len();
        holds(Check::Budgets, failed_on < self.limits.dispatchers_max, || {
            format!("{} is tried again, and failed on {failed_on} dispatchers", entry.key)
        })
    }

    fn check_complaint(&self, input: &Input, events: &[Event]) -> Result<(), Found> {
        let Input::Report(report) = input else { return Ok(()) };
        let Outcome::InputLost { .. } = &report.outcome else { return Ok(()) };
        let granted = report.attempt.position();
        let stale = events.iter().find(|event| self.ledger.is_stale(granted, event));
        holds(Check::StaleComplaint, stale.is_none(), || {
            format!("{} was granted before, and its complaint led to {stale:?}", report.attempt)
        })
    }
}

fn message(event: &Event) -> Option<&String> {
    if let Event::Failed { message, .. }
    | Event::Rejected { message, .. }
    | Event::Lost { message, .. }
    | Event::Withdrawn { message, .. }
    | Event::Parked { message, .. } = event
    {
        Some(message)
    } else {
        None
    }
}

/// Times are kept to the microsecond.
const ROUNDING: Duration = Duration::from_micros(2);
