//! Whose trouble it is, told from the facts alone, in the simulator's own way: rows of attempts
//! that came to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use push0_core::{
    AttemptId, DispatcherId, Event, FailureClass, ProgramName, Seq, TaskId, Timestamp,
};

use super::{Entry, How, Ledger};
use crate::check::{Check, Found, holds};

/// Rows of attempts that came to nothing, with none proved between; and who is set aside for one.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    of_one: BTreeMap<(ProgramName, DispatcherId), Vec<Miss>>,
    of_all: BTreeMap<ProgramName, Vec<Miss>>,
    asides: BTreeMap<(ProgramName, DispatcherId), Aside>,
    /// When each proved something last.
    proved: BTreeMap<(ProgramName, DispatcherId), Timestamp>,
}

/// An attempt that came to nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Miss {
    pub(super) task: TaskId,
    pub(super) attempt: AttemptId,
    /// Where that stands.
    pub(super) seq: Seq,
    pub(super) how: How,
}

#[derive(Debug)]
struct Aside {
    until: Timestamp,
    probe: Option<AttemptId>,
    /// So many probes have failed.
    probes: u32,
}

impl Trouble {
    /// An attempt came to nothing, at a task that others may have failed too. Answers whether it is
    /// more than its task's trouble.
    pub(super) fn missed(
        &mut self,
        program: &ProgramName,
        who: &DispatcherId,
        miss: Miss,
        is_failed_elsewhere: bool,
    ) -> bool {
        let (own, all) = self.rows_after(program, who, miss, is_failed_elsewhere);
        let is_trouble = self.is_aside(program, who) || is_trouble(&own) || is_trouble(&all);
        self.of_all.insert(program.clone(), all);
        self.of_one.insert((program.clone(), who.clone()), own);
        is_trouble && miss.how != How::Lost && !miss.how.is_a_word()
    }

    /// The rows of one and of all, once an attempt has come to nothing.
    fn rows_after(
        &self,
        program: &ProgramName,
        who: &DispatcherId,
        miss: Miss,
        is_failed_elsewhere: bool,
    ) -> (Vec<Miss>, Vec<Miss>) {
        let mut all = self.of_all.get(program).cloned().unwrap_or_default();
        all.push(miss);
        let mut own = self.of_one.get(&(program.clone(), who.clone())).cloned().unwrap_or_default();
        own.extend((is_trouble(&all) || !is_failed_elsewhere).then_some(miss));
        (own, all)
    }

    /// Something was proved; by `who`, if that is known.
    pub(super) fn proved(
        &mut self,
        at: Timestamp,
        program: &ProgramName,
        who: Option<&DispatcherId>,
    ) {
        self.of_all.remove(program);
        if let Some(who) = who {
            let of = (program.clone(), who.clone());
            self.of_one.remove(&of);
            self.proved.insert(of, at);
        }
    }

    /// Whether another than `one` has proved something of a program within its patience, and is not
    /// set aside.
    fn has_another(
        &self,
        now: Timestamp,
        patience: Duration,
        program: &ProgramName,
        one: &DispatcherId,
    ) -> bool {
        let mut proved = self.proved.iter().filter(|((of, who), _)| of == program && who != one);
        proved.any(|(of, at)| now.since(*at) < patience && !self.asides.contains_key(of))
    }

    pub(super) fn granted(&mut self, program: &ProgramName, who: &DispatcherId, id: AttemptId) {
        if let Some(aside) = self.asides.get_mut(&(program.clone(), who.clone())) {
            aside.probe = Some(id);
        }
    }

    pub(super) fn set_aside(
        &mut self,
        at: Timestamp,
        program: &ProgramName,
        who: &DispatcherId,
        until: Timestamp,
    ) -> Result<(), Found> {
        let of = (program.clone(), who.clone());
        let row = self.of_one.get(&of).map(Vec::as_slice).unwrap_or_default();
        let words = || format!("{who} is set aside for {program} after {row:?}");
        let before = self.asides.get(&of);
        let probes = before.map_or(0, |aside| aside.probes + 1);
        holds(Check::SetAside, before.is_some() || is_lasting(row), words)?;
        let wait = ASIDE_MIN.saturating_mul(2_u32.saturating_pow(probes)).min(ASIDE_MAX);
        holds(Check::SetAside, until == at + wait, || {
            format!("{who} is set aside until {until:?} after {probes} probes, it is {at:?}")
        })?;
        self.asides.insert(of, Aside { until, probe: None, probes });
        Ok(())
    }

    pub(super) fn restored(
        &mut self,
        at: Timestamp,
        program: &ProgramName,
        who: &DispatcherId,
    ) -> Result<(), Found> {
        let was = self.asides.remove(&(program.clone(), who.clone()));
        self.proved(at, program, Some(who));
        holds(Check::SetAside, was.is_some(), || format!("{who} was not set aside for {program}"))
    }

    /// Whether somebody is set aside for a program.
    pub(crate) fn is_aside(&self, program: &ProgramName, who: &DispatcherId) -> bool {
        self.asides.contains_key(&(program.clone(), who.clone()))
    }

    /// Whether one who is set aside may be probed, where `runs` tells of an attempt whether it
    /// holds a lease.
    pub(crate) fn may_be_probed(
        &self,
        now: Timestamp,
        program: &ProgramName,
        who: &DispatcherId,
        runs: impl Fn(AttemptId) -> bool,
    ) -> bool {
        self.asides
            .get(&(program.clone(), who.clone()))
            .is_some_and(|aside| aside.until <= now && !aside.probe.is_some_and(runs))
    }

    /// Those who may be probed at a time to come, by what they are set aside for, and when; `runs`
    /// as above.
    pub(super) fn probes(
        &self,
        now: Timestamp,
        runs: impl Fn(AttemptId) -> bool,
    ) -> impl Iterator<Item = (&ProgramName, Timestamp)> {
        let due = self
            .asides
            .iter()
            .filter(move |(_, aside)| aside.until > now && !aside.probe.is_some_and(&runs));
        due.map(|((program, _), aside)| (program, aside.until))
    }

    /// Whether somebody is set aside, who may have nothing to prove but what cannot be proved; or
    /// nobody proves a program,
    pub(crate) fn is_held(&self) -> bool {
        !self.asides.is_empty() || self.of_all.values().any(|row| is_trouble(row))
    }
}

/// Three failures in a row, of several tasks; what a prover says of its task is none.
fn is_trouble(row: &[Miss]) -> bool {
    let is_failure =
        |miss: &&Miss| !matches!(miss.how, How::Lost | How::Withdrawn) && !miss.how.is_a_word();
    is_of_several(row) && row.iter().filter(is_failure).count() >= 3
}

/// Three rounds in a row, or sixteen of what was not begun: what was granted before the last that
/// counted is of its round.
fn is_lasting(row: &[Miss]) -> bool {
    let (mut counted, mut rounds, mut refusals) = (Seq(0), 0, 0);
    for miss in row.iter().filter(|miss| miss.attempt.position() > Seq(0)) {
        if miss.attempt.position() > counted {
            counted = miss.seq;
            match miss.how {
                How::Withdrawn => refusals += 1,
                How::Failed(_) | How::Rejected | How::Lost => rounds += 1,
            }
        }
    }
    is_of_several(row) && (rounds >= 3 || refusals >= 16)
}

fn is_of_several(row: &[Miss]) -> bool {
    let tasks: BTreeSet<_> = row.iter().map(|miss| miss.task).collect();
    tasks.len() > 1
}

impl Ledger {
    /// Reads how an attempt came to nothing, and what that says of its dispatcher.
    pub(super) fn came_to_nothing(&mut self, at: Timestamp, event: &Event) -> Result<(), Found> {
        if let Event::SetAside { dispatcher, program, until, .. } = event {
            return self.trouble.set_aside(at, program, dispatcher, *until);
        }
        if let Event::Restored { dispatcher, program } = event {
            return self.trouble.restored(at, program, dispatcher);
        }
        let Some(end) = End::of(event) else { return Ok(()) };
        if let Some(how) = end.how {
            self.missed(at, &end, how)?;
            self.tried(at, &end, how)?;
        }
        self.ended(&end.task, end.attempt, end.retry_at, end.how.filter(|_| !end.excused))
    }

    /// Who is to be set aside by what a decision says, for what: each for the end of an attempt, as
    /// things stood before.
    pub(crate) fn to_be_set_aside(
        &self,
        now: Timestamp,
        events: &[Event],
    ) -> BTreeSet<(ProgramName, DispatcherId)> {
        let aside = |end: End| {
            let how = end.how?;
            let entry = self.tasks.get(&end.task)?;
            let (attempt, who) = entry.holder()?;
            let stage = self.stage(entry.stage)?;
            let program = &stage.program;
            if let Some(aside) = self.trouble.asides.get(&(program.clone(), who.clone())) {
                return (aside.probe == Some(attempt)).then(|| (program.clone(), who.clone()));
            }
            let miss = Miss { task: end.task, attempt, seq: self.last.next(), how };
            let elsewhere = is_failed_elsewhere(entry, who);
            let (row, _) = self.trouble.rows_after(program, who, miss, elsewhere);
            let is_told = how == How::Failed(FailureClass::Unjudged) || how.is_a_word();
            let patience = stage.retry.patience;
            let is_of_it = !is_told || self.trouble.has_another(now, patience, program, who);
            (is_lasting(&row) && is_of_it).then(|| (program.clone(), who.clone()))
        };
        events.iter().filter_map(End::of).filter_map(aside).collect()
    }

    /// An attempt came to nothing, and is excused just where that is more than its task's trouble.
    fn missed(&mut self, at: Timestamp, end: &End, how: How) -> Result<(), Found> {
        let seq = self.last;
        let entry = self.entry(&end.task)?;
        let Some((attempt, who)) = entry.holder() else { return Ok(()) };
        let miss = Miss { task: end.task, attempt, seq, how };
        let elsewhere = is_failed_elsewhere(entry, who);
        let (stage, who) = (entry.stage, who.clone());
        let Some(pipeline) = &self.pipeline else { return Ok(()) };
        let stage = pipeline.stage(stage);
        // Without a verdict it may be the pipeline's trouble, as long as nobody else has had one.
        let is_unjudged = how == How::Failed(FailureClass::Unjudged);
        let is_of_it = !is_unjudged
            || self.trouble.has_another(at, stage.retry.patience, &stage.program, &who);
        let is_trouble = self.trouble.missed(&stage.program, &who, miss, elsewhere) && is_of_it;
        let excused = end.excused;
        holds(Check::SetAside, excused == is_trouble, || {
            format!("{how:?}, excused {excused}, and more than the task's trouble: {is_trouble}")
        })
    }

    fn tried(&mut self, at: Timestamp, end: &End, how: How) -> Result<(), Found> {
        let entry = self.entry(&end.task)?;
        let Some((_, who)) = entry.holder() else { return Ok(()) };
        let who = who.clone();
        entry.last_on = Some(who.clone());
        entry.lacked_memory |= how == How::Failed(FailureClass::Resource);
        if how == How::Lost {
            return Ok(());
        }
        entry.tried_on.insert(who);
        if end.excused {
            entry.excused += 1;
            return Ok(());
        }
        entry.was_alone.insert(how, entry.tried_on.len() == 1);
        if how == How::Failed(FailureClass::Transient) {
            entry.transient = Some((entry.transient.map_or(at, |(first, _)| first), at));
        }
        Ok(())
    }
}

/// How an attempt came to nothing, by a fact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) task: TaskId,
    pub(crate) attempt: AttemptId,
    pub(crate) retry_at: Timestamp,
    /// None where it is nobody's fault.
    pub(crate) how: Option<How>,
    pub(crate) excused: bool,
}

impl End {
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let (task, attempt, retry_at, how, excused) =
            if let Event::Failed { task, attempt, retry_at, class, excused, .. } = event {
                (task, attempt, retry_at, Some(How::Failed(*class)), *excused)
            } else if let Event::Rejected { task, attempt, retry_at, excused, .. } = event {
                (task, attempt, retry_at, Some(How::Rejected), *excused)
            } else if let Event::Lost { task, attempt, retry_at, .. } = event {
                (task, attempt, retry_at, Some(How::Lost), false)
            } else if let Event::Withdrawn { task, attempt, retry_at, cause, excused, .. } = event {
                (task, attempt, retry_at, cause.map(|_| How::Withdrawn), *excused)
            } else {
                return None;
            };
        let (task, attempt, retry_at) = (*task, *attempt, *retry_at);
        Some(Self { task, attempt, retry_at, how, excused })
    }
}

/// Whether another than `who` has come to nothing at a task too.
fn is_failed_elsewhere(entry: &Entry, who: &DispatcherId) -> bool {
    entry.tried_on.iter().any(|tried| tried != who)
}

/// The first wait for a probe; it doubles with each that fails.
const ASIDE_MIN: Duration = Duration::from_secs(1);

/// The longest.
const ASIDE_MAX: Duration = Duration::from_secs(300);
