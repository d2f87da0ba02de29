//! Whose trouble it is, told from the facts alone, in the simulator's own way: rows of attempts that came to nothing.

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{
    AttemptId, DispatcherId, Event, FailureClass, ProgramName, Seq, TaskId, Timestamp,
};

use super::{Ledger, State, class_word};
use crate::check::{Check, Found, holds};

/// Rows of attempts that came to nothing, with none proved between; and who is set aside for one.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    of_one: BTreeMap<(ProgramName, DispatcherId), Vec<Miss>>,
    of_all: BTreeMap<ProgramName, Vec<Miss>>,
    asides: BTreeMap<(ProgramName, DispatcherId), Aside>,
}

/// An attempt that came to nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Miss {
    pub(super) task: TaskId,
    pub(super) attempt: AttemptId,
    /// Where that stands.
    pub(super) seq: Seq,
    pub(super) how: &'static str,
}

#[derive(Debug)]
struct Aside {
    until: Timestamp,
    probe: Option<AttemptId>,
}

impl Trouble {
    /// An attempt came to nothing, at a task that others may have failed too. Answers whether it is more than its task's
    /// trouble.
    pub(super) fn missed(
        &mut self,
        program: &ProgramName,
        who: &DispatcherId,
        miss: Miss,
        is_failed_elsewhere: bool,
    ) -> bool {
        let all = self.of_all.entry(program.clone()).or_default();
        all.push(miss);
        let is_of_all = is_trouble(all);
        let own = self.of_one.entry((program.clone(), who.clone())).or_default();
        own.extend((is_of_all || !is_failed_elsewhere).then_some(miss));
        let is_own = is_trouble(own);
        let is_of_the_task = matches!(miss.how, "lost" | "unprovable" | "invalid_input");
        let is_trouble = self.is_aside(program, who) || is_own || is_of_all;
        is_trouble && !is_of_the_task
    }

    /// Something was proved; by `who`, if that is known.
    pub(super) fn proved(&mut self, program: &ProgramName, who: Option<&DispatcherId>) {
        self.of_all.remove(program);
        if let Some(who) = who {
            self.of_one.remove(&(program.clone(), who.clone()));
        }
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
        let is_longer = self.asides.contains_key(&of);
        holds(Check::SetAside, (is_longer || is_lasting(row)) && until > at, words)?;
        self.asides.insert(of, Aside { until, probe: None });
        Ok(())
    }

    pub(super) fn restored(
        &mut self,
        program: &ProgramName,
        who: &DispatcherId,
    ) -> Result<(), Found> {
        let was = self.asides.remove(&(program.clone(), who.clone()));
        self.proved(program, Some(who));
        holds(Check::SetAside, was.is_some(), || format!("{who} was not set aside for {program}"))
    }

    /// Whether somebody is set aside for a program.
    pub(crate) fn is_aside(&self, program: &ProgramName, who: &DispatcherId) -> bool {
        self.asides.contains_key(&(program.clone(), who.clone()))
    }

    /// Whether one who is set aside may be probed, where `runs` tells of an attempt whether it holds a lease.
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

    /// Whether nobody proves a program any more, though several of its tasks are tried.
    pub(crate) fn is_held(&self) -> bool {
        self.of_all.values().any(|row| is_trouble(row))
    }
}

/// Three failures in a row, of several tasks; what a prover says of its task is none.
fn is_trouble(row: &[Miss]) -> bool {
    let is_failure =
        |miss: &&Miss| !matches!(miss.how, "lost" | "withdrawn" | "unprovable" | "invalid_input");
    is_of_several(row) && row.iter().filter(is_failure).count() >= 3
}

/// Three rounds in a row, or sixteen of what was not begun: what was granted before the last that counted is of its round.
fn is_lasting(row: &[Miss]) -> bool {
    let (mut counted, mut rounds, mut refusals) = (Seq(0), 0, 0);
    for miss in row.iter().filter(|miss| miss.attempt.position() > Seq(0)) {
        if miss.attempt.position() > counted {
            counted = miss.seq;
            match miss.how {
                "withdrawn" => refusals += 1,
                _ => rounds += 1,
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
        if let Event::Failed { task, attempt, retry_at, class, excused, .. } = event {
            let how = class_word(*class);
            // Without a verdict it may be the pipeline's trouble, as long as nobody else has had one.
            let is_told = *excused || *class != FailureClass::Unjudged;
            self.missed(task, how, is_told.then_some(*excused))?;
            self.tried(at, task, how, !excused)?;
            self.ended(task, *attempt, *retry_at, Some(how).filter(|_| !excused))?;
        } else if let Event::Rejected { task, attempt, retry_at, excused, .. } = event {
            self.missed(task, "rejected", Some(*excused))?;
            self.tried(at, task, "rejected", !excused)?;
            self.ended(task, *attempt, *retry_at, Some("rejected").filter(|_| !excused))?;
        } else if let Event::Lost { task, attempt, retry_at, .. } = event {
            self.missed(task, "lost", Some(false))?;
            self.ended(task, *attempt, *retry_at, Some("lost"))?;
        } else if let Event::Withdrawn { task, attempt, retry_at, cause, excused, .. } = event {
            let how = cause.map(|_| "withdrawn");
            if let Some(how) = how {
                self.missed(task, how, Some(*excused))?;
                self.tried(at, task, how, !excused)?;
            }
            self.ended(task, *attempt, *retry_at, how.filter(|_| !excused))?;
        } else if let Event::SetAside { dispatcher, program, until, .. } = event {
            self.trouble.set_aside(at, program, dispatcher, *until)?;
        } else if let Event::Restored { dispatcher, program } = event {
            self.trouble.restored(program, dispatcher)?;
        }
        Ok(())
    }

    /// An attempt came to nothing, and is `excused` just where that is more than its task's trouble.
    fn missed(
        &mut self,
        task: &TaskId,
        how: &'static str,
        excused: Option<bool>,
    ) -> Result<(), Found> {
        let seq = self.last;
        let entry = self.entry(task)?;
        let State::Leased { attempt, dispatcher } = &entry.state else { return Ok(()) };
        let miss = Miss { task: *task, attempt: *attempt, seq, how };
        let is_failed_elsewhere = entry.tried_on.iter().any(|tried| tried != dispatcher);
        let (stage, who) = (entry.stage, dispatcher.clone());
        let Some(pipeline) = &self.pipeline else { return Ok(()) };
        let program = &pipeline.stage(stage).program;
        let is_trouble = self.trouble.missed(program, &who, miss, is_failed_elsewhere);
        holds(Check::SetAside, excused.is_none_or(|excused| excused == is_trouble), || {
            format!("{how}, excused {excused:?}, and more than the task's trouble: {is_trouble}")
        })
    }

    fn tried(
        &mut self,
        at: Timestamp,
        task: &TaskId,
        how: &'static str,
        is_counted: bool,
    ) -> Result<(), Found> {
        let entry = self.entry(task)?;
        let State::Leased { dispatcher, .. } = &entry.state else { return Ok(()) };
        entry.tried_on.insert(dispatcher.clone());
        if is_counted {
            entry.was_alone.insert(how, entry.tried_on.len() == 1);
        }
        if how == "transient" && is_counted {
            entry.transient = Some((entry.transient.map_or(at, |(first, _)| first), at));
        }
        Ok(())
    }
}
