//! Whose trouble it is: a task's, a dispatcher's, or that of everybody who proves a program.
//!
//! A dispatcher that fails several tasks of a program in a row, with none proved between, is **set aside** for it: what
//! fails there is charged to it, and to no task. It gets one probe now and then, at growing intervals, and a probe that is
//! proved restores it. One task that fails everywhere sets nobody aside: that takes two different ones.
//!
//! While nobody has proved anything of a program since several of its tasks failed, the trouble is the **program's**: a
//! driver was updated, a key has run out, a node is away. Nothing parks then. Once all its dispatchers are set aside the
//! program is held, its tasks wait at no budget, and one success opens it.
//!
//! All of it is a fold over facts: who failed, who proved. The thresholds are policy, and are read when something is
//! decided.
//!
//! Not here: who is alive (`Fleet`), and which task a probe gets (`queue`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Scheduler;
use crate::failure::Ending;
use crate::{
    AttemptId, Deadline, DispatcherId, Event, FailureClass, ProgramName, Report, StageIndex, Task,
    TaskId, Timestamp,
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

/// Attempts that came to nothing in a row, with none proved between.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Row {
    /// Those that failed, or made what does not verify.
    failed: u32,
    /// Those that were not begun.
    withdrawn: u32,
    /// The first task of them, and the first that is another.
    tasks: (Option<TaskId>, Option<TaskId>),
    since: Option<Timestamp>,
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

/// What a dispatcher may get of a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum May {
    /// Whatever fits.
    All,
    /// One task, to see.
    Probe,
    /// Nothing now.
    Nothing,
}

impl Row {
    fn add(&mut self, at: Timestamp, ending: Ending, task: TaskId) {
        match ending {
            Ending::Withdrawn => self.withdrawn = self.withdrawn.saturating_add(1),
            Ending::Failed(_) | Ending::Rejected => self.failed = self.failed.saturating_add(1),
            Ending::Lost => return, // a dispatcher that is gone is no worse for it
        }
        self.since.get_or_insert(at);
        match self.tasks.0 {
            None => self.tasks.0 = Some(task),
            Some(first) if first != task => {
                self.tasks.1.get_or_insert(task);
            }
            Some(_) => {}
        }
    }

    /// Whether it is more than one task's trouble.
    const fn is_trouble(&self) -> bool {
        self.tasks.1.is_some() && (self.failed >= FAILED_MAX || self.withdrawn >= WITHDRAWN_MAX)
    }
}

impl Scheduler {
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
        row.since.filter(|_| row.is_trouble())
    }

    /// What a dispatcher may get of a program at `now`.
    pub(crate) fn may(&self, now: Timestamp, who: &DispatcherId, program: &ProgramName) -> May {
        let record = self.records.get(program).and_then(|records| records.by.get(who));
        match record.and_then(|record| record.aside.as_ref()) {
            None => May::All,
            Some(aside) if aside.until <= now && !self.probes(aside) => May::Probe,
            Some(_) => May::Nothing,
        }
    }

    /// How many dispatchers are set aside for one program, at most.
    pub(crate) fn asides_max(&self) -> usize {
        let counts = self
            .records
            .values()
            .map(|records| records.by.values().filter(|record| record.aside.is_some()).count());
        counts.max().unwrap_or_default()
    }

    /// When the next probe may go out.
    pub(super) fn next_probe(&self, now: Timestamp) -> Option<Deadline> {
        let wanted = self.queue.wanted();
        let wanted = self.asides().filter(|(program, ..)| wanted.contains(program));
        let due = wanted.filter(|(.., aside)| aside.until > now && !self.probes(aside));
        let at = due.map(|(.., aside)| aside.until).min()?;
        Some(Deadline { at, why: "a dispatcher that was set aside may be probed" })
    }

    fn probes(&self, aside: &Aside) -> bool {
        aside.probe.is_some_and(|probe| self.leases.contains_key(&probe))
    }

    /// Whether an attempt that ends so at `now` is charged to its dispatcher or its program, and to no task.
    pub(super) fn is_excused(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
    ) -> bool {
        if !self.may_be_of_the_machine(now, task, report, ending) {
            return false;
        }
        let program = &self.pipeline.stage(task.stage).program;
        let records = self.records.get(program);
        let after = |row: Option<&Row>| {
            let mut row = row.cloned().unwrap_or_default();
            row.add(now, ending, report.task);
            row.is_trouble()
        };
        let own = records.and_then(|records| records.by.get(&report.dispatcher));
        after(records.map(|records| &records.of_all)) || after(own.map(|own| &own.row))
    }

    /// Whether such an end may be a machine's fault. That there is no verdict is the pipeline's, which names no verifier or
    /// a wrong one, as long as nobody has had one; and a verifier that may come to itself was waited for by its dispatcher.
    fn may_be_of_the_machine(
        &self,
        now: Timestamp,
        task: &Task,
        report: &Report,
        ending: Ending,
    ) -> bool {
        ending != Ending::Failed(FailureClass::Unjudged)
            || self.has_another(now, task, &report.dispatcher)
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
        let record =
            self.records.get(program).and_then(|records| records.by.get(&report.dispatcher));
        let mut row = record.map(|record| record.row.clone()).unwrap_or_default();
        row.add(now, ending, report.task);
        let aside = record.and_then(|record| record.aside.as_ref());
        let is_due = aside.is_none_or(|aside| aside.probe == Some(report.attempt));
        let probes = aside.map_or(0, |aside| aside.probes + 1);
        let wait = ASIDE_MIN.saturating_mul(2_u32.saturating_pow(probes)).min(ASIDE_MAX);
        let is_its_own =
            ending != Ending::Lost && self.may_be_of_the_machine(now, task, report, ending);
        (row.is_trouble() && is_due && is_its_own).then(|| Event::SetAside {
            dispatcher: report.dispatcher.clone(),
            program: program.clone(),
            failures: row.failed.saturating_add(row.withdrawn),
            until: now + wait,
            message: self.bounded(words),
        })
    }

    /// That a dispatcher which has proved something of a program is set aside for it no longer.
    pub(super) fn restores(&self, task: &Task, who: &DispatcherId) -> Option<Event> {
        let program = &self.pipeline.stage(task.stage).program;
        let record = self.records.get(program)?.by.get(who)?;
        let (dispatcher, program) = (who.clone(), program.clone());
        record.aside.as_ref().map(|_| Event::Restored { dispatcher, program })
    }

    /// Whether another than `one` has proved something of this program, not long ago, and may be given more.
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
    ) {
        let program = &self.pipeline.stage(stage).program;
        if let Event::Granted { dispatcher, .. } = event {
            let records = self.records.get_mut(program);
            let record = records.and_then(|records| records.by.get_mut(dispatcher));
            if let Some(aside) = record.and_then(|record| record.aside.as_mut()) {
                aside.probe = Some(AttemptId(self.last.next().0));
            }
            return;
        }
        let ending = Ending::of(event).filter(|ending| *ending != Ending::Lost);
        let is_result = matches!(event, Event::Accepted { .. });
        if ending.is_none() && !is_result {
            return;
        }
        if !self.records.contains_key(program) {
            self.records.insert(program.clone(), Records::default());
        }
        let Some(records) = self.records.get_mut(program) else { return };
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
            | Event::Withdrawn { task, .. },
            Some((holder, _)),
        ) = (ending, event, holder)
        {
            records.of_all.add(at, ending, *task);
            records.record(at, holder).row.add(at, ending, *task);
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
        (record.row, record.aside, record.proved) = (Row::default(), None, Some(at));
    }
}

impl Records {
    /// The record of one, which has just ended an attempt. Of very many names the one that was heard of least lately goes.
    fn record(&mut self, at: Timestamp, who: DispatcherId) -> &mut Record {
        if !self.by.contains_key(&who) && self.by.len() >= RECORDS_MAX {
            let oldest = self.by.iter().min_by_key(|(_, record)| record.ended);
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.and_then(|id| self.by.remove(&id));
        }
        let record = self.by.entry(who).or_default();
        record.ended = at;
        record
    }
}

/// Failures in a row that are more than chance: two may be two bad blocks, and a sick machine fails all.
const FAILED_MAX: u32 = 3;

/// Attempts in a row that are not begun. A full or leaving dispatcher may refuse a few grants that crossed its word.
const WITHDRAWN_MAX: u32 = 16;

/// The first wait for a probe; it doubles with each that fails.
const ASIDE_MIN: Duration = Duration::from_secs(1);

/// The longest: a machine that is mended is back in five minutes.
const ASIDE_MAX: Duration = Duration::from_secs(300);

/// Dispatchers of one program that are remembered: more than a fleet has.
const RECORDS_MAX: usize = 4_096;
