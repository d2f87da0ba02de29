//! Which key a program's proofs are under, and whose word on it counts.
//!
//! A key is pinned by a verdict and never by a claim. What an engine hears of a key is a
//! dispatcher's word, so:
//!
//! - what the pipeline says (`vkey`) holds, and nothing else does;
//! - only who holds the lease of a task names a key by its result: a result is taken from anybody,
//!   and who may speak under several names could else agree with himself at once;
//! - else a dispatcher is held to the key that it named first: one that changes its prover is found
//!   at once;
//! - a second dispatcher that names the same pins it, for all of them, also where it named another
//!   before: a machine whose prover is mended is back by itself. One alone pins nothing: what it
//!   says first would make all others' work worthless;
//! - a mock is under no key;
//! - an operator takes back what was pinned and named (`unpin`), and what came from a result goes
//!   with the result (`discard`).
//!
//! Not here: whether a proof verifies (its verifier says so, and whoever is handed the final proofs
//! asks again).

use std::collections::{BTreeMap, BTreeSet};

use super::Scheduler;
use crate::input::Rejection;
use crate::{DispatcherId, Event, ProgramName, Report, ResultRef, Seq, Task, TaskId, Vkey};

/// What is known of the key of one program, beside what the pipeline says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Keys {
    pinned: Option<Vkey>,
    /// What each dispatcher named, and with the result of which task.
    named: BTreeMap<DispatcherId, (Vkey, TaskId)>,
}

impl Scheduler {
    /// The key that a program's proofs verify under: the pipeline's, or the one that is pinned.
    #[must_use]
    pub fn vkey(&self, program: &ProgramName) -> Option<Vkey> {
        self.declared(program).or_else(|| self.keys.get(program)?.pinned)
    }

    /// The key that a dispatcher's proofs must be under, as far as anybody knows.
    #[must_use]
    pub fn vkey_for(&self, program: &ProgramName, dispatcher: &DispatcherId) -> Option<Vkey> {
        let named = || self.keys.get(program)?.named.get(dispatcher).map(|(vkey, _)| *vkey);
        self.vkey(program).or_else(named)
    }

    fn declared(&self, program: &ProgramName) -> Option<Vkey> {
        self.pipeline.programs.get(program)?.vkey
    }

    /// What a result that is accepted says of its program's key.
    pub(super) fn names(&self, task: &Task, report: &Report, result: &ResultRef) -> Vec<Event> {
        let program = &self.pipeline.stage(task.stage).program;
        let (Some(vkey), false) = (result.vkey, result.mock) else { return Vec::new() };
        let dispatcher = &report.dispatcher;
        let is_asked = self.held_by(report).is_some();
        if !is_asked || self.vkey(program).is_some() || self.has_named(program, dispatcher, vkey) {
            return Vec::new();
        }
        let is_agreed = self.have_others_named(program, dispatcher, vkey);
        let known = self.keys.get(program).map_or(0, |keys| keys.named.len());
        if known >= NAMED_MAX && !is_agreed {
            return Vec::new();
        }
        let (program, dispatcher) = (program.clone(), dispatcher.clone());
        let pinned = Event::Pinned { program: program.clone(), vkey };
        let named = Event::KeyNamed { program, vkey, dispatcher, task: report.task };
        std::iter::once(named).chain(is_agreed.then_some(pinned)).collect()
    }

    fn has_named(&self, program: &ProgramName, dispatcher: &DispatcherId, vkey: Vkey) -> bool {
        let named = self.keys.get(program).and_then(|keys| keys.named.get(dispatcher));
        named.is_some_and(|(named, _)| *named == vkey)
    }

    fn have_others_named(&self, program: &ProgramName, one: &DispatcherId, vkey: Vkey) -> bool {
        let named = self.keys.get(program).into_iter().flat_map(|keys| &keys.named);
        named.into_iter().any(|(other, (named, _))| other != one && *named == vkey)
    }

    /// Why a result is not under the key that it must be under.
    pub(super) fn is_under_another_key(
        &self,
        program: &ProgramName,
        dispatcher: &DispatcherId,
        result: &ResultRef,
        needs_key: bool,
    ) -> Option<String> {
        let must = match result.mock {
            true => self.declared(program),
            false => self.vkey_for(program, dispatcher),
        }?;
        let is_for_all = self.vkey(program).is_some();
        let whose = match is_for_all {
            true => program.to_string(),
            false => format!("what {dispatcher} made before of {program}"),
        };
        let remedy = match self.declared(program) {
            Some(_) => String::new(),
            None => format!(" (where its prover was changed on purpose: push0 unpin {program})"),
        };
        let is_agreed = |found| !is_for_all && self.have_others_named(program, dispatcher, found);
        match result.vkey {
            Some(found) if found != must && !is_agreed(found) => Some(format!(
                "the result is under the verification key {found}, but {whose} has {must}{remedy}"
            )),
            None if needs_key && !result.mock => Some(format!(
                "neither the result nor its verifier names a verification key, but {whose} has {must}"
            )),
            Some(_) | None => None,
        }
    }

    pub(super) fn unpin(
        &self,
        program: &ProgramName,
        by: &str,
        why: &str,
    ) -> Result<Vec<Event>, Rejection> {
        if !self.keys.contains_key(program) {
            return Err(Rejection::NotPinned(program.clone()));
        }
        let (by, why) = (self.bounded(by), self.bounded(why));
        Ok(vec![Event::Unpinned { program: program.clone(), by, why }])
    }

    /// Since when something is named or pinned of a program's key: the position of the first of the
    /// results that named it. None where nothing is: nobody named it, or all was forgotten.
    #[must_use]
    pub fn key_named_since(&self, program: &ProgramName) -> Option<Seq> {
        let named = self.keys.get(program)?.named.values();
        let at = named.map(|(_, task)| Some(self.task(task)?.result.as_ref()?.seq));
        at.map(Option::unwrap_or_default).min().or(Some(Seq(0)))
    }

    pub(super) fn pin(&mut self, program: &ProgramName, vkey: Vkey) {
        self.keys.entry(program.clone()).or_default().pinned = Some(vkey);
    }

    pub(super) fn name_key(
        &mut self,
        program: &ProgramName,
        dispatcher: &DispatcherId,
        vkey: Vkey,
        task: TaskId,
    ) {
        let keys = self.keys.entry(program.clone()).or_default();
        keys.named.insert(dispatcher.clone(), (vkey, task));
    }

    /// Results of `tasks` are taken back: what was named with them goes, and what was pinned for
    /// it.
    pub(super) fn unname(&mut self, program: &ProgramName, vkey: Vkey, tasks: &BTreeSet<TaskId>) {
        let Some(keys) = self.keys.get_mut(program) else { return };
        keys.named.retain(|_, (_, task)| !tasks.contains(task));
        let agree = keys.named.values().filter(|(named, _)| *named == vkey).count();
        if keys.pinned == Some(vkey) && agree < AGREE_MIN {
            keys.pinned = None;
        }
        if *keys == Keys::default() {
            self.keys.remove(program);
        }
    }
}

/// Dispatchers that pin a key by naming the same.
const AGREE_MIN: usize = 2;

/// Dispatchers whose word on one program's key is kept: more than name different ones.
const NAMED_MAX: usize = 64;
