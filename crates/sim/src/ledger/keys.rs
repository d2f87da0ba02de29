//! Whose word on a program's key counts, and what of a result can be objected to, read from the
//! facts alone.

use std::collections::{BTreeMap, BTreeSet};

use push0_core::{DispatcherId, Limits, Output, ProgramName, Report, ResultRef, TaskId, Vkey};

use super::{Entry, Ledger};
use crate::check::Check;

/// What is known of the key of one program, beside what the pipeline says.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) pinned: Option<Vkey>,
    named: BTreeMap<DispatcherId, (Vkey, TaskId)>,
}

/// What an accepted result must lead to for its program's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Naming {
    Nothing,
    Named,
    /// Another has named the same before.
    Pinned,
}

impl Ledger {
    pub(super) fn names(
        &mut self,
        program: &ProgramName,
        who: &DispatcherId,
        named: (Vkey, TaskId),
    ) {
        self.keys.entry(program.clone()).or_default().named.insert(who.clone(), named);
    }

    /// What was named with the results of these tasks goes with them, and what was pinned for it.
    pub(super) fn unnames(&mut self, tasks: &BTreeSet<TaskId>) {
        let results = tasks.iter().filter_map(|id| {
            let entry = self.tasks.get(id)?;
            let (program, _) = self.program(entry)?;
            Some((program.clone(), entry.result.as_ref()?.vkey?))
        });
        for (program, vkey) in results.collect::<BTreeSet<_>>() {
            let Some(keys) = self.keys.get_mut(&program) else { continue };
            keys.named.retain(|_, (_, task)| !tasks.contains(task));
            let agree = keys.named.values().filter(|(named, _)| *named == vkey).count();
            if keys.pinned == Some(vkey) && agree < 2 {
                keys.pinned = None;
            }
        }
    }

    /// The key that everybody's proofs of a program must be under.
    fn key_of_all(&self, program: &ProgramName) -> Option<Vkey> {
        let declared = self.pipeline.as_ref()?.programs.get(program)?.vkey;
        declared.or_else(|| self.keys.get(program)?.pinned)
    }

    fn named(&self, program: &ProgramName, who: &DispatcherId) -> Option<Vkey> {
        self.keys.get(program)?.named.get(who).map(|(vkey, _)| *vkey)
    }

    fn is_named_by_another(&self, program: &ProgramName, one: &DispatcherId, vkey: Vkey) -> bool {
        let named = self.keys.get(program).into_iter().flat_map(|keys| &keys.named);
        named.into_iter().any(|(other, (named, _))| other != one && *named == vkey)
    }

    /// What a result that is taken must say of its program's key; nothing, where who brings it was
    /// not asked for it.
    pub(crate) fn naming(&self, entry: &Entry, report: &Report, result: &ResultRef) -> Naming {
        let Some(((program, _), vkey)) = self.program(entry).zip(result.vkey) else {
            return Naming::Nothing;
        };
        let who = &report.dispatcher;
        if entry.holder() != Some((report.attempt, who)) {
            return Naming::Nothing;
        }
        if self.key_of_all(program).is_some() || self.named(program, who) == Some(vkey) {
            return Naming::Nothing;
        }
        match self.is_named_by_another(program, who, vkey) {
            true => Naming::Pinned,
            false => Naming::Named,
        }
    }

    /// Why a result cannot be taken, whatever its verifier says; no pipeline here allows a mock.
    pub(crate) fn objection(
        &self,
        entry: &Entry,
        report: &Report,
        result: &ResultRef,
        limits: &Limits,
    ) -> Option<(Check, &'static str)> {
        let stage = self.stage(entry.stage)?;
        let (program, who) = (&stage.program, &report.dispatcher);
        let parts = result.parts.len();
        let must = self.key_of_all(program);
        let is_of_all = must.is_some();
        let must = must.or_else(|| self.named(program, who));
        let is_other = match (must, result.vkey) {
            (Some(must), Some(found)) => {
                let is_agreed = !is_of_all && self.is_named_by_another(program, who, found);
                must != found && !is_agreed
            }
            (Some(_), None) => stage.output == Output::Proof,
            (None, _) => false,
        };
        let are_wrong = match stage.output {
            Output::Proof => parts > 0,
            Output::Parts if entry.joined_parts.is_some_and(|before| before != parts) => true,
            Output::Parts => parts == 0 || parts > limits.parts_max,
        };
        let differs = entry.result.as_ref().is_some_and(|before| {
            (before.statement, &before.parts) != (result.statement, &result.parts)
        });
        let found = [
            (result.mock, Check::UnfitRefused, "it is a mock"),
            (is_other, Check::UnfitRefused, "it is under another key"),
            (are_wrong, Check::UnfitRefused, "its parts are not legal"),
            (differs, Check::SameValues, "it contradicts the one before"),
        ];
        found.into_iter().find(|(is_so, ..)| *is_so).map(|(_, check, why)| (check, why))
    }
}
