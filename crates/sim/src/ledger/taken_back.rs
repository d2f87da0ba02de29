//! What the ledger makes of a result that is taken back.

use std::collections::BTreeSet;

use push0_core::{AttemptId, Output, ReleaseNumber, TaskId, Timestamp};

use super::{Entry, Ledger, State};
use crate::check::{Check, Found, holds};

impl Ledger {
    /// A result is taken back, with all that was made from it; parts that nothing has joined come
    /// anew.
    pub(super) fn discarded(
        &mut self,
        at: Timestamp,
        task: TaskId,
        tasks: u64,
        released: &[ReleaseNumber],
    ) -> Result<(), Found> {
        let had = self.entry(&task)?.result.is_some();
        holds(Check::Legal, had, || format!("{task} was discarded, and had no result"))?;
        let all = self.made_from(task);
        holds(Check::Discarded, all.len() as u64 == tasks, || {
            format!("{tasks} tasks were discarded, and {} were made from {task}", all.len())
        })?;
        let numbers = (1..).zip(&self.released);
        let recalled = numbers.filter(|(_, (_, tasks))| tasks.iter().any(|id| all.contains(id)));
        let recalled: Vec<_> = recalled.map(|(number, _)| ReleaseNumber(number)).collect();
        holds(Check::Discarded, recalled == released, || {
            format!("{released:?} were recalled, and {recalled:?} rest on {task}")
        })?;
        let mut gone = BTreeSet::new();
        for split in &all {
            let is_split = |entry: &&Entry| {
                self.stage(entry.stage).is_some_and(|it| it.output == Output::Parts)
            };
            let entry = self.tasks.get(split).filter(is_split);
            if entry.is_none_or(|entry| !entry.has_flowed) {
                continue;
            }
            let mut readers = self.made_from(*split);
            readers.remove(split);
            let is_joined = |entry: &Entry| entry.key.part.is_none() && entry.has_flowed;
            if !readers.iter().filter_map(|id| self.tasks.get(id)).any(is_joined) {
                gone.extend(readers);
                self.entry(split)?.has_flowed = false;
            }
        }
        self.unnames(&all);
        let since = AttemptId::of(self.epoch, self.last);
        for id in &all {
            let to = match self.entry(id)?.state {
                State::Ready(ready) => ready,
                State::Leased { .. } | State::Accepted | State::Parked | State::Superseded => at,
            };
            let is_left = matches!(self.entry(id)?.state, State::Superseded);
            if !is_left {
                self.moved(id, State::Ready(to))?;
            }
            let entry = self.entry(id)?;
            let parts = entry.result.take().map(|result| result.parts.len());
            entry.has_flowed &= !is_left;
            entry.joined_parts = parts.or(entry.joined_parts).filter(|_| entry.has_flowed);
            entry.discarded = since;
            entry.begins_anew();
            entry.made.clear();
        }
        for id in gone {
            self.tasks.remove(&id);
            self.superseded.insert(id, since);
            self.ready.remove(&id);
        }
        Ok(())
    }

    /// A task, and all that were made from what it made.
    fn made_from(&self, task: TaskId) -> BTreeSet<TaskId> {
        let mut found = BTreeSet::from([task]);
        loop {
            let reads = |entry: &Entry| {
                entry.inputs.iter().filter_map(|input| input.maker()).any(|of| found.contains(&of))
            };
            let more = self.tasks.iter().filter(|(id, entry)| !found.contains(id) && reads(entry));
            let more: Vec<_> = more.map(|(id, _)| *id).collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }
}
