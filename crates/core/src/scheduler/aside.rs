//! Whose trouble it is: a task's, a dispatcher's, or that of everybody who proves a program.
//!
//! A dispatcher that fails several tasks of a program in a row, with none proved between, is **set
//! aside** for it: what fails there is charged to it, and to no task. It gets one probe now and
//! then, at growing intervals, and a probe that is proved restores it. One task that fails
//! everywhere sets nobody aside: that takes two different ones, which nobody else has failed,
//! unless nobody proves anything. A machine that goes again and again with all that it runs is no
//! better than one that fails.
//!
//! While nobody has proved anything of a program since several of its tasks failed, the trouble is
//! the **program's**: a driver was updated, a key has run out, a node is away. Nothing parks then.
//! Once all its dispatchers are set aside the program is held, its tasks wait at no budget, and one
//! success opens it.
//!
//! All of it is a fold over facts: who failed, who proved. The thresholds are policy, and are read
//! when something is decided.
//!
//! Not here: who is alive (`Fleet`), and which task a probe gets (`queue`).

mod row;

use std::collections::BTreeMap;
use std::time::Duration;

use self::row::{Miss, Row};
use super::Scheduler;
use crate::failure::Ending;
use crate::queue::May;
use crate::{
    AttemptId, Deadline, DispatcherId, Event, FailureClass, ProgramName, Report, StageIndex, Task,
    Timestamp,
};

/// What came of the attempts at one program.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Records {
    by: BTreeMap<DispatcherId, Record>,
    /// Whoever it was.
    of_all: Row,
}

/// What came of one dispatcher's.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Record {
    row: Row,
    aside: Option<Aside>,
    /// When it last proved something.
    proved: Option<Timestamp>,
    /// When an attempt of it last ended.
    ended: Timestamp,
}

/// That a dispatcher gets no more work of a program, but for a probe now and then.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Aside {
    /// Since when.
    pub since: Timestamp,
    /// From when on it may get a probe.
    pub until: Timestamp,
    /// So many attempts in a row came to nothing.
    pub failures: u32,
    /// The words of the last.
    pub message: Box<str>,
    /// So many probes have failed.
    pub probes: u32,
    probe: Option<AttemptId>,
}

impl Scheduler {
    /// What is known of a program's key, of who proves it, and of who is not to.
    pub(super) fn note(&mut self, at: Timestamp, event: &Event) {
        if let Event::Pinned { program, vkey } = event {
            self.pin(program, *vkey);
        } else if let Event::KeyNamed { program, vkey, dispatcher, task } = event {
            self.name_key(program, dispatcher, *vkey, *task);
        } else if let Event::Unpinned { program, .. } = event {
            self.keys.remove(program);
        } else if let Event::SetAside { dispatcher, program, failures, until, message } = event {
            self.set_aside(at, (dispatcher, program), (*failures, *until, message));
        } else if let Event::Restored { dispatcher, program } = event {
            self.restored(at, dispatcher, program);
        } else {
            self.note_cordon(at, event);
        }
    }

    /// The dispatchers that are set aside, each with the program that they are set aside for.
    pub fn asides(&self) -> impl Iterator<Item = (&ProgramName, &DispatcherId, &Aside)> {
        self.records.iter().flat_map(|(program, records)| {
            let asides = records.by.iter();
            asides.filter_map(move |(id, record)| Some((program, id, record.aside.as_ref()?)))
        })
    }

    /// Since when nobody has proved anything of a program, though several of its tasks were tried.
    #[must_use]
    pub fn troubled_since(&self, program: &ProgramName) -> Option<Timestamp> {
        let row = &self.records.get(program)?.of_all;
        row.since.filter(|_| row.is_trouble() || row.is_lasting())
    }

    /// What a dispatcher may get of a program at `now`.
    pub(crate) fn may(&self, now: Timestamp, who: &DispatcherId, program: &ProgramName) -> May {
        if self.asides == 0 {
            return May::All;
        }
        let record = self.records.get(program).and_then(|records| records.by.get(who));
        match record.and_then(|record| record.aside.as_ref()) {
            None => May::All,
            Some(aside) if aside.until <= now && !self.probes(aside) => {
                May::Probe { is_of_the_head: aside.probes % 2 == 1 }
            }
            Some(_) => May::Nothing,
        }
    }

    /// How many dispatchers are set aside for one program, at most.
    pub(crate) fn asides_max(&self) -> usize {
        if self.asides == 0 {
            return 0;
        }
        let counts = self
            .records
            .values()
            .map(|records| records.by.values().filter(|record| record.aside.is_some()).count());
        counts.max().unwrap_or_default()
    }

    /// When the next probe may go out.
    pub(super) fn next_probe(&self, now: Timestamp) -> Option<Deadline> {
        if self.asides == 0 {
            return None;
        }
        let wanted = self.queue.wanted();
        let wanted = self.asides().filter(|(program, ..)| wanted.contains(program));
        let due = wanted.filter(|(.., aside)| aside.until > now && !self.probes(aside));
        let at = due.map(|(.., aside)| aside.until).min()?;
        Some(Deadline { at, why: "a dispatcher that was set aside may be probed" })
    }

    /// Whether a probe is out.
    #[must_use]
    pub fn probes(&self, aside: &Aside) -> bool {
        aside.probe.is_some_and(|probe| self.attempt(probe).is_some())
    }

    /// Whether an attempt that ends so at `now` is charged to its dispatcher or its program, and to
    /// no task. What a prover says of its task is believed.
    pub(super) fn is_excused(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
    ) -> bool {
        let is_of_the_task = ending == Ending::Lost || ending.is_a_word();
        if is_of_the_task || !self.may_be_of_the_machine(now, task, report, ending) {
            return false;
        }
        let (own, all, aside) = self.after(now, task, report, ending);
        aside.is_some() || all.is_trouble() || own.is_trouble()
    }

    /// The rows of a report's dispatcher and of all, once it has ended so; and whether its
    /// dispatcher is set aside.
    fn after(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
    ) -> (Row, Row, Option<&Aside>) {
        let records = self.records.get(&self.pipeline.stage(task.stage).program);
        let record = records.and_then(|records| records.by.get(&report.dispatcher));
        let mut all = records.map(|records| records.of_all.clone()).unwrap_or_default();
        let mut own = record.map(|record| record.row.clone()).unwrap_or_default();
        let (task_id, attempt, seq) = (report.task, report.attempt, self.last.next());
        let miss = Miss { task: task_id, attempt, ending, seq };
        all.add(now, miss);
        if all.is_trouble() || !task.tally.has_failed_elsewhere(&report.dispatcher) {
            own.add(now, miss);
        }
        (own, all, record.and_then(|record| record.aside.as_ref()))
    }

    /// Whether such an end may be a machine's fault. That there is no verdict is the pipeline's,
    /// which names no verifier or a wrong one, as long as nobody has had one; and what a prover
    /// says of its task is so, as long as nobody proves.
    fn may_be_of_the_machine(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
    ) -> bool {
        let is_told = ending == Ending::Failed(FailureClass::Unjudged) || ending.is_a_word();
        !is_told || self.has_another(now, task, &report.dispatcher)
    }

    /// That the dispatcher of an attempt which ends so is set aside by it, or for longer.
    pub(super) fn sets_aside(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
        words: &str,
    ) -> Option<Event> {
        let program = &self.pipeline.stage(task.stage).program;
        let (row, _, aside) = self.after(now, task, report, ending);
        let is_due = match aside {
            None => row.is_lasting() && self.may_be_of_the_machine(now, task, report, ending),
            Some(aside) => aside.probe == Some(report.attempt),
        };
        let probes = aside.map_or(0, |aside| aside.probes + 1);
        let wait = ASIDE_MIN.saturating_mul(2_u32.saturating_pow(probes)).min(ASIDE_MAX);
        // However many are, the log grows by a few probes a minute.
        let crowd = u32::try_from(self.asides / CROWD).unwrap_or(u32::MAX);
        let wait = wait.saturating_mul(1 + crowd);
        is_due.then(|| Event::SetAside {
            dispatcher: report.dispatcher.clone(),
            program: program.clone(),
            failures: row.rounds.saturating_add(row.refusals),
            until: now + wait,
            message: self.bounded(&both_ends(words, WORDS_MAX)),
        })
    }

    /// That a dispatcher which has proved something of a program is set aside for it no longer.
    pub(super) fn restores(&self, task: &Task, who: &DispatcherId) -> Option<Event> {
        if self.asides == 0 {
            return None;
        }
        let program = &self.pipeline.stage(task.stage).program;
        self.records.get(program)?.by.get(who)?.aside.as_ref()?;
        Some(Event::Restored { dispatcher: who.clone(), program: program.clone() })
    }

    /// Whether another than `one` has proved something of this program, not long ago, and may be
    /// given more.
    pub(super) fn has_another(&self, now: Timestamp, task: &Task, one: &DispatcherId) -> bool {
        let stage = self.pipeline.stage(task.stage);
        let records = self.records.get(&stage.program).into_iter();
        let of_use = |(who, record): (&DispatcherId, &Record)| {
            let is_recent =
                record.proved.is_some_and(|proved| now.since(proved) < stage.retry.patience);
            who != one && record.aside.is_none() && is_recent
        };
        records.flat_map(|records| &records.by).any(of_use)
    }

    /// Notes what an event says of the attempt of `holder` at a task of `stage`.
    pub(super) fn note_record(
        &mut self,
        at: Timestamp,
        stage: StageIndex,
        event: &Event,
        holder: Option<(DispatcherId, AttemptId)>,
        has_failed_elsewhere: bool,
    ) {
        let program = &self.pipeline.stage(stage).program;
        if let Event::Granted { dispatcher, .. } = event {
            if self.asides > 0 {
                let granted = self.attempt_at(self.last.next());
                let records = self.records.get_mut(program);
                let record = records.and_then(|records| records.by.get_mut(dispatcher));
                if let Some(aside) = record.and_then(|record| record.aside.as_mut()) {
                    aside.probe = Some(granted);
                }
            }
            return;
        }
        let (ending, seq) = (Ending::of(event), self.last.next());
        let is_result = matches!(event, Event::Accepted { .. });
        if ending.is_none() && !is_result {
            return;
        }
        let records = self.records.entry(program.clone()).or_default();
        if let Event::Accepted { attempt, .. } = event {
            records.of_all = Row::default();
            if let Some((holder, _)) = holder.filter(|(_, own)| own == attempt) {
                let record = records.record(at, holder);
                (record.row, record.proved) = (Row::default(), Some(at));
            }
        } else if let (
            Some(ending),
            Event::Failed { task, .. }
            | Event::Rejected { task, .. }
            | Event::Lost { task, .. }
            | Event::Withdrawn { task, .. },
            Some((holder, attempt)),
        ) = (ending, event, holder)
        {
            let miss = Miss { task: *task, attempt, ending, seq };
            records.of_all.add(at, miss);
            // What fails everywhere says nothing of one, unless all else does too.
            let is_counted = records.of_all.is_trouble() || !has_failed_elsewhere;
            let record = records.record(at, holder);
            if is_counted {
                record.row.add(at, miss);
            }
        }
    }

    pub(super) fn set_aside(
        &mut self,
        at: Timestamp,
        (dispatcher, program): (&DispatcherId, &ProgramName),
        (failures, until, message): (u32, Timestamp, &str),
    ) {
        let records = self.records.entry(program.clone()).or_default();
        let record = records.record(at, dispatcher.clone());
        let was = record.aside.take();
        self.asides += usize::from(was.is_none());
        record.aside = Some(Aside {
            since: was.as_ref().map_or(at, |was| was.since),
            until,
            failures,
            message: message.into(),
            probes: was.map_or(0, |was| was.probes + 1),
            probe: None,
        });
    }

    pub(super) fn restored(&mut self, at: Timestamp, who: &DispatcherId, program: &ProgramName) {
        let records = self.records.entry(program.clone()).or_default();
        let record = records.record(at, who.clone());
        self.asides -= usize::from(record.aside.is_some());
        (record.row, record.aside, record.proved) = (Row::default(), None, Some(at));
    }
}

impl Records {
    /// The record of one, which has just ended an attempt. Of very many names the one that was
    /// heard of least lately goes.
    fn record(&mut self, at: Timestamp, who: DispatcherId) -> &mut Record {
        if self.by.len() >= RECORDS_MAX && !self.by.contains_key(&who) {
            let known = self.by.iter().filter(|(_, record)| record.aside.is_none());
            let oldest = known.min_by_key(|(_, record)| record.ended).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.by.remove(&id));
        }
        let record = self.by.entry(who).or_default();
        record.ended = at;
        record
    }
}

/// Of a text that is longer than so many bytes how it begins and how it ends: one of both names the
/// error.
fn both_ends(words: &str, bytes_max: usize) -> String {
    if words.len() <= bytes_max {
        return words.to_owned();
    }
    let left = bytes_max.saturating_sub(GAP.len());
    let first = words.floor_char_boundary(left / 2);
    let last = words.ceil_char_boundary(words.len() - (left - first));
    let [begin, end] = [words.get(..first), words.get(last..)].map(Option::unwrap_or_default);
    format!("{begin}{GAP}{end}")
}

/// Stands for what is left out.
const GAP: &str = " … ";

/// Each so many that are set aside make the wait of each as long again.
const CROWD: usize = 16;

/// The words of a failure that are told again with each probe. Unit: bytes.
const WORDS_MAX: usize = 256;

/// The first wait for a probe; it doubles with each that fails.
const ASIDE_MIN: Duration = Duration::from_secs(1);

/// The longest: a machine that is mended is back in five minutes, if there are not many.
const ASIDE_MAX: Duration = Duration::from_secs(300);

/// Dispatchers of one program that are remembered: more than a fleet has.
const RECORDS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_too_long_keep_both_their_ends() {
        assert_eq!(both_ends("exit code 1", 11), "exit code 1");
        let words = format!("panicked: no device\n{}note: é", "at é\n".repeat(90));
        let kept = both_ends(&words, WORDS_MAX);
        assert!(kept.len() <= WORDS_MAX, "{}", kept.len());
        assert!(kept.starts_with("panicked: no device\n") && kept.ends_with("note: é"), "{kept}");
        assert_eq!(both_ends("éééé", 2), GAP);
    }
}
